package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const rootStateDir = "/var/lib/interlock"

// DefaultStateDir returns where state lives when nobody says otherwise: a
// system folder for root, whose home PostgreSQL's user may not enter, else
// the user's own state folder.
func DefaultStateDir() (string, error) {
	if os.Geteuid() == 0 {
		return rootStateDir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "interlock"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("default state folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "interlock"), nil
}

// TempStateDir makes a new temporary state folder; as root, one that the
// server's own user may enter but not list. The caller removes it.
func TempStateDir() (string, error) {
	dir, err := os.MkdirTemp("", "interlock-")
	if err != nil {
		return "", fmt.Errorf("temporary state folder: %w", err)
	}
	return dir, os.Chmod(dir, stateMode())
}

// stateMode keeps others out; root lets them pass, for a server that runs as
// another user lives below.
func stateMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

// makeDir makes dir and its missing parents in stateMode, whatever the umask.
func makeDir(dir string) error {
	err := os.Mkdir(dir, stateMode())
	switch {
	case err == nil:
		return os.Chmod(dir, stateMode())
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	return makeDir(dir)
}

// makePrivateDir makes dir for ourselves alone; an existing one stays as it is.
func makePrivateDir(dir string) error {
	if err := makeDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
