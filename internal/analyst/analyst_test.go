package analyst

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/leaktest"
	"interlock/internal/listen/listentest"
	"interlock/internal/prompt"
	"interlock/internal/scan"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const key = "sk-a-key-nobody-may-ever-read-in-a-log"

// server answers every request with one function and counts them.
type server struct {
	*Analyst

	calls atomic.Int32
	body  atomic.Pointer[string]
	auth  atomic.Pointer[string]
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := &server{}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		text, auth := string(body), r.Header.Get("Authorization")
		s.body.Store(&text)
		s.auth.Store(&auth)
		answer(w, r)
	}))
	s.Analyst = New(Config{BaseURL: h.URL + "/v1", Key: key, Timeout: 5 * time.Minute})
	t.Cleanup(func() { s.Close(); h.Close() })
	return s
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func completion(message, finish string) string {
	return fmt.Sprintf(`{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":%s,"finish_reason":%q}],"usage":{"prompt_tokens":120,"completion_tokens":30,"total_tokens":150}}`, message, finish)
}

func question() scan.Question {
	return scan.Question{Model: "m-1", MaxReply: 500, Request: prompt.Request{System: "s", User: "u", Schema: json.RawMessage(`{"type":"object"}`)}}
}

func TestAnAnswerComesWithItsUsageAndDigests(t *testing.T) {
	s := newServer(t, says(200, completion(`{"role":"assistant","content":"{\"ideas\":[]}"}`, "stop")))
	a := s.Ask(t.Context(), question())
	require.Empty(t, a.Code)
	require.Equal(t, `{"ideas":[]}`, a.Content)
	require.True(t, a.UsageKnown && a.Left())
	require.Equal(t, []int64{120, 30}, []int64{a.InputTokens, a.OutputTokens})
	require.Equal(t, prompt.Digest([]byte(*s.body.Load())), a.RequestDigest)
	require.Len(t, a.ReplyDigest, 64)
	require.Equal(t, "Bearer "+key, *s.auth.Load())
}

func TestTheRequestIsStructuredBoundedAndRepeatable(t *testing.T) {
	s := newServer(t, says(200, completion(`{"role":"assistant","content":"{}"}`, "stop")))
	s.Ask(t.Context(), question())
	var sent struct {
		Model       string
		MaxTokens   int `json:"max_tokens"`
		MaxReply    int `json:"max_completion_tokens"`
		Temperature *float64
		Seed        *int
		Format      struct {
			Type   string
			Schema struct{ Strict bool } `json:"json_schema"`
		} `json:"response_format"`
		Messages []struct{ Role, Content string }
	}
	require.NoError(t, json.Unmarshal([]byte(*s.body.Load()), &sent))
	require.Equal(t, "m-1", sent.Model)
	require.Equal(t, 500, sent.MaxTokens)
	require.NotNil(t, sent.Temperature)
	require.Less(t, *sent.Temperature, 1e-9)
	require.NotNil(t, sent.Seed)
	require.Equal(t, "json_schema", sent.Format.Type)
	require.True(t, sent.Format.Schema.Strict)
	require.Len(t, sent.Messages, 2)

	q := question()
	q.Model = "gpt-5-mini"
	require.Empty(t, s.Ask(t.Context(), q).Code)
	sent.MaxTokens, sent.Temperature = 0, nil
	require.NoError(t, json.Unmarshal([]byte(*s.body.Load()), &sent))
	require.Equal(t, 500, sent.MaxReply, "a reasoning model takes another field, and no temperature")
	require.Zero(t, sent.MaxTokens)
	require.Nil(t, sent.Temperature)
}

func TestEachWayToFailSaysWhatIsKnownOfTheCall(t *testing.T) {
	const failure = `{"error":{"message":"no","type":"x","code":null}}`
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		code   scan.Code
		known  bool // what it used
	}{
		{"busy", says(429, failure, "Retry-After", "7"), scan.ModelBusy, true},
		{"broken", says(500, failure), scan.ModelFailed, false},
		{"overloaded, as a page", says(503, "<html>"), scan.ModelFailed, false},
		{"wrong key", says(401, failure), scan.ModelFailed, true},
		{"no such model", says(404, failure), scan.ModelFailed, true},
		{"elsewhere", says(307, "", "Location", "http://127.0.0.1:1/"), scan.ModelFailed, false},
		{"not JSON", says(200, `{"choices"`), scan.ReplyInvalid, false},
		{"no choice", says(200, `{"choices":[]}`), scan.ReplyInvalid, false},
		{"refusal", says(200, completion(`{"role":"assistant","content":"","refusal":"I will not."}`, "stop")), scan.ModelRefused, true},
		{"filtered", says(200, completion(`{"role":"assistant","content":""}`, "content_filter")), scan.ModelRefused, true},
		{"too long", says(200, completion(`{"role":"assistant","content":"{"}`, "length")), scan.ReplyCutOff, true},
		{"wants a tool", says(200, completion(`{"role":"assistant","content":""}`, "tool_calls")), scan.ReplyInvalid, true},
		{"huge", says(200, strings.Repeat(" ", mostReply+1)), scan.ModelUnknown, false},
		{"hung up", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, scan.ModelUnknown, false},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"id`)
		}, scan.ModelUnknown, false},
	} {
		s := newServer(t, c.answer)
		a := s.Ask(t.Context(), question())
		require.Equal(t, c.code, a.Code, c.name)
		require.Equal(t, c.known, a.UsageKnown, c.name)
		require.True(t, a.Left(), c.name)
		require.Empty(t, a.Content, c.name)
		require.EqualValues(t, 1, s.calls.Load(), "%s: asked once", c.name)
	}
}

func TestRetryAfterIsReadInBothFormsAndBounded(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "-7": 0, "": 0, "soon": 0, "999999999999": time.Hour, "Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:30 GMT": 0, "99999999999999999999999": 0,
	} {
		require.Equal(t, want, retryAfter(text, now), text)
	}
	s := newServer(t, says(429, `{"error":{"message":"no"}}`, "Retry-After", "7"))
	require.Equal(t, 7*time.Second, s.Ask(t.Context(), question()).RetryAfter)
}

func TestWhatNeverConnectedSurelyDidNotLeave(t *testing.T) {
	a := New(Config{BaseURL: "http://" + listentest.Refusing(t) + "/v1", Key: key})
	defer a.Close()
	answer := a.Ask(t.Context(), question())
	require.Equal(t, scan.ModelUnreachable, answer.Code)
	require.False(t, answer.Left())

	over, cancel := context.WithCancel(t.Context())
	cancel()
	s := newServer(t, says(200, "{}"))
	require.Equal(t, scan.ModelUnreachable, s.Ask(over, question()).Code)
	require.Zero(t, s.calls.Load())
}

// A usage that no call can have would not fit into the records, or would fill
// the budget for ever: the call counts at its worst instead.
func TestAnAbsurdUsageIsNotKnown(t *testing.T) {
	sound := completion(`{"role":"assistant","content":"{}"}`, "stop")
	for _, tokens := range []string{"-5", "1000000001", "9223372036854775807"} {
		for _, field := range []string{`"prompt_tokens":120`, `"completion_tokens":30`} {
			name, _, _ := strings.Cut(field, ":")
			s := newServer(t, says(200, strings.Replace(sound, field, name+":"+tokens, 1)))
			a := s.Ask(t.Context(), question())
			require.Empty(t, a.Code)
			require.False(t, a.UsageKnown, "%s %s", name, tokens)
		}
	}
}

func TestASilentServerIsLeftAfterTheTimeoutAndMayHaveAnswered(t *testing.T) {
	s := newServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s.cfg.Timeout = 100 * time.Millisecond
	a := s.Ask(t.Context(), question())
	for !a.Left() && s.cfg.Timeout < time.Hour { // the time was over before the question had left
		s.cfg.Timeout *= 2
		a = s.Ask(t.Context(), question())
	}
	require.Equal(t, scan.ModelUnknown, a.Code)
	require.True(t, a.Left())
	require.False(t, a.UsageKnown)
}

func TestTheKeyIsNeverPrintedNorEchoed(t *testing.T) {
	s := newServer(t, says(401, `{"error":{"message":"wrong key `+key+`\n\u0007"}}`))
	a := s.Ask(t.Context(), question())
	require.NotContains(t, a.Detail, key)
	require.NotContains(t, a.Detail, "\n")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, s.cfg), key)
		require.NotContains(t, fmt.Sprintf(verb, s.Analyst), key)
	}
}
