package devstack_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/listen"
	"interlock/internal/waittest"
)

const (
	helperMode = "INTERLOCK_TEST_HELPER"
	helperDir  = "INTERLOCK_TEST_HELPER_DIR"
)

// TestMain doubles as a program that starts servers, to be killed.
func TestMain(m *testing.M) {
	if mode := os.Getenv(helperMode); mode != "" {
		os.Exit(help(mode, os.Getenv(helperDir)))
	}
	// No test here leaves this machine, wherever it runs.
	if err := os.Setenv("HTTPS_PROXY", "http://127.0.0.1:1"); err != nil {
		panic(err)
	}
	devtest.Main(m)
}

// help starts what mode says, prints a line for its starter, and waits for
// the end of its input or a violent death.
func help(mode, dir string) int {
	line, stop, err := helpers[mode](dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(line)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var helpers = map[string]func(dir string) (line string, stop func() error, err error){
	"postgres": func(dir string) (string, func() error, error) {
		p, err := devstack.StartPostgres(context.Background(), devstack.PostgresConfig{Dir: dir, Fast: true})
		if err != nil {
			return "", nil, err
		}
		return strconv.Itoa(p.Pid()), p.Stop, nil
	},
	"temporal": func(dir string) (string, func() error, error) {
		path, err := devstack.FindTemporal(context.Background())
		if err != nil {
			return "", nil, err
		}
		s, err := devstack.StartTemporal(context.Background(), devstack.TemporalConfig{
			Path: path, UIPort: devstack.Headless, Log: filepath.Join(dir, "temporal.log"),
		})
		if err != nil {
			return "", nil, err
		}
		return strconv.Itoa(s.Pid()), s.Stop, nil
	},
	"supervisor": func(dir string) (string, func() error, error) {
		s, err := devstack.NewSupervisor(dir, os.Stderr)
		if err != nil {
			return "", nil, err
		}
		if err := s.Start(context.Background(), shell("sleeper", "exec sleep 1000")); err != nil {
			return "", nil, err
		}
		pid, err := s.Pid("sleeper")
		return strconv.Itoa(pid), s.Stop, err
	},
	"listener": func(string) (string, func() error, error) {
		book, err := listen.In(os.Getenv(listen.Variable))
		if err != nil {
			return "", nil, err
		}
		l, err := book.Listen(context.Background(), listen.HTTP, "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		if err := book.Tell(); err != nil {
			return "", nil, err
		}
		return "", nil, http.Serve(l, http.NotFoundHandler())
	},
	"lock": func(dir string) (string, func() error, error) {
		l, err := devstack.Lock(dir)
		if err != nil {
			return "", nil, err
		}
		info := devstack.Info{URLs: map[string]string{"api": "http://127.0.0.1:1"}}
		return "0", l.Release, l.Publish(info)
	},
}

// startHelper runs this program in the given mode and returns it with the pid
// that it printed. It is killed after t.
func startHelper(t *testing.T, mode, dir string, as *syscall.Credential) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{helperMode + "=" + mode, helperDir + "=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(line[:len(line)-1])
	require.NoError(t, err)
	return cmd, pid
}

func killHelper(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

// stateDir is a temporary folder that PostgreSQL's own user may enter, which
// t.TempDir is not.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := devstack.TempStateDir()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	waittest.Until(t, "the end of a process", func() error {
		return waittest.Is(!running(pid), "process %d is still there", pid)
	})
}

// running is false for a zombie: it runs no more, whoever reaps it.
func running(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// The name before it is in parentheses and may hold anything.
	var state string
	_, err = fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state)
	return err == nil && state != "Z" && state != "X"
}

func shell(name, script string) devstack.Child {
	return devstack.Child{Name: name, Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func run(t *testing.T, url, statement string) {
	t.Helper()
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

func read(t *testing.T, url, query string) (value string) {
	t.Helper()
	conn := connect(t, url)
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&value))
	require.NoError(t, conn.Close(t.Context()))
	return value
}
