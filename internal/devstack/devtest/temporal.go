package devtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"

	"interlock/internal/devstack"
)

// Server is a namespace of a development server.
type Server struct {
	Address   string
	Namespace string
}

var temporal = lazily(func(dir string) (Server, func() error, error) {
	k, err := keepTemporal(dir)
	if err != nil {
		return Server{}, nil, err
	}
	watch(k.server)
	return Server{Address: k.server.Address(), Namespace: k.server.Namespace()}, k.stop, nil
})

// keeper starts a server again when it ends: on a machine that is far too busy
// its database gets stuck, and devstack ends it.
type keeper struct {
	mu      sync.Mutex
	server  *devstack.Temporal
	stopped bool
}

func keepTemporal(dir string) (*keeper, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	path, err := find(ctx)
	if err != nil {
		return nil, err
	}
	s, err := devstack.StartTemporal(ctx, devstack.TemporalConfig{
		Path: path, UIPort: devstack.Headless, Log: filepath.Join(dir, "temporal.log"),
		DBFile: filepath.Join(dir, "temporal", "temporal.db"), // what it knows outlives it
	})
	if err != nil {
		return nil, err
	}
	k := &keeper{server: s}
	go k.keep()
	return k, nil
}

func (k *keeper) keep() {
	for {
		<-k.server.Done()
		switch err := k.restart(); {
		case errors.Is(err, errStopped):
			return
		case err != nil:
			fmt.Fprintln(os.Stderr, "devtest:", err)
			return
		}
	}
}

func (k *keeper) restart() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return errStopped
	}
	fmt.Fprintln(os.Stderr, "devtest: Temporal ended; starting it again")
	return k.server.Restart(context.Background())
}

var errStopped = errors.New("it is stopped")

func (k *keeper) stop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	return k.server.Stop()
}

func find(ctx context.Context) (string, error) {
	path, err := devstack.FindTemporal(ctx)
	if errors.Is(err, devstack.ErrNoTemporal) {
		return "", fmt.Errorf("%w: run make tools", err)
	}
	return path, err
}

// Temporal returns the default namespace of the server that the tests of this
// process share, where attributes (name to type) can be used. Workflow IDs are
// shared too: make them unique, and poll a queue of your own (TaskQueue).
func Temporal(tb testing.TB, attributes map[string]string) Server {
	tb.Helper()
	s, err := temporal()
	if err != nil {
		fail(tb, err)
	}
	s.register(tb, attributes)
	return s
}

// Namespace returns a new namespace of the shared server, for tests that need
// fixed workflow IDs or a list of their own workflows only.
func Namespace(tb testing.TB, attributes map[string]string) Server {
	tb.Helper()
	s := Temporal(tb, nil)
	c := s.Client(tb)
	s.Namespace = "test-" + random()
	_, err := c.WorkflowService().RegisterNamespace(tb.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: s.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		fail(tb, fmt.Errorf("namespace: %w", err))
	}
	s.await(tb)
	s.register(tb, attributes)
	return s
}

// PrivateTemporal starts a server for tb alone, to be killed, frozen and
// restarted. Its workflows survive a restart. Path, DBFile, Log and Progress of
// cfg are filled in when empty, and there is no Web UI.
func PrivateTemporal(tb testing.TB, cfg devstack.TemporalConfig) *devstack.Temporal {
	tb.Helper()
	dir := folder(tb, "temporal")
	if cfg.Path == "" {
		cfg.Path = TemporalPath(tb)
	}
	if cfg.DBFile == "" {
		cfg.DBFile = filepath.Join(dir, "temporal.db")
	}
	if cfg.Log == "" {
		cfg.Log = filepath.Join(dir, "temporal.log")
	}
	cfg.UIPort = devstack.Headless
	if cfg.Progress == nil {
		cfg.Progress = tb.Output()
	}
	s, err := devstack.StartTemporal(tb.Context(), cfg)
	if err != nil {
		fail(tb, err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("devtest: %v", err)
		}
	})
	return s
}

// TemporalPath returns the temporal binary, or ends tb: run make tools.
func TemporalPath(tb testing.TB) string {
	tb.Helper()
	path, err := find(tb.Context())
	if err != nil {
		fail(tb, err)
	}
	return path
}

// TaskQueue returns a task queue name that no other test uses.
func TaskQueue(tb testing.TB) string {
	tb.Helper()
	return "test-" + random()
}

// Client dials s and is closed after tb.
func (s Server) Client(tb testing.TB) client.Client {
	tb.Helper()
	c, err := client.DialContext(tb.Context(), client.Options{
		HostPort: s.Address, Namespace: s.Namespace, Logger: quiet{},
	})
	if err != nil {
		fail(tb, fmt.Errorf("dial Temporal: %w", err))
	}
	tb.Cleanup(c.Close)
	return c
}

func (s Server) register(tb testing.TB, attributes map[string]string) {
	tb.Helper()
	if len(attributes) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(tb.Context(), timeout)
	defer cancel()
	if err := devstack.RegisterSearchAttributes(ctx, s.Client(tb), s.Namespace, attributes); err != nil {
		fail(tb, err)
	}
}

// await returns when the server's caches know the namespace.
func (s Server) await(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := client.DialContext(ctx, client.Options{HostPort: s.Address, Namespace: s.Namespace, Logger: quiet{}})
		if err == nil {
			_, err = c.WorkflowService().CountWorkflowExecutions(ctx,
				&workflowservice.CountWorkflowExecutionsRequest{Namespace: s.Namespace})
			c.Close()
		}
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			fail(tb, fmt.Errorf("namespace %s is not usable after %s: %w", s.Namespace, timeout, err))
		}
	}
}

// quiet drops the SDK's log: what matters reaches a test as an error.
type quiet struct{}

var _ sdklog.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
