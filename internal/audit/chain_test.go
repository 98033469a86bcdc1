package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// chainOf is a sound chain of so many rows.
func chainOf(name string, rows int) []Row {
	text := func(s string) *string { return &s }
	list := make([]Row, rows)
	prev := make(Hash, 32)
	for i := range list {
		r := Row{
			Chain: name, Seq: int64(i + 1), At: time.Date(2026, 1, 2, 3, 4, i, 1000*i, time.UTC), Kind: "proposal.stored",
			UserID: text("anna"), ProposalID: text(fmt.Sprintf("p-%d", i)), Body: fmt.Sprintf(`{"n":%d}`, i), PrevHash: prev,
		}
		if i%3 == 0 {
			r.Actor = text("bert")
		}
		r.Hash = r.ownHash()
		prev, list[i] = r.Hash, r
	}
	return list
}

func headOf(rows []Row) Head {
	last := rows[len(rows)-1]
	return Head{Chain: last.Chain, Rows: last.Seq, Hash: last.Hash}
}

func follow(rows []Row, head Head, marks ...Head) Report {
	f := Follow(head.Chain, marks...)
	for _, r := range rows {
		f.Next(r)
	}
	return f.End(head)
}

// tampering is one change, and the first row that then does not hold.
func tampering(rng *rand.Rand, rows []Row) (name string, changed []Row, bad int64) {
	changed = slices.Clone(rows)
	at := rng.IntN(len(rows))
	text := "eve"
	switch rng.IntN(4) {
	case 0:
		r := &changed[at]
		field := rng.IntN(7)
		switch field {
		case 0:
			r.Actor = &text
		case 1:
			r.Body = strings.Replace(r.Body, "n", "m", 1)
		case 2:
			r.At = r.At.Add(time.Microsecond)
		case 3:
			r.Kind = "proposal.expired"
		case 4:
			r.UserID = nil
		case 5:
			r.ProposalID = &text
		case 6:
			r.Hash = slices.Clone(r.Hash)
			r.Hash[rng.IntN(32)] ^= 1 << rng.IntN(8)
		}
		return fmt.Sprintf("change field %d of row %d", field, at+1), changed, int64(at + 1)
	case 1:
		return fmt.Sprintf("delete row %d", at+1), slices.Delete(changed, at, at+1), int64(at + 1)
	case 2:
		forged := changed[at]
		forged.Actor, forged.Body = &text, `{"forged":true}`
		forged.Hash = forged.ownHash()
		return fmt.Sprintf("insert before row %d", at+1), slices.Insert(changed, at, forged), int64(at + 2)
	default:
		other := (at + 1 + rng.IntN(len(rows)-1)) % len(rows)
		changed[at], changed[other] = changed[other], changed[at]
		return fmt.Sprintf("swap rows %d and %d", at+1, other+1), changed, int64(min(at, other) + 1)
	}
}

func TestEveryTamperingIsFoundAndItsRowNamed(t *testing.T) {
	t.Parallel()
	rows := chainOf("paper", 40)
	head := headOf(rows)
	require.True(t, follow(rows, head).Holds())
	for seed := range uint64(1000) {
		name, changed, bad := tampering(rand.New(rand.NewPCG(seed, 1)), rows)
		r := follow(changed, head)
		require.False(t, r.Holds(), name)
		require.Equal(t, bad, r.FirstBad, "%s: %s", name, r.Problem)
	}
}

func TestACutTailIsFoundAgainstAnEarlierHeadThoughTheChainsOwnHeadAgrees(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := chainOf("paper", 20)
		exported := rapid.IntRange(1, 20).Draw(t, "exported")
		left := rapid.IntRange(1, 20).Draw(t, "left")
		r := follow(rows[:left], headOf(rows[:left]), headOf(rows[:exported]))
		require.Equal(t, left >= exported, r.Holds(), r.Problem)
		if left < exported {
			require.EqualValues(t, left+1, r.FirstBad)
		}
	})
}

func TestAChainThatWasWrittenAnewIsFoundAgainstAnEarlierHead(t *testing.T) {
	t.Parallel()
	rows := chainOf("paper", 10)
	mark := headOf(rows[:6])
	eve := "eve"
	anew := slices.Clone(rows)
	for i := 3; i < len(anew); i++ {
		anew[i].Actor, anew[i].PrevHash = &eve, anew[i-1].Hash
		anew[i].Hash = anew[i].ownHash()
	}
	require.True(t, follow(anew, headOf(anew)).Holds(), "by itself it is sound")
	r := follow(anew, headOf(anew), mark)
	require.False(t, r.Holds())
	require.EqualValues(t, 6, r.FirstBad)
	gone := follow(nil, Head{Chain: "paper"}, mark)
	require.EqualValues(t, 1, gone.FirstBad)
}

func export(t *testing.T, chains ...[]Row) []byte {
	t.Helper()
	var file bytes.Buffer
	e := NewExporter(&file)
	var heads []Head
	for _, rows := range chains {
		for _, r := range rows {
			require.NoError(t, e.Row(r))
		}
		heads = append(heads, headOf(rows))
	}
	require.NoError(t, e.Heads(heads))
	return file.Bytes()
}

func TestAnExportHoldsByItselfAndEndsWithHeadAndCountOfEachChain(t *testing.T) {
	t.Parallel()
	all, paper := chainOf("*", 3), chainOf("paper", 5)
	paper[4].Body = "{\"text\": \"<&> ü \u2028\"}" // the exact text is what was hashed
	paper[4].Hash = paper[4].ownHash()
	file := export(t, all, paper)
	reports, err := VerifyExport(bytes.NewReader(file))
	require.NoError(t, err)
	require.Len(t, reports, 2)
	for _, r := range reports {
		require.True(t, r.Holds(), r.Problem)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	require.Contains(t, lines[len(lines)-1], `{"head":{"chain":"paper","rows":5,"hash":"`+paper[4].Hash.String())
	heads, err := Heads(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, []Head{headOf(all), headOf(paper)}, heads)
}

func TestAnExportWithAnyLineChangedRemovedRepeatedOrSwappedDoesNotHold(t *testing.T) {
	t.Parallel()
	file := export(t, chainOf("*", 5), chainOf("paper", 15))
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		changed := slices.Clone(lines)
		at := rng.IntN(len(lines))
		switch rng.IntN(4) {
		case 0:
			changed = slices.Delete(changed, at, at+1)
		case 1:
			changed = slices.Insert(changed, at, lines[rng.IntN(len(lines))])
		case 2:
			if at == len(lines)-1 {
				continue
			}
			if strings.HasPrefix(lines[at], `{"head"`) && strings.HasPrefix(lines[at+1], `{"head"`) {
				continue // the order of heads says nothing
			}
			changed[at], changed[at+1] = changed[at+1], changed[at]
		default:
			digit := strings.LastIndexAny(changed[at], "0123456789")
			changed[at] = changed[at][:digit] + string('0'+(changed[at][digit]-'0'+1)%10) + changed[at][digit+1:]
		}
		reports, err := VerifyExport(strings.NewReader(strings.Join(changed, "\n")))
		bad := slices.ContainsFunc(reports, func(r Report) bool { return !r.Holds() && r.FirstBad > 0 })
		require.True(t, err != nil || bad, "seed %d, line %d", seed, at+1)
	}
}

func TestWhatIsNoExportIsAnErrorWithItsLine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{}", "nothing", `{"row":{},"head":{}}`, `{"head":{"hash":"xyz"}}`} {
		_, err := VerifyExport(strings.NewReader("\n" + text))
		require.ErrorContains(t, err, "line 2", text)
	}
	_, err := Heads(strings.NewReader(""))
	require.ErrorContains(t, err, "the end of the export is missing")
}
