package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
)

const (
	// keysLife is how long keys are believed before they are asked for again.
	keysLife = 10 * time.Minute

	// keysPause is the least between two questions, whatever key a token names:
	// anybody may name any.
	keysPause = 30 * time.Second

	// keysStale is how long keys are believed while the issuer does not answer.
	keysStale = 24 * time.Hour

	keysBytes = 256 << 10
	keysMost  = 100
	keysWait  = 5 * time.Second
)

// publicKey is a key and the only algorithm that it checks.
type publicKey struct {
	algorithm string
	public    any
}

// keySet keeps the issuer's keys.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	flight singleflight.Group

	mu    sync.Mutex
	keys  map[string]publicKey
	got   time.Time // when keys were read
	asked time.Time
	fault error // of the last question
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	if client == nil {
		client = &http.Client{Timeout: keysWait}
	}
	return &keySet{url: url, client: client, now: now, fault: errors.New("not asked yet")}
}

// unavailable means that the keys cannot be had: nothing is known of a token.
type unavailable struct{ err error }

func (u *unavailable) Error() string { return "the issuer's keys: " + u.err.Error() }

// key finds a key by its ID. A *Refusal when the issuer has none of that ID, an
// *unavailable when it cannot be asked. Nobody waits for the issuer whose key
// is known: it is asked again beside them.
func (s *keySet) key(ctx context.Context, id string) (publicKey, error) {
	k, known, old, _ := s.look(id)
	switch {
	case known && old:
		go s.refresh(context.WithoutCancel(ctx))
		return k, nil
	case known:
		return k, nil
	}
	s.refresh(ctx)
	k, known, _, fault := s.look(id)
	switch {
	case known:
		return k, nil
	case fault != nil:
		return publicKey{}, &unavailable{fault}
	}
	return publicKey{}, refuse("the issuer has no such key")
}

// look finds a key among those that are still believed.
func (s *keySet) look(id string) (k publicKey, known, old bool, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	age := s.now().Sub(s.got)
	k, known = s.keys[id]
	return k, known && age < keysStale, age > keysLife, s.fault
}

// refresh asks the issuer, unless it was asked just before. Callers at the same
// moment share one question, in nobody's name: who gives up waiting must not
// fail it for the others.
func (s *keySet) refresh(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	<-s.flight.DoChan("", func() (any, error) {
		if !s.due() {
			return nil, nil
		}
		ctx, cancel := context.WithTimeout(ctx, keysWait)
		defer cancel()
		keys, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fault = err; err == nil {
			s.keys, s.got = keys, s.now()
		}
		return nil, nil
	})
}

func (s *keySet) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.asked.IsZero() && now.Sub(s.asked) < keysPause {
		return false
	}
	s.asked = now
	return true
}

func (s *keySet) fetch(ctx context.Context) (map[string]publicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	reply, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", reply.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(reply.Body, keysBytes)) // cut off, it is no JSON
	if err != nil {
		return nil, err
	}
	return readKeys(text)
}

// readKeys keeps the keys that can check a signature here. What else a set
// holds, such as a shared secret, is nothing to check anything with.
func readKeys(text []byte) (map[string]publicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("they are no JSON")
	}
	if set.Keys == nil || len(set.Keys) > keysMost {
		return nil, fmt.Errorf("they are no set of at most %d", keysMost)
	}
	keys := map[string]publicKey{}
	for _, raw := range set.Keys {
		if id, k, ok := readKey(raw); ok {
			keys[id] = k
		}
	}
	return keys, nil
}

func readKey(raw json.RawMessage) (id string, k publicKey, ok bool) {
	var said jwkset.JWKMarshal
	if json.Unmarshal(raw, &said) != nil || said.KID == "" || (said.USE != "" && said.USE != jwkset.UseSig) {
		return "", k, false
	}
	// A certificate, or an address of one, is not what we believe by.
	said.X5U, said.X5C, said.X5T, said.X5TS256 = "", nil, "", ""
	parsed, err := jwkset.NewJWKFromMarshal(said, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return "", k, false
	}
	switch public := parsed.Key().(type) {
	case *rsa.PublicKey:
		k = publicKey{jwt.SigningMethodRS256.Alg(), public}
		ok = public.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		k = publicKey{jwt.SigningMethodES256.Alg(), public}
		ok = public.Curve == elliptic.P256()
	}
	return said.KID, k, ok && (said.ALG == "" || said.ALG.String() == k.algorithm)
}
