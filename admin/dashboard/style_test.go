package dashboard

import (
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// pairs are the colours that text has on others, and the least contrast of what
// is not text.
var pairs = []struct {
	front, back string
	least       float64
}{
	{"text", "page", 4.5}, {"text", "panel", 4.5}, {"text", "sunk", 4.5},
	{"quiet", "page", 4.5}, {"quiet", "panel", 4.5}, {"quiet", "sunk", 4.5},
	{"accent", "page", 4.5}, {"accent", "panel", 4.5}, {"accent", "sunk", 4.5}, {"accent", "accent-soft", 4.5}, {"on-accent", "accent", 4.5},
	{"good", "good-soft", 4.5}, {"wait", "wait-soft", 4.5}, {"bad", "bad-soft", 4.5}, {"bad", "page", 4.5}, {"bad", "panel", 4.5},
	{"strong-line", "panel", 3}, {"strong-line", "page", 3},
}

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)

func TestContrast(t *testing.T) {
	css, err := files.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "\n}\n")
	for name, part := range map[string]string{"light": light, "dark": dark} {
		luminance := make(map[string]float64)
		for _, m := range colour.FindAllStringSubmatch(part, -1) {
			luminance[m[1]] = relativeLuminance(t, m[2])
		}
		for _, p := range pairs {
			a, okA := luminance[p.front]
			b, okB := luminance[p.back]
			if !okA || !okB {
				t.Errorf("%s: %s or %s is missing", name, p.front, p.back)
				continue
			}
			if c := (max(a, b) + 0.05) / (min(a, b) + 0.05); c < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, p.front, p.back, c, p.least)
			}
		}
	}
}

// relativeLuminance is what WCAG 2 calls so.
func relativeLuminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(c uint64) float64 {
		v := float64(c) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8&255) + 0.0722*linear(n&255)
}

func TestFilesNeedNoOtherHost(t *testing.T) {
	err := fs.WalkDir(files, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		if found := regexp.MustCompile(`(https?:)?//[a-z0-9-]+\.[a-z]`).FindString(strings.ReplaceAll(string(data), "http://www.w3.org/2000/svg", "")); found != "" {
			t.Errorf("%s: found %s", path, found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(0), "0"}, {number(0.04), "0"}, {number(3.14), "3.1"}, {number(9), "9"}, {number(12345.6), "12\u202f346"},
		{grouped("1"), "1"}, {grouped("-123456"), "-123\u202f456"}, {grouped("1000"), "1\u202f000"},
		{byteCount(12), "12 bytes"}, {byteCount(1536), "1.5 KiB"}, {byteCount(3 << 20), "3.0 MiB"},
		{short("one\ntwo"), "one …"}, {anchor("a", "b.c/d"), "a-b_2ec_2fd"}, {pathOf("/x", "a/b", 7), "/x/a%2Fb/7"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	if got := fmt.Sprint(query("a", "b c", "none", "", "zero", 0)); got != "a=b+c" {
		t.Errorf("got %q", got)
	}
}
