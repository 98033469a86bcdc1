//go:build !linux

package devstack

import (
	"context"
	"strconv"
	"strings"
)

// serversOn knows the postmaster only, and only if it still is one.
func serversOn(data string) []int {
	pid := postmaster(data)
	if pid == 0 || !alive(pid) {
		return nil
	}
	line, err := output(context.Background(), "ps", "-o", "command=", "-p", strconv.Itoa(pid))
	if err != nil || !strings.Contains(line, "postgres") {
		return nil
	}
	return []int{pid}
}
