package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// keepPassword reads the superuser's password, or makes one for new data.
func keepPassword(path string, dataExists bool) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if dataExists {
		return "", fmt.Errorf("%s is missing, so its data cannot be opened: put it back, or use another state folder", path)
	}
	password := rand.Text()
	return password, os.WriteFile(path, []byte(password+"\n"), 0o600)
}

// initialise builds the data folder under another name and renames it when it
// is whole, so an interrupted first start leaves nothing half made.
func (p *Postgres) initialise(ctx context.Context) error {
	fmt.Fprintf(p.cfg.Progress, "PostgreSQL %d: creating a database in %s\n", p.home.major, p.cfg.Dir)
	unfinished := p.path("data.new")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	if err := p.owner.own(unfinished); err != nil {
		return err
	}
	if err := p.initdb(ctx, unfinished); err != nil {
		return err
	}
	return os.Rename(unfinished, p.data())
}

func (p *Postgres) initdb(ctx context.Context, dir string) error {
	passwordFile := filepath.Join(dir, "..", "password.new")
	if err := p.writeOwned(passwordFile, p.password); err != nil {
		return err
	}
	defer os.Remove(passwordFile)
	args := []string{
		"--pgdata=" + dir, "--username=" + superuser, "--pwfile=" + passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums",
	}
	if p.cfg.Fast {
		args = append(args, "--no-sync")
	}
	child, err := start(p.command("initdb", dir, syscall.SIGKILL, args))
	if err != nil {
		return err
	}
	select {
	case <-child.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), child.kill())
	}
	if child.err != nil {
		return fmt.Errorf("initdb: %w", child.ended(""))
	}
	return nil
}

func (p *Postgres) writeOwned(path, text string) error {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return p.owner.own(path)
}

func (p *Postgres) command(program, dir string, death syscall.Signal, args []string) command {
	return command{
		name: program, path: filepath.Join(p.home.bin, program), args: args,
		env: bareEnv(), dir: dir, log: p.logFile(),
		runAs: p.owner.credential(), deathSignal: death,
	}
}
