package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/sdk/client"

	"interlock/internal/devstack"
	"interlock/workflows"
)

const (
	usualTemporalPort = 7233
	usualUIPort       = 8233
)

// startTemporal starts the development server, unless TEMPORAL_ADDRESS names
// another, and makes sure that it knows our search attributes.
func (s *Stack) startTemporal(ctx context.Context) error {
	options := s.opts.Config.Temporal
	s.env = s.inherited()
	if s.opts.Config.TemporalAddress == "" {
		if err := s.startTemporalServer(ctx); err != nil {
			return err
		}
		options = client.Options{HostPort: s.server.Address(), Namespace: s.server.Namespace()}
		s.env = append(s.env, ownTemporal(options.HostPort, options.Namespace)...)
	}
	options.Logger = slog.New(slog.DiscardHandler)
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return fmt.Errorf("TEMPORAL_ADDRESS: %w", err)
	}
	s.temporal = c
	s.stops = append(s.stops, func() error { c.Close(); return nil })
	s.info.URLs[Temporal], s.info.URLs[Namespace] = options.HostPort, options.Namespace
	return devstack.RegisterSearchAttributes(ctx, c, options.Namespace, workflows.SearchAttributes())
}

// ownTemporal names a server of ours: a user's own profile is for another one.
func ownTemporal(address, namespace string) []string {
	return []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + namespace, "TEMPORAL_CONFIG_FILE=" + os.DevNull}
}

func (s *Stack) startTemporalServer(ctx context.Context) error {
	binary, err := devstack.EnsureTemporal(ctx, s.opts.Progress)
	if err != nil {
		return err
	}
	server, err := s.temporalOn(ctx, devstack.TemporalConfig{
		Path: binary, DBFile: filepath.Join(s.opts.Dir, "temporal", "temporal.db"), SearchAttributes: workflows.SearchAttributes(),
		Log: filepath.Join(s.opts.Dir, "logs", "temporal.log"), Progress: s.opts.Progress,
	})
	if err != nil {
		return err
	}
	s.server = server
	s.stops = append(s.stops, server.Stop)
	s.info.URLs[WebUI], s.info.URLs[CLI] = server.UIURL(), binary
	return nil
}

// temporalOn starts the server on the wished ports. A usual one that is taken
// gives way to a free one.
func (s *Stack) temporalOn(ctx context.Context, cfg devstack.TemporalConfig) (*devstack.Temporal, error) {
	cfg.Port, cfg.UIPort = wished(s.opts.TemporalPort, usualTemporalPort)[0], wished(s.opts.UIPort, usualUIPort)[0]
	for {
		server, err := devstack.StartTemporal(ctx, cfg)
		var taken *devstack.PortTakenError
		switch {
		case !errors.As(err, &taken):
			return server, err
		case taken.Port == cfg.Port && s.opts.TemporalPort == Usual:
			cfg.Port = 0
			s.sayGivesWay(taken.Port, forTemporal)
		case taken.Port == cfg.UIPort && s.opts.UIPort == Usual:
			cfg.UIPort = 0
			s.sayGivesWay(taken.Port, forUI)
		default:
			return nil, err
		}
	}
}

// passedOn is what children get of our own environment: nothing that could be
// a key.
var passedOn = []string{
	"PATH", "HOME", "TMPDIR", "TZ", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
}

func (s *Stack) inherited() []string {
	var env []string
	for _, name := range passedOn {
		if value := s.opts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	if s.opts.Config.TemporalAddress == "" {
		return env
	}
	for _, pair := range os.Environ() {
		if strings.HasPrefix(pair, "TEMPORAL_") {
			env = append(env, pair)
		}
	}
	return env
}
