package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"interlock/migrations"
)

func (a *app) migrate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate [up | down | to N | status]",
		Short: "Move the database schema between its versions",
		Long: `Moves the schema of the database that DATABASE_URL names, as its owner, else of
the running stack. "down" goes back one version, "to 0" removes everything.
Going back is refused (exit code 3) while an execution is EXECUTING or
UNRESOLVED, and through a pooler nothing moves: give the direct address.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.migrateTo(ctx, upward) }),
	}
	step := func(use, short string, target func(current, latest int32) int32) *cobra.Command {
		return a.asks(&cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
			RunE: a.does(func(ctx context.Context, _ []string) error { return a.migrateTo(ctx, target) })})
	}
	cmd.AddCommand(
		step("up", "Bring the schema to the newest version", upward),
		step("down", "Take the newest version back", func(current, _ int32) int32 { return max(current-1, 0) }),
		a.migrateToVersion(), a.migrateStatus())
	return cmd
}

func upward(_, latest int32) int32 { return latest }

func (a *app) migrateToVersion() *cobra.Command {
	return a.asks(&cobra.Command{
		Use: "to N", Short: "Bring the schema to version N, up or down", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			version, err := strconv.ParseInt(args[0], 10, 32)
			if err != nil || version < 0 {
				return ends(exitUsage, fmt.Errorf("version: %q is not usable; write a whole number from 0", args[0]))
			}
			return a.migrateTo(ctx, func(int32, int32) int32 { return int32(version) })
		}),
	})
}

// lost says what going back to a version takes away.
func lost(version int32) string {
	if version == 0 {
		return "deletes every proposal, order, trade and audit row of Interlock for ever"
	}
	return fmt.Sprintf("takes the schema back to version %d and deletes what only newer versions keep", version)
}

type migration struct {
	Version int32 `json:"version"`
	Latest  int32 `json:"latest"`
}

func (a *app) migrateStatus() *cobra.Command {
	return a.printsJSON(&cobra.Command{
		Use: "status", Short: "Show the version of the schema", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			url, err := a.ownerURL()
			if err != nil {
				return err
			}
			current, latest, err := migrations.Version(ctx, url)
			if err != nil {
				return unmoved(err, exitUnavailable)
			}
			t := &table{header: []string{"VERSION", "NEWEST"}}
			t.add(strconv.Itoa(int(current)), strconv.Itoa(int(latest)))
			return a.show(migration{current, latest}, t)
		}),
	})
}

// migrateTo moves to the version that target picks. Upward goes through Up,
// which leaves a database alone that is newer than this program.
func (a *app) migrateTo(ctx context.Context, target func(current, latest int32) int32) error {
	url, err := a.ownerURL()
	if err != nil {
		return err
	}
	current, latest, err := migrations.Version(ctx, url)
	if err != nil {
		return unmoved(err, exitUnavailable)
	}
	version := target(current, latest)
	switch {
	case version > latest:
		return ends(exitUsage, fmt.Errorf("version: %d is unknown; the newest is %d", version, latest))
	case version == latest:
		err = migrations.Up(ctx, url)
	case version < current:
		if err := a.sure(ctx, "%s", lost(version)); err != nil {
			return err
		}
		err = migrations.To(ctx, url, version)
	default:
		err = migrations.To(ctx, url, version)
	}
	if err != nil {
		return unmoved(err, exitFailed)
	}
	fmt.Fprintf(a.out, "schema at version %d of %d\n", version, latest)
	return nil
}

// unmoved gives what stops a migration its exit code.
func unmoved(err error, otherwise int) error {
	switch {
	case errors.Is(err, migrations.ErrInFlight):
		return ends(exitBlocked, err)
	case errors.Is(err, migrations.ErrPooled):
		return ends(exitUsage, err)
	}
	return ends(otherwise, err)
}
