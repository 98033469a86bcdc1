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

// TempStateDir makes a new temporary state folder that a server of another
// user may enter but not list. The caller removes it.
func TempStateDir() (string, error) {
	dir, err := os.MkdirTemp("", "interlock-")
	if err != nil {
		return "", fmt.Errorf("temporary state folder: %w", err)
	}
	return dir, os.Chmod(dir, 0o711)
}

// makeDir makes dir and its missing parents so that a server of another user
// may pass through them, whatever the umask.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o711)
	switch {
	case err == nil:
		return os.Chmod(dir, 0o711)
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
