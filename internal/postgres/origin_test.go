package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/scan"
	"interlock/internal/trade"
)

func TestTheOriginOfAProposalIsItsScanItsCallsAndItsIdea(t *testing.T) {
	t.Parallel()
	d, j, digest := scanning(t)
	d.reserve(scan.CallID("run", 1))
	d.reserve(scan.CallID("run-2", 1))
	_, err := d.as(ScansRole).StoreIdeas(ctx, "run", j, []trade.Proposal{idea("run", 1, "BTC-EUR", trade.Buy)}, []string{"as it was written"}, nil)
	require.NoError(t, err)
	o, err := d.as(OperatorRole).Origin(ctx, "run-1")
	require.NoError(t, err)
	require.Equal(t, []any{"job", "run", digest, 1, "as it was written"}, []any{o.Job, o.Run, o.Digest, o.Number, o.Idea})
	require.Equal(t, seen("80000").Markets[0].Last, o.Seen.Markets[0].Last)
	require.Len(t, o.Calls, 1, "another run's call is not its own")
	require.Equal(t, "run.call-1", o.Calls[0].ID)

	d.propose("by-hand", trade.Buy)
	o, err = d.Origin(ctx, "by-hand")
	require.NoError(t, err)
	require.Nil(t, o)
}
