package trade

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"
)

// objectFields splits one JSON object into its fields by their exact names.
// encoding/json would let the last of several win, and take "COOLDOWN" for
// "cooldown". The error says why data is no JSON object, or that more follows.
func objectFields(data []byte) (fields map[string]json.RawMessage, repeated []string, err error) {
	fields = map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, errors.New("must be a JSON object")
	}
	for dec.More() {
		name, raw, err := nextField(dec)
		if err != nil {
			return nil, nil, notJSON(err)
		}
		if _, twice := fields[name]; twice {
			repeated = append(repeated, name)
		}
		fields[name] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, notJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows the JSON object; remove it")
	}
	return fields, repeated, nil
}

func notJSON(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("is not valid JSON: it ends too early; write one whole JSON object")
	}
	return fmt.Errorf("is not valid JSON: %w; write one JSON object", err)
}

func nextField(dec *json.Decoder) (name string, raw json.RawMessage, err error) {
	key, err := dec.Token()
	if err != nil {
		return "", nil, err
	}
	name, _ = key.(string)
	return name, raw, dec.Decode(&raw)
}

func decodeValue(raw json.RawMessage, into any) error {
	if string(raw) == "null" {
		return errors.New("is null; give a value")
	}
	return json.Unmarshal(raw, into)
}

// under names the field that every line of err is about.
func under(field string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	problems := make([]error, len(lines))
	for i, line := range lines {
		problems[i] = errors.New(field + ": " + line)
	}
	return errors.Join(problems...)
}

// StrictFields splits one JSON object that must have exactly the named fields,
// each once and by its exact name. It is how untrusted text is read.
func StrictFields(data []byte, names ...string) (map[string]json.RawMessage, error) {
	fields, repeated, err := objectFields(data)
	if err != nil {
		return nil, err
	}
	if len(repeated) > 0 {
		return nil, fmt.Errorf("%s: given twice", clip(repeated[0]))
	}
	for _, name := range names {
		if _, given := fields[name]; !given {
			return nil, fmt.Errorf("%s: missing", name)
		}
	}
	if len(fields) == len(names) {
		return fields, nil
	}
	for _, name := range sortedKeys(fields) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%s: unknown field", clip(name))
		}
	}
	return fields, nil
}

// DecodeStrict reads one JSON object into the fields of the struct that into
// points to, by their exact names. It lists every unknown, repeated and null
// field and every value that does not fit, each with the fix; what fits is in
// into all the same.
func DecodeStrict(data []byte, into any) error {
	given, repeated, err := objectFields(data)
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range repeated {
		problems = append(problems, fmt.Errorf("%s: is given twice; keep one", clip(name)))
	}
	value := reflect.ValueOf(into).Elem()
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		raw, present := given[name]
		delete(given, name)
		if !present {
			continue
		}
		if err := decodeValue(raw, value.Field(i).Addr().Interface()); err != nil {
			problems = append(problems, fmt.Errorf("%s: %s must be %s", name, clip(string(raw)), wanted(value.Type().Field(i).Type)))
		}
	}
	for _, name := range sortedKeys(given) {
		problems = append(problems, fmt.Errorf("%s: is unknown; remove it", clip(name)))
	}
	return errors.Join(problems...)
}

func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[*time.Time]():
		return `a time in RFC 3339, like "2026-01-31T18:00:00Z"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "a list of texts"
	}
	return "a text in quotes"
}

// Clip shortens foreign text to what a line of a log or an error can carry.
func Clip(text string) string { return clip(text) }
