package market

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/leaktest"
	"interlock/internal/listen/listentest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	testKey    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	testSecret = "a-secret-nobody-may-ever-read-in-a-log"
)

// venue is an exchange of recorded replies.
type venue struct {
	server *httptest.Server
	reader *Reader

	mu      sync.Mutex
	seen    []*http.Request
	replies map[string]http.HandlerFunc
}

func newVenue(t *testing.T) *venue {
	t.Helper()
	v := &venue{replies: map[string]http.HandlerFunc{}}
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	v.reader = newReader(t, v.server.URL+"/v2")
	return v
}

func newReader(t *testing.T, base string) *Reader {
	t.Helper()
	r, err := New(Config{URL: base, Key: testKey, Secret: testSecret, Timeout: 5 * time.Minute})
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func (v *venue) on(path string, reply http.HandlerFunc) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replies[path] = reply
}

func (v *venue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.seen = append(v.seen, r)
	reply := v.replies[r.URL.Path]
	v.mu.Unlock()
	if reply == nil {
		reply = says(404, "<html>no such path</html>")
	}
	reply(w, r)
}

func (v *venue) last() *http.Request {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[len(v.seen)-1]
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("bitvavo-ratelimit-remaining", "7")
		w.Header().Set("bitvavo-ratelimit-resetat", "1700000000000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// deadAddress is a base URL where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	return "http://" + listentest.Refusing(t) + "/v2"
}

// droppingAddress is a base URL whose connections end as soon as they begin.
func droppingAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "http://" + listener.Addr().String() + "/v2"
}

// printed is what use writes to standard output.
func printed(t *testing.T, use func()) string {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	old := os.Stdout
	os.Stdout = write
	text := make(chan string)
	go func() {
		all, _ := io.ReadAll(read)
		text <- string(all)
	}()
	use()
	os.Stdout = old
	require.NoError(t, write.Close())
	return <-text
}
