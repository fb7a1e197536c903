package stored

import (
	"errors"
	"strings"
	"testing"
)

func keys(t *testing.T, env map[string]string) Keys {
	t.Helper()
	k, err := LoadKeys(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	first  = "first master key of 32 bytes or more"
	second = "second master key of 32 bytes or more"
)

func TestSealAndOpen(t *testing.T) {
	a, b := keys(t, map[string]string{"FAIRLEAD_MASTER_KEY": first}), keys(t, map[string]string{"FAIRLEAD_MASTER_KEY": second})
	both := keys(t, map[string]string{"FAIRLEAD_MASTER_KEY": second, "FAIRLEAD_MASTER_KEY_OLD": first})
	none := keys(t, nil)
	for _, value := range []string{"", "geheim", strings.Repeat("long ", 10_000)} {
		s, err := a.Seal("x", value)
		if err != nil {
			t.Fatal(err)
		}
		other, err := a.Seal("x", value)
		if err != nil || string(other.Value) == string(s.Value) || string(other.Key) == string(s.Key) {
			t.Error("the same secret looks the same when it is sealed again")
		}
		for _, k := range []Keys{a, both} {
			if got, err := k.Open("x", s); got != value || err != nil {
				t.Errorf("got %q, error %v", got, err)
			}
		}
		if _, err := b.Open("x", s); !errors.Is(err, ErrOtherKey) || b.Has(s) {
			t.Errorf("with another key: got error %v", err)
		}
		if _, err := none.Open("x", s); !errors.Is(err, ErrNoKey) {
			t.Errorf("without a key: got error %v", err)
		}
		if _, err := a.Open("y", s); err == nil {
			t.Error("under another name: no error")
		}
		turned, changed, err := both.rewrap("x", s)
		if err != nil || !changed {
			t.Fatalf("rewrap: %v, error %v", changed, err)
		}
		if got, err := b.Open("x", turned); got != value || err != nil {
			t.Errorf("after rewrap: got %q, error %v", got, err)
		}
		if _, changed, err := b.rewrap("x", turned); changed || err != nil {
			t.Errorf("rewrap what is: %v, error %v", changed, err)
		}
	}
	if _, err := none.Seal("x", "y"); !errors.Is(err, ErrNoKey) {
		t.Errorf("seal without a key: got error %v", err)
	}
}

// Whatever byte of a secret is changed, it is noticed.
func TestDamageIsNoticed(t *testing.T) {
	k := keys(t, map[string]string{"FAIRLEAD_MASTER_KEY": first})
	s, err := k.Seal("x", "geheim")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{s.Key, s.Value} {
		for i := range part {
			part[i] ^= 1
			if got, err := k.Open("x", s); err == nil || strings.Contains(err.Error(), "geheim") {
				t.Errorf("byte %d: got %q, error %v", i, got, err)
			}
			part[i] ^= 1
		}
	}
	for _, cut := range []Sealed{{s.KeyID, nil, s.Value}, {s.KeyID, s.Key, nil}, {s.KeyID, s.Key[:5], s.Value}} {
		if _, err := k.Open("x", cut); err == nil {
			t.Error("what is cut off opens")
		}
	}
}

func TestLoadKeysRefuses(t *testing.T) {
	for _, env := range []map[string]string{
		{"FAIRLEAD_MASTER_KEY": "too short"},
		{"FAIRLEAD_MASTER_KEY_FILE": "/does/not/exist"},
		{"FAIRLEAD_MASTER_KEY_OLD": "too short"},
	} {
		_, err := LoadKeys(func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if err == nil || !strings.Contains(err.Error(), "FAIRLEAD_MASTER_KEY") || strings.Contains(err.Error(), "too short") {
			t.Errorf("%v: got error %v", env, err)
		}
	}
	if _, err := LoadKeys(func(string) (string, bool) { return "", false }); err != nil {
		t.Errorf("nothing set: got error %v", err)
	}
}

func TestDifference(t *testing.T) {
	for _, tt := range []struct{ before, after, want string }{
		{"", "", ""},
		{"", "a\n", "+ a\n"},
		{"a\nb\n", "", "- a\n- b\n"},
		{"a\nb\nc\n", "a\nx\nc\nd\n", "  a\n- b\n+ x\n  c\n+ d\n"},
		{"a\n", "a\n", "  a\n"},
	} {
		if got := Difference(tt.before, tt.after); got != tt.want {
			t.Errorf("%q to %q: got\n%s", tt.before, tt.after, got)
		}
	}
}
