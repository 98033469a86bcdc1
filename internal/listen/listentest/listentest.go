// Package listentest gives tests addresses that behave in a known way, whatever
// else runs on the machine.
package listentest

import (
	"fmt"
	"syscall"
	"testing"
)

// Refusing is an address of this machine that refuses every connection until tb
// ends. It is bound and does not listen: nobody else can come to listen there.
func Refusing(tb testing.TB) string {
	tb.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatalf("socket: %v", err)
	}
	syscall.CloseOnExec(socket)
	tb.Cleanup(func() { _ = syscall.Close(socket) })
	loopback := [4]byte{127, 0, 0, 1}
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: loopback}); err != nil {
		tb.Fatalf("bind: %v", err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		tb.Fatalf("getsockname: %v", err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}
