package nodetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// project writes a project without dependencies, so that nothing is fetched.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"package.json": `{"name":"p","private":true,"type":"module","dependencies":{}}`,
		"package-lock.json": `{"name":"p","lockfileVersion":3,"requires":true,
			"packages":{"":{"name":"p","dependencies":{}}}}`,
		"src/say.mjs":                `console.log("said", process.argv[2], process.env.WORD)`,
		"node_modules/own/index.mjs": `throw new Error("by hand")`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

func TestAProjectIsInstalledOnceAndRunsFromACopy(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := project(t)
	copied := Project(t, dir)
	require.NotEqual(t, dir, copied)
	require.NoFileExists(t, filepath.Join(copied, "node_modules", "own", "index.mjs"), "packages come from the lock file alone")

	cmd := Command(t, copied, "src/say.mjs", "this")
	cmd.Env = append(os.Environ(), "WORD=that")
	require.Equal(t, "said this that\n", Run(t, cmd))

	again := Project(t, dir)
	one, err := os.Readlink(filepath.Join(copied, "node_modules"))
	require.NoError(t, err)
	two, err := os.Readlink(filepath.Join(again, "node_modules"))
	require.NoError(t, err)
	require.Equal(t, one, two)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(`{"lockfileVersion":3,"name":"p","packages":{}}`), 0o644))
	other, err := fingerprint(dir)
	require.NoError(t, err)
	require.NotEqual(t, filepath.Base(filepath.Dir(one)), other, "another lock file is another folder")
}

func TestAProjectWithoutLockFileIsNotInstalled(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := project(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "package-lock.json")))
	_, err := install(t.Context(), dir)
	require.ErrorContains(t, err, "package-lock.json")
}

func TestRivalsInstallTheSameAndBothGoOn(t *testing.T) {
	needNode(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := project(t)
	type result struct {
		packages string
		err      error
	}
	installed := make(chan result)
	for range 3 {
		go func() {
			packages, err := install(t.Context(), dir)
			installed <- result{packages, err}
		}()
	}
	first := <-installed
	require.NoError(t, first.err)
	for range 2 {
		require.Equal(t, first, <-installed)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(first.packages)), ".new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAFailedInstallLeavesNothing(t *testing.T) {
	needNode(t)
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	dir := project(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(`not JSON`), 0o644))
	_, err := install(t.Context(), dir)
	require.ErrorContains(t, err, "npm ci of "+dir)
	left, err := filepath.Glob(filepath.Join(cache, "interlock", "node", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestMissingNodeSkipsWithItsReason runs itself with an empty PATH.
func TestMissingNodeSkipsWithItsReason(t *testing.T) {
	if os.Getenv("PATH") == "" {
		Project(t, project(t))
		t.Fatal("ran without node")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMissingNodeSkipsWithItsReason$", "-test.v")
	cmd.Env = []string{"PATH=", "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "node is not on the PATH: install Node 20 or later")
}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		without(t, "npm")
	}
}
