package api_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// cell is one route as one person asks for it.
type cell struct {
	body    any
	own     int  // what its owner gets, when their role may
	others  int  // what another user's thing answers; 0: it names nobody's thing
	operate bool // an operator of the account may do it to another user's thing
}

// cells say what every route answers. A route that is not here fails the test.
func cells(t *testing.T) map[string]cell {
	reason := map[string]any{"reason": "r"}
	override := map[string]any{"cooldown": true, "reason": "r"}
	return map[string]cell{
		"POST /api/trading/execute":                 {map[string]any{"proposalId": "ID"}, 200, 404, true},
		"POST /api/trading/proposals":               {body("NEW"), 201, 0, false},
		"GET /api/trading/proposals":                {nil, 200, 0, false},
		"GET /api/trading/proposals/{id}":           {nil, 200, 404, true},
		"GET /api/trading/proposals/{id}/audit":     {nil, 200, 404, true},
		"POST /api/trading/proposals/{id}/cancel":   {reason, 200, 404, true},
		"GET /api/trading/proposals/{id}/overrides": {nil, 200, 404, true},
		"POST /api/trading/proposals/{id}/override": {override, 200, 404, true},
		// Nobody confirms their own: the owner is known and refused for that.
		"POST /api/trading/proposals/{id}/overrides/{overrideId}/confirm": {reason, 409, 404, true},
		"POST /api/trading/proposals/{id}/resolve":                        {map[string]any{"absent": true, "reason": "r"}, 200, 404, true},
		"GET /api/trading/policy":                                         {nil, 200, 0, false},
		"PUT /api/trading/policy":                                         {policyText(t), 200, 0, false},
		"GET /api/trading/scans":                                          {nil, 200, 0, false},
		"POST /api/trading/scans":                                         {job("new", nil), 201, 0, false},
		"GET /api/trading/scans/{id}":                                     {nil, 200, 404, true},
		"POST /api/trading/scans/{id}/pause":                              {map[string]any{"note": "n"}, 200, 404, false},
		"POST /api/trading/scans/{id}/resume":                             {map[string]any{"note": "n"}, 200, 404, false},
		"POST /api/trading/scans/{id}/trigger":                            {nil, 202, 404, false},
		"DELETE /api/trading/scans/{id}":                                  {nil, 200, 404, false},
		// A stream has no end; one that is let in is told that it asked for nonsense.
		"GET /api/trading/events":                {nil, 400, 0, false},
		"GET /api/trading/state":                 {nil, 200, 0, false},
		"GET /api/trading/cancel-open":           {nil, 200, 0, false},
		"POST /api/trading/halt":                 {reason, 200, 0, false},
		"POST /api/trading/resume":               {reason, 200, 0, false},
		"POST /api/trading/budgets/{user}/clear": {reason, 200, 0, false},
	}
}

// routes are the described operations, with the least role of each.
func (d *door) routes() map[string]view.Role {
	d.t.Helper()
	least := map[string]view.Role{}
	for path, methods := range d.send("GET", "/openapi.json", nil).body["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			if role, limited := op.(map[string]any)["x-role"].(string); limited {
				least[strings.ToUpper(method)+" "+path] = view.Role(role)
			}
		}
	}
	return least
}

// worldFor is a door where anna has one of everything, the workflow does what
// it is asked, and every role is at hand for anna, a stranger and an outsider.
func worldFor(t *testing.T) *door {
	t.Helper()
	d := newDoor(t)
	d.account("other")
	d.answering(workflows.ExecuteResult{Status: trade.Executed, Claimed: true}, nil)
	d.temporal.cancelling = func(id string, req workflows.CancelRequest) error {
		d.set(id, trade.Cancelled)
		return nil
	}
	d.temporal.resolving = func(string, workflows.ResolveRequest) (workflows.ResolveResult, error) {
		return workflows.ResolveResult{Accepted: true, Status: trade.Failed}, nil
	}
	d.tradable()
	return d
}

// thing makes a proposal, an override of it and a scan job of anna's under one
// name, so that no try of a cell meets what another has changed.
func (d *door) thing(name string) {
	d.t.Helper()
	d.propose(name)
	r := d.send("POST", "/api/trading/proposals/"+name+"/override", map[string]any{"id": "o", "antiFlip": true, "reason": "r"})
	require.Equal(d.t, 200, r.status, r.text)
	r = d.send("POST", "/api/trading/scans", job(name, nil))
	require.Equal(d.t, 201, r.status, r.text)
}

// try asks for a route as somebody, about a thing of anna's.
func (d *door) try(route string, c cell, name string, header []string) reply {
	d.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	path = strings.NewReplacer("{id}", name, "{overrideId}", "o", "{user}", "anna").Replace(path)
	if method == "DELETE" {
		path += "?reason=r"
	}
	if path == eventsPath {
		header = append(slices.Clone(header), "Last-Event-ID", "nonsense")
	}
	body := c.body
	if fields, is := body.(map[string]any); is {
		fields = maps.Clone(fields)
		for field, value := range fields {
			if value == "ID" || value == "NEW" || value == "new" {
				fields[field] = map[any]string{"ID": name, "NEW": name + "-new", "new": name + "-new"}[value]
			}
		}
		body = fields
	}
	return d.send(method, path, body, header...)
}

func TestEveryCellOfRouteAndRole(t *testing.T) {
	t.Parallel()
	d := worldFor(t)
	all, least := cells(t), d.routes()
	require.ElementsMatch(t, slices.Collect(maps.Keys(all)), slices.Collect(maps.Keys(least)), "every route is tried, and every route names its role")
	type person struct {
		who    string
		header []string
		role   view.Role
	}
	people := []person{{"nobody", []string{"Authorization", ""}, ""}, {"forger", []string{"Authorization", "Bearer ilk_" + strings.Repeat("A", 43)}, ""}}
	for _, role := range view.Roles() {
		people = append(people, person{"anna", d.in(role, "anna", account), role}, person{"bert", d.in(role, "bert", account), role},
			person{"outsider", d.in(role, "anna", "other"), role})
	}
	require.Equal(t, 200, d.send("PUT", "/api/trading/policy", policyText(t), d.in(view.Trader, "bert", account)...).status)
	require.Equal(t, 200, d.send("PUT", "/api/trading/policy", policyText(t), d.in(view.Trader, "anna", "other")...).status)
	require.NoError(t, d.owner.HaltAndCancel(ctx, view.AllAccounts, "olga", "test"))
	require.NoError(t, d.owner.GiveUpCancelOpen(ctx, view.AllAccounts, "olga", "test"))
	require.NoError(t, d.owner.SetTradingState(ctx, view.AllAccounts, trade.Active, "olga", "test"))
	n := 0
	for _, route := range slices.Sorted(maps.Keys(all)) {
		c := all[route]
		for _, p := range people {
			n++
			name := fmt.Sprintf("thing-%d", n)
			d.thing(name)
			got := d.try(route, c, name, p.header)
			require.Equal(t, expected(c, p.who, p.role, least[route]), got.status, "%s as %s %s: %s", route, p.who, p.role, got.text)
			if got.status == 403 {
				require.Equal(t, "FORBIDDEN", got.code())
			}
			if got.status >= 400 {
				d.unchanged(name)
			}
		}
	}
	d.writeTable(least, all)
}

func expected(c cell, who string, role, least view.Role) int {
	switch {
	case role == "":
		return 401
	case !role.Covers(least):
		return 403
	case c.others == 0 || who == "anna":
		return c.own
	case who == "bert" && role == view.Operator && c.operate && c.own == 409:
		return 200 // a second person
	case who == "bert" && role == view.Operator && c.operate:
		return c.own
	}
	return c.others
}

// unchanged holds a refusal to having changed nothing of what it was about.
func (d *door) unchanged(name string) {
	d.t.Helper()
	p, err := d.owner.Proposal(ctx, name)
	require.NoError(d.t, err)
	require.Equal(d.t, trade.Pending, p.Status)
	overrides, err := d.owner.Overrides(ctx, name)
	require.NoError(d.t, err)
	require.Len(d.t, overrides, 1)
	require.Empty(d.t, overrides[0].ConfirmedBy)
	j, err := d.owner.ScanJob(ctx, name)
	require.NoError(d.t, err)
	require.Equal(d.t, scan.Job{ID: name, UserID: "anna", AccountID: account, Revision: 1, Spec: j.Spec}, j)
}

// tableHead begins the table in the document; what stands before it is people's.
const tableHead = "| route | viewer | trader | operator |\n|---|---|---|---|\n"

// writeTable holds docs/access.md to what was just tried.
func (d *door) writeTable(least map[string]view.Role, all map[string]cell) {
	d.t.Helper()
	const file = "../../docs/access.md"
	text, err := os.ReadFile(file)
	require.NoError(d.t, err)
	before, table, found := strings.Cut(string(text), tableHead)
	require.True(d.t, found)
	var b strings.Builder
	for _, route := range slices.SortedFunc(maps.Keys(least), byPath) {
		fmt.Fprintf(&b, "| `%s` |", route)
		for _, role := range view.Roles() {
			fmt.Fprintf(&b, " %s |", shownCell(all[route], role, least[route]))
		}
		b.WriteString("\n")
	}
	if *update {
		require.NoError(d.t, os.WriteFile(file, []byte(before+tableHead+b.String()), 0o644))
		return
	}
	require.Equal(d.t, table, b.String(), "go test ./internal/api -run EveryCell -update")
}

func byPath(a, b string) int {
	method, path, _ := strings.Cut(a, " ")
	otherMethod, otherPath, _ := strings.Cut(b, " ")
	return strings.Compare(path+" "+method, otherPath+" "+otherMethod)
}

func shownCell(c cell, role, least view.Role) string {
	switch {
	case !role.Covers(least):
		return "403"
	case c.own == 409:
		return map[bool]string{true: "of others", false: "404 of others, 409 own"}[role == view.Operator]
	case c.others == 0:
		return "yes"
	case role == view.Operator && c.operate:
		return "any user's"
	}
	return "own, else 404"
}
