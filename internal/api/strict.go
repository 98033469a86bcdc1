package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unmarshalStrict refuses what encoding/json would quietly change: a field that
// is given twice, a null, invalid UTF-8. The error has one line for each,
// "body.field: what is wrong". A policy says everything about itself at once.
func unmarshalStrict(data []byte, into any) error {
	if policy, ok := into.(*policyText); ok {
		return policy.UnmarshalJSON(data)
	}
	if err := checkJSON(data); err != nil {
		return err
	}
	err := json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("body.%s: %s cannot be read; write it as the description says", wrong.Field, wrong.Value)
	}
	return err
}

func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("body: is not UTF-8; send plain UTF-8 JSON")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		return fmt.Errorf("body: is not valid JSON: %w; send one JSON object", err)
	}
	w := walk{dec: json.NewDecoder(bytes.NewReader(data))}
	w.dec.UseNumber()
	return w.through()
}

// walk goes through one valid JSON value and notes what must not be in it.
type walk struct {
	dec      *json.Decoder
	open     []level
	problems []error
}

// level is an object or, without seen, a list that the walk is inside of.
type level struct {
	seen  map[string]bool
	name  string // of the field whose value is next; empty: a name is next
	index int    // of the list's next entry
}

func (w *walk) through() error {
	for {
		token, err := w.dec.Token()
		if err == io.EOF {
			return errors.Join(w.problems...)
		}
		if err != nil {
			return fmt.Errorf("body: is not valid JSON: %w; send one JSON object", err)
		}
		w.see(token)
	}
}

func (w *walk) see(token json.Token) {
	if name, isName := w.isName(token); isName {
		top := &w.open[len(w.open)-1]
		top.name = name
		if top.seen[name] {
			w.problem("is given twice; keep one")
		}
		top.seen[name] = true
		return
	}
	switch t := token.(type) {
	case json.Delim:
		w.bracket(t)
		return
	case nil:
		w.problem("is null; leave it out, or give a value")
	case json.Number:
		if _, err := strconv.ParseFloat(t.String(), 64); err != nil {
			w.problem(fmt.Sprintf(`%s is no number that can be kept; write amounts as strings, like "0.25"`, clipped(t.String())))
		}
	}
	w.passed()
}

func (w *walk) isName(token json.Token) (name string, is bool) {
	if len(w.open) == 0 || w.open[len(w.open)-1].seen == nil || w.open[len(w.open)-1].name != "" {
		return "", false
	}
	name, is = token.(string)
	return "." + name, is
}

func (w *walk) bracket(b json.Delim) {
	switch b {
	case '{':
		w.open = append(w.open, level{seen: map[string]bool{}})
	case '[':
		w.open = append(w.open, level{})
	default:
		w.open = w.open[:len(w.open)-1]
		w.passed()
	}
}

// passed notes that a value is over.
func (w *walk) passed() {
	if len(w.open) > 0 {
		top := &w.open[len(w.open)-1]
		top.name = ""
		top.index++
	}
}

// problem is about where the walk is. Names are foreign text: they are
// shortened, and cannot pass for the end of one.
func (w *walk) problem(what string) {
	var path strings.Builder
	path.WriteString("body")
	for _, l := range w.open[:min(len(w.open), 5)] {
		if l.seen == nil {
			fmt.Fprintf(&path, "[%d]", l.index)
		} else {
			path.WriteString(strings.ReplaceAll(clipped(l.name), " ", "_"))
		}
	}
	w.problems = append(w.problems, fmt.Errorf("%s: %s", path.String(), what))
}

// checkQuery refuses what net/url would drop, or take the first of.
func checkQuery(raw string) *Problem {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return invalid(fmt.Errorf("query: %w; write name=value, joined by &, with %%XX for what is special", err))
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case len(query[name]) > 1:
			problems = append(problems, fmt.Errorf("query.%s: is given %d times; keep one", clipped(name), len(query[name])))
		case !utf8.ValidString(name + query[name][0]):
			problems = append(problems, fmt.Errorf("query.%s: is not UTF-8; write it in UTF-8", clipped(name)))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return invalid(err)
	}
	return nil
}
