// Package analyst asks a language model one question, through any server that
// speaks OpenAI's chat completions. It decides what became of a call: answered,
// refused, surely not sent, or possibly sent. It never asks twice, follows no
// redirect with the key, and refuses to know what the answer means or what it
// may cost.
package analyst

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"

	"interlock/internal/scan"
)

// DefaultTimeout bounds one call, from the first byte to the last.
const DefaultTimeout = 60 * time.Second

// DefaultBaseURL is asked when no other server is named.
const DefaultBaseURL = "https://api.openai.com/v1"

// seed makes servers that can repeat themselves do so.
const seed = 7

// Config names the server. It prints without the key.
type Config struct {
	BaseURL string        // with its /v1; empty: OpenAI's
	Key     string        `json:"-"` // may be empty: local servers need none
	Timeout time.Duration // zero: DefaultTimeout
}

// Format keeps the key out of every fmt verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "analyst("+c.BaseURL+")") }

// LogValue keeps the key out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue("analyst(" + c.BaseURL + ")") }

// Analyst asks one server. It is safe for concurrent use.
type Analyst struct {
	cfg       Config
	transport *http.Transport
}

// New returns an analyst. It asks nothing.
func New(cfg Config) *Analyst {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &Analyst{cfg: cfg, transport: &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
		// A connection that is used again may turn out dead after the request was
		// written, and net/http would then send it once more by itself.
		DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
	}}
}

// Format keeps the key out of every fmt verb.
func (a *Analyst) Format(f fmt.State, verb rune) { a.cfg.Format(f, verb) }

// Ask sends q once and says what became of it. Whatever is not surely unsent
// may have been answered, and paid for.
func (a *Analyst) Ask(ctx context.Context, q scan.Question) scan.Answer {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	seen := &wire{transport: a.transport}
	cfg := openai.DefaultConfig(a.cfg.Key)
	cfg.BaseURL = strings.TrimSuffix(a.cfg.BaseURL, "/")
	cfg.HTTPClient = &http.Client{
		Transport:     seen,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	reply, err := contain(func() (openai.ChatCompletionResponse, error) {
		return openai.NewClientWithConfig(cfg).CreateChatCompletion(ctx, request(q))
	})
	answer := a.judge(seen, reply, err)
	answer.RequestDigest, answer.ReplyDigest = seen.request, seen.reply
	answer.Detail = a.clean(answer.Detail)
	return answer
}

// contain keeps panics of the library from being taken for "nothing happened".
func contain[T any](call func() (T, error)) (reply T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the client panicked: %v", p)
		}
	}()
	return call()
}

func request(q scan.Question) openai.ChatCompletionRequest {
	fixed := seed
	r := openai.ChatCompletionRequest{
		Model: q.Model, Seed: &fixed,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: q.Request.System},
			{Role: openai.ChatMessageRoleUser, Content: q.Request.User},
		},
		ResponseFormat: &openai.ChatCompletionResponseFormat{
			Type: openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{
				Name: "trade_ideas", Schema: q.Request.Schema, Strict: true,
			},
		},
	}
	if reasons(q.Model) { // such models take neither a temperature nor max_tokens
		r.MaxCompletionTokens = q.MaxReply
		return r
	}
	// The field is left out when zero, and servers then choose 1.
	r.Temperature = math.SmallestNonzeroFloat32
	r.MaxTokens = q.MaxReply //nolint:staticcheck // servers other than OpenAI's ignore the newer field, and with it the bound
	return r
}

func reasons(model string) bool {
	for _, prefix := range []string{"o1", "o3", "o4", "gpt-5", "gpt-6"} {
		if strings.HasPrefix(model, prefix) {
			return true
		}
	}
	return false
}

// judge decides by what was seen on the wire; the library's errors only
// explain.
func (a *Analyst) judge(seen *wire, reply openai.ChatCompletionResponse, err error) scan.Answer {
	switch status := seen.status; {
	case !seen.left:
		return scan.Answer{Code: scan.ModelUnreachable, Detail: explain(err), UsageKnown: true}
	case status == 0:
		return scan.Answer{Code: scan.ModelUnknown, Detail: explain(err)}
	case status == http.StatusTooManyRequests:
		return scan.Answer{Code: scan.ModelBusy, Detail: explain(err), UsageKnown: true, RetryAfter: seen.retryAfter}
	case status >= 500:
		return scan.Answer{Code: scan.ModelFailed, Detail: explain(err), RetryAfter: seen.retryAfter}
	case status != http.StatusOK:
		return scan.Answer{Code: scan.ModelFailed, Detail: fmt.Sprintf("HTTP %d: %s", status, explain(err)), UsageKnown: status >= 400}
	case err != nil:
		return scan.Answer{Code: scan.ReplyInvalid, Detail: explain(err)}
	}
	return finish(reply)
}

// mostTokens is more than any one call can use.
const mostTokens = 1_000_000_000

func finish(reply openai.ChatCompletionResponse) scan.Answer {
	in, out := reply.Usage.PromptTokens, reply.Usage.CompletionTokens
	answer := scan.Answer{
		InputTokens: int64(in), OutputTokens: int64(out),
		UsageKnown: in > 0 && in <= mostTokens && out >= 0 && out <= mostTokens,
	}
	if len(reply.Choices) != 1 {
		answer.Code, answer.Detail = scan.ReplyInvalid, fmt.Sprintf("the reply has %d choices", len(reply.Choices))
		return answer
	}
	choice := reply.Choices[0]
	switch {
	case choice.Message.Refusal != "":
		answer.Code, answer.Detail = scan.ModelRefused, choice.Message.Refusal
	case choice.FinishReason == openai.FinishReasonLength:
		answer.Code, answer.Detail = scan.ReplyCutOff, "the reply was longer than the job allows"
	case choice.FinishReason == openai.FinishReasonContentFilter:
		answer.Code, answer.Detail = scan.ModelRefused, "the server's content filter stopped the reply"
	case choice.FinishReason != openai.FinishReasonStop && choice.FinishReason != "":
		answer.Code, answer.Detail = scan.ReplyInvalid, fmt.Sprintf("finish reason %q", choice.FinishReason)
	default:
		answer.Content = choice.Message.Content
	}
	return answer
}

func explain(err error) string {
	var failure *openai.APIError
	var raw *openai.RequestError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &failure):
		return failure.Message
	case errors.As(err, &raw):
		return string(raw.Body)
	}
	return err.Error()
}

// clean keeps a server's words short, printable and free of the key.
func (a *Analyst) clean(text string) string {
	const most = 300
	if a.cfg.Key != "" {
		text = strings.ReplaceAll(text, a.cfg.Key, "[key]")
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// Close gives up idle connections.
func (a *Analyst) Close() { a.transport.CloseIdleConnections() }
