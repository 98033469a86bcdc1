// Package nodetest runs Node programs in tests: it installs a project's
// packages once into the user's cache and gives each test a copy of the project
// to run. It decides what happens without Node: the test is skipped with its
// reason, which a strict run of all tests refuses. It refuses to write into the
// source tree and to run the packages' own install scripts.
package nodetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manifest is what decides which packages are installed.
var manifest = []string{"package.json", "package-lock.json", ".npmrc"}

// Project returns a copy of the Node project in dir with its packages beside
// it, gone with the test. Without node and npm it skips the test; packages that
// cannot be installed fail it.
func Project(t *testing.T, dir string) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			without(t, program)
		}
	}
	packages, err := install(t.Context(), dir)
	require.NoError(t, err)
	project := t.TempDir()
	require.NoError(t, copyProject(project, dir))
	require.NoError(t, os.Symlink(packages, filepath.Join(project, "node_modules")))
	return project
}

func without(t *testing.T, program string) {
	t.Helper()
	t.Skipf("%s is not on the PATH: install Node 20 or later", program)
}

// Command is node with args in a project, ended with the test.
func Command(t *testing.T, project string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = project
	cmd.WaitDelay = 5 * time.Second // a grandchild may hold the output open
	return cmd
}

// lastWords is how long before the end of its time a test that still runs a
// command is failed: it can then say what the command printed.
const lastWords = 10 * time.Second

// Run runs a command to its end and returns what it printed. It fails the test,
// with everything that was printed, when the command does or is not over when
// the test has to be.
func Run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(t, cmd.Start())
	if end, bounded := t.Deadline(); bounded {
		killing := time.AfterFunc(time.Until(end)-lastWords, func() { _ = cmd.Process.Kill() }) // it may be over
		defer killing.Stop()
	}
	require.NoError(t, cmd.Wait(), "%v\n%s%s", cmd.Args, &out, &errs)
	return out.String()
}

// install returns the folder of the project's packages. It is named by what
// they are, so one that is there is complete and never changes.
func install(ctx context.Context, dir string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	name, err := fingerprint(dir)
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "interlock", "node", name)
	packages := filepath.Join(home, "node_modules")
	if _, err := os.Stat(packages); err == nil {
		return packages, nil
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o750); err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(home), ".new-")
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	defer os.RemoveAll(fresh)
	if err := fetch(ctx, fresh, dir); err != nil {
		return "", err
	}
	// A rival that came first installed the same.
	if err := os.Rename(fresh, home); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep installed packages: %w", err)
	}
	return packages, nil
}

// fetch has npm install exactly what the lock file names.
func fetch(ctx context.Context, into, dir string) error {
	for _, name := range manifest {
		if err := copyFile(filepath.Join(into, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("install node packages: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
	cmd.Dir = into
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci of %s: %w\n%s", dir, err, out)
	}
	// A project without dependencies has none of its own.
	if err := os.MkdirAll(filepath.Join(into, "node_modules"), 0o750); err != nil {
		return fmt.Errorf("install node packages: %w", err)
	}
	return nil
}

// fingerprint names the packages of a project. The lock file must be there:
// without it each machine would test something else.
func fingerprint(dir string) (string, error) {
	sum := sha256.New()
	for _, name := range manifest {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && name == ".npmrc" {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("node project: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// copyProject copies the files of a project, but no packages installed by hand.
func copyProject(to, from string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o750)
		}
		return copyFile(filepath.Join(to, rel), path)
	})
	if err != nil {
		return fmt.Errorf("copy node project: %w", err)
	}
	return nil
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
