package stack

import (
	"context"
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
	port, err := pick(s.opts.TemporalPort, usualTemporalPort)
	if err != nil {
		return err
	}
	ui, err := pick(s.opts.UIPort, usualUIPort)
	if err != nil {
		return err
	}
	server, err := devstack.StartTemporal(ctx, devstack.TemporalConfig{
		Path: binary, DBFile: filepath.Join(s.opts.Dir, "temporal", "temporal.db"), Port: port, UIPort: ui,
		SearchAttributes: workflows.SearchAttributes(), Log: filepath.Join(s.opts.Dir, "logs", "temporal.log"),
	})
	if err != nil {
		return err
	}
	s.server = server
	s.stops = append(s.stops, server.Stop)
	s.info.URLs[WebUI], s.info.URLs[CLI] = server.UIURL(), binary
	return nil
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
