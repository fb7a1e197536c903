package access

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestHashes(t *testing.T) {
	h := newHash("Grüße an alle Pferde")
	text := h.String()
	if !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(text, "=$") {
		t.Errorf("got %s", text)
	}
	read, err := parseHash(text)
	if err != nil || !read.matches("Grüße an alle Pferde") || read.matches("grüße an alle Pferde") {
		t.Errorf("got %+v, %v", read, err)
	}
	if !read.matches("Gru\u0308ße an alle Pferde") {
		t.Error("the same password in another normal form does not match")
	}
	if again := newHash("Grüße an alle Pferde"); again.String() == text {
		t.Error("got the same hash twice: it has no salt")
	}
	if known, err := parseHash(reference); err != nil || !known.matches("password") {
		t.Errorf("got %v for the hash of another implementation", err)
	}
	for _, wrong := range []string{
		"", "x", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43), strings.Replace(text, "v=19", "v=16", 1),
		strings.Replace(text, "m=19456", "m=4000000000", 1), strings.Replace(text, "m=19456", "m=1", 1), strings.Replace(text, "t=2", "t=0", 1),
		strings.Replace(text, "t=2", "t=200", 1), strings.Replace(text, "p=1", "p=0", 1), strings.Replace(text, "p=1", "p=01", 1),
		strings.Replace(text, "p=1", "p=1,x=2", 1), text + "$", text + "=", text[:len(text)-30], text[:40],
	} {
		if h, err := parseHash(wrong); err == nil {
			t.Errorf("%s: got %+v, want an error", wrong, h)
		} else if len(wrong) > 5 && strings.Contains(err.Error(), wrong) {
			t.Errorf("the error repeats the hash: %v", err)
		}
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(reference)
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHash(text)
		if err == nil && (h.String() != text || !h.reasonable()) {
			t.Errorf("%q: got %q", text, h)
		}
	})
}

func TestHashingIsBounded(t *testing.T) {
	h := newHasher()
	block, begun := make(chan struct{}), make(chan struct{}, hashesAtOnce)
	var wg sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for range hashesAtOnce {
		wg.Go(func() {
			if err := h.do(t.Context(), func() { begun <- struct{}{}; <-block }); err != nil {
				t.Error(err)
			}
		})
	}
	for range hashesAtOnce {
		<-begun
	}
	for range hashesWaiting + 5 {
		wg.Go(func() {
			err := h.do(t.Context(), func() {})
			if _, ok := errors.AsType[*WaitError](err); ok {
				mu.Lock()
				defer mu.Unlock()
				if refused++; refused == 5 {
					close(block)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if refused != 5 {
		t.Errorf("got %d refused, want the 5 who find too many waiting", refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range hashesAtOnce {
		h.working <- struct{}{}
	}
	if err := h.do(ctx, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for somebody who has gone", err)
	}
}

// reference is "password" as argon2-cffi 25.1.0, with the reference
// implementation, hashes it.
const reference = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$DEwLbbIZGUtgBuB4gYok6r6hNvevYZoxkwMQ5/LXSaU"
