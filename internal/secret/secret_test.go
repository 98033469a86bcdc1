package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecretNeverPrints(t *testing.T) {
	k := struct{ Key, Secret Text }{Key: "hunter2", Secret: "hunter3"}
	text, err := json.Marshal(k)
	require.NoError(t, err)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "key", k.Key, "all", k)
	printed := fmt.Sprintf("%v %+v %#v %s %q %x %d", k, k, k, k.Key, k.Key, k.Key, k.Key) + string(text) + log.String() +
		errors.Join(fmt.Errorf("key %v", k)).Error()
	require.NotContains(t, printed, "hunter")
	require.NotContains(t, printed, "68756e746572")
	require.Empty(t, Text("").String())
}
