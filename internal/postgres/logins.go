package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The group roles of the schema. Each login has exactly one.
const (
	ProposalsRole = "interlock_proposals"
	OrdersRole    = "interlock_orders"
	ScansRole     = "interlock_scans"
	APIRole       = "interlock_api"
	OperatorRole  = "interlock_operator"
)

var groupRoles = []string{ProposalsRole, OrdersRole, ScansRole, APIRole, OperatorRole}

// EnsureLogin makes login exist with this password and exactly one group role,
// whatever it was before. It refuses an unknown role, and the admin's own
// login, which would lock the admin out. The migrations come first.
func EnsureLogin(ctx context.Context, adminURL, login, password, groupRole string) error {
	if err := ensureLogin(ctx, adminURL, login, password, groupRole); err != nil {
		return fmt.Errorf("ensure login %s: %w", login, err)
	}
	return nil
}

func ensureLogin(ctx context.Context, adminURL, login, password, groupRole string) error {
	if !slices.Contains(groupRoles, groupRole) || slices.Contains(groupRoles, login) || login == "" {
		return fmt.Errorf("%w: %q is not a login for one of %v", ErrInvalid, login, groupRoles)
	}
	conn, err := Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := createLogin(ctx, conn, login); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return setLogin(ctx, tx, login, password, groupRole)
	})
}

// createLogin is a transaction of its own: a rival's CREATE fails it.
func createLogin(ctx context.Context, conn *pgx.Conn, login string) error {
	_, err := conn.Exec(ctx, "CREATE ROLE "+quoted(login))
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && (refusal.Code == "42710" || refusal.Code == "23505") {
		return nil
	}
	return err
}

const alterLoginSQL = `
	SELECT format('ALTER ROLE %I LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD %L', @login::text, @password::text)
	WHERE @login <> session_user`

const otherRolesSQL = `
	SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles l ON l.oid = m.member
	WHERE l.rolname = @login AND g.rolname <> @group`

// setLogin lets rivals queue: PostgreSQL refuses concurrent changes of a role.
func setLogin(ctx context.Context, tx pgx.Tx, login, password, groupRole string) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('interlock logins', 0))`); err != nil {
		return err
	}
	var statement string
	err := tx.QueryRow(ctx, alterLoginSQL, pgx.StrictNamedArgs{"login": login, "password": password}).Scan(&statement)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: it is the admin's own", ErrInvalid)
	}
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, otherRolesSQL, pgx.StrictNamedArgs{"login": login, "group": groupRole})
	if err != nil {
		return err
	}
	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	statements := []string{statement}
	for _, other := range others {
		statements = append(statements, "REVOKE "+quoted(other)+" FROM "+quoted(login))
	}
	return execAll(ctx, tx, append(statements, "GRANT "+quoted(groupRole)+" TO "+quoted(login)))
}

func execAll(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }

// LoginURL is adminURL with another login. It fails when adminURL is not in
// URL form.
func LoginURL(adminURL, login, password string) (string, error) {
	u, err := url.Parse(adminURL)
	if err != nil || u.Scheme == "" {
		return "", errors.New("the database's address is not a URL; write it like postgres://user:password@host:5432/database")
	}
	u.User = url.UserPassword(login, password)
	return u.String(), nil
}
