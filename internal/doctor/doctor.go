// Package doctor finds out whether a role's environment has what the role
// needs, and nothing that it must not have. It decides what a finding means and
// what to do about it. It refuses to mend anything, holds no key, and asks of
// an exchange only what its port offers: nothing there can move money.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"interlock/internal/config"
)

// Result is what a check came to.
type Result string

// The results. Unknown is no failure: it says what nobody could find out.
const (
	OK      Result = "ok"
	Warn    Result = "warn"
	Fail    Result = "fail"
	Unknown Result = "unknown"
)

// Finding is one check's result. Fix is empty only when there is nothing to do.
type Finding struct {
	Role   config.Role `json:"role"`
	Check  string      `json:"check"`
	Result Result      `json:"result"`
	Found  string      `json:"found"`
	Fix    string      `json:"fix,omitempty"`
}

// Failed reports whether any of the findings is a failure.
func Failed(list []Finding) bool {
	return slices.ContainsFunc(list, func(f Finding) bool { return f.Result == Fail })
}

var (
	// ErrKey says that a server does not take the key as it is.
	ErrKey = errors.New("the key is refused")

	// ErrNoList says that a model server answers and lists no models.
	ErrNoList = errors.New("no models are listed")
)

// Probe finds out what a key may, without moving money. ErrKey says that the
// key itself is refused; any other error leaves the question open.
type Probe interface {
	MayView(ctx context.Context) (bool, error)
	MayTrade(ctx context.Context) (bool, error)
}

// Key is an exchange key that a role holds.
type Key struct {
	Name  string // for people
	Trade bool   // must be able to trade; any other must not
	Probe Probe
}

// Exchange is where a role trades or reads.
type Exchange struct {
	config.Exchange

	Clock func(ctx context.Context) (time.Time, error)
	Keys  []Key
}

// Model is the server that answers as a language model. Models must not cost
// anything.
type Model struct {
	Named  bool // somebody chose it, or gave a key for it
	Models func(ctx context.Context) ([]string, error)
}

// Subject is a role with its environment. What the role does not use is nil.
type Subject struct {
	Role     config.Role
	Account  string
	Database string
	Temporal client.Options
	Exchange *Exchange
	Model    *Model
}

func (s Subject) hosts(role config.Role) bool { return s.Role == role || s.Role == config.All }

// within bounds everything that is asked of one part.
const within = 4 * time.Second

// Misconfigured are the findings of an environment that cannot be used: one for
// each problem. Nothing else is looked at, for it may be somebody else's.
func Misconfigured(role config.Role, err error) []Finding {
	list := []Finding{}
	for line := range strings.Lines(err.Error()) {
		found, fix, split := strings.Cut(strings.TrimSpace(line), "; ")
		if !split {
			fix = "correct it in the environment of this process"
		}
		if found != "" {
			list = append(list, Finding{role, "configuration", Fail, oneLine(found), fix})
		}
	}
	return append(list, Finding{role, "everything else", Unknown, "not looked at", "mend the configuration first, then look again"})
}

// Examine looks at everything that s needs, all parts at once, and answers in
// seconds whatever is down. It changes nothing.
func Examine(ctx context.Context, s Subject) []Finding {
	var db records
	var engine engine
	var venue venue
	var model models
	var parts sync.WaitGroup
	bounded := func(look func(context.Context)) {
		parts.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			look(ctx)
		})
	}
	bounded(func(ctx context.Context) { db = s.readRecords(ctx) })
	bounded(func(ctx context.Context) { engine = s.dial(ctx) })
	bounded(func(ctx context.Context) { venue = s.visit(ctx) })
	bounded(func(ctx context.Context) { model = s.listModels(ctx) })
	parts.Wait()
	bounded(func(ctx context.Context) { engine.readSchedules(ctx, s.schedules(db)) })
	parts.Wait()
	engine.close()

	r := report{role: s.Role}
	r.okf("configuration", "complete, and no key of another role")
	s.judgeRecords(&r, db)
	s.judgeEngine(&r, engine, db)
	s.judgeVenue(&r, venue, db)
	s.judgeModel(&r, model, db)
	return r.list
}

// report gathers the findings of one role.
type report struct {
	role config.Role
	list []Finding
}

func (r *report) add(check string, result Result, found, fix string) {
	r.list = append(r.list, Finding{r.role, check, result, oneLine(found), fix})
}

func (r *report) okf(check, format string, args ...any) {
	r.add(check, OK, fmt.Sprintf(format, args...), "")
}

// blind is a check that something else kept from being made.
func (r *report) blind(check, why, fix string) { r.add(check, Unknown, "not checked: "+why, fix) }

// oneLine is foreign text on one line, and not endless.
func oneLine(text string) string {
	const most = 300
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// some names a few of a list, and how many more there are.
func some(list []string) string {
	const shown = 4
	if len(list) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
	}
	return strings.Join(list, ", ")
}
