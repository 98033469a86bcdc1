package devstack

import (
	"os"
	"path/filepath"
	"strconv"
)

// serversOn lists the processes that work in data. PostgreSQL's processes all
// do and nobody else's may enter it, so this also finds backends whose
// postmaster is gone.
func serversOn(data string) []int {
	target, err := filepath.EvalSymlinks(data)
	if err != nil {
		return nil
	}
	links, _ := filepath.Glob("/proc/[0-9]*/cwd") // fails on a bad pattern only
	var pids []int
	for _, link := range links {
		if cwd, err := os.Readlink(link); err != nil || cwd != target {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
