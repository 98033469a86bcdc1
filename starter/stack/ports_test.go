package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/listen"
	"interlock/internal/waittest"
)

// asChild makes this program a child that serves on the port it names.
const asChild = "INTERLOCK_TEST_CHILD_PORT"

const timeout = time.Minute

func TestMain(m *testing.M) {
	if port := os.Getenv(asChild); port != "" {
		fmt.Fprintln(os.Stderr, serve(port))
		os.Exit(1)
	}
	devtest.Main(m)
}

func serve(port string) error {
	book, err := listen.In(os.Getenv(listen.Variable))
	if err != nil {
		return err
	}
	l, err := book.Listen(context.Background(), listen.HTTP, net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	if err := book.Tell(); err != nil {
		return err
	}
	return http.Serve(l, http.NotFoundHandler())
}

// child serves on a port, as our own programs do.
func child(port int) devstack.Child {
	return devstack.Child{Name: "child", Path: "/proc/self/exe", Env: []string{asChild + "=" + strconv.Itoa(port)}}
}

// progress may be read while it is written.
type progress struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// supervising is a stack that can start children.
func supervising(t *testing.T) (*Stack, *progress) {
	t.Helper()
	s, said := prepared(t, nil), &progress{}
	s.opts.Progress, s.opts.Dir = said, t.TempDir()
	var err error
	s.children, err = devstack.NewSupervisor(s.opts.Dir, said)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.children.Stop()) })
	return s, said
}

// taken is a port that somebody listens on, until the test ends or the
// listener does.
func taken(t *testing.T) (int, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", loopback(0))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port, l
}

func TestTakenUsualPortGivesWay(t *testing.T) {
	t.Parallel()
	s, said := supervising(t)
	port, _ := taken(t)
	at, err := s.startOn(t.Context(), Usual, port, "the child", child)
	require.NoError(t, err)
	require.NotEqual(t, loopback(port), at)
	require.Contains(t, said.String(), fmt.Sprintf("port %d for the child is taken by another program; a free one is used", port))
	answer, err := http.Get("http://" + at)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
}

func TestAPortThatWasAskedForIsNotSilentlyAnother(t *testing.T) {
	t.Parallel()
	s, _ := supervising(t)
	port, l := taken(t)
	_, err := s.startOn(t.Context(), port, 1, "the child (--child-port)", child)
	var refused *devstack.PortTakenError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, devstack.PortTakenError{Port: port, For: "the child (--child-port)"}, *refused)
	l.Close()
	at, err := s.startOn(t.Context(), port, 1, "the child", child)
	require.NoError(t, err)
	require.Equal(t, loopback(port), at)
}

func TestTheExchangeComesBackAtItsKeptPortWhenThatIsFreeAgain(t *testing.T) {
	t.Parallel()
	for _, wish := range []int{Usual, 0} {
		s, said := supervising(t)
		port, l := taken(t)
		s.opts.ExchangePort, s.secrets.ExchangePort = wish, port
		started := make(chan error, 1)
		var at string
		go func() {
			var err error
			at, err = s.startExchangeAt(t.Context(), child)
			started <- err
		}()
		waittest.Until(t, "a word of the port", func() error {
			says := fmt.Sprintf("port %d for the paper exchange, whose account names it, is taken by another program", port)
			return waittest.Is(strings.Contains(said.String(), says), "it said %s", said)
		})
		l.Close()
		require.NoError(t, <-started)
		require.Equal(t, loopback(port), at)
		require.NoError(t, s.keepExchangePort(at))
		require.Equal(t, port, s.secrets.ExchangePort)
	}
}

func TestTheFirstPortOfTheExchangeIsKept(t *testing.T) {
	t.Parallel()
	s, _ := supervising(t)
	at, err := s.startExchangeAt(t.Context(), child)
	require.NoError(t, err)
	require.NoError(t, s.keepExchangePort(at))
	kept, err := openSecrets(filepath.Dir(s.secrets.path))
	require.NoError(t, err)
	require.Equal(t, at, loopback(kept.ExchangePort))
}

func TestAStackThatIsNotReadyNamesTheProcessThatMayBeWhy(t *testing.T) {
	t.Parallel()
	s, said := supervising(t)
	_, err := s.startOn(t.Context(), 0, 0, "the child", child)
	require.NoError(t, err)
	missing := errors.New("there are no fresh prices")
	require.EqualError(t, s.notReady(time.Minute, missing), "not ready in 1m0s: there are no fresh prices; the logs are in "+s.opts.Dir+"/logs")
	require.NoError(t, s.Kill("child"))
	waittest.Until(t, "its end to be said", func() error {
		return waittest.Is(strings.Contains(said.String(), "child: ended (signal: killed)"), "it said %s", said)
	})
	require.EqualError(t, s.notReady(time.Minute, missing), "not ready in 1m0s: there are no fresh prices; "+
		"child ended (signal: killed): it said nothing; see "+s.opts.Dir+"/logs/child.log; that is end 1 of it")
}

func TestTemporalsUsualPortsGiveWay(t *testing.T) {
	t.Parallel()
	for _, port := range []int{usualTemporalPort, usualUIPort} {
		if l, err := net.Listen("tcp", loopback(port)); err == nil { // else another has it, which is as good
			defer l.Close()
		}
	}
	s, said := supervising(t)
	s.opts.TemporalPort, s.opts.UIPort = Usual, Usual
	server, err := s.temporalOn(t.Context(), devstack.TemporalConfig{
		Path: devtest.TemporalPath(t), Log: filepath.Join(s.opts.Dir, "temporal.log"), Progress: said,
	})
	require.NoError(t, err)
	require.NotEqual(t, loopback(usualTemporalPort), server.Address())
	require.NotEqual(t, "http://"+loopback(usualUIPort), server.UIURL())
	require.NoError(t, server.Stop())
}
