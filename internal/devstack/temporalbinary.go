package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
)

const (
	temporalVersion = "v1.5.1"
	temporalModule  = "github.com/temporalio/cli/cmd/temporal@" + temporalVersion

	// Update-with-start is on by default from this server on.
	oldestTemporalMinor = 28
)

// ErrNoTemporal is FindTemporal's answer when no usable binary is at hand.
var ErrNoTemporal = errors.New("no temporal binary on PATH or in the cache")

// FindTemporal returns the temporal binary on PATH, else the one in the
// user's cache, else ErrNoTemporal. One that is too old, or does not run, is
// passed over.
func FindTemporal(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("temporal"); err == nil && usableTemporal(ctx, path) == nil {
		return path, nil
	}
	cached, err := cachedTemporal()
	if err != nil {
		return "", err
	}
	if usableTemporal(ctx, cached) == nil {
		return cached, nil
	}
	return "", ErrNoTemporal
}

// EnsureTemporal is FindTemporal, or else gets the binary into the user's
// cache: the official download where there is internet, else a build from
// source, which takes minutes and says so on progress. Two processes do not
// do this at once. It fails with what either way reported.
func EnsureTemporal(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := FindTemporal(ctx); err == nil {
		return path, nil
	}
	target, err := cachedTemporal()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(target), programMode); err != nil {
		return "", fmt.Errorf("get temporal: %w", err)
	}
	lock, err := lockBinary(ctx, filepath.Join(filepath.Dir(target), ".lock"), progress)
	if err != nil {
		return "", fmt.Errorf("get temporal: %w", err)
	}
	defer lock.Close()
	if usableTemporal(ctx, target) == nil { // the previous holder got it
		return target, nil
	}
	return target, getTemporal(ctx, target, progress)
}

func lockBinary(ctx context.Context, path string, progress io.Writer) (io.Closer, error) {
	lock, err := tryLock(path)
	if !errors.Is(err, errHeld) {
		return lock, err
	}
	defer report(progress, "temporal: waiting for another process that is getting it")()
	return waitLock(ctx, path)
}

func getTemporal(ctx context.Context, target string, progress io.Writer) error {
	downloadErr := downloadTemporal(ctx, target, progress)
	if downloadErr == nil {
		return nil
	}
	if err := buildTemporal(ctx, target, progress); err != nil {
		return fmt.Errorf("get temporal: put the Temporal CLI on PATH, or set TEMPORAL_ADDRESS: %w",
			errors.Join(downloadErr, err))
	}
	return nil
}

func cachedTemporal() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return filepath.Join(cache, "interlock", "bin", "temporal"), nil
}

var temporalServer = regexp.MustCompile(`^temporal version .*\(Server 1\.(\d+)\.`)

func usableTemporal(ctx context.Context, path string) error {
	text, err := output(ctx, path, "--version")
	if err != nil {
		return err
	}
	m := temporalServer.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s does not say its version: %q", path, text)
	}
	if minor, err := strconv.Atoi(m[1]); err != nil || minor < oldestTemporalMinor {
		return fmt.Errorf("%s is older than server 1.%d", path, oldestTemporalMinor)
	}
	return nil
}

const downloadHost = "https://temporal.download"

// downloadTemporal uses the SDK's download of the official binary. The SDK
// has no call for the download alone: an address that cannot be parsed ends
// its start right after the download, before any server runs.
func downloadTemporal(ctx context.Context, target string, progress io.Writer) error {
	if err := answers(ctx, downloadHost); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer report(progress, "temporal: downloading "+temporalVersion)()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	_, startErr := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		CachedDownload: testsuite.CachedDownload{Version: temporalVersion, DestDir: filepath.Dir(target)},
		ClientOptions:  &client.Options{HostPort: "none"},
	})
	got := filepath.Join(filepath.Dir(target), "temporal-cli-"+temporalVersion)
	if err := usableTemporal(ctx, got); err != nil {
		return fmt.Errorf("download: %w", errors.Join(startErr, err))
	}
	return os.Rename(got, target)
}

// answers finds out quickly that there is no internet.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// buildTemporal installs beside the target and renames, so nobody ever runs
// half a binary.
func buildTemporal(ctx context.Context, target string, progress io.Writer) error {
	compiler, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), "build-")
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer os.RemoveAll(dir)
	defer report(progress, "temporal: building "+temporalVersion+" from source, which takes minutes")()
	cmd := exec.CommandContext(ctx, compiler, "install", temporalModule)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir)
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build: %w: %s", err, LastWords(said.Bytes()))
	}
	return os.Rename(filepath.Join(dir, "temporal"), target)
}

// report writes what takes so long now and every few seconds until stopped.
func report(progress io.Writer, what string) (stop func()) {
	if progress == nil {
		progress = io.Discard
	}
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			fmt.Fprintf(progress, "%s (%s)\n", what, time.Since(began).Round(time.Second))
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
