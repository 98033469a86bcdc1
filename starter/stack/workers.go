package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/internal/listen"
	"interlock/workflows"
)

// operatorID names the stack to an exchange that nobody configured.
const operatorID = "1"

// startWorkers starts the processes of each role, with the role's own database
// login and only its own keys.
func (s *Stack) startWorkers(ctx context.Context) error {
	binary, err := WorkerBinary(ctx, s.opts.Self, s.opts.Progress)
	if err != nil {
		return err
	}
	s.info.URLs[Worker] = binary
	for _, role := range []config.Role{config.Proposals, config.Scans, config.Orders} {
		for number := range max(s.opts.Workers[role], 1) {
			if err := s.startWorker(ctx, binary, role, WorkerName(string(role), number+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// drain is longer than a worker takes to drain, so that it is never killed for
// being thorough.
const drain = 25 * time.Second

func (s *Stack) startWorker(ctx context.Context, binary string, role config.Role, name string) error {
	env, err := s.workerEnv(role)
	if err != nil {
		return err
	}
	_, err = s.start(ctx, devstack.Child{
		Name: name, Path: binary, Args: []string{"--role", string(role)}, Env: env, Grace: drain, ReadyWithin: 3 * time.Minute,
		Ready: func(ctx context.Context, _ listen.Addresses) error { return s.polls(ctx, name, s.queues(role)) },
	})
	return err
}

func (s *Stack) workerEnv(role config.Role) ([]string, error) {
	database, err := s.databaseURL(string(role))
	if err != nil {
		return nil, err
	}
	env := append([]string{}, s.env...)
	env = append(env, "DATABASE_URL="+database, "INTERLOCK_ACCOUNT="+s.opts.Config.Account)
	if role == config.Proposals {
		return env, nil
	}
	env = append(env, "BITVAVO_REST_URL="+s.info.URLs[Exchange])
	if role == config.Scans {
		env = append(env, s.modelEnv()...)
	}
	return append(env, s.roleEnv(role)...), nil
}

// roleEnv is what only one role may know. The keys of a foreign exchange stay
// in the files that the operator's environment names.
func (s *Stack) roleEnv(role config.Role) []string {
	if s.opts.Config.RESTURL != "" {
		return s.handedOver(role)
	}
	if role == config.Scans {
		return []string{"BITVAVO_READONLY_KEY=" + s.secrets.Readonly.Key, "BITVAVO_READONLY_SECRET=" + s.secrets.Readonly.Secret}
	}
	return []string{
		"BITVAVO_TRADE_KEY=" + s.secrets.Trade.Key, "BITVAVO_TRADE_SECRET=" + s.secrets.Trade.Secret,
		"BITVAVO_OPERATOR_ID=" + operatorID, "BITVAVO_TRADE_RPS=" + rate(s.opts.Getenv("BITVAVO_TRADE_RPS")),
	}
}

// rate is generous for an exchange of our own: its budget is not counted.
func rate(wish string) string {
	if wish == "" {
		return "1000"
	}
	return wish
}

func (s *Stack) handedOver(role config.Role) []string {
	names := []string{"INTERLOCK_LIVE", "BITVAVO_READONLY_KEY_FILE", "BITVAVO_READONLY_SECRET_FILE"}
	if role == config.Orders {
		names = []string{"INTERLOCK_LIVE", "BITVAVO_TRADE_KEY_FILE", "BITVAVO_TRADE_SECRET_FILE", "BITVAVO_OPERATOR_ID", "BITVAVO_TRADE_RPS"}
	}
	var env []string
	for _, name := range names {
		if value := s.opts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (s *Stack) queues(role config.Role) []string {
	account := s.opts.Config.Account
	return map[config.Role][]string{
		config.Proposals: {workflows.ProposalsQueue, workflows.UpkeepQueue},
		config.Orders:    {workflows.OrdersQueue(account), workflows.FollowQueue(account)},
		config.Scans:     {workflows.ScansQueueOf(account)},
	}[role]
}

// polls reports whether this very process polls its queues: the server goes on
// listing pollers that are gone.
func (s *Stack) polls(ctx context.Context, name string, queues []string) error {
	pid, err := s.children.Pid(name)
	if err != nil {
		return err
	}
	for _, queue := range queues {
		kind := enums.TASK_QUEUE_TYPE_ACTIVITY
		if queue == workflows.ProposalsQueue {
			kind = enums.TASK_QUEUE_TYPE_WORKFLOW
		}
		reply, err := s.temporal.DescribeTaskQueue(ctx, queue, kind)
		if err != nil {
			return err
		}
		if !listed(reply.GetPollers(), pid) {
			return fmt.Errorf("%s does not poll %s yet", name, queue)
		}
	}
	return nil
}

func listed(pollers []*taskqueue.PollerInfo, pid int) bool {
	for _, p := range pollers {
		if strings.HasSuffix(p.GetIdentity(), fmt.Sprintf("/%d", pid)) {
			return true
		}
	}
	return false
}

// WorkerBinary finds the worker beside our own binary, self, else builds it
// from the source this program was run from.
func WorkerBinary(ctx context.Context, self string, progress io.Writer) (string, error) {
	for _, name := range []string{"interlock-worker", "worker"} {
		path := filepath.Join(filepath.Dir(self), name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("build the worker: %w", err)
	}
	target := filepath.Join(cache, "interlock", "bin", "interlock-worker-"+strings.ReplaceAll(strings.Trim(root, "/"), "/", "-"))
	var said bytes.Buffer
	build := exec.CommandContext(ctx, "go", "build", "-o", target, "./worker")
	build.Dir, build.Stderr = root, io.MultiWriter(progress, &said)
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the worker in %s: %w: %s", root, err, devstack.LastWords(said.Bytes()))
	}
	return target, nil
}

// moduleRoot looks for our go.mod above the working folder and above this
// source file, which is where it is under go run.
func moduleRoot() (string, error) {
	_, source, _, _ := runtime.Caller(0) //nolint:dogsled // only the file is of interest
	working, err := os.Getwd()
	for _, from := range []string{working, filepath.Dir(source)} {
		for dir := from; filepath.IsAbs(dir) && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			if err == nil && strings.HasPrefix(string(text), "module interlock\n") {
				return dir, nil
			}
		}
	}
	return "", errors.Join(errors.New("no interlock-worker beside this program, and no source to build it from; run it in the repository, or put the worker beside it"), err)
}
