package paper

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reopen closes the exchange and opens its state file again.
func (b *bench) reopen() {
	b.t.Helper()
	b.server.Close()
	require.NoError(b.t, b.ex.Close())
	ex, err := New(b.ex.cfg)
	require.NoError(b.t, err)
	b.ex = ex
	b.server = httptest.NewServer(ex.Handler())
}

func stateFile(t *testing.T) func(*Config) {
	path := filepath.Join(t.TempDir(), "state")
	return func(c *Config) { c.StateFile = path }
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.place(orderJSON(nil))
	b.place(limitJSON(named(uuidA)))
	b.place(limitJSON(map[string]any{"price": "49000", "amount": "0.2"}))
	b.pin("49000")
	b.call(b.other, http.MethodPost, "/order", orderJSON(nil))
	orders, ledger := b.lever(http.MethodGet, "/orders", nil).body, b.lever(http.MethodGet, "/ledger", nil).body
	trades := b.call(b.key, http.MethodGet, "/trades?market=BTC-EUR", "").body

	b.reopen()
	require.JSONEq(t, string(orders), string(b.lever(http.MethodGet, "/orders", nil).body))
	require.JSONEq(t, string(ledger), string(b.lever(http.MethodGet, "/ledger", nil).body))
	require.JSONEq(t, string(trades), string(b.call(b.key, http.MethodGet, "/trades?market=BTC-EUR", "").body))
	require.Equal(t, "49000", b.get("/ticker/price?market=BTC-EUR").object(t)["price"], "still pinned")
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", limitJSON(named(uuidA))).code(t))

	ids := map[string]bool{}
	b.place(orderJSON(nil))
	b.pin("39000")
	for _, o := range b.recorded() {
		ids[o["orderId"].(string)] = true
		for _, f := range o["fills"].([]any) {
			ids[f.(map[string]any)["id"].(string)] = true
		}
	}
	require.Len(t, ids, 5+5, "no id is given twice")
	require.Equal(t, "filled", b.recorded()[1]["status"], "an order that rested before still fills")
	requireFillsExplainBalances(t, b.ex)
}

func TestPricesGoOnAfterARestart(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.clock.Move(time.Hour)
	before := b.get("/ticker/price").body
	b.reopen()
	require.JSONEq(t, string(before), string(b.get("/ticker/price").body))
}

func TestHalfALineIsCutOffAndGarbageIsNot(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.place(orderJSON(nil))
	path := b.ex.cfg.StateFile
	require.NoError(t, b.ex.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	last := strings.LastIndex(strings.TrimSuffix(string(whole), "\n"), "\n") + 1

	require.NoError(t, os.WriteFile(path, append(whole, whole[last:len(whole)-9]...), 0o600))
	b.reopen()
	require.Len(t, b.recorded(), 1)
	b.place(orderJSON(nil))
	b.reopen()
	require.Len(t, b.recorded(), 2, "what follows the cut is whole")

	require.NoError(t, b.ex.Close())
	for _, broken := range []string{"{}\ngarbage\n", "{\"orders\":[null]}\n", "{\"orders\":[{\"seq\":2,\"market\":\"BTC-EUR\"}]}\n", "{\"pins\":{\"BTC-EUR\":\"much\"}}\n"} {
		require.NoError(t, os.WriteFile(path, []byte(broken), 0o600))
		_, err = New(b.ex.cfg)
		require.ErrorContains(t, err, "line")
	}
}

func TestExchangeThatCannotWriteDoesNotGoOn(t *testing.T) {
	b := newBench(t, stateFile(t))
	require.NoError(t, b.ex.journal.file.Close())
	a := b.call(b.key, http.MethodPost, "/order", orderJSON(nil))
	require.Equal(t, 109, a.code(t), "perhaps placed, perhaps not")
	a = b.call(b.key, http.MethodPost, "/order", orderJSON(nil))
	require.Contains(t, []int{109, 111}, a.code(t))
	b.ex.journal.file = nil
	b.ex.journal.err = nil
}

func TestEngineIsDownOnceWritingFailed(t *testing.T) {
	ex, _ := direct(t)
	ex.journal.fail(os.ErrClosed)
	_, err := ex.engine(&request{}, nil)
	require.Equal(t, 111, err.(refusal).Code)
}

func TestRepliedMeansOnDisk(t *testing.T) {
	b := newBench(t, stateFile(t))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { b.call(b.key, http.MethodPost, "/order", orderJSON(with("amount", "0.001"))) })
	}
	wg.Wait()
	data, err := os.ReadFile(b.ex.cfg.StateFile)
	require.NoError(t, err)
	records, whole, err := readRecords(data)
	require.NoError(t, err)
	require.Len(t, data, whole)
	log := newOrderLog()
	for _, r := range records {
		for _, o := range r.Orders {
			log.put(o)
		}
	}
	require.Len(t, log.all, 20)
}

const childState = "PAPER_TEST_STATE"

// TestMain doubles as an exchange in a process of its own, to be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(childState); path != "" {
		if err := serveChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func childKey() Key {
	return Key{Key: strings.Repeat("k", 64), Secret: "secret", Account: "main", Permissions: []Permission{View, Trade}}
}

func serveChild(path string) error {
	ex, err := New(Config{StateFile: path, Keys: []Key{childKey()}, Admin: true})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return ex.Serve(context.Background(), l)
}

func startChild(t *testing.T, path string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childState+"="+path)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var once sync.Once
	kill = func() {
		once.Do(func() {
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait(), "killed, not finished")
		})
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		require.FailNow(t, "the exchange ended", "%v: %s", cmd.Wait(), &said)
	}
	t.Cleanup(kill)
	return lines.Text(), kill
}

func TestAcknowledgedOrderSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	url, kill := startChild(t, path)
	b := &bench{t: t, clock: newClock(), key: childKey(), server: &httptest.Server{URL: url}}
	now := func() { b.clock = &handClock{now: time.Now()} }
	now()
	o := b.place(orderJSON(with("amount", "0.001")))
	kill()

	b.server.URL, _ = startChild(t, path)
	now()
	require.Equal(t, o, b.order(o["orderId"]))
	require.Len(t, b.recorded(), 1)
}

func FuzzReadRecordsKeepsWholeLines(f *testing.F) {
	f.Add([]byte("{\"origin\":1}\n{\"orders\":[{\"seq\":1,\"market\":\"A-B\",\"amount\":\"1\"}]}\n{\"ori"))
	f.Add([]byte("{\"accounts\":{\"main\":{\"EUR\":{\"available\":\"1\",\"inOrder\":\"0\"}}},\"house\":{},\"fees\":null}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, whole, err := readRecords(data)
		if err != nil {
			return
		}
		require.LessOrEqual(t, whole, len(data))
		require.True(t, whole == 0 || data[whole-1] == '\n')
		again, _, err := readRecords(data[:whole])
		require.NoError(t, err)
		require.Len(t, again, len(records))
		log, ledger := newOrderLog(), newLedger()
		for _, r := range records {
			ledger.apply(r)
			for _, o := range r.Orders {
				log.put(o)
			}
		}
	})
}
