package devstack

import "syscall"

func childAttributes(runAs *syscall.Credential, death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: runAs, Pdeathsig: death}
}
