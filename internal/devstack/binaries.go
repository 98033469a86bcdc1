package devstack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldestPostgres is the first major version that our SQL is written for.
const oldestPostgres = 15

// installation is a folder with initdb and postgres of one major version.
type installation struct {
	bin   string
	major int
}

// installations lists the usable PostgreSQLs of this machine, newest first.
func installations(ctx context.Context) []installation {
	var found []installation
	bins := candidates(ctx)
	for i, bin := range bins {
		if slices.Contains(bins[:i], bin) {
			continue // PATH, pg_config and a known folder often agree
		}
		if major, err := postgresMajor(ctx, bin); err == nil && major >= oldestPostgres {
			found = append(found, installation{bin, major})
		}
	}
	slices.SortStableFunc(found, func(a, b installation) int { return b.major - a.major })
	return found
}

// candidates are the folders that distributions, Homebrew and PATH suggest. A
// symlinked postgres is followed: beside the link nothing else need exist.
func candidates(ctx context.Context) []string {
	var bins []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if target, err := filepath.EvalSymlinks(path); err == nil {
			bins = append(bins, filepath.Dir(target))
		}
	}
	if dir, err := output(ctx, "pg_config", "--bindir"); err == nil {
		bins = append(bins, strings.TrimSpace(dir))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // fails on a bad pattern only
		bins = append(bins, matches...)
	}
	return bins
}

var postgresVersion = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

func postgresMajor(ctx context.Context, bin string) (int, error) {
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return 0, err
	}
	text, err := output(ctx, filepath.Join(bin, "postgres"), "--version")
	if err != nil {
		return 0, err
	}
	m := postgresVersion.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s: does not say its version: %q", bin, text)
	}
	return strconv.Atoi(m[1])
}

// pick returns the installation for data of major version want; 0 is no data
// yet. Data of another version is never touched.
func pick(found []installation, want int, data string) (installation, error) {
	var have []string
	for _, in := range found {
		if want == 0 || in.major == want {
			return in, nil
		}
		have = append(have, strconv.Itoa(in.major))
	}
	return installation{}, fmt.Errorf("%s was written by PostgreSQL %d, but here is %s: install version %d, or use another state folder",
		data, want, strings.Join(have, " and "), want)
}

// dataMajor reads the version of the data in dir, or 0 when there is none.
func dataMajor(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || major <= 0 {
		return 0, fmt.Errorf("%s is not a PostgreSQL data folder of this age: PG_VERSION is %q", dir, text)
	}
	return major, nil
}

// output runs a program that answers at once, and kills it if it does not.
func output(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = bareEnv()
	cmd.WaitDelay = time.Second
	text, err := cmd.Output()
	return string(text), err
}

// bareEnv is what a foreign program needs of our environment: no PG* or
// TEMPORAL_* setting that would steer it, and no key.
func bareEnv() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
