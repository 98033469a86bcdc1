package paper

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Permission is one right of a key.
type Permission string

// The rights a key may have; none includes another.
const (
	View     Permission = "view"
	Trade    Permission = "trade"
	Withdraw Permission = "withdraw"
)

const (
	keyLength     = 64
	defaultWindow = 10_000
	minWindow     = 100
	maxWindow     = 60_000
)

// Key signs for an account. All keys of one account see the same orders.
type Key struct {
	Key         string       `json:"key"`
	Secret      string       `json:"secret"`
	Account     string       `json:"account"`
	Permissions []Permission `json:"permissions"`
}

// NewKey makes a random key for an account.
func NewKey(account string, rights ...Permission) Key {
	return Key{Key: randomHex(32), Secret: randomHex(64), Account: account, Permissions: rights}
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails: the runtime aborts instead
	return hex.EncodeToString(b)
}

func (k Key) may(p Permission) bool { return slices.Contains(k.Permissions, p) }

func signature(secret string, timestamp, method, path string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + method + path))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// authenticate fills in who asks and until when, or says why it cannot. A
// request without any key is nobody's and left to the endpoint to judge.
func (e *Exchange) authenticate(r *request, h http.Header) error {
	key := h.Get("Bitvavo-Access-Key")
	if key == "" {
		return nil
	}
	if len(key) != keyLength {
		return refuse(codeKeyLength)
	}
	if err := r.readWindow(h); err != nil {
		return err
	}
	k, ok := e.keys[key]
	sent := h.Get("Bitvavo-Access-Signature")
	switch raw, err := hex.DecodeString(sent); {
	case err != nil || len(raw) != sha256.Size:
		return refuse(codeSignatureFormat)
	case !ok:
		return refuse(codeKeyInactive)
	case !r.signedBy(k.Secret, h.Get("Bitvavo-Access-Timestamp"), sent):
		return refuse(codeSignature)
	}
	r.key = &k
	return nil
}

// readWindow sets the moment after which nothing may be done for the request.
func (r *request) readWindow(h http.Header) error {
	stamp, err := strconv.ParseInt(h.Get("Bitvavo-Access-Timestamp"), 10, 64)
	if err != nil || len(strconv.FormatInt(stamp, 10)) != 13 || stamp < 0 {
		return refuse(codeTimestamp)
	}
	window := int64(defaultWindow)
	if text := h.Get("Bitvavo-Access-Window"); text != "" {
		if window, err = strconv.ParseInt(text, 10, 64); err != nil || window < minWindow || window > maxWindow {
			return refuse(codeWindow)
		}
	}
	r.deadline = time.UnixMilli(stamp + window)
	early := r.arrived.UnixMilli() < stamp-window
	if early || r.late(r.arrived) {
		return refuse(codeOutsideWindow)
	}
	return nil
}

// late says that the window has closed; a request without one never is.
func (r *request) late(now time.Time) bool {
	return !r.deadline.IsZero() && now.UnixMilli() > r.deadline.UnixMilli()
}

// signedBy accepts what the real exchange is known to accept: the raw body, the
// same JSON without spaces, and on reads a signature over no body at all.
func (r *request) signedBy(secret, timestamp, sent string) bool {
	bodies := [][]byte{r.body}
	var compact bytes.Buffer
	if json.Compact(&compact, r.body) == nil {
		bodies = append(bodies, compact.Bytes())
	}
	if r.method == http.MethodGet || r.method == http.MethodDelete {
		bodies = append(bodies, nil)
	}
	return slices.ContainsFunc(bodies, func(body []byte) bool {
		want := signature(secret, timestamp, r.method, r.signedPath, body)
		return hmac.Equal([]byte(want), bytes.ToLower([]byte(sent)))
	})
}
