package migrations

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/tern/v2/migrate"
)

// ErrInFlight is that orders are on their way, or of unknown outcome, which a
// way back would forget. Nothing was changed by the step that met them.
var ErrInFlight = errors.New("executions are in flight")

// inFlightState is a SQLSTATE of no one else's.
const inFlightState = "ILF01"

// settledSQL begins every step down, in the step's own transaction: the lock
// waits for claims that are being made, and no other can be made before the
// step has committed.
const settledSQL = `
LOCK TABLE interlock.trade_executions IN SHARE ROW EXCLUSIVE MODE;

DO $settled$
DECLARE
	executing bigint;
	unresolved bigint;
	listed text;
BEGIN
	SELECT count(*) FILTER (WHERE status = 'EXECUTING'), count(*) FILTER (WHERE status = 'UNRESOLVED')
	INTO executing, unresolved FROM interlock.trade_executions;
	IF executing + unresolved > 0 THEN
		SELECT string_agg(proposal_id, ', ') INTO listed FROM (
			SELECT proposal_id FROM interlock.trade_executions WHERE status IN ('EXECUTING', 'UNRESOLVED') ORDER BY claimed_at LIMIT 5) oldest;
		RAISE EXCEPTION '% EXECUTING and % UNRESOLVED (%)', executing, unresolved, listed USING ERRCODE = 'ILF01';
	END IF;
END $settled$;

`

// refuseInFlight makes every step down begin with settledSQL.
func refuseInFlight(m *migrate.Migrator) {
	for _, step := range m.Migrations {
		step.DownSQL = settledSQL + step.DownSQL
	}
}

// inFlight tells a refusal of settledSQL in words that say what to do.
func inFlight(err error) error {
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) && refusal.Code == inFlightState {
		return fmt.Errorf("%w: %s: stop new ones with \"starter halt\", keep the workers running until \"starter status\" shows none, resolve what stays UNRESOLVED, then try again", ErrInFlight, refusal.Message)
	}
	return err
}
