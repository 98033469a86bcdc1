package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"interlock/internal/outbox"
	"interlock/internal/secret"
)

// Headers of a webhook. The signature is that of the timestamp, a dot, and the
// body.
const (
	TimestampHeader = "X-Interlock-Timestamp" // seconds since 1970
	SignatureHeader = "X-Interlock-Signature" // sha256=…, in hex
	EventHeader     = "X-Interlock-Event"     // the event's ID
)

// keyPrefix lets secret scanners recognise a key that leaked.
const keyPrefix = "whk_"

// NewSigningKey makes the key that a webhook's receiver checks signatures with.
func NewSigningKey() secret.Text {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails: without randomness the process ends
	return secret.Text(keyPrefix + base64.RawURLEncoding.EncodeToString(key))
}

// Sign is the signature of a body at a timestamp.
func Sign(key secret.Text, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func checkWebhook(address *url.URL) error {
	if address.Fragment != "" {
		return advice("the address has a fragment, which is never sent")
	}
	return nil
}

// showHost shows where a webhook goes; path, user and query may be secrets.
func showHost(address *url.URL) string { return address.Scheme + "://" + address.Host + "/…" }

func sendWebhook(ctx context.Context, s *Sender, address *url.URL, d outbox.Delivery) error {
	body, err := d.Wire()
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(s.now().Unix(), 10)
	return s.post(ctx, address.String(), body, map[string]string{
		TimestampHeader: timestamp, SignatureHeader: Sign(d.SigningKey, timestamp, body), EventHeader: strconv.FormatInt(d.ID, 10),
	})
}

// maxAnswer bounds what of an answer is read, only so that its connection can
// be used again.
const maxAnswer = 64 << 10

func (s *Sender) post(ctx context.Context, to string, body []byte, headers map[string]string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "interlock")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	return refused(response)
}
