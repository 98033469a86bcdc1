package devstack

import (
	"archive/zip"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataDecidesWhichInstallationServesIt(t *testing.T) {
	t.Parallel()
	found := []installation{{"/17/bin", 17}, {"/15/bin", 15}}
	for _, c := range []struct {
		want int
		bin  string
		err  string
	}{
		{0, "/17/bin", ""},
		{17, "/17/bin", ""},
		{15, "/15/bin", ""},
		{16, "", "/state/data was written by PostgreSQL 16, but here is 17 and 15: install version 16, or use another state folder"},
	} {
		in, err := pick(found, c.want, "/state/data")
		require.Equal(t, c.bin, in.bin)
		if c.err != "" {
			require.EqualError(t, err, c.err)
		}
	}
}

func TestVersionOfDataIsReadOrRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"15\n": 15, "9.6\n": 0, "": 0, "-1": 0, "x": 0} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte(text), 0o600))
		major, err := dataMajor(dir)
		require.Equal(t, want, major, text)
		require.Equal(t, want == 0, err != nil, text)
	}
	major, err := dataMajor(t.TempDir())
	require.NoError(t, err)
	require.Zero(t, major)
}

// program writes an executable shell script.
func program(t *testing.T, path, script string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

func TestInstallationOnPathIsFoundThroughItsSymlink(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	bin, path := filepath.Join(dir, "99", "bin"), filepath.Join(dir, "path")
	program(t, filepath.Join(bin, "postgres"), `echo "postgres (PostgreSQL) 99.1 (Somewhere)"`)
	program(t, filepath.Join(bin, "initdb"), `exit 0`)
	require.NoError(t, os.Mkdir(path, 0o755))
	require.NoError(t, os.Symlink(filepath.Join(bin, "postgres"), filepath.Join(path, "postgres")))
	t.Setenv("PATH", path+":/usr/bin:/bin")
	require.Equal(t, installation{bin, 99}, installations(t.Context())[0])
}

func TestUnfitInstallationsArePassedOver(t *testing.T) {
	for name, version := range map[string]string{
		"too old":   `echo "postgres (PostgreSQL) 14.9"`,
		"wordless":  `true`,
		"crashing":  `exit 1`,
		"something": `echo "postgresql thing 99"`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			program(t, filepath.Join(dir, "postgres"), version)
			program(t, filepath.Join(dir, "initdb"), `exit 0`)
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			for _, in := range installations(t.Context()) {
				require.NotContains(t, in.bin, dir)
			}
		})
	}
}

// repository serves the archive under every name, packed as the real one is.
func repository(t *testing.T) *httptest.Server {
	t.Helper()
	archive, err := os.ReadFile("testdata/binaries.txz")
	require.NoError(t, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			http.NotFound(w, r)
			return
		}
		jar := zip.NewWriter(w)
		file, err := jar.Create("postgres.txz")
		if err == nil {
			_, err = file.Write(archive)
		}
		if err != nil || jar.Close() != nil {
			http.Error(w, "broken", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestDownloadedPostgresIsUsedEvenIfItCannotRunAsUs(t *testing.T) {
	t.Parallel()
	into := filepath.Join(t.TempDir(), "cache", "postgres")
	in, err := downloadPostgres(t.Context(), into, repository(t).URL)
	require.NoError(t, err)
	require.Equal(t, installation{filepath.Join(into, "bin"), 17}, in)
	info, err := os.Stat(into)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "the server's user reads it")
	left, err := os.ReadDir(filepath.Dir(into))
	require.NoError(t, err)
	require.Len(t, left, 1, "no scraps")
}

func TestFailedDownloadLeavesNothing(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	into := filepath.Join(t.TempDir(), "cache", "postgres")
	_, err := downloadPostgres(t.Context(), into, s.URL)
	require.Error(t, err)
	left, err := os.ReadDir(filepath.Dir(into))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDownloadIsBoundedByItsContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer s.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := downloadPostgres(ctx, filepath.Join(t.TempDir(), "postgres"), s.URL)
	require.ErrorIs(t, err, context.Canceled)
}
