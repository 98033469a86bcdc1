package postgres

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/migrations"

	"interlock/internal/devstack/devtest"
)

// writersSQL lists who may write a column at all.
const writersSQL = `
	SELECT coalesce(string_agg(substr(r, 11), ', ' ORDER BY n), '') FROM unnest($1::text[]) WITH ORDINALITY AS roles (r, n)
	WHERE has_column_privilege(r, $2, $3, 'INSERT') OR has_column_privilege(r, $2, $3, 'UPDATE')`

// The document says who writes each fact; the database is what it says.
func TestEachFactIsWrittenByTheRolesThatTheDocumentNamesAndByNobodyElse(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/threat-model.md")
	require.NoError(t, err)
	conn := connected(t, devtest.Database(t, migrations.Up))
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z_]+)\\.([a-z_]+)` \\| ([a-z, ]+) \\|$").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(rows), 20)
	for _, row := range rows {
		var writers string
		require.NoError(t, conn.QueryRow(ctx, writersSQL, groupRoles, "interlock."+row[1], row[2]).Scan(&writers))
		require.ElementsMatch(t, strings.Split(row[3], ", "), strings.Split(writers, ", "), "%s.%s", row[1], row[2])
	}
}

func TestWhatAnAttemptSendsIsInTheRows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	sending, answer, err := d.BeginAttempt(ctx, c.Ref(), 1, time.Now().Add(trade.AccessWindow), "test")
	require.NoError(t, err)
	require.Nil(t, answer)
	require.True(t, c.Plan.Amount.Equal(*sending.Plan.Amount))
	require.Equal(t, c.Plan.Market, sending.Plan.Market)
	require.Equal(t, c.ClientOrderID, sending.Search.ClientOrderID)
}

// An attempt with a number that is not its turn would leave the workflow's own
// one without a place.
func TestOnlyTheNextNumberBegins(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Equal(t, trade.NotSent, d.begin(c, 7).Reply)
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))
	require.Nil(t, d.begin(c, 1))
}

func TestRoleOrdersWritesWhatItSawAndConcludesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	orders, proposals := d.as(OrdersRole), d.as(ProposalsRole)
	for sql, s := range map[string]*Store{
		`UPDATE interlock.order_attempts SET verdict = 'absent', concluded_at = now()`:                                                     orders,
		`INSERT INTO interlock.order_attempts (execution_id, number, request_id, verdict, concluded_at) VALUES (1, 2, 'r', 'void', now())`: orders,
		`UPDATE interlock.order_attempts SET reply = 'refused'`:                                                                            proposals,
		`INSERT INTO interlock.order_looks (execution_id, number, sighting, exchange_time) VALUES (1, 1, 'not_there', now())`:              proposals,
		`INSERT INTO interlock.order_readings (execution_id, request_id, exchange_time) VALUES (1, 'r', now())`:                            proposals,
		`INSERT INTO interlock.final_orders (execution_id, order_id, body, seen_by) VALUES (1, 'o', '{}', 'me')`:                           proposals,
		`INSERT INTO interlock.order_fills DEFAULT VALUES`:                                                                                 proposals,
	} {
		_, err := s.pool.Exec(ctx, sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
	o := orderOf(c, "o1", "filled")
	require.NoError(t, orders.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	require.Equal(t, "o1", d.life("p").AcceptedOrder)
	r, err := proposals.RecordOrder(ctx, c.Ref())
	require.NoError(t, err)
	require.Equal(t, trade.Executed, r.Status)
	for _, table := range []string{"final_orders", "order_looks", "order_readings"} {
		d.exec(`INSERT INTO interlock.order_looks (execution_id, number, sighting) VALUES (1, 1, 'inconclusive');
			INSERT INTO interlock.order_readings (execution_id, request_id, exchange_time) VALUES (1, 'r', now())`)
		_, err := d.pool.Exec(ctx, `UPDATE interlock.`+table+` SET execution_id = execution_id`)
		require.ErrorIs(t, classify(err), ErrInvalid, "what was seen stays")
	}
}

func TestAReplyIsGivenOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Unknown, Code: "109"}, "test"))
	require.ErrorIs(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.NotSent, Code: "105"}, "test"), ErrInvalid)
	require.False(t, d.conclude(c, 1).Concluded)
}

func TestAWishIsJudgedByWhatRoleOrdersHasJustRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	d.conclude(c, 1)
	resolve := func(orderID string) string {
		problem, err := d.Resolve(ctx, c.Ref(), 1, trade.Resolution{OrderID: orderID, Actor: "olga", Reason: "seen"})
		require.NoError(t, err)
		return problem
	}
	late := deadline.Add(31 * time.Second)
	require.Contains(t, resolve(""), "was not checked", "nobody has read anything")
	o := orderOf(c, "o1", "filled")
	require.NoError(t, d.RecordReading(ctx, c.Ref(), trade.Reading{OrderID: "o1", Order: &o, ExchangeTime: late}))
	require.Contains(t, resolve(""), "was not checked", "another wish was read for")
	require.Contains(t, resolve("o2"), "was not checked")
	require.NoError(t, d.RecordReading(ctx, c.Ref(), trade.Reading{OrderID: "o2", Problem: "240: no such order"}))
	require.Contains(t, resolve("o2"), "240")

	d.exec(`ALTER TABLE interlock.order_readings DISABLE TRIGGER ALL`)
	d.exec(`UPDATE interlock.order_readings SET read_at = read_at - interval '61 s'`)
	require.Contains(t, resolve("o1"), "was not checked", "it is too old")
	d.exec(`UPDATE interlock.order_readings SET read_at = clock_timestamp(), request_id = 'of an earlier claim'`)
	require.Contains(t, resolve("o1"), "was not checked")
	require.Equal(t, trade.Unresolved, d.life("p").Proposal.Status)

	require.NoError(t, d.RecordReading(ctx, c.Ref(), trade.Reading{OrderID: "o1", Order: &o, ExchangeTime: late}))
	require.Empty(t, resolve("o1"))
	require.Equal(t, "o1", d.life("p").AcceptedOrder)
}

// Both proposals would be of the same size; the order is the other's.
func TestAnOrderIsNeverTakenForTwoProposals(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a, _ := d.inDoubt("a")
	taken := orderOf(a, "o-a", "new")
	require.NoError(t, d.RecordReply(ctx, a.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &taken}, "test"))
	b, deadline := d.inDoubt("b")
	d.conclude(b, 1)
	late := deadline.Add(31 * time.Second)
	other := taken
	other.OrderID = "o-later"
	require.Contains(t, d.wish(b, &other, late, "olga"), "another client order ID")
	nameless := taken
	nameless.ClientOrderID = ""
	require.Contains(t, d.wish(b, &nameless, late, "olga"), "the order of proposal a")
	require.Equal(t, trade.Unresolved, d.life("b").Proposal.Status)
	_, err := d.pool.Exec(ctx, `UPDATE interlock.order_attempts SET verdict = 'accepted', order_id = 'o-a', concluded_at = now() WHERE execution_id = $1`, b.ExecutionID)
	require.ErrorIs(t, classify(err), ErrConflict, "the database itself refuses it")
	d.record(a, orderOf(a, "o-a", "filled"))
}

func TestALookupReachesBackToTheFirstAttemptAndKnowsOthersOrders(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.executed("other")
	c, _ := d.inDoubt("p")
	d.exec(`ALTER TABLE interlock.order_attempts DISABLE TRIGGER ALL`)
	d.exec(`UPDATE interlock.order_attempts SET begun_at = begun_at - interval '1 day' WHERE execution_id = $1`, c.ExecutionID)
	d.exec(`ALTER TABLE interlock.order_attempts ENABLE TRIGGER ALL`)
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Refused, Code: "217"}, "test"))
	require.Equal(t, trade.Failed, d.fail(c))
	again := *d.ask("p").Claim
	sending, answer, err := d.BeginAttempt(ctx, again.Ref(), 2, time.Now().Add(trade.AccessWindow), "test")
	require.NoError(t, err)
	require.Nil(t, answer)
	search, err := d.LookupOf(ctx, again.Ref(), 2)
	require.NoError(t, err)
	require.Equal(t, sending.Search, *search)
	require.WithinDuration(t, time.Now().Add(-24*time.Hour-10*time.Minute), search.Since, time.Minute)
	require.Equal(t, []string{"order-other"}, search.Known)
	none, err := d.LookupOf(ctx, again.Ref(), 1)
	require.NoError(t, err)
	require.Nil(t, none, "only an attempt in doubt is looked for")
}

// A failure is what the rows say, whoever calls it what.
func TestAFailureIsWhatTheRowsSay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	halted := d.claimed("halted")
	d.exec(`UPDATE interlock.trading_controls SET state = 'HALTED' WHERE scope = 'paper'`)
	require.Equal(t, string(trade.TradingHalted), d.begin(halted, 1).Code)
	require.Equal(t, trade.Failed, d.fail(halted))
	require.Equal(t, string(trade.TradingHalted), d.life("halted").Proposal.FailureCode)
	d.exec(`UPDATE interlock.trading_controls SET state = 'ACTIVE'`)

	unsent := d.claimed("unsent")
	require.Nil(t, d.begin(unsent, 1))
	require.NoError(t, d.RecordReply(ctx, unsent.Ref(), 1, trade.AttemptResult{Reply: trade.NotSent, Code: "105"}, "test"))
	require.Equal(t, trade.Failed, d.fail(unsent))
	require.Equal(t, string(trade.ExchangeUnavailable), d.life("unsent").Proposal.FailureCode)

	c, _ := d.inDoubt("doubt")
	require.Equal(t, trade.Executing, d.fail(c), "and none while an attempt is in doubt")
}

func TestAnOrderWhoseStatusNobodyKnowsCallsAPersonOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.inDoubt("p")
	o := orderOf(c, "o1", "canceledByMoonlight")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	orders := d.as(OrdersRole)
	follow := func(s trade.Sight) *trade.Order {
		end, err := orders.Followed(ctx, c.Ref(), s, "test")
		require.NoError(t, err)
		return end
	}
	require.Nil(t, follow(trade.Sight{Order: o}))
	require.False(t, d.halted())
	d.exec(`UPDATE interlock.trade_executions SET claimed_at = claimed_at - interval '10 minutes'`)
	for range 2 {
		require.Nil(t, follow(trade.Sight{Order: o}))
		require.True(t, d.halted())
		require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'order.contradicts'`))
	}
	require.Equal(t, "o1", follow(trade.Sight{Order: o, Gone: true}).OrderID)
	r, err := d.RecordOrder(ctx, c.Ref())
	require.NoError(t, err)
	require.Equal(t, trade.Executed, r.Status)
}

func TestAPersonEndsAnOrderWhoseStatusNobodyKnows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, deadline := d.inDoubt("p")
	o := orderOf(c, "o1", "canceledByMoonlight")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	unsettled := o
	unsettled.FilledAmount = dec("0.001")
	orders := d.as(OrdersRole)
	require.Contains(t, d.wish(c, nil, deadline.Add(time.Hour), "olga"), "not UNRESOLVED")
	require.Contains(t, d.wish(c, &unsettled, deadline, "olga"), "is settled")
	for range 2 {
		require.Empty(t, d.wish(c, &o, deadline, "olga"))
	}
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'execution.resolve' AND body->>'problem' = ''`))
	still, err := orders.Followed(ctx, c.Ref(), trade.Sight{Order: unsettled}, "test")
	require.NoError(t, err)
	require.Nil(t, still)
	end, err := orders.Followed(ctx, c.Ref(), trade.Sight{Order: o}, "test")
	require.NoError(t, err)
	require.Equal(t, "o1", end.OrderID)
	r, err := d.RecordOrder(ctx, c.Ref())
	require.NoError(t, err)
	require.Equal(t, trade.Executed, r.Status)
}
