package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"syscall"
)

// tight is how little room a database can no longer work with.
const tight = 32 << 20

// freeSpace is how many bytes may still be written on the disk of dir, or of
// its nearest parent that is there.
func freeSpace(dir string) (int64, error) {
	var disk syscall.Statfs_t
	err := syscall.Statfs(dir, &disk)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		return freeSpace(filepath.Dir(dir))
	}
	if err != nil {
		return 0, err
	}
	return int64(disk.Bavail) * int64(disk.Bsize), nil //nolint:unconvert // the types differ by system
}

// DiskProblem says that the disk of dir is full, which is why other things
// fail, or cannot be asked; nil while there is room.
func DiskProblem(dir string) error {
	free, err := freeSpace(dir)
	if err != nil {
		return fmt.Errorf("the disk of %s: %w", dir, err)
	}
	if free >= tight {
		return nil
	}
	return fmt.Errorf("the disk of %s is full (%d MB are free): make room, and start again; what is stored stays", dir, free>>20)
}

// folderProblem says what to do about a state folder that cannot be used.
func folderProblem(dir string, err error) error {
	const way = "or choose another folder with --state"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		who := "this user"
		if u, err := user.Current(); err == nil {
			who = "user " + u.Username
		}
		return fmt.Errorf("state folder %s: %s may not write there: change its permissions, %s", dir, who, way)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("state folder %s: is a file, or lies under one: move it away, %s", dir, way)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("state folder %s: its disk is full: make room, %s", dir, way)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fmt.Errorf("state folder: its name is too long (%d bytes): choose a shorter one with --state", len(dir))
	}
	return fmt.Errorf("state folder %s: %w", dir, err)
}
