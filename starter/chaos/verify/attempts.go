package verify

import (
	"fmt"
	"strings"
	"time"
)

// beginSlack is how long a transaction may stand still between reading the
// clock and writing the attempt, before the server ends it: its bounds on
// statements and on idle transactions together.
const beginSlack = 10 * time.Second

// attemptsHold judges the attempts of every execution.
func attemptsHold(c *inquiry) {
	claims := map[int64][]claim{}
	for _, x := range c.claims {
		claims[x.execution] = append(claims[x.execution], x)
	}
	for execution, attempts := range c.attempts {
		e, known := c.executions[execution]
		if !known {
			c.reportf(AttemptOfClaim, fmt.Sprint("execution ", execution), "it has attempts and does not exist")
			continue
		}
		for i, a := range attempts {
			if problem := outOfTurn(attempts, i); problem != "" {
				c.reportf(AttemptsInTurn, attemptName(e, a), "%s", problem)
			}
			c.ofClaim(e, a, claims[execution])
			c.beforeDeadline(e, a)
		}
	}
}

// lostBy is who begins an attempt that stands for those which an earlier life
// of the database may have begun. Nobody sends it: it is looked for only.
const lostBy = "a lost future, perhaps"

// sent reports whether a worker began the attempt in order to send it.
func (a AttemptRow) sent() bool { return a.Deadline != nil && a.BegunBy != lostBy }

func attemptName(e ExecutionRow, a AttemptRow) string {
	return fmt.Sprintf("%s/%d", e.ProposalID, a.Number)
}

func outOfTurn(attempts []AttemptRow, i int) string {
	a := attempts[i]
	switch {
	case a.Number != i+1:
		return fmt.Sprintf("it is number %d in line", i+1)
	case (a.Verdict == nil) != (a.ConcludedAt == nil), (orEmpty(a.Verdict) == accepted) != (a.OrderID != nil), a.Deadline == nil && (orEmpty(a.Verdict) != void || a.BegunBy != ""):
		return "its verdict contradicts itself"
	case i == 0:
		return ""
	}
	before := attempts[i-1]
	switch {
	case before.Verdict == nil || *before.Verdict == accepted:
		return "the attempt before it is alive"
	case before.ConcludedAt == nil || a.BegunAt.Before(*before.ConcludedAt):
		return "it began before the attempt before it had its verdict"
	}
	return ""
}

func (c *inquiry) ofClaim(e ExecutionRow, a AttemptRow, claims []claim) {
	for _, x := range claims {
		if x.request != a.RequestID {
			continue
		}
		switch {
		case a.BegunAt.Before(x.at):
			c.reportf(AttemptOfClaim, attemptName(e, a), "it began before its claim")
		case orEmpty(a.Verdict) == void:
			// It never began; a run that was set back may close it at any time.
		case !x.ended.IsZero() && (a.BegunAt.After(x.ended) || a.ConcludedAt == nil || a.ConcludedAt.After(x.ended)):
			c.reportf(AttemptOfClaim, attemptName(e, a), "it was not over when its claim ended")
		}
		if late := a.BegunAt.Sub(x.at); a.sent() && late > sendWithin+beginSlack {
			c.reportf(AttemptInTime, attemptName(e, a), "it began %s after its claim", late)
		}
		return
	}
	c.reportf(AttemptOfClaim, attemptName(e, a), "no claim was made by request %s", a.RequestID)
}

// beforeDeadline holds an order's birth, on the exchange's clock, against the
// instant after which its request could no longer act.
func (c *inquiry) beforeDeadline(e ExecutionRow, a AttemptRow) {
	if orEmpty(a.Verdict) != accepted || a.Deadline == nil || e.AccountID != c.o.Account {
		return
	}
	o, there := c.orders[OrderKey{e.Market, orEmpty(a.OrderID)}]
	if there && strings.EqualFold(o.ClientOrderID, e.ClientOrderID) && o.CreatedAt.After(*a.Deadline) {
		c.reportf(AttemptInTime, attemptName(e, a), "order %s was created %s after the deadline", o.Key(), o.CreatedAt.Sub(*a.Deadline))
	}
}

type begunWire struct {
	Execution     *int64     `json:"execution"`
	Number        *int       `json:"number"`
	Deadline      *time.Time `json:"deadline"`
	ClientOrderID *string    `json:"clientOrderId"`
	Plan          *planWire  `json:"plan"`
}

type stateWire struct {
	State *string `json:"state"`
}

// stateRow is an audit row by which a scope's trading state was set.
type stateRow struct {
	AuditRow

	state string
}

// readStates lists them: what people set, and the alarms, which halt.
func (c *inquiry) readStates() {
	for _, row := range c.r.Audit {
		switch row.Kind {
		case kindContradicts:
			c.states = append(c.states, stateRow{row, "HALTED"})
		case kindState:
			if b, ok := body[stateWire](c, row); ok {
				c.states = append(c.states, stateRow{row, *b.State})
			}
		}
	}
}

// haltsHold walks through the audit in time: the state's lock makes a halt's
// row later than those of all attempts that it let pass.
func haltsHold(c *inquiry) {
	for _, row := range c.kinds[kindBegun] {
		b, ok := body[begunWire](c, row)
		if !ok {
			continue
		}
		for _, scope := range []string{"*", row.Chain} {
			state := c.stateBefore(scope, row)
			if state == "HALTED" || state == "REDUCING" && !*b.Plan.Reduces {
				c.reportf(AttemptUnhalted, fmt.Sprintf("%s/%d", orEmpty(row.ProposalID), *b.Number), "it began while %s was %s", scope, state)
			}
		}
	}
}

// stateBefore is the state of a scope that was last set before a row: by
// number within one chain, by time between two.
func (c *inquiry) stateBefore(scope string, row AuditRow) string {
	state := "ACTIVE"
	for _, s := range c.states {
		if s.Chain != scope {
			continue
		}
		if s.Chain == row.Chain && s.Seq > row.Seq || s.Chain != row.Chain && !s.At.Before(row.At) {
			break
		}
		state = s.state
	}
	return state
}
