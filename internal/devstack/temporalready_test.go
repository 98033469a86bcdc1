package devstack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that was set back to an older copy of its database said a hundred
// kilobytes before it served, and was taken for one that does not.
func TestAServerServesHoweverMuchItSaidBefore(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	complaints := strings.Repeat("level=WARN msg=\"workflow mutable state not found, skip.\"\n", 4000)
	require.NoError(t, os.WriteFile(log, []byte("Server:  localhost:1111\n"+complaints), 0o600))
	p := &process{log: log, logStart: int64(len("Server:  localhost:1111\n"))}
	require.False(t, p.servesAt("127.0.0.1:1111"), "an earlier server said so")
	require.NoError(t, os.WriteFile(log, []byte("Server:  localhost:1111\n"+complaints+"Server:  localhost:2222\n"), 0o600))
	require.True(t, p.servesAt("127.0.0.1:2222"))
	require.False(t, p.servesAt("127.0.0.1:1111"))
}
