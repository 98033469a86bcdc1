package devstack

import (
	"fmt"
	"net"
	"strconv"
)

// PortTakenError says that another program listens on a port we were told to
// use.
type PortTakenError struct {
	Port int
	For  string
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %d for %s is taken by another program: stop it, or choose another port (0 picks a free one)", e.Port, e.For)
}

// FreePort returns a port of 127.0.0.1 that nobody listens on right now. It
// is not reserved: a caller must be ready to find it taken.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// choosePort returns port if it is free, or a free one for 0.
func choosePort(port int, purpose string) (int, error) {
	if port == 0 {
		return FreePort()
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return 0, &PortTakenError{Port: port, For: purpose}
	}
	return port, l.Close()
}
