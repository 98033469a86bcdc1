package stack

import (
	"fmt"
	"strings"
)

// Names under which a running stack publishes its addresses. Owner, Database
// and Token are secrets: only the owner of the state folder can read them.
const (
	API        = "api"
	WebUI      = "web-ui"
	Exchange   = "exchange"       // base URL with its /v2
	Admin      = "exchange-admin" // of the paper exchange; absent for another
	Temporal   = "temporal"       // host:port
	Namespace  = "namespace"
	Database   = "database" // the operator's login
	Owner      = "owner"    // of the schema
	Token      = "token"    // of the first user
	Account    = "account"
	Analyst    = "analyst"  // base URL of the demo analyst with its /v1; absent for another
	Metrics    = "metrics-" // and the name of a process
	PID        = "pid-"     // and the name of a process
	CLI        = "temporal-cli"
	Worker     = "worker-binary"
	workerName = "worker-"
)

// WorkerName is a worker's name among the children. Those after the first of a
// role bear their number.
func WorkerName(role string, number int) string {
	if number <= 1 {
		return workerName + role
	}
	return fmt.Sprintf("%s%s-%d", workerName, role, number)
}

// publishPIDs notes which process is which, for those who look on or who break
// things on purpose. A restart changes them.
func (s *Stack) publishPIDs() {
	changed := false
	for name := range s.info.URLs {
		child, found := strings.CutPrefix(name, PID)
		if !found {
			continue
		}
		pid, err := s.children.Pid(child)
		if text := fmt.Sprint(pid); err == nil && text != s.info.URLs[name] {
			s.info.URLs[name], changed = text, true
		}
	}
	if changed {
		if err := s.lock.Publish(s.info); err != nil {
			s.sayf("%v", err)
		}
	}
}
