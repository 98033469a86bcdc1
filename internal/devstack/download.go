package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

const (
	downloadTimeout = 5 * time.Minute

	// Programs are no secret, and another user may have to run them.
	programMode fs.FileMode = 0o755
)

// findPostgres returns an installation fit for data of major version want (0
// is none yet), downloading one when the machine has none at all.
func findPostgres(ctx context.Context, want int, data string, who account, progress io.Writer) (installation, error) {
	found := installations(ctx)
	into, err := downloadDir(who)
	if err != nil {
		return installation{}, err
	}
	if major, err := postgresMajor(ctx, filepath.Join(into, "bin")); err == nil {
		found = append(found, installation{filepath.Join(into, "bin"), major})
	}
	if len(found) > 0 {
		return pick(found, want, data)
	}
	fmt.Fprintf(progress, "PostgreSQL: none of version %d or later is installed here, downloading one\n", oldestPostgres)
	in, err := downloadPostgres(ctx, into, "")
	if err != nil {
		return installation{}, fmt.Errorf("none of version %d or later is installed and the download did not work (%w): install PostgreSQL, or set DATABASE_URL", oldestPostgres, err)
	}
	return pick([]installation{in}, want, data)
}

// downloadDir is where downloaded binaries live: a folder that the server's
// user may enter.
func downloadDir(who account) (string, error) {
	name := "postgres-" + string(downloadVersion)
	if who.switched {
		return filepath.Join("/var/cache/interlock", name), nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "interlock", name), err
}

const downloadVersion = embedded.V17

// downloadPostgres fetches the binaries with embedded-postgres. It has no call
// for that alone, so a throwaway server is started. They are unpacked file by
// file, so into appears only when all are there.
func downloadPostgres(ctx context.Context, into, repository string) (installation, error) {
	if err := makeDir(filepath.Dir(into)); err != nil {
		return installation{}, err
	}
	unpacked, err := os.MkdirTemp(filepath.Dir(into), "unpacking-")
	if err != nil {
		return installation{}, err
	}
	defer os.RemoveAll(unpacked)
	err = onFreePorts(ctx, "PostgreSQL", io.Discard, func() error { return throwawayStart(ctx, unpacked, repository) })
	if err != nil && !unpackedBefore(err) {
		return installation{}, err
	}
	major, err := postgresMajor(ctx, filepath.Join(unpacked, "bin"))
	if err != nil {
		return installation{}, err
	}
	if err := os.Chmod(unpacked, programMode); err != nil {
		return installation{}, err
	}
	if err := os.Rename(unpacked, into); err != nil && !errors.Is(err, os.ErrExist) {
		return installation{}, err // existing: another process was quicker
	}
	return installation{filepath.Join(into, "bin"), major}, nil
}

// unpackedBefore recognises the failures of the steps after unpacking. The
// first is certain for root: PostgreSQL refuses to run as root.
func unpackedBefore(err error) bool {
	return strings.Contains(err.Error(), "unable to init database") || strings.Contains(err.Error(), "could not start postgres")
}

// throwawayStart is bounded although the library is not: what it still does
// after the time is over stays in folders of its own.
func throwawayStart(ctx context.Context, into, repository string) error {
	scratch, err := os.MkdirTemp("", "interlock-download-")
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	config := embedded.DefaultConfig().Version(downloadVersion).Port(uint32(port)).
		CachePath(scratch).BinariesPath(into).
		RuntimePath(filepath.Join(scratch, "run")).DataPath(filepath.Join(scratch, "data")).
		StartParameters(map[string]string{"unix_socket_directories": "", "listen_addresses": "127.0.0.1"}).Logger(io.Discard)
	if repository != "" {
		config = config.BinaryRepositoryURL(repository)
	}
	ended := make(chan error, 1)
	go func() {
		server := embedded.NewDatabase(config)
		err := server.Start()
		if err == nil {
			err = server.Stop()
		} else if strings.Contains(err.Error(), "already listening on port") {
			err = fmt.Errorf("%w: %w", syscall.EADDRINUSE, err) // it looks before it unpacks
		}
		ended <- errors.Join(err, os.RemoveAll(scratch))
	}()
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
