package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"interlock/internal/paper"
	"interlock/workflows"
)

// What each role's process holds, serves and can do at the exchange, seen from
// outside.
func TestKeysAndQueuesOfEachRoleAreItsOwn(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.eventually("role scans polls", func() bool { return len(s.pollers(workflows.ScansQueueOf(account))) > 0 })
	for process, holds := range map[string]string{"proposals-0": "", "orders": s.trade.Secret, "scans": s.read.Secret} {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.processes[process].Process.Pid))
		require.NoError(t, err)
		for _, secret := range []string{s.trade.Key, s.trade.Secret, s.read.Key, s.read.Secret} {
			own := holds == s.trade.Secret && (secret == s.trade.Key || secret == s.trade.Secret) ||
				holds == s.read.Secret && (secret == s.read.Key || secret == s.read.Secret)
			require.Equal(t, own, strings.Contains(string(environ), secret), process)
		}
	}
	for queue, role := range map[string]string{
		workflows.OrdersQueue(account): "orders/", workflows.FollowQueue(account): "orders/",
		workflows.ScansQueueOf(account): "scans/", workflows.UpkeepQueue: "proposals/",
	} {
		pollers := s.pollers(queue)
		require.NotEmpty(t, pollers, queue)
		for _, p := range pollers {
			require.True(t, strings.HasPrefix(p, role), "%s polls %s", p, queue)
		}
	}
	require.Empty(t, s.pollers(workflows.ProposalsQueue), "an activity that nobody but a workflow's own task runs cannot be called by others")
	require.Equal(t, 310, s.orderWith(s.read), "the read-only key may not trade")
	require.Empty(t, s.ordered())
}

func (s *stack) pollers(queue string) (identities []string) {
	s.t.Helper()
	reply, err := s.temporal.DescribeTaskQueue(ctx, queue, enums.TASK_QUEUE_TYPE_ACTIVITY)
	require.NoError(s.t, err)
	for _, p := range reply.GetPollers() {
		identities = append(identities, p.GetIdentity())
	}
	return identities
}

// orderWith sends an order signed with any key and returns the errorCode.
func (s *stack) orderWith(key paper.Key) int {
	s.t.Helper()
	const body = `{"market":"BTC-EUR","side":"buy","orderType":"market","amountQuote":"10","operatorId":7}`
	at := fmt.Sprint(time.Now().UnixMilli())
	mac := hmac.New(sha256.New, []byte(key.Secret))
	mac.Write([]byte(at + "POST/v2/order" + body))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.exchange.URL+"/v2/order", strings.NewReader(body))
	require.NoError(s.t, err)
	for name, value := range map[string]string{
		"Bitvavo-Access-Key": key.Key, "Bitvavo-Access-Signature": hex.EncodeToString(mac.Sum(nil)),
		"Bitvavo-Access-Timestamp": at, "Bitvavo-Access-Window": "10000", "Content-Type": "application/json",
	} {
		request.Header.Set(name, value)
	}
	reply, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer reply.Body.Close()
	var answer struct{ ErrorCode int }
	require.NoError(s.t, json.NewDecoder(reply.Body).Decode(&answer))
	return answer.ErrorCode
}

// Whoever signs imports an HMAC: our orders client, the paper exchange that
// checks signatures, and what signs webhooks, which knows no exchange. The
// official client, which can sign too, is behind the
// reader's door, which lets only GET out.
func TestOnlyTheOrdersClientCanSignAnOrder(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "interlock/...").Output()
	require.NoError(t, err)
	signers, official := []string{}, []string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for _, imported := range fields[1:] {
			switch imported {
			case "crypto/hmac":
				signers = append(signers, fields[0])
			case "github.com/bitvavo/go-bitvavo-api":
				official = append(official, fields[0])
			}
		}
	}
	require.ElementsMatch(t, []string{"interlock/internal/bitvavo/orders", "interlock/internal/paper", "interlock/internal/notify"}, signers)
	require.Equal(t, []string{"interlock/internal/bitvavo/market"}, official)
	require.NotContains(t, imports(t, "activities/scans"), "interlock/internal/bitvavo/orders")
	require.NotContains(t, imports(t, "internal/analyst"), "interlock/internal/bitvavo/orders")
}
