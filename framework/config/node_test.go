package config_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/framework/config"
)

// settings returns the settings of a function in a document.
func settings(t testing.TB, yaml string) config.Node {
	t.Helper()
	return parse(t, "version: 1\nfunctions:\n  greet:\n    settings: "+yaml+"\n").Functions["greet"].Settings
}

func TestSettingsAreDecoded(t *testing.T) {
	type inner struct{ A, B int }
	type region string
	type embedded struct {
		Deep string `yaml:"deep"`
	}
	type all struct {
		embedded
		Region   region            `yaml:"region"`
		MaxSize  uint8             // maxSize, MaxSize, maxsize …
		Named    string            `json:"other,omitempty"`
		Wait     time.Duration     `yaml:"wait"`
		Pause    *time.Duration    `yaml:"pause"`
		Rate     float32           `yaml:"rate"`
		On       bool              `yaml:"on"`
		Inner    *inner            `yaml:"inner"`
		None     *inner            `yaml:"none"`
		List     []inner           `yaml:"list"`
		Map      map[region]string `yaml:"map"`
		Any      any               `yaml:"any"`
		At       time.Time         `yaml:"at"`
		Rest     config.Node       `yaml:"rest"`
		Ignored  chan int          `yaml:"-"`
		Optional string            `yaml:"missing"`
	}
	var got all
	n := settings(t, `{deep: d, region: eu, maxSize: 200, other: n, wait: 0s, pause: -1s, rate: 3, on: true, inner: {a: 1, B: 2}, none: ,
      list: [{a: 3}], map: {x: 1}, any: [1, 1.5, x, true, ~, {k: 0123}, 18446744073709551615, "${env:LIMIT}"], at: 2026-01-02T00:00:00Z, rest: {z: 1}}`)
	if err := n.Decode(&got); err != nil {
		t.Fatal(err)
	}
	rest := got.Rest
	got.Rest = config.Node{}
	pause := -time.Second
	want := all{
		embedded: embedded{"d"}, Region: "eu", MaxSize: 200, Named: "n", Pause: &pause, Rate: 3, On: true, Inner: &inner{1, 2},
		List: []inner{{A: 3}}, Map: map[region]string{"x": "1"}, At: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
		Any: []any{int64(1), 1.5, "x", true, nil, map[string]any{"k": "0123"}, uint64(18446744073709551615), "7"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(all{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var z struct{ Z int }
	if err := rest.Decode(&z); err != nil || z.Z != 1 {
		t.Errorf("a node of a node: got %+v, %v", z, err)
	}
}

func TestSettingsAreStrict(t *testing.T) {
	n := settings(t, `{region: eu, sizes: [1, x], more: 1, function: 5, numbers: {a: 1}}`)
	var v struct {
		Region   int
		Sizes    []int8
		Function func()
		Numbers  map[int]int
	}
	err := n.Decode(&v)
	const want = `fairlead.yaml:4:24: functions.greet.settings.region: found "eu", expected a whole number
fairlead.yaml:4:39: functions.greet.settings.sizes[1]: found "x", expected a whole number
fairlead.yaml:4:43: functions.greet.settings.more: found an unknown key, expected one of: function, numbers, region, sizes
fairlead.yaml:4:62: functions.greet.settings.function: this is read into a Go func(), which cannot hold values of a document
fairlead.yaml:4:74: functions.greet.settings.numbers: this is read into a Go map[int]int, which cannot hold values of a document`
	if _, ok := errors.AsType[config.Problems](err); !ok {
		t.Fatalf("got a %T, want Problems: %v", err, err)
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestKeysAndNumbersInEveryForm(t *testing.T) {
	var got any
	err := settings(t, `
      numbers: [.inf, -.Inf, +.inf, 0b11, 0o17, 0x1f, 1_000, 1_0.5, -5, +5, 007]
      1: {1.5: a, true: b, .inf: c}
      ? x
      : y
      ? |
        z
      : >
        several
        lines
      name: &k kk
      *k : v
      !!str 5: !!str 6`).Decode(&got)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"numbers": []any{math.Inf(1), math.Inf(-1), "+.inf", int64(3), int64(15), int64(31), int64(1000), 10.5, int64(-5), int64(5), "007"},
		"1":       map[string]any{"1.5": "a", "true": "b", ".inf": "c"}, "x": "y", "z\n": "several lines\n", "name": "kk", "kk": "v", "5": "6",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var floats struct{ Numbers []float64 }
	const nan = "{numbers: [.nan, 5, 0x10, 1.5]}"
	if err := settings(t, nan).Decode(&floats); err != nil || !math.IsNaN(floats.Numbers[0]) || floats.Numbers[2] != 16 {
		t.Errorf("got %v, %v", floats, err)
	}
	if shown := parse(t, "version: 1\nfunctions: {greet: {settings: "+nan+"}}").String(); !strings.Contains(shown, `["NaN",5,16,1.5]`) {
		t.Errorf("String: got %s", shown)
	}
}

func TestNoSettings(t *testing.T) {
	for name, n := range map[string]config.Node{
		"a zero Node": {}, "a function without": parse(t, "version: 1\nfunctions: {greet: {}}\n").Functions["greet"].Settings, "nothing": settings(t, ""),
	} {
		var s struct{ Region string }
		var m map[string]string
		var a any
		if err := errors.Join(n.Decode(&s), n.Decode(&m), n.Decode(&a)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(map[string]any{}, a); diff != "" || m == nil || s.Region != "" {
			t.Errorf("%s: got %v, %v and %+v, want empty ones", name, a, m, s)
		}
	}
	for _, v := range []any{nil, struct{}{}, (*int)(nil)} {
		if err := (config.Node{}).Decode(v); err == nil {
			t.Errorf("Decode(%#v) is no error", v)
		}
	}
}

func TestNodesAreComparedByContent(t *testing.T) {
	base := settings(t, `{a: 1, b: [x, {c: "${env:LIMIT}"}]}`)
	for yaml, want := range map[string]bool{
		`{b: ["x", {c: '7'}], a: 1}`:      true,
		`{<<: {a: 1}, b: [x, {c: "7"}]}`:  true,
		`{a: 2, b: [x, {c: "7"}]}`:        false,
		`{a: "1", b: [x, {c: "7"}]}`:      false,
		`{a: 1, b: [{c: "7"}, x]}`:        false,
		`{a: 1, b: [x, {d: "7"}]}`:        false,
		`{a: 1, b: [x, {c: "7"}], c: 1}`:  false,
		`[a, 1]`:                          false,
		`{}`:                              false,
		`{a: 1, b: [x, {c: "7", c2: ~}]}`: false,
	} {
		if got := settings(t, yaml).Equal(base); got != want {
			t.Errorf("Equal to %s: got %v, want %v", yaml, got, want)
		}
	}
	if !settings(t, "{}").Equal(config.Node{}) || !(config.Node{}).Equal(settings(t, "{}")) || (config.Node{}).Equal(base) {
		t.Error("a zero Node is not equal to an empty one")
	}
}

// TestSettingsAreReadByManyFunctions fails under the race detector if reading
// changes a Node.
func TestSettingsAreReadByManyFunctions(t *testing.T) {
	n := settings(t, "{a: &x [1, 2], b: *x, c: wrong}")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var v any
			if err := n.Decode(&v); err != nil {
				t.Error(err)
			}
			var s struct{ A, B []int }
			if err := n.Decode(&s); err == nil {
				t.Error("an unknown key is no error")
			}
		})
	}
	wg.Wait()
}

func ExampleNode_Decode() {
	c, err := config.Parse([]byte("version: 1\nfunctions: {greet: {settings: {region: eu, workers: two}}}\n"), "fairlead.yaml", config.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var settings struct {
		Region  string
		Workers int
	}
	fmt.Println(c.Functions["greet"].Settings.Decode(&settings))
	// Output: fairlead.yaml:2:53: functions.greet.settings.workers: found "two", expected a whole number
}
