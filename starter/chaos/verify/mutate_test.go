package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// honest is the stored run, decoded anew for every caller.
func honest(t require.TestingT) pair {
	text, err := os.ReadFile("testdata/honest.json")
	require.NoError(t, err, "run go test -run TestARealRunAddsUp -update")
	var p pair
	require.NoError(t, json.Unmarshal(text, &p))
	return p
}

func TestTheStoredRunAddsUp(t *testing.T) {
	require.Empty(t, honest(t).check())
}

// leaf is one value of a pair, with a way to set it.
type leaf struct {
	path  string // with [i] for every place in a list
	exact string // with its number
	value reflect.Value
	put   func(reflect.Value)
}

// leaves walks through everything that was read.
func leaves(v reflect.Value, path, exact string, put func(reflect.Value), visit func(leaf)) {
	switch v.Interface().(type) {
	case decimal.Decimal, time.Time, []byte:
		visit(leaf{path, exact, v, put})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			name := "." + v.Type().Field(i).Name
			leaves(f, path+name, exact+name, func(n reflect.Value) { f.Set(n) }, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			e := v.Index(i)
			leaves(e, path+"[i]", fmt.Sprintf("%s[%d]", exact, i), func(n reflect.Value) { e.Set(n) }, visit)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			name := fmt.Sprintf("[%s]", k)
			inner := reflect.New(v.Type().Elem()).Elem()
			inner.Set(v.MapIndex(k))
			leaves(inner, path+"[key]", exact+name, func(n reflect.Value) {
				inner.Set(n)
				v.SetMapIndex(k, inner)
			}, func(l leaf) {
				before := l.put
				l.put = func(n reflect.Value) { before(n); v.SetMapIndex(k, inner) }
				visit(l)
			})
		}
	default:
		visit(leaf{path, exact, v, put})
	}
}

// changed is a value one unit away from v.
func changed(v reflect.Value) reflect.Value {
	switch x := v.Interface().(type) {
	case decimal.Decimal:
		return reflect.ValueOf(x.Add(decimal.New(1, -8)))
	case time.Time:
		return reflect.ValueOf(x.Add(time.Millisecond))
	case []byte:
		other := append([]byte{}, x...)
		other[len(other)/2] ^= 1
		return reflect.ValueOf(other)
	case time.Duration:
		return reflect.ValueOf(x + time.Millisecond)
	case string:
		return reflect.ValueOf(flipped(x))
	case bool:
		return reflect.ValueOf(!x)
	case int:
		return reflect.ValueOf(x + 1)
	case int64:
		return reflect.ValueOf(x + 1)
	}
	if v.Kind() == reflect.Pointer {
		other := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			other.Elem().Set(changed(v.Elem()))
		}
		return other
	}
	panic("no way to change a " + v.Type().String())
}

// flipped is another text of the same length, or one where there was none.
func flipped(text string) string {
	if text == "" {
		return "x"
	}
	i := len(text) / 2
	other := byte('7')
	if text[i] == other {
		other = '8'
	}
	return text[:i] + string(other) + text[i+1:]
}

// free are the values that no rule holds to anything, each for a reason.
var free = map[string]string{
	".Records.Now":                     "a millisecond later is as good",
	".Records.Accounts[i].ReadLag":     "a little more patience is as good",
	".Records.Proposals[i].ExpiresAt":  "the database judges it",
	".Records.Proposals[i].Confidence": "a little more of it is as good",
}

func TestWhateverIsChangedIsFound(t *testing.T) {
	p := honest(t)
	missed := map[string]int{}
	leaves(reflect.ValueOf(&p.Ledger).Elem(), ".Ledger", ".Ledger", nil, func(l leaf) { p.spoil(l, missed) })
	leaves(reflect.ValueOf(&p.Records).Elem(), ".Records", ".Records", nil, func(l leaf) { p.spoil(l, missed) })
	for path, n := range missed {
		t.Errorf("%s: %d changes were not found", path, n)
	}
	require.Empty(t, p.check(), "every change was taken back")
}

func (p *pair) spoil(l leaf, missed map[string]int) {
	before := reflect.New(l.value.Type()).Elem()
	before.Set(l.value)
	l.put(changed(l.value))
	if len(p.check()) == 0 {
		missed[strings.TrimSpace(l.path)]++
		fmt.Println(l.exact, before)
	}
	l.put(before)
}
