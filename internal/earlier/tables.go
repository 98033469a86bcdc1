package earlier

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"interlock/internal/handover"
)

// need is one thing that we read of a table, named as the earlier system named
// it.
type need struct {
	name     string
	required bool
	types    []string // of the column; empty is any
}

var (
	instants  = []string{"timestamp with time zone", "timestamp without time zone"}
	exact     = []string{"numeric", "integer", "bigint", "smallint", "text", "character varying"}
	documents = []string{"json", "jsonb"}
)

// needs is all that is ever read. What may be money is read only from a column
// that somebody named: amount can be base or quote, and nobody wrote down which.
var needs = map[string][]need{
	handover.TradeHistory: {
		{"id", true, nil}, {"user_id", true, nil}, {"asset", true, nil}, {"side", true, nil}, {"executed_at", true, instants},
		{"market", false, nil}, {"proposal_id", false, nil}, {"amount", false, exact}, {"amount_quote", false, exact},
	},
	handover.TradeExecutions: {{"proposal_id", true, nil}, {"user_id", true, nil}, {"status", true, nil}},
	handover.TradeProposals:  {{"id", true, nil}, {"user_id", true, nil}, {"status", true, nil}},
	handover.UsageLog: {
		{"id", true, nil}, {"user_id", true, nil}, {"created_at", true, instants}, {"tokens", true, exact},
		{"purpose", false, nil}, {"snapshot_id", false, nil}, {"success", false, []string{"boolean"}}, {"cost", false, exact},
	},
	handover.TradingPolicies: {{"user_id", true, nil}, {"policy", true, documents}},
}

// onlyNamed are the columns whose meaning a name alone does not tell.
var onlyNamed = map[string]bool{
	handover.TradeHistory + ".amount": true, handover.TradeHistory + ".amount_quote": true, handover.UsageLog + ".cost": true,
}

// Table says how a table of the earlier system is read.
type Table struct {
	Name   string            `json:"table"`
	Reads  map[string]string `json:"reads"`  // what we call it -> the column
	Lacks  []string          `json:"lacks"`  // of what would be read
	Unread []string          `json:"unread"` // columns that mean nothing here

	types map[string]string // of the columns
}

// Mapping names columns: "trade_history.executed_at" -> "created_at".
type Mapping map[string]string

// check refuses a mapping of what is never read.
func (m Mapping) check() error {
	var problems []error
	for _, name := range sorted(m) {
		table, what, _ := strings.Cut(name, ".")
		if !slices.ContainsFunc(needs[table], func(n need) bool { return n.name == what }) {
			problems = append(problems, fmt.Errorf("--column %s: nothing of that name is read; there are %s", name, strings.Join(names(), ", ")))
		}
	}
	return errors.Join(problems...)
}

func names() []string {
	var all []string
	for _, table := range sorted(needs) {
		for _, n := range needs[table] {
			all = append(all, table+"."+n.name)
		}
	}
	return all
}

// column is what the database says of one.
type column struct {
	Name string `db:"column_name"`
	Type string `db:"data_type"`
	Key  bool   `db:"is_key"` // all of the primary key
}

// plan decides from which column each need is read. Every problem is reported.
func plan(name string, columns []column, mapping Mapping) (Table, error) {
	t := Table{Name: name, Reads: map[string]string{}, Lacks: []string{}, Unread: []string{}, types: map[string]string{}}
	for _, c := range columns {
		t.types[c.Name] = c.Type
	}
	var problems []error
	for _, n := range needs[name] {
		from, err := source(name, n, columns, mapping)
		switch {
		case err != nil:
			problems = append(problems, err)
		case from == "":
			t.Lacks = append(t.Lacks, n.name)
		default:
			t.Reads[n.name] = from
		}
	}
	for _, c := range columns {
		if !slices.Contains(values(t.Reads), c.Name) {
			t.Unread = append(t.Unread, c.Name)
		}
	}
	return t, errors.Join(problems...)
}

// source is the column that n is read from; none when it may be left out.
func source(table string, n need, columns []column, mapping Mapping) (string, error) {
	full := table + "." + n.name
	from, named := mapping[full]
	if !named && !onlyNamed[full] {
		from = n.name
	}
	for _, c := range columns {
		if c.Name == from || !named && n.name == "id" && c.Key {
			return c.Name, fits(full, c, n)
		}
	}
	switch {
	case named:
		return "", fmt.Errorf("--column %s=%s: the table has no such column; it has %s", full, from, list(columns))
	case n.required:
		return "", fmt.Errorf("%s: the table has no such column; name the one that holds it with --column %s=NAME; it has %s", full, full, list(columns))
	}
	return "", nil
}

func fits(full string, c column, n need) error {
	if len(n.types) > 0 && !slices.Contains(n.types, c.Type) {
		return fmt.Errorf("%s: column %s is %s; only %s can be read", full, c.Name, c.Type, strings.Join(n.types, ", "))
	}
	return nil
}

func list(columns []column) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}

// Read lists what is read of the table.
func (t Table) Read() []string { return sorted(t.Reads) }
