package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/internal/trade"
)

// prepared is a stack of which only database and exchange are known.
func prepared(t *testing.T, environment map[string]string) *Stack {
	t.Helper()
	getenv := func(name string) string { return environment[name] }
	cfg, err := config.Starter(getenv)
	require.NoError(t, err)
	kept, err := openSecrets(t.TempDir())
	require.NoError(t, err)
	exchange := "http://127.0.0.1:8090/v2"
	if cfg.RESTURL != "" {
		exchange = cfg.RESTURL
	}
	return &Stack{
		opts: Options{Config: cfg, Getenv: getenv}, secrets: kept,
		info: devstack.Info{URLs: map[string]string{Owner: "postgres://owner:secret@127.0.0.1:5432/interlock", Exchange: exchange}},
	}
}

func lookup(env []string) func(string) string {
	return func(name string) string {
		for _, pair := range env {
			if value, found := strings.CutPrefix(pair, name+"="); found {
				return value
			}
		}
		return ""
	}
}

func TestEachWorkerGetsOnlyWhatItsRoleMayHold(t *testing.T) {
	t.Parallel()
	s := prepared(t, nil)
	for _, role := range []config.Role{config.Proposals, config.Orders, config.Scans} {
		env, err := s.workerEnv(role)
		require.NoError(t, err)
		cfg, err := config.Worker(string(role), lookup(env)) // it refuses foreign keys
		require.NoError(t, err, role)
		require.Contains(t, cfg.DatabaseURL.Reveal(), "interlock_"+string(role)+"_")
		all := strings.Join(env, "\n")
		require.NotContains(t, all, "owner:secret")
		require.Equal(t, role == config.Orders, strings.Contains(all, s.secrets.Trade.Secret), role)
		require.Equal(t, role == config.Scans, strings.Contains(all, s.secrets.Readonly.Secret), role)
	}
}

func TestKeysOfAForeignExchangeStayInTheirFiles(t *testing.T) {
	t.Parallel()
	s := prepared(t, map[string]string{
		"BITVAVO_REST_URL": "https://api.bitvavo.com/v2", "INTERLOCK_LIVE": "1",
		"BITVAVO_TRADE_KEY_FILE": "/k/tk", "BITVAVO_TRADE_SECRET_FILE": "/k/ts", "BITVAVO_OPERATOR_ID": "7",
		"BITVAVO_READONLY_KEY_FILE": "/k/rk", "BITVAVO_READONLY_SECRET_FILE": "/k/rs",
	})
	orders, err := s.workerEnv(config.Orders)
	require.NoError(t, err)
	require.Equal(t, "/k/tk", lookup(orders)("BITVAVO_TRADE_KEY_FILE"))
	require.Equal(t, "1", lookup(orders)("INTERLOCK_LIVE"))
	require.Empty(t, lookup(orders)("BITVAVO_READONLY_KEY_FILE"))
	require.Empty(t, lookup(orders)("BITVAVO_TRADE_KEY"))
	scans, err := s.workerEnv(config.Scans)
	require.NoError(t, err)
	require.Equal(t, "/k/rk", lookup(scans)("BITVAVO_READONLY_KEY_FILE"))
	require.Empty(t, lookup(scans)("BITVAVO_TRADE_KEY_FILE"))
}

func TestChildrenInheritNothingUnasked(t *testing.T) {
	t.Parallel()
	s := prepared(t, map[string]string{"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "DATABASE_URL": "postgres://u:p@h/d"})
	require.Equal(t, []string{"PATH=/bin"}, s.inherited())
}

func TestSecretsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := openSecrets(dir)
	require.NoError(t, err)
	password, err := first.password("orders")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(password), 26)
	second, err := openSecrets(dir)
	require.NoError(t, err)
	again, err := second.password("orders")
	require.NoError(t, err)
	require.Equal(t, password, again)
	require.Equal(t, first.Trade, second.Trade)
	require.Equal(t, first.Logins, second.Logins)

	keys, err := second.writeKeys()
	require.NoError(t, err)
	for _, file := range []string{filepath.Join(dir, secretsName), keys} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
}

func TestUnreadableSecretsAreNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, secretsName)
	require.NoError(t, os.WriteFile(path, []byte("{half"), 0o600))
	_, err := openSecrets(dir)
	require.ErrorContains(t, err, "restore it")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{half", string(text))
}

func TestExamplePolicyIsOne(t *testing.T) {
	t.Parallel()
	p, err := trade.ParsePolicy(ExamplePolicy)
	require.NoError(t, err)
	require.NotEmpty(t, p.Allowlist)
}

func TestWorkerBesideTheProgramIsUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "interlock-worker")
	require.NoError(t, os.WriteFile(path, nil, 0o700))
	found, err := WorkerBinary(t.Context(), filepath.Join(dir, "starter"), nil)
	require.NoError(t, err)
	require.Equal(t, path, found)
	root, err := moduleRoot()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "worker", "main.go"))
}
