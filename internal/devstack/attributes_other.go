//go:build !linux

package devstack

import "syscall"

// Without a parent death signal an orphan is possible; the next start ends it.
func childAttributes(runAs *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: runAs}
}
