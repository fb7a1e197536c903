package security

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysFresh   = 15 * time.Minute // after this, they are fetched again
	keysUsable  = 24 * time.Hour   // so long they are used, if they cannot be fetched
	keysPause   = 10 * time.Second // between attempts to fetch
	keysTimeout = 5 * time.Second  // of one attempt
	maxKeys     = 1 << 20          // bytes
)

// A keySet is the public keys of an issuer. They are fetched when they are
// needed, kept, and fetched again when a token names one that is not there.
type keySet struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	keys     jose.JSONWebKeySet
	fetched  time.Time     // of keys; zero: never
	tried    time.Time     // the last attempt
	failure  error         // of it
	fetching chan struct{} // closed when the attempt that runs has ended; nil: none runs
}

func newKeySet(url string) *keySet {
	return &keySet{url: url, client: &http.Client{Timeout: keysTimeout, CheckRedirect: stay}}
}

// stay refuses to be sent elsewhere for keys: the URL is what is trusted.
func stay(*http.Request, []*http.Request) error {
	return errors.New("found a redirect, expected the keys")
}

// find returns the key with an id; with an empty one, the only key. The error
// wraps errWrong if there is no such key, and errUnchecked if that is not known.
func (s *keySet) find(ctx context.Context, id string) (jose.JSONWebKey, error) {
	for {
		s.mu.Lock()
		age := time.Since(s.fetched)
		key, ok := pick(s.keys, id)
		known := ok && age < keysUsable
		wait, mayFetch, failure := s.fetching, time.Since(s.tried) >= keysPause, s.failure
		switch {
		case known && (age < keysFresh || wait != nil || !mayFetch):
			s.mu.Unlock()
			return key, nil
		case wait == nil && !mayFetch:
			fresh := age < keysUsable && failure == nil
			s.mu.Unlock()
			if fresh {
				return key, fmt.Errorf("%w: the token's key is not one of its issuer's", errWrong)
			}
			return key, fmt.Errorf("%w: %w", errUnchecked, failure)
		case wait == nil:
			wait = make(chan struct{})
			s.fetching = wait
			s.mu.Unlock()
			s.fetch(ctx)
			close(wait)
		default:
			s.mu.Unlock()
			select {
			case <-wait:
			case <-ctx.Done():
				return key, fmt.Errorf("%w: %w", errUnchecked, ctx.Err())
			}
		}
	}
}

func pick(set jose.JSONWebKeySet, id string) (jose.JSONWebKey, bool) {
	if id == "" && len(set.Keys) == 1 {
		return set.Keys[0], true
	}
	if found := set.Key(id); id != "" && len(found) > 0 {
		return found[0], true
	}
	return jose.JSONWebKey{}, false
}

// fetch gets the keys. It goes on when the caller who asked first hangs up:
// others wait.
func (s *keySet) fetch(ctx context.Context) {
	keys, err := s.get(context.WithoutCancel(ctx))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failure, s.fetching = time.Now(), err, nil
	if err == nil {
		s.keys, s.fetched = keys, s.tried
	}
}

func (s *keySet) get(ctx context.Context) (keys jose.JSONWebKeySet, err error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return keys, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return keys, fmt.Errorf("fetch keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return keys, fmt.Errorf("fetch keys from %s: found status %s, expected 200", s.url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxKeys+1))
	if err == nil && len(data) > maxKeys {
		err = fmt.Errorf("more than %d bytes", maxKeys)
	}
	if err != nil {
		return keys, fmt.Errorf("fetch keys from %s: %w", s.url, err)
	}
	return decodeKeys(data)
}

// decodeKeys reads those keys of a set that are of a kind we know; the others
// are for others.
func decodeKeys(data []byte) (keys jose.JSONWebKeySet, err error) {
	var raw struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(data, &raw); err != nil {
		return keys, fmt.Errorf("fetch keys: found no JSON Web Key Set: %w", err)
	}
	for _, k := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(k) == nil && key.Valid() {
			keys.Keys = append(keys.Keys, key)
		}
	}
	if len(keys.Keys) == 0 {
		return keys, errors.New("fetch keys: found no key that can be used")
	}
	return keys, nil
}
