package devtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"interlock/internal/devstack/devtest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestEveryCallGetsAnEmptyDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	first, second := devtest.Postgres(t), devtest.Postgres(t)
	require.NotEqual(t, first, second)
	_, err := connect(t, first).Exec(t.Context(), `CREATE TABLE seen ()`)
	require.NoError(t, err)
	var found bool
	err = connect(t, second).QueryRow(t.Context(), `SELECT to_regclass('seen') IS NOT NULL`).Scan(&found)
	require.NoError(t, err)
	require.False(t, found)
}

var migrations int

func migrate(ctx context.Context, url string) error {
	migrations++
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `CREATE TABLE notes (word text)`)
	return err
}

func TestMigratedDatabasesAreCopiesOfOneTemplate(t *testing.T) {
	t.Parallel()
	for range 4 {
		conn := connect(t, devtest.Database(t, migrate))
		_, err := conn.Exec(t.Context(), `INSERT INTO notes VALUES ('mine')`)
		require.NoError(t, err)
		var rows int
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM notes`).Scan(&rows))
		require.Equal(t, 1, rows)
	}
	require.Equal(t, 1, migrations)
}

func TestDatabaseIsDroppedAfterItsTest(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("uses one", func(t *testing.T) { url = devtest.Postgres(t) })
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
}

var market = sdktemporal.NewSearchAttributeKeyKeyword("Market")

func TestSharedTemporalRunsWorkflowsWithSearchAttributes(t *testing.T) {
	t.Parallel()
	s := devtest.Temporal(t, map[string]string{"Market": "Keyword"})
	require.Equal(t, "done", runWorkflow(t, s))
}

func TestNamespaceOfItsOwnIsUsableAtOnce(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s := devtest.Namespace(t, map[string]string{"Market": "Keyword"})
	t.Logf("namespace after %s", time.Since(began))
	require.NotEqual(t, devtest.Temporal(t, nil).Namespace, s.Namespace)
	require.Equal(t, "done", runWorkflow(t, s))
}

func runWorkflow(t *testing.T, s devtest.Server) (answer string) {
	t.Helper()
	c, queue := s.Client(t), devtest.TaskQueue(t)
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(func(workflow.Context) (string, error) { return "done", nil },
		workflow.RegisterOptions{Name: "Answer"})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: uuid.NewString(), TaskQueue: queue,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(market.ValueSet("BTC-EUR")),
	}, "Answer")
	require.NoError(t, err)
	require.NoError(t, run.Get(t.Context(), &answer))
	return answer
}
