package scan

import (
	"time"

	"interlock/internal/prompt"
)

// Question is one call of a model.
type Question struct {
	Model    string
	Request  prompt.Request
	MaxReply int // tokens
}

// Answer is what became of a call. Without a code, Content is what the model
// wrote.
type Answer struct {
	Code          Code          `json:"code,omitempty"`
	Detail        string        `json:"detail,omitempty"`
	Content       string        `json:"content,omitempty"`
	RequestDigest string        `json:"requestDigest,omitempty"`
	ReplyDigest   string        `json:"replyDigest,omitempty"`
	UsageKnown    bool          `json:"usageKnown"` // else it may have used all it could
	InputTokens   int64         `json:"inputTokens"`
	OutputTokens  int64         `json:"outputTokens"`
	RetryAfter    time.Duration `json:"retryAfter,omitempty"` // what the server asked for
}

// Left reports whether the call may have left this machine. Only one that
// surely did not is given back to the budget.
func (a Answer) Left() bool { return a.Code != ModelUnreachable }
