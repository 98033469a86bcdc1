package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"interlock/internal/trade"
)

// cronField is what one field of a cron expression may hold.
type cronField struct {
	name     string
	min, max int
	names    []string // of min and those after it
}

var cronFields = []cronField{
	{name: "minute", max: 59},
	{name: "hour", max: 23},
	{name: "day of the month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "day of the week", max: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// checkCron refuses what Temporal would: a job that is stored must be one that
// can be scheduled.
func checkCron(text string) error {
	fields := strings.Fields(text)
	if len(fields) != len(cronFields) || len(text) > 200 {
		return fmt.Errorf("cron: %q is not five fields, like 0 8 * * 1-5", trade.Clip(text))
	}
	for i, f := range cronFields {
		for part := range strings.SplitSeq(fields[i], ",") {
			if !f.holds(part) {
				return fmt.Errorf("cron: %q is no %s: %d to %d, *, a range or a step", trade.Clip(part), f.name, f.min, f.max)
			}
		}
	}
	return nil
}

func (f cronField) holds(part string) bool {
	span, step, stepped := strings.Cut(part, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
		return false
	}
	if span == "*" {
		return true
	}
	from, to, ranged := strings.Cut(span, "-")
	first, ok := f.number(from)
	if !ok || !ranged {
		return ok
	}
	last, ok := f.number(to)
	return ok && first <= last
}

func (f cronField) number(text string) (int, bool) {
	if i := slices.Index(f.names, strings.ToUpper(text)); i >= 0 {
		return f.min + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && !strings.HasPrefix(text, "+") && n >= f.min && n <= f.max
}
