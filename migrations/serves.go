package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrOtherSchema is that a database and this program do not go together.
// Nothing that this program does there would be what it means.
var ErrOtherSchema = errors.New("the database has another schema version")

// Serves reports whether a database at version serves this program; oldest is
// the oldest program that its schema still serves, by its own row. The error
// wraps ErrOtherSchema and says what to do.
func Serves(version, oldest int32) error {
	switch latest := Latest(); {
	case version == latest, version > latest && oldest > 0 && oldest <= latest:
		return nil
	case version == 0:
		return fmt.Errorf("%w: there is no schema, or this login may not see it: run \"starter migrate\" as the owner, and give this login its role", ErrOtherSchema)
	case version < latest:
		return fmt.Errorf("%w: it is at schema version %d and this program needs %d: run \"starter migrate\" as the owner of the database first", ErrOtherSchema, version, latest)
	default:
		return fmt.Errorf("%w: it is at schema version %d, which serves programs from %d on, and this program knows %d: use a newer program", ErrOtherSchema, version, max(oldest, 1), latest)
	}
}

// Watch reads the schema again and again, and returns an error once it no longer
// serves this program; nil when ctx is over. A schema that cannot be seen just
// now, because the database is away or being restored, is no reason to end.
func Watch(ctx context.Context, every time.Duration, read func(context.Context) (version, oldest int32, err error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		version, oldest, err := read(ctx)
		if err != nil || version == 0 {
			continue
		}
		if err := Serves(version, oldest); err != nil {
			return err
		}
	}
}
