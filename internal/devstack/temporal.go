package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const temporalReady = 3 * time.Minute

// Headless as TemporalConfig.UIPort starts no Web UI.
const Headless = -1

// TemporalConfig says how to run a development server.
type TemporalConfig struct {
	Path             string            // the temporal binary, see EnsureTemporal
	DBFile           string            // keeps workflows over restarts, best in a folder of its own; empty keeps nothing
	Port             int               // 0 picks a free one
	UIPort           int               // 0 picks a free one, Headless serves none
	Namespace        string            // empty is "default"
	SearchAttributes map[string]string // name to type, e.g. "Market": "Keyword"
	DynamicConfig    map[string]any    // added to, or in place of, our own
	Log              string            // the server's log file, in which it also says that it serves
	Progress         io.Writer         // one line per thing that takes time; nil is silence

	ports ports
}

// Temporal is a running development server.
type Temporal struct {
	cfg TemporalConfig

	mu      sync.Mutex
	process *process
	port    int
	uiPort  int
}

// defaultDynamicConfig suits one machine with one history shard.
var defaultDynamicConfig = map[string]any{
	// Ten updates may wait for one workflow by default: the eleventh rival for
	// a proposal would be turned away instead of told that it lost.
	"history.maxInFlightUpdates": 1000,

	// A shard hands out tasks at most 20 times a second by default, which is
	// meant for hundreds of shards. With one, every step of a busy server
	// waits 50 ms: a workflow with one activity took 150 ms, now 30.
	"history.transferProcessorMaxPollRPS": 100,
	"history.timerProcessorMaxPollRPS":    100,

	// One partition serves a machine's few workers; with four, tasks are
	// forwarded between them, at the cost of a fifth of the throughput or more.
	"matching.numTaskqueueReadPartitions":  1,
	"matching.numTaskqueueWritePartitions": 1,

	"frontend.enableServerVersionCheck": false, // it would call home
}

// StartTemporal starts a development server on 127.0.0.1 and returns when its
// namespace answers and every search attribute can be used. It fails when the
// binary does not run, a given port is taken, or the server ends early; then
// the error carries its last words.
func StartTemporal(ctx context.Context, cfg TemporalConfig) (*Temporal, error) {
	if cfg.Namespace == "" {
		cfg.Namespace = "default"
	}
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	t := &Temporal{cfg: cfg}
	if cfg.DBFile != "" {
		if err := makePrivateDir(filepath.Dir(cfg.DBFile)); err != nil {
			return nil, fmt.Errorf("start Temporal: %w", err)
		}
	}
	if err := t.open(ctx); err != nil {
		return nil, fmt.Errorf("start Temporal: %w", err)
	}
	return t, nil
}

// Address is the host and port for clients; it stays the same over Restart.
func (t *Temporal) Address() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return hostPort(t.port)
}

// Namespace is where workflows belong.
func (t *Temporal) Namespace() string { return t.cfg.Namespace }

// UIURL is the Web UI, or empty without one.
func (t *Temporal) UIURL() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.uiPort == Headless {
		return ""
	}
	return "http://" + hostPort(t.uiPort)
}

// Pid is the server's process ID, also after its end.
func (t *Temporal) Pid() int { return t.running().pid() }

// Done is closed when the present server process has ended, for any reason.
func (t *Temporal) Done() <-chan struct{} { return t.running().done }

// Ended says how the server process ended whose Done is closed.
func (t *Temporal) Ended() error { return t.running().ended("") }

func (t *Temporal) running() *process {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.process
}

// Signal sends sig to the server, e.g. SIGSTOP to freeze it.
func (t *Temporal) Signal(sig syscall.Signal) error { return t.running().signal(sig) }

// Kill ends the server as a crash would. Restart brings it back.
func (t *Temporal) Kill() error { return t.running().kill() }

// Restart stops the server if it runs and starts it on the same ports, waiting
// for them should another program have one meanwhile. Without a DBFile it comes
// back empty.
func (t *Temporal) Restart(ctx context.Context) error {
	if err := t.Stop(); err != nil {
		return err
	}
	t.mu.Lock()
	t.cfg.Port, t.cfg.UIPort = t.port, t.uiPort
	t.mu.Unlock()
	if err := onSamePorts(ctx, "Temporal", t.cfg.Progress, func() error { return t.open(ctx) }); err != nil {
		return fmt.Errorf("restart Temporal: %w", err)
	}
	return nil
}

// Stop ends the server within twenty seconds, killed if need be. A second
// Stop does nothing.
func (t *Temporal) Stop() error {
	return t.running().stop(step{syscall.SIGTERM, 15 * time.Second})
}

func (t *Temporal) open(ctx context.Context) error {
	return onFreePorts(ctx, "Temporal", t.cfg.Progress, func() error { return t.openOnce(ctx) })
}

func (t *Temporal) openOnce(ctx context.Context) error {
	port, err := t.cfg.ports.choose(t.cfg.Port, forTemporal)
	if err != nil {
		return err
	}
	uiPort := Headless
	if t.cfg.UIPort != Headless {
		if uiPort, err = t.cfg.ports.choose(t.cfg.UIPort, forUI); err != nil {
			return err
		}
	}
	args, err := t.args(port, uiPort)
	if err != nil {
		return err
	}
	child, err := start(command{
		name: "temporal", path: t.cfg.Path, args: args, env: bareEnv(),
		log: t.cfg.Log, deathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	t.process, t.port, t.uiPort = child, port, uiPort
	t.mu.Unlock()
	if err := child.awaitReady(ctx, temporalReady, 50*time.Millisecond, t.ready(child)); err != nil {
		return errors.Join(t.blame(child, err), child.kill())
	}
	go t.watch(context.WithoutCancel(ctx), child, watchPause, t.describe) // it outlives the start
	return nil
}

const (
	forTemporal = "Temporal"
	forUI       = "the Temporal Web UI"
)

// blame names a port that we were told to use and another program has. Any
// other, the server's inner ones too, is picked anew by the next start.
func (t *Temporal) blame(child *process, err error) error {
	switch {
	case t.cfg.Port != 0 && child.foundInUse(hostPort(t.cfg.Port)+":"):
		return &PortTakenError{Port: t.cfg.Port, For: forTemporal}
	case t.cfg.UIPort > 0 && child.foundInUse(hostPort(t.cfg.UIPort)+":"):
		return &PortTakenError{Port: t.cfg.UIPort, For: forUI}
	}
	return err
}

func (t *Temporal) args(port, uiPort int) ([]string, error) {
	args := []string{
		"server", "start-dev", "--ip", "127.0.0.1", "--port", strconv.Itoa(port),
		"--namespace", t.cfg.Namespace, "--log-level", "warn", "--color", "never",
	}
	if uiPort == Headless {
		args = append(args, "--headless")
	} else {
		args = append(args, "--ui-port", strconv.Itoa(uiPort))
	}
	if t.cfg.DBFile != "" {
		args = append(args, "--db-filename", t.cfg.DBFile,
			"--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL")
	}
	for _, name := range slices.Sorted(maps.Keys(t.cfg.SearchAttributes)) {
		args = append(args, "--search-attribute", name+"="+t.cfg.SearchAttributes[name])
	}
	return t.withDynamicConfig(args)
}

func (t *Temporal) withDynamicConfig(args []string) ([]string, error) {
	settings := maps.Clone(defaultDynamicConfig)
	maps.Copy(settings, t.cfg.DynamicConfig)
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		value, err := json.Marshal(settings[key])
		if err != nil {
			return nil, fmt.Errorf("dynamic config %s: %w", key, err)
		}
		args = append(args, "--dynamic-config-value", key+"="+string(value))
	}
	return args, nil
}
