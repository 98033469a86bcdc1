package verify

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
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
	".Ledger.Orders[i].CreatedAt":           "before the deadline, any instant is as good",
	".Records.Now":                          "a millisecond later is as good",
	".Records.Accounts[i].ReadLag":          "a little more patience is as good",
	".Records.Attempts[i].BegunAt":          "within its claim, any instant is as good",
	".Records.Attempts[i].ConcludedAt":      "before the next attempt, any instant is as good",
	".Records.Controls[i].Actor":            "the audit names who set the state",
	".Records.Life":                         "it is long ago",
	".Records.Differences[i].Kind":          "what is listed is listed",
	".Records.Differences[i].AccountID":     "it then excuses nothing",
	".Records.Looks[i].ExchangeTime":        "late enough, any instant is as good",
	".Records.Overrides[i].Verified":        "somebody may have been verified",
	".Records.Executions[i].EndedAt":        "the audit's end is taken",
	".Records.Overrides[i].StoredAt":        "before the claim, any instant is as good",
	".Records.Overrides[i].ExpiresAt":       "after the claim, any instant is as good",
	".Records.Reconciliations[i].AccountID": "one that found nothing has nothing to tell",
	".Records.Trades[i].ID":                 "it names a row",
	".Records.Trades[i].RecordedAt":         "it counts for trades of other programs",
}

// freed reports whether l is about what only its author knows: the account of
// somebody else, and rows of other programs.
func (p *pair) freed(l leaf) bool {
	if free[l.path] != "" || strings.HasPrefix(l.exact, ".Ledger.Accounts[other]") {
		return true
	}
	var i int
	if _, err := fmt.Sscanf(l.exact, ".Records.Trades[%d]", &i); err == nil {
		return p.Records.Trades[i].ExecutionID == nil
	}
	if _, err := fmt.Sscanf(l.exact, ".Ledger.Orders[%d]", &i); err == nil {
		// What an order of theirs moved, and whose it is, is in the balances.
		o := p.Ledger.Orders[i]
		moves := []string{"Amount", "FilledAmount", "FilledQuote", "FeePaid", "Price", "Fee", "OnHold", "Market", "Side"}
		if o.Status == "partiallyFilled" && strings.Contains(l.path, ".Fills") {
			return !strings.HasSuffix(l.path, "Amount") && !strings.HasSuffix(l.path, "Price") // it is recorded at its end
		}
		name := l.path[strings.LastIndex(l.path, ".")+1:]
		inOrder := strings.Count(l.path, ".") == 3 && (name == "Amount" || name == "Price")
		return (o.Holder == "other" || p.Options.Foreign[0] == o.Key()) && (inOrder || !slices.Contains(moves, name))
	}
	return false
}

// stride trades time for completeness: 1 changes every value there is.
var stride = flag.Int("stride", 11, "change only every so many values of the stored run")

func TestWhateverIsChangedIsFound(t *testing.T) {
	p := honest(t)
	n := 0
	each := func(l leaf) {
		n++
		if !p.freed(l) && n%*stride == 0 {
			p.spoil(t, l)
		}
	}
	leaves(reflect.ValueOf(&p.Ledger).Elem(), ".Ledger", ".Ledger", nil, each)
	leaves(reflect.ValueOf(&p.Records).Elem(), ".Records", ".Records", nil, each)
	require.Greater(t, n, 1000)
	require.Empty(t, p.check(), "every change was taken back")
}

// lists visits every list of rows, with a way to replace it.
func lists(v reflect.Value, path string, visit func(path string, list reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			lists(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		visit(path, v)
		for i := range v.Len() {
			lists(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	}
}

// spare says which rows may be missing, and which may be there twice.
func (p *pair) spare(path string, row reflect.Value) (missing, twice bool) {
	switch r := row.Interface().(type) {
	case Order: // another program's order that does not trade concerns nobody
		return false, false
	case TradeRow:
		return r.ExecutionID == nil, r.ExecutionID == nil
	case DifferenceRow, ControlRow, PolicyRow, AccountRow, ProposalRow, ExecutionRow, HeadRow:
		return strings.HasSuffix(path, "Differences"), true // a primary key keeps them apart
	case ReconciliationRow:
		return r.Differences == 0, r.Differences == 0
	}
	return false, false
}

func TestWhateverIsMissingOrThereTwiceIsFound(t *testing.T) {
	p := honest(t)
	try := func(path string, list, other reflect.Value) bool {
		before := reflect.ValueOf(list.Interface())
		list.Set(other)
		defer list.Set(before)
		return len(p.check()) > 0
	}
	n := 0
	each := func(path string, list reflect.Value) {
		for i := range list.Len() {
			without := reflect.AppendSlice(reflect.MakeSlice(list.Type(), 0, list.Len()), list.Slice(0, i))
			without = reflect.AppendSlice(without, list.Slice(i+1, list.Len()))
			double := reflect.Append(reflect.AppendSlice(reflect.MakeSlice(list.Type(), 0, list.Len()+1), list), list.Index(i))
			missing, twice := p.spare(path, list.Index(i))
			require.True(t, missing || try(path, list, without), "%s[%d] is missing", path, i)
			require.True(t, twice || try(path, list, double), "%s[%d] is there twice", path, i)
			n++
		}
	}
	lists(reflect.ValueOf(&p.Ledger).Elem(), ".Ledger", each)
	lists(reflect.ValueOf(&p.Records).Elem(), ".Records", each)
	require.Greater(t, n, 100)
	require.Empty(t, p.check(), "every change was taken back")
}

// Any byte of any audit row, and any amount by any difference.
func TestRandomChangesAreFound(t *testing.T) {
	p := honest(t)
	var bytes, sums []leaf
	each := func(l leaf) {
		switch l.value.Interface().(type) {
		case decimal.Decimal:
			if !p.freed(l) {
				sums = append(sums, l)
			}
		case string, []byte:
			if strings.HasPrefix(l.path, ".Records.Audit") {
				bytes = append(bytes, l)
			}
		}
	}
	leaves(reflect.ValueOf(&p.Ledger).Elem(), ".Ledger", ".Ledger", nil, each)
	leaves(reflect.ValueOf(&p.Records).Elem(), ".Records", ".Records", nil, each)
	rapid.Check(t, func(t *rapid.T) {
		var l leaf
		var other any
		if rapid.Bool().Draw(t, "amount") {
			l = rapid.SampledFrom(sums).Draw(t, "of")
			by := decimal.New(rapid.Int64Range(1, 1<<40).Draw(t, "by"), -int32(rapid.IntRange(0, 12).Draw(t, "digits")))
			other = l.value.Interface().(decimal.Decimal).Add(by)
		} else {
			l = rapid.SampledFrom(bytes).Draw(t, "in")
			other = withByte(t, l.value)
		}
		before := reflect.New(l.value.Type()).Elem()
		before.Set(l.value)
		l.put(reflect.ValueOf(other))
		defer l.put(before)
		require.NotEmpty(t, p.check(), "%s was %v and is %v", l.exact, before, other)
	})
}

// withByte is v with one byte changed.
func withByte(t *rapid.T, v reflect.Value) any {
	text, isText := v.Interface().(string)
	raw := []byte(text)
	if !isText {
		raw = append(raw, v.Bytes()...)
	}
	raw[rapid.IntRange(0, len(raw)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
	if isText {
		return string(raw)
	}
	return raw
}

func (p *pair) spoil(t *testing.T, l leaf) {
	before := reflect.New(l.value.Type()).Elem()
	before.Set(l.value)
	l.put(changed(l.value))
	if len(p.check()) == 0 {
		t.Errorf("%s was %v: a change was not found", l.exact, before)
	}
	l.put(before)
}
