package stack

import (
	"net"
	"strconv"

	"interlock/internal/devstack"
)

// pick turns a wish for a port into one: 0 and a taken usual one become any
// free port, any other is taken as it is.
func pick(wish, usual int) (int, error) {
	switch {
	case wish == Usual && free(usual):
		return usual, nil
	case wish == Usual || wish == 0:
		return devstack.FreePort()
	}
	return wish, nil
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
