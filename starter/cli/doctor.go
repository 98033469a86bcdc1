package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/config"
	"interlock/internal/doctor"
	"interlock/starter/stack"
)

// doctorRoles are the names of the roles as people write them.
var doctorRoles = []struct {
	name string
	role config.Role
}{
	{"proposals", config.Proposals}, {"orders", config.Orders}, {"scans", config.Scans}, {"api", config.APIRole}, {"operator", config.Operator},
}

func (a *app) doctor() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Find out whether a role has what it needs, and nothing more", Args: cobra.NoArgs,
		Long: `Looks at what a role needs, changes nothing, and says what to do about each
finding: configuration, database, schema version, exactly the grants of the
role, settings that commits rest on, Temporal with namespace, search attributes,
workers and schedules, the account's exchange, clocks, what the keys may, and
the model server. Each part is asked once and has four seconds to answer.

It asks of the stack on the state folder, in the environment that each of its
processes has; or, with DATABASE_URL set or no stack running, of the role whose
environment this is, which --role then names. Keys stay in a process of the
role's own: "worker --role orders --check" is the same look, for a machine where
keys are in the environment.

Nothing it sends can move money. Whether a key may trade is found out by
cancelling an order with a random ID. Whether it may withdraw is never asked,
and no completion is asked of a model.

Results: ok, warn, fail, unknown. Exit code 1 when something failed, else 0: a
warning or something unknown is no failure.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runDoctor(ctx, role) }),
	}
	cmd.Flags().StringVar(&role, "role", "all", "proposals, orders, scans, api, operator or all")
	return a.printsJSON(cmd)
}

func (a *app) runDoctor(ctx context.Context, name string) error {
	roles, err := rolesNamed(name)
	if err != nil {
		return err
	}
	environment, err := a.environments(len(roles))
	if err != nil {
		return err
	}
	found := make([][]doctor.Finding, len(roles))
	var looks sync.WaitGroup
	for i, role := range roles {
		looks.Go(func() { found[i] = a.look(ctx, role, environment) })
	}
	looks.Wait()
	list := []doctor.Finding{}
	for _, part := range found {
		list = append(list, part...)
	}
	if err := a.show(list, findingsTable(list)); err != nil {
		return err
	}
	if doctor.Failed(list) {
		return answered(exitFailed)
	}
	return nil
}

func rolesNamed(name string) (roles []config.Role, err error) {
	for _, r := range doctorRoles {
		if name == r.name || name == "all" {
			roles = append(roles, r.role)
		}
	}
	if len(roles) == 0 {
		return nil, ends(exitUsage, fmt.Errorf("--role: %q is not a role; write proposals, orders, scans, api, operator or all", name))
	}
	return roles, nil
}

// environments says what a process of a role would find in its environment:
// that of the running stack, or our own, which is of one role.
func (a *app) environments(roles int) (func(config.Role) ([]string, error), error) {
	p, err := a.locate()
	if err != nil {
		return nil, err
	}
	named := p.DatabaseURL != ""
	if len(p.urls) > 0 && !named {
		return func(role config.Role) ([]string, error) {
			return stack.Environment(a.state, p.urls, p.StarterConfig, a.getenv, role)
		}, nil
	}
	if !named && p.TemporalAddress == "" && p.RESTURL == "" {
		_, err := p.find("", stack.Database, "DATABASE_URL")
		return nil, err
	}
	if roles > 1 {
		return nil, ends(exitUsage, errors.New("--role: name the role whose environment this is; each has its own login and keys"))
	}
	return func(config.Role) ([]string, error) { return a.ownEnvironment(), nil }, nil
}

// ownEnvironment is ours as it is: a key of another role in it is a finding.
func (a *app) ownEnvironment() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if value := a.getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// look examines one role. One that holds keys is examined by the worker, in
// whose process they belong.
func (a *app) look(ctx context.Context, role config.Role, environment func(config.Role) ([]string, error)) []doctor.Finding {
	env, err := environment(role)
	if err != nil {
		return doctor.Misconfigured(role, err)
	}
	if role == config.APIRole || role == config.Operator {
		return examine(ctx, role, lookup(env))
	}
	found, err := a.askWorker(ctx, role, env)
	if errors.Is(err, context.DeadlineExceeded) {
		return []doctor.Finding{{Role: role, Check: "everything", Result: doctor.Unknown, Found: "not checked: " + err.Error(), Fix: "look again when this machine is less busy"}}
	}
	if err != nil {
		return doctor.Misconfigured(role, err)
	}
	return found
}

// lookup reads variables as a process with this environment would.
func lookup(env []string) func(string) string {
	values := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// examine looks at a role that holds no key.
func examine(ctx context.Context, role config.Role, getenv func(string) string) []doctor.Finding {
	subject := doctor.Subject{Role: role}
	if role == config.APIRole {
		cfg, err := config.API(getenv)
		if err != nil {
			return doctor.Misconfigured(role, err)
		}
		subject.Database, subject.Temporal = cfg.DatabaseURL.Reveal(), cfg.Temporal
		return doctor.Examine(ctx, subject)
	}
	cfg, err := config.Starter(getenv)
	if err == nil && cfg.DatabaseURL == "" {
		err = errors.New("DATABASE_URL: is missing; write it like postgres://user:password@host:5432/database")
	}
	if err != nil {
		return doctor.Misconfigured(role, err)
	}
	subject.Database, subject.Temporal, subject.Account = cfg.DatabaseURL.Reveal(), cfg.Temporal, cfg.Account
	return doctor.Examine(ctx, subject)
}

// workerWithin is more than the worker's own look takes.
const workerWithin = time.Minute

func (a *app) askWorker(ctx context.Context, role config.Role, env []string) ([]doctor.Finding, error) {
	binary, err := a.workerBinary(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, workerWithin)
	defer cancel()
	var out, words bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "--role", string(role), "--check", "--json")
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &words
	ended := cmd.Run() // 1 says that something failed, which the findings say better
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("the look of %s took longer than %s: %w", binary, workerWithin, err)
	}
	var found []doctor.Finding
	if err := json.Unmarshal(out.Bytes(), &found); err != nil || len(found) == 0 {
		return nil, fmt.Errorf("the worker %s does not say what it found: %w: %s", binary, errors.Join(ended, err), oneLine(words.String()))
	}
	return found, nil
}

// workerBinary is the running stack's, else the one beside us.
func (a *app) workerBinary(ctx context.Context) (string, error) {
	if p, err := a.locate(); err == nil && p.urls[stack.Worker] != "" {
		return p.urls[stack.Worker], nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return stack.WorkerBinary(ctx, self, a.progress)
}

func findingsTable(list []doctor.Finding) *table {
	t := &table{header: []string{"ROLE", "CHECK", "RESULT", "FOUND, AND WHAT TO DO"}}
	for _, f := range list {
		said := f.Found
		if f.Fix != "" {
			said += "; to do: " + f.Fix
		}
		t.add(roleName(f.Role), f.Check, string(f.Result), said)
	}
	return t
}

func roleName(role config.Role) string {
	for _, r := range doctorRoles {
		if r.role == role {
			return r.name
		}
	}
	return string(role)
}
