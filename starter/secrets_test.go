package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
)

// TestNoSecretIsWrittenAnywhere runs the demo on a stack, misuses the commands,
// and then looks for every secret of the stack in all that it has written: its
// tables with the audit among them, Temporal's histories, logs, metrics, and
// what the commands said.
func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	secrets := secretsOf(t, s.dir)
	told := tellingAll(t, s)
	_, demo, demoErr := s.run("demo", "--json")
	said := demo + demoErr
	for _, args := range [][]string{
		{"notify", "list", "--json"}, {"notify", "test", "deaf"}, {"notify", "add", "deaf", "--url-file", "missing"}, {"doctor", "--json"},
		{"status"}, {"token", "list", "--json"}, {"account", "list", "--json"}, {"audit", "export"}, {"policy", "set", "missing"},
		{"execute", "nothing"}, {"scan", "show", "demo"}, {"migrate", "status"}, {"propose", "--market", "BTC-EUR", "--side", "x", "--quote", "1"},
	} {
		_, out, errs := s.run(args...)
		said += out + errs
	}
	require.Empty(t, found(secrets, "commands", []byte(said)))
	require.Empty(t, found(told, "commands", []byte(said)))
	for name, url := range s.urls() {
		if strings.HasPrefix(name, "metrics") {
			require.Empty(t, found(secrets, name, page(t, url)))
			require.Empty(t, found(told, name, page(t, url)))
		}
	}
	for _, rule := range []string{"hook", "deaf"} {
		s.must("notify", "remove", rule, "--yes") // and with it the one place that keeps them
	}
	require.Empty(t, found(secrets, "tables", tables(t, s.urls()["owner"])))
	require.Empty(t, found(told, "tables", tables(t, s.urls()["owner"])))
	require.Empty(t, leaked(t, s.dir, secrets))
	require.Empty(t, leaked(t, s.dir, told, "postgres"), "its files hold what its tables did")

	require.NotEmpty(t, found(secrets, "planted", []byte("x"+secrets["token"])), "the search finds what is there")
	planted := filepath.Join(s.dir, "logs", "planted.log")
	require.NoError(t, os.WriteFile(planted, []byte(`{"key":"`+secrets["trade.key"]+`"}`), 0o600))
	require.Len(t, leaked(t, s.dir, secrets), 1)
	require.NoError(t, os.Remove(planted))
	require.NoError(t, s.stop(syscall.SIGINT))
	require.Empty(t, leaked(t, s.dir, secrets), "nor when it stops")
}

// secretsOf are a stack's passwords, keys and tokens, by name.
func secretsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "secrets.json"))
	require.NoError(t, err)
	type key struct{ Key, Secret string }
	kept := decode[struct {
		Passwords       map[string]string
		Trade, Readonly key
		Token           string
	}](t, string(text))
	password, err := os.ReadFile(filepath.Join(dir, "postgres", "password"))
	require.NoError(t, err)
	secrets := map[string]string{
		"trade.key": kept.Trade.Key, "trade.secret": kept.Trade.Secret, "readonly.key": kept.Readonly.Key,
		"readonly.secret": kept.Readonly.Secret, "token": kept.Token, "superuser": strings.TrimSpace(string(password)),
	}
	for role, p := range kept.Passwords {
		secrets["password of "+role] = p
	}
	require.GreaterOrEqual(t, len(secrets), 10)
	for name, secret := range secrets {
		require.GreaterOrEqual(t, len(secret), 16, name)
	}
	return secrets
}

// found names the secrets that a text holds, and never shows one.
func found(secrets map[string]string, where string, text []byte) []string {
	var list []string
	for name, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			list = append(list, name+" in "+where)
		}
	}
	return list
}

// tellingAll adds a rule whose webhook answers and one whose webhook cannot be
// reached, and returns their secrets.
func tellingAll(t *testing.T, s *stack) map[string]string {
	t.Helper()
	heard := make(chan string, 1000)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	t.Cleanup(func() { hook.CloseClientConnections(); hook.Close() })
	told := map[string]string{}
	for rule, base := range map[string]string{"hook": hook.URL, "deaf": "http://127.0.0.1:9"} {
		secret := "hidden-path-of-" + rule
		file := filepath.Join(t.TempDir(), "url")
		require.NoError(t, os.WriteFile(file, []byte(base+"/"+secret), 0o600))
		added := decode[struct{ SigningKey string }](t, s.must("notify", "add", rule, "--account", "*", "--url-file", file, "--json"))
		require.NotEmpty(t, added.SigningKey)
		told["address of "+rule], told["key of "+rule] = secret, added.SigningKey
	}
	s.must("notify", "test", "hook")
	require.Contains(t, <-heard, `"kind":"test"`)
	return told
}

// leaked looks through every file of a state folder but those that are there
// to keep secrets, the exchange's own, and folders to be left out.
func leaked(t *testing.T, dir string, secrets map[string]string, without ...string) []string {
	t.Helper()
	keepers := []string{"secrets.json", "exchange-keys.json", "stack.json", "exchange.state", "postgres/password"}
	var list []string
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err == nil && entry.IsDir() && slices.Contains(without, name) {
			return filepath.SkipDir
		}
		if err != nil || !entry.Type().IsRegular() || slices.Contains(keepers, name) {
			return nil //nolint:nilerr // a file may be gone by now
		}
		text, err := os.ReadFile(path)
		if err == nil {
			files++
			list = append(list, found(secrets, name, text)...)
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 5)
	return list
}

func page(t *testing.T, url string) []byte {
	t.Helper()
	reply, err := http.Get(url)
	require.NoError(t, err)
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	return text
}

// tables is every row of every table as text: on disk a value may be packed.
func tables(t *testing.T, url string) []byte {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'interlock'`)
	require.NoError(t, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(names), 20)
	var text bytes.Buffer
	for _, name := range names {
		rows, err := conn.Query(t.Context(), fmt.Sprintf(`SELECT t::text FROM interlock.%s t`, name))
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err, name)
		text.WriteString(strings.Join(lines, "\n"))
	}
	require.Contains(t, text.String(), "preflight.claimed")
	return text.Bytes()
}

// noSecretIn looks through the state folder of a stack that is over, with its
// database brought up once more.
func noSecretIn(t *testing.T, dir string) {
	t.Helper()
	secrets := secretsOf(t, dir)
	require.Empty(t, leaked(t, dir, secrets))
	server, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: filepath.Join(dir, "postgres")})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	require.Empty(t, found(secrets, "tables", tables(t, server.URL())))
}
