package devtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	path, err := find(ctx)
	if err != nil {
		return Server{}, nil, err
	}
	s, err := devstack.StartTemporal(ctx, devstack.TemporalConfig{
		Path: path, UIPort: devstack.Headless, Log: filepath.Join(dir, "temporal.log"),
	})
	if err != nil {
		return Server{}, nil, err
	}
	return Server{Address: s.Address(), Namespace: s.Namespace()}, s.Stop, nil
})

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
func Temporal(t testing.TB, attributes map[string]string) Server {
	t.Helper()
	s, err := temporal()
	if err != nil {
		t.Fatalf("devtest: %v", err)
	}
	s.register(t, attributes)
	return s
}

// Namespace returns a new namespace of the shared server, for tests that need
// fixed workflow IDs or a list of their own workflows only.
func Namespace(t testing.TB, attributes map[string]string) Server {
	t.Helper()
	s := Temporal(t, nil)
	c := s.Client(t)
	s.Namespace = "test-" + random()
	_, err := c.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: s.Namespace, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	if err != nil {
		t.Fatalf("devtest: namespace: %v", err)
	}
	s.await(t)
	s.register(t, attributes)
	return s
}

// PrivateTemporal starts a server for t alone, to be killed, frozen and
// restarted. Its workflows survive a restart. Path, DBFile and Log of cfg are
// filled in when empty, and there is no Web UI.
func PrivateTemporal(t testing.TB, cfg devstack.TemporalConfig) *devstack.Temporal {
	t.Helper()
	dir := folder(t, "temporal")
	if cfg.Path == "" {
		cfg.Path = TemporalPath(t)
	}
	if cfg.DBFile == "" {
		cfg.DBFile = filepath.Join(dir, "temporal.db")
	}
	if cfg.Log == "" {
		cfg.Log = filepath.Join(dir, "temporal.log")
	}
	cfg.UIPort = devstack.Headless
	s, err := devstack.StartTemporal(t.Context(), cfg)
	if err != nil {
		t.Fatalf("devtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("devtest: %v", err)
		}
	})
	return s
}

// TemporalPath returns the temporal binary, or ends t: run make tools.
func TemporalPath(t testing.TB) string {
	t.Helper()
	path, err := find(t.Context())
	if err != nil {
		t.Fatalf("devtest: %v", err)
	}
	return path
}

// TaskQueue returns a task queue name that no other test uses.
func TaskQueue(t testing.TB) string {
	t.Helper()
	return "test-" + random()
}

// Client dials s and is closed after t.
func (s Server) Client(t testing.TB) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: s.Address, Namespace: s.Namespace, Logger: quiet{},
	})
	if err != nil {
		t.Fatalf("devtest: dial Temporal: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

func (s Server) register(t testing.TB, attributes map[string]string) {
	t.Helper()
	if len(attributes) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := devstack.RegisterSearchAttributes(ctx, s.Client(t), s.Namespace, attributes); err != nil {
		t.Fatalf("devtest: %v", err)
	}
}

// await returns when the server's caches know the namespace.
func (s Server) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
			t.Fatalf("devtest: namespace %s: %v", s.Namespace, err)
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
