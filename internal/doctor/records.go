package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"interlock/internal/config"
	"interlock/internal/postgres"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/migrations"
)

// groups are the database roles that the logins of each role belong to.
var groups = map[config.Role]string{
	config.Proposals: postgres.ProposalsRole, config.Orders: postgres.OrdersRole, config.Scans: postgres.ScansRole,
	config.APIRole: postgres.APIRole, config.Operator: postgres.OperatorRole,
}

// records is what the database said.
type records struct {
	err        error
	found      postgres.Inspection
	account    postgres.Account
	accountErr error
	jobs       []scan.Job
	jobsErr    error
	rules      []postgres.RuleState
	rulesErr   error
}

func (s Subject) readRecords(ctx context.Context) (db records) {
	if db.found, db.err = postgres.Inspect(ctx, s.Database); db.err != nil {
		return db
	}
	store, err := postgres.Open(ctx, s.Database)
	if err != nil {
		db.accountErr, db.jobsErr, db.rulesErr = err, err, err
		return db
	}
	defer store.Close()
	db.account, db.accountErr = store.Account(ctx, s.Account)
	if s.hosts(config.Scans) {
		db.jobs, db.jobsErr = store.ScanJobs(ctx, s.Account)
	}
	if s.mayReadRules() {
		db.rules, db.rulesErr = store.Rules(ctx)
	}
	return db
}

const reachDatabase = "start the database, or correct DATABASE_URL: host, port, name, user and password"

func (s Subject) judgeRecords(r *report, db records) {
	if db.err != nil {
		r.add("database", Fail, db.err.Error(), reachDatabase)
		checks := []string{"schema version", "grants", "durability"}
		if s.mayReadRules() {
			checks = append(checks, notifications)
		}
		for _, check := range checks {
			r.blind(check, "the database does not answer", "mend the database first")
		}
		return
	}
	r.okf("database", "answers as %s", db.found.Login)
	judgeSchema(r, db.found, migrations.Latest())
	s.judgeGrants(r, db.found)
	judgeDurability(r, db.found.Settings)
	if s.mayReadRules() {
		judgeRules(r, db)
	}
	switch {
	case s.Exchange != nil:
	case db.found.Took > trade.MaxClockSkew:
		tooSlow(r, db.found.Took)
	default:
		judgeServerClock(r, db.found.Ahead)
	}
}

func judgeSchema(r *report, found postgres.Inspection, latest int32) {
	const check = "schema version"
	version := found.Schema
	switch {
	case version > latest && migrations.Serves(version, found.Serves) == nil:
		r.add(check, Warn, fmt.Sprintf("%d, which still serves this program, which knows %d", version, latest), "replace this program by the newer one soon")
	case version == latest:
		r.okf(check, "%d, the one of this program", version)
	case version == 0:
		r.add(check, Fail, "there is no schema, or this login may not see it", `run "starter migrate" as the owner, and give this login its role`)
	case version < latest:
		r.add(check, Fail, fmt.Sprintf("%d, and this program needs %d", version, latest), `run "starter migrate" as the owner of the database`)
	default:
		r.add(check, Fail, fmt.Sprintf("%d, and this program knows %d", version, latest), "use the newer program that migrated it, or go back with its starter migrate to "+fmt.Sprint(latest))
	}
}

// judgeGrants compares what the login may do with what its role may: exactly
// that. A login that no grant binds makes every other guard here worthless.
func (s Subject) judgeGrants(r *report, found postgres.Inspection) {
	const check = "grants"
	group, one := groups[s.Role]
	switch {
	case !one:
		r.add(check, Warn, "role all holds the rights of every role", "run one process per role, each with its own login, when real money is traded")
		return
	case found.Above:
		r.add(check, Fail, fmt.Sprintf("%s is a superuser, an owner of the schema, or may make databases or roles", found.Login), "use a login of its own for role "+string(s.Role)+" that is a member of "+group+" and nothing else")
		return
	case !slices.Equal(found.Groups, []string{group}):
		r.add(check, Fail, membership(found), fmt.Sprintf("GRANT %s TO %q, and REVOKE every other role of the schema from it", group, found.Login))
		return
	case found.Schema != migrations.Latest():
		r.blind(check, "they belong to another schema version", "mend the schema version first")
		return
	}
	if lacks := without(migrations.Granted(group), found.Privileges); len(lacks) > 0 {
		r.add(check, Fail, "lacks "+some(lacks), fmt.Sprintf("GRANT it to %s as the owner; somebody has revoked it by hand", group))
	}
	if extra := without(found.Privileges, migrations.Granted(group)); len(extra) > 0 {
		r.add(check, Fail, fmt.Sprintf("may %s, which role %s must not", some(extra), s.Role), fmt.Sprintf("REVOKE it from %s, from %q and from PUBLIC", group, found.Login))
	}
	if slices.Equal(found.Privileges, migrations.Granted(group)) {
		r.okf(check, "exactly those of %s: %d", group, len(found.Privileges))
	}
}

func membership(found postgres.Inspection) string {
	if len(found.Groups) == 0 {
		return found.Login + " is a member of none of our roles"
	}
	return found.Login + " is a member of " + strings.Join(found.Groups, ", ")
}

// without lists what only the first has.
func without(list, others []string) []string {
	var only []string
	for _, item := range list {
		if !slices.Contains(others, item) {
			only = append(only, item)
		}
	}
	return only
}

func judgeDurability(r *report, settings map[string]string) {
	const check = "durability"
	var lost []string
	for _, name := range []string{"fsync", "full_page_writes"} {
		if settings[name] != "on" {
			lost = append(lost, name+" is "+settings[name])
		}
	}
	if settings["synchronous_commit"] == "off" {
		lost = append(lost, "synchronous_commit is off")
	}
	if len(lost) > 0 {
		r.add(check, Fail, strings.Join(lost, ", ")+": a claim can be lost after it was answered", "turn it on in postgresql.conf and for this login and database; a lost claim may trade twice")
		return
	}
	r.okf(check, "fsync, full_page_writes and synchronous_commit=%s", settings["synchronous_commit"])
}

func judgeServerClock(r *report, ahead time.Duration) {
	if ahead.Abs() > trade.MaxClockSkew {
		r.add("clock", Warn, fmt.Sprintf("the database is %s this machine", apart(ahead)), setClocks)
		return
	}
	r.okf("clock", "the database is %s this machine", apart(ahead))
}

const setClocks = "let NTP set the clock of each machine"

// apart says how far a clock is from another.
func apart(ahead time.Duration) string {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fmt.Sprintf("%s %s", ahead.Abs().Round(time.Millisecond), side)
}

// judgeAccount compares the row that names an exchange with the exchange that
// the environment names.
func (s Subject) judgeAccount(r *report, db records) {
	const check = "account"
	switch {
	case db.err != nil || db.accountErr != nil && !errors.Is(db.accountErr, postgres.ErrNotFound):
		r.blind(check, fmt.Sprintf("its row could not be read: %v", cmp.Or(db.err, db.accountErr)), "mend the database, the schema and the grants first")
		return
	case db.accountErr != nil:
		r.add(check, Fail, "there is no account "+s.Account, fmt.Sprintf(`run "starter account create %s --rest-url %s", or correct INTERLOCK_ACCOUNT`, s.Account, s.Exchange.URL))
		return
	}
	row := config.Account{ID: db.account.ID, Venue: db.account.Venue, RESTURL: db.account.RESTURL}
	if err := config.CheckVenue(row, s.Exchange.URL); err != nil {
		r.add(check, Fail, err.Error(), "correct BITVAVO_REST_URL or INTERLOCK_ACCOUNT: a row's exchange never changes")
		return
	}
	money := "paper money"
	if s.Exchange.Live {
		money = "real money"
	}
	r.okf(check, "%s at %s: %s", row.ID, row.RESTURL, money)
}

const notifications = "notifications"

func (s Subject) mayReadRules() bool { return s.hosts(config.Proposals) || s.Role == config.Operator }

// judgeRules names each rule whose service takes nothing. It is no failure:
// trading does not rest on it.
func judgeRules(r *report, db records) {
	if db.rulesErr != nil {
		r.blind(notifications, fmt.Sprintf("the rules could not be read: %v", db.rulesErr), "mend the schema and the grants first")
		return
	}
	if len(db.rules) == 0 {
		r.okf(notifications, "no rules: nobody is told; see starter notify add")
		return
	}
	sound := true
	for _, rule := range db.rules {
		if rule.LastError == "" {
			continue
		}
		sound = false
		r.add(notifications, Warn, fmt.Sprintf("rule %s (%s): %d events wait, %d were given up: %s", rule.ID, rule.Service, rule.Open, rule.GivenUp, rule.LastError),
			"mend the service, then: starter notify test "+rule.ID)
	}
	if sound {
		r.okf(notifications, "%d rules, and their services take what they are told", len(db.rules))
	}
}
