package stack

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"interlock/internal/paper"
)

const (
	secretsName = "secrets.json"
	keysName    = "exchange-keys.json"
)

// secrets is what a state folder keeps to itself: a stack that starts again
// must find its own logins, keys and port.
type secrets struct {
	path string

	Logins       string            `json:"logins"`    // ends the names of our database logins
	Passwords    map[string]string `json:"passwords"` // by database role
	Trade        paper.Key         `json:"trade"`
	Readonly     paper.Key         `json:"readonly"`
	Seed         uint64            `json:"seed"` // of the paper exchange's prices
	ExchangePort int               `json:"exchangePort,omitempty"`
	Token        string            `json:"token,omitempty"` // of the first user
}

// openSecrets reads the folder's secrets, or makes them up. A file that cannot
// be read is an error: new secrets would lock us out of the old data.
func openSecrets(dir string) (*secrets, error) {
	s := &secrets{path: filepath.Join(dir, secretsName), Passwords: map[string]string{}}
	text, err := os.ReadFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, s.invent()
	case err != nil:
		return nil, fmt.Errorf("secrets: %w", err)
	}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("secrets: %s: %w; restore it, or use another state folder", s.path, err)
	}
	return s, nil
}

// Holder is the paper exchange's own name for the account of both keys.
const Holder = "paper"

func (s *secrets) invent() error {
	s.Trade = paper.NewKey(Holder, paper.View, paper.Trade)
	s.Readonly = paper.NewKey(Holder, paper.View)
	// Logins belong to the database server, which other stacks may use too.
	s.Seed, s.Logins = 1, strings.ToLower(rand.Text()[:10])
	return s.save()
}

// password returns the login password of a database role.
func (s *secrets) password(role string) (string, error) {
	if s.Passwords[role] == "" {
		s.Passwords[role] = rand.Text()
		return s.Passwords[role], s.save()
	}
	return s.Passwords[role], nil
}

func (s *secrets) save() error { return writePrivate(s.path, s) }

// writeKeys writes the key file that the paper exchange reads.
func (s *secrets) writeKeys() (string, error) {
	path := filepath.Join(filepath.Dir(s.path), keysName)
	return path, writePrivate(path, []paper.Key{s.Trade, s.Readonly})
}

// writePrivate replaces a file whole, so that a crash leaves the old or the
// new one.
func writePrivate(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.Rename(path+".new", path)
}

// ReadonlyKey is the key of role scans of the stack on dir.
func ReadonlyKey(dir string) (paper.Key, error) {
	s, err := openSecrets(dir)
	if err != nil {
		return paper.Key{}, err
	}
	return s.Readonly, nil
}
