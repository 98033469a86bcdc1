package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

const downloadTimeout = 5 * time.Minute

// findPostgres returns an installation fit for data of major version want (0
// is none yet), downloading one when the machine has none at all.
func findPostgres(ctx context.Context, want int, data string, who account, progress io.Writer) (installation, error) {
	found := installations(ctx)
	if bin, err := downloadedBin(who); err == nil {
		if major, err := postgresMajor(ctx, bin); err == nil {
			found = append(found, installation{bin, major})
		}
	}
	if len(found) > 0 {
		return pick(found, want, data)
	}
	fmt.Fprintf(progress, "PostgreSQL: none of version %d or later is installed here, downloading one\n", oldestPostgres)
	in, err := downloadPostgres(ctx, who, "")
	if err != nil {
		return installation{}, fmt.Errorf("none of version %d or later is installed and the download did not work (%w): install PostgreSQL, or set DATABASE_URL", oldestPostgres, err)
	}
	return pick([]installation{in}, want, data)
}

// downloadDir is where downloaded binaries live: a folder that the server's
// user may enter.
func downloadDir(who account) (string, error) {
	if who.switched {
		return "/var/cache/interlock", nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "interlock"), err
}

func downloadedBin(who account) (string, error) {
	dir, err := downloadDir(who)
	return filepath.Join(dir, "postgres-"+string(downloadVersion), "bin"), err
}

const downloadVersion = embedded.V17

// downloadPostgres fetches the binaries with embedded-postgres. It has no call
// for that alone, so a throwaway server is started; as root, which PostgreSQL
// refuses, that start fails after the download. What counts is a program that
// tells its version afterwards.
func downloadPostgres(ctx context.Context, who account, repository string) (installation, error) {
	bin, err := downloadedBin(who)
	if err != nil {
		return installation{}, err
	}
	if err := makeDir(filepath.Dir(bin)); err != nil {
		return installation{}, err
	}
	startErr := throwawayStart(ctx, filepath.Dir(bin), repository)
	major, err := postgresMajor(ctx, bin)
	if err != nil {
		return installation{}, errors.Join(startErr, err)
	}
	return installation{bin, major}, nil
}

// throwawayStart is bounded although the library is not: what it still does
// after the time is over stays in folders of its own.
func throwawayStart(ctx context.Context, into, repository string) error {
	scratch, err := os.MkdirTemp("", "interlock-download-")
	if err != nil {
		return err
	}
	port, err := FreePort()
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
