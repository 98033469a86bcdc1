package orders

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const headerKey = "Bitvavo-Access-Key"

// keys holds what must never be printed.
type keys struct {
	key    string
	secret []byte
}

// sign lets the exchange act on req from at until at + window, and no longer.
func (k *keys) sign(req *http.Request, body []byte, at time.Time, window time.Duration) {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	req.Header.Set(headerKey, k.key)
	req.Header.Set("Bitvavo-Access-Timestamp", timestamp)
	req.Header.Set("Bitvavo-Access-Window", strconv.FormatInt(window.Milliseconds(), 10))
	req.Header.Set("Bitvavo-Access-Signature", k.signature(timestamp, req.Method, signedPath(req), body))
}

// signature is the exchange's HMAC-SHA256 over the parts without separators.
func (k *keys) signature(timestamp, method, path string, body []byte) string {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write([]byte(timestamp + method + path))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// signedPath is path and query exactly as sent, from /v2 on: the exchange
// verifies against its own root even when it is reached through a prefix.
func signedPath(req *http.Request) string {
	uri := req.URL.RequestURI()
	path, query, asked := strings.Cut(uri, "?")
	path = path[strings.LastIndex(path, apiRoot+"/"):]
	if !asked {
		return path
	}
	return path + "?" + query
}

// scrub removes key and secret from text that others wrote.
func (k *keys) scrub(text string) string {
	return strings.NewReplacer(k.key, "[key]", string(k.secret), "[secret]").Replace(text)
}
