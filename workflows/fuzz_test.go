package workflows

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"interlock/activities/orders"
	"interlock/internal/trade"
)

// raw is a payload as any Temporal client could send it, JSON or not.
func raw(text []byte) converter.RawValue {
	return converter.NewRawValue(&common.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)}, Data: text,
	})
}

// FuzzSignals: whatever is sent under the name of a signal or an update, the
// workflow lives on to its end, and orders only for an override or an execute
// that says who asks.
func FuzzSignals(f *testing.F) {
	for _, seed := range []string{
		`{"cooldown":true,"actor":"anna","reason":"news","execute":true}`, `{"cooldown":true,"execute":true}`, `null`, `[]`, `7`, `""`,
		`{"actor":{"actor":"anna"},"reason":["x"],"execute":"true"}`, `{"actor":"anna","reason":"r"}`, `{"orderId":"o","absent":true}`,
		`{"expiresAt":"0000-00-00T00:00:00Z","actor":"a","reason":"b","antiFlip":true,"execute":true}`, `{"notAfter":1e400,"actor":"a"}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range []string{OverrideName, CancelSignal, ResolveName, RefreshSignal} {
			b := newBench(t)
			b.at(time.Second, func() { b.env.SignalWorkflow(name, raw(text)) })
			endsAsItMust(t, b, text, name == OverrideName)
		}
		for _, name := range []string{OverrideName, ExecuteUpdate} {
			b := newBench(t)
			b.at(time.Second, func() { b.env.UpdateWorkflow(name, "u", &answer{}, raw(text)) })
			endsAsItMust(t, b, text, true)
		}
	})
}

func endsAsItMust(t *testing.T, b *bench, text []byte, mayOrder bool) {
	t.Helper()
	b.checksOverrides = true
	end := b.run()
	require.Contains(t, []trade.Status{trade.Expired, trade.Cancelled, trade.Executed}, end.Status)
	if b.calls[orders.PlaceOrder] == 0 {
		return
	}
	require.True(t, mayOrder)
	require.Equal(t, 1, b.calls[orders.PlaceOrder])
	var who struct{ Actor string }
	require.NoError(t, json.Unmarshal(text, &who))
	require.NotEmpty(t, who.Actor)
}
