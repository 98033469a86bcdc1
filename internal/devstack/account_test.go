package devstack

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var stranger = account{name: "stranger", uid: 54321, gid: 54321, switched: true}

func TestClosedFolderOnTheWayIsNamed(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	deep := filepath.Join(dir, "closed", "state")
	require.NoError(t, os.MkdirAll(deep, 0o711))
	require.NoError(t, os.Chmod(deep, 0o711))
	closed := filepath.Dir(deep)
	require.NoError(t, os.Chmod(closed, 0o711))
	require.NoError(t, stranger.canReach(deep))

	require.NoError(t, os.Chmod(closed, 0o700))
	err := stranger.canReach(deep)
	require.ErrorContains(t, err, "runs as stranger, who may not enter "+closed+" (mode 0700)")
	require.ErrorContains(t, err, "/var/lib/interlock")
	require.NoError(t, account{}.canReach(deep), "ourselves need no check")
}

func TestReachFollowsSymlinks(t *testing.T) {
	t.Parallel()
	dir := reachableDir(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.MkdirAll(filepath.Join(closed, "state"), 0o711))
	require.NoError(t, os.Chmod(closed, 0o700))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(filepath.Join(closed, "state"), link))
	require.ErrorContains(t, stranger.canReach(link), closed)
}

func TestOwnerAndGroupPassByTheirOwnBits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	info := func(mode os.FileMode) os.FileInfo {
		require.NoError(t, os.Chmod(dir, mode))
		found, err := os.Stat(dir)
		require.NoError(t, err)
		return found
	}
	own := info(0o700).Sys().(*syscall.Stat_t)
	owner, group := account{uid: own.Uid, gid: 54321}, account{uid: 54321, gid: own.Gid}
	for _, c := range []struct {
		who  account
		mode os.FileMode
		want bool
	}{
		{owner, 0o700, true}, {owner, 0o677, false},
		{group, 0o710, true}, {group, 0o707, false},
		{stranger, 0o701, true}, {stranger, 0o770, false},
	} {
		require.Equal(t, c.want, c.who.maySearch(info(c.mode)), "%+v %o", c.who, c.mode)
	}
	require.NoError(t, os.Chmod(dir, 0o700))
}

func TestServerIsNeverRoot(t *testing.T) {
	t.Parallel()
	found := unprivileged()
	require.True(t, found.switched)
	require.NotZero(t, found.uid)
	require.Equal(t, found.uid, found.credential().Uid)
	require.Nil(t, account{}.credential())
	if os.Geteuid() == 0 {
		_, err := serverAccount(t.TempDir())
		require.ErrorContains(t, err, "belongs to root")
	}
}

func TestDefaultStateDirIsReachableForRootAndPrivateForOthers(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/state")
	dir, err := DefaultStateDir()
	require.NoError(t, err)
	if os.Geteuid() == 0 {
		require.Equal(t, "/var/lib/interlock", dir)
		return
	}
	require.Equal(t, "/state/interlock", dir)
}

func TestMadeFoldersCanBePassedByRootsServerOnly(t *testing.T) {
	dir := reachableDir(t)
	require.NoError(t, os.Chmod(dir, 0o711))
	deep := filepath.Join(dir, "a", "b")
	old := syscall.Umask(0o077)
	err := makeDir(deep)
	syscall.Umask(old)
	require.NoError(t, err)
	require.Equal(t, os.Geteuid() == 0, stranger.canReach(deep) == nil)
	require.NoError(t, makeDir(deep), "twice is once")
	private := filepath.Join(deep, "private")
	require.NoError(t, makePrivateDir(private))
	require.NoError(t, makePrivateDir(private), "twice is once")
	require.ErrorContains(t, stranger.canReach(private), "(mode 0700)")
}
