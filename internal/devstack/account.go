package devstack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

const nobody = 65534

// account is the user a server runs as. The zero value is ourselves.
type account struct {
	name     string
	uid, gid uint32
	switched bool
}

// serverAccount picks the user for PostgreSQL, which refuses to run as root:
// the owner of existing data, else "postgres", else nobody.
func serverAccount(data string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return unprivileged(), nil
	case err != nil:
		return account{}, err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return account{}, fmt.Errorf("%s belongs to root, and PostgreSQL refuses to run as root: give it to another user", data)
	}
	return account{name: "uid " + strconv.Itoa(int(owner.Uid)), uid: owner.Uid, gid: owner.Gid, switched: true}, nil
}

func unprivileged() account {
	found, err := user.Lookup("postgres")
	if err != nil {
		return account{name: "nobody", uid: nobody, gid: nobody, switched: true}
	}
	uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
	if uidErr != nil || gidErr != nil || uid == 0 {
		return account{name: "nobody", uid: nobody, gid: nobody, switched: true}
	}
	return account{name: "postgres", uid: uint32(uid), gid: uint32(gid), switched: true}
}

func (a account) credential() *syscall.Credential {
	if !a.switched {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

func (a account) own(path string) error {
	if !a.switched {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// canReach fails when a folder on the way to path keeps a out. It is asked
// before anything starts, because PostgreSQL's own message names no folder.
func (a account) canReach(path string) error {
	if !a.switched {
		return nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	for dir := target; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if !a.maySearch(info) {
			return fmt.Errorf("PostgreSQL refuses to run as root and runs as %s, who may not enter %s (mode %04o): use a state folder outside it, such as %s",
				a.name, dir, info.Mode().Perm(), rootStateDir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a account) maySearch(info fs.FileInfo) bool {
	if !info.IsDir() {
		return true
	}
	owner := info.Sys().(*syscall.Stat_t)
	switch {
	case owner.Uid == a.uid:
		return info.Mode()&0o100 != 0
	case owner.Gid == a.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}
