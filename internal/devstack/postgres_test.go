package devstack_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
)

func startPostgres(t *testing.T, dir string) *devstack.Postgres {
	t.Helper()
	p, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	return p
}

func TestPostgresKeepsDataAndPasswordOverAStop(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := startPostgres(t, dir)
	run(t, p.URL(), `CREATE TABLE kept AS SELECT 'yes' AS word`)
	require.NoError(t, p.Stop())
	require.NoError(t, p.Stop(), "a second stop does nothing")
	requireGone(t, p.Pid())
	require.ErrorContains(t, p.Restart(t.Context()), "was stopped")

	again := startPostgres(t, dir)
	require.Equal(t, "yes", read(t, again.URL(), `SELECT word FROM kept`))
	info, err := os.Stat(filepath.Join(dir, "password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestPostgresIsDurableAndListensHereOnly(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, stateDir(t))
	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "password_encryption": "scram-sha-256",
		"data_checksums": "on", "TimeZone": "UTC", "server_encoding": "UTF8",
	} {
		require.Equal(t, want, read(t, p.URL(), "SHOW "+setting), setting)
	}
	require.Equal(t, "interlock", read(t, p.URL(), `SELECT current_database()`))
}

func TestPostgresRefusesAWrongPassword(t *testing.T) {
	t.Parallel()
	p := devtest.PrivatePostgres(t)
	cfg, err := pgx.ParseConfig(p.URL())
	require.NoError(t, err)
	cfg.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), cfg)
	require.ErrorContains(t, err, "password authentication failed")
}

func TestSecondPostgresOnOneFolderIsRefused(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	p := startPostgres(t, dir)
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir})
	require.ErrorContains(t, err, "in use by another process")
	require.Equal(t, "1", read(t, p.URL(), `SELECT '1'`), "the first goes on")
}

func TestKilledPostgresComesBackOnItsPortWithItsData(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, stateDir(t))
	run(t, p.URL(), `CREATE TABLE kept AS SELECT 'yes' AS word`)
	url, ended := p.URL(), p.Done()
	require.NoError(t, p.Kill())
	<-ended
	_, err := pgx.Connect(t.Context(), url)
	require.Error(t, err)
	require.NoError(t, p.Restart(t.Context()))
	require.Equal(t, url, p.URL())
	require.Equal(t, "yes", read(t, url, `SELECT word FROM kept`))
}

func TestFrozenPostgresIsStopped(t *testing.T) {
	t.Parallel()
	p := devtest.PrivatePostgres(t)
	require.NoError(t, p.Signal(syscall.SIGSTOP))
	require.NoError(t, p.Stop())
	requireGone(t, p.Pid())
}

func TestKilledProcessLeavesNoPostgresAndLosesNoData(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	parent, pid := startHelper(t, "postgres", dir, nil)
	killHelper(t, parent)
	requireGone(t, pid)
	p := startPostgres(t, dir)
	require.Equal(t, "1", read(t, p.URL(), `SELECT '1'`))
}

func TestPostgresRunsForAnUnprivilegedUser(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	var as *syscall.Credential // already unprivileged
	if os.Geteuid() == 0 {
		as = &syscall.Credential{Uid: 65534, Gid: 65534}
		require.NoError(t, os.Chown(dir, 65534, 65534))
	}
	parent, pid := startHelper(t, "postgres", dir, as)
	owner, err := os.Stat(filepath.Join(dir, "data"))
	require.NoError(t, err)
	require.NotZero(t, owner.Sys().(*syscall.Stat_t).Uid)
	killHelper(t, parent)
	requireGone(t, pid)

	p := startPostgres(t, dir) // root takes over what a user began
	require.Equal(t, "1", read(t, p.URL(), `SELECT '1'`))
}

func TestPostgresNeverRunsAsRoot(t *testing.T) {
	t.Parallel()
	p := devtest.PrivatePostgres(t)
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(p.Pid())))
	require.NoError(t, err)
	require.NotZero(t, info.Sys().(*syscall.Stat_t).Uid)
}

func TestDataOfAnotherMajorVersionIsRefusedInOneLine(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, startPostgres(t, dir).Stop())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("99\n"), 0o600))
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir})
	require.ErrorContains(t, err, "was written by PostgreSQL 99")
	require.ErrorContains(t, err, "install version 99")
	require.NotContains(t, err.Error(), "\n")
}

func TestMissingPasswordIsSaidAndDataIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, startPostgres(t, dir).Stop())
	require.NoError(t, os.Remove(filepath.Join(dir, "password")))
	_, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: dir})
	require.ErrorContains(t, err, "password is missing")
	require.FileExists(t, filepath.Join(dir, "data", "PG_VERSION"))
}

func TestTakenPortIsNamedWithItsFix(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: stateDir(t), Port: port, Fast: true})
	var taken *devstack.PortTakenError
	require.ErrorAs(t, err, &taken)
	require.Equal(t, port, taken.Port)
	require.ErrorContains(t, err, strconv.Itoa(port)+" for PostgreSQL is taken")
	require.ErrorContains(t, err, "choose another port")
}

func TestRestartWaitsForThePortThatOthersKnow(t *testing.T) {
	t.Parallel()
	progress := &lines{}
	p, err := devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: stateDir(t), Fast: true, Progress: progress})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop()) })
	address := "127.0.0.1:" + strconv.Itoa(p.Port())
	comesBack(t, progress, address, p)
	require.Equal(t, address, "127.0.0.1:"+strconv.Itoa(p.Port()))
}

// comesBack takes the address of a server that is killed, and expects its
// restart to wait and to say so.
func comesBack(t *testing.T, progress *lines, address string, server interface {
	Kill() error
	Restart(ctx context.Context) error
},
) {
	t.Helper()
	taken := steal(t, address, server.Kill)
	back := make(chan error, 1)
	go func() { back <- server.Restart(t.Context()) }()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	progress.await(t, "port "+port+", where others know it, is taken by another program; trying again in ")
	require.Empty(t, back)
	taken.Close()
	require.NoError(t, <-back)
}

func TestInterruptedFirstStartIsRepeated(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "data.new", "base"), 0o700))
	p := startPostgres(t, dir)
	require.Equal(t, "1", read(t, p.URL(), `SELECT '1'`))
	require.NoDirExists(t, filepath.Join(dir, "data.new"))
	require.NoFileExists(t, filepath.Join(dir, "password.new"))
}

func TestPostgresSeesNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("BITVAVO_TRADE_KEY", "secret")
	t.Setenv("PGPORT", "1")
	p := devtest.PrivatePostgres(t)
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.Pid()), "environ"))
	require.NoError(t, err)
	require.Contains(t, string(env), "PATH=")
	require.False(t, strings.Contains(string(env), "secret") || strings.Contains(string(env), "PGPORT"))
}
