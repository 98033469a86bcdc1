package devstack

import (
	"errors"
	"syscall"
)

// alive says whether pid is a process, zombies included.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
