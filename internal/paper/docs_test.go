package paper

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var example = regexp.MustCompile("`curl (?:-X ([A-Z]+) )?'?localhost:8090(/admin/[^ '`]+)'?(?: -d '([^']+)')?`")

// TestEveryExampleOfTheDocumentWorks pulls each lever as the document does.
func TestEveryExampleOfTheDocumentWorks(t *testing.T) {
	text, err := os.ReadFile("../../docs/paper-exchange.md")
	require.NoError(t, err)
	b := newBench(t)
	shown := map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(string(text), -1) {
		method, path, body := m[1], m[2], m[3]
		if method == "" {
			method = map[bool]string{true: http.MethodGet, false: http.MethodPost}[body == ""]
		}
		r, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		a := b.send(r)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", m[0], a.body)
		shown[method+" "+r.URL.Path] = true
	}
	for name := range levers {
		require.True(t, shown[name], "no example of %s", name)
	}
	for kind := range faultKinds {
		require.Contains(t, string(text), "\n| `"+kind+"`")
	}
}
