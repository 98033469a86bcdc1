package postgres

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

// outwait does it again when the server's bounds on locks and statements ended
// it, as every caller does: how long rivals queue is the machine's affair.
func outwait(do func() error) error {
	const lockNotAvailable, queryCanceled = "55P03", "57014"
	for ends := time.Now().Add(timeout); ; {
		err := do()
		var refusal *pgconn.PgError
		bounded := errors.As(err, &refusal) && (refusal.Code == lockNotAvailable || refusal.Code == queryCanceled)
		if !bounded || time.Now().After(ends) {
			return err
		}
	}
}
