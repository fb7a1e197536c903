package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fairlead/fairlead/test/services"
)

// A look is the screen that somebody sees the pages on.
type look struct {
	name          string
	width, height int64
	phone         bool
}

var (
	desktop = look{"desktop", 1280, 800, false}
	phone   = look{"phone", 390, 844, true}
)

// A browser is a Chromium with one tab, signed in to a site.
type browser struct {
	*site
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	troubles []string // what the browser complained about
}

// open starts a Chromium that has a look, and signs in.
func open(t *testing.T, s *site, l look) *browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(services.Chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	b := &browser{site: s, t: t, ctx: ctx}
	t.Cleanup(func() {
		closeTab()
		stop()
	})
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1, Mobile: l.phone})
	b.prefers("light")
	b.run("sign in",
		chromedp.Navigate(s.link()),
		chromedp.Click(chromedp.CSS("form button")),
		chromedp.WaitReady(chromedp.CSS("[data-region=overview-now]")),
	)
	return b
}

// prefers sets what colours somebody prefers: light or dark.
func (b *browser) prefers(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// call runs a command of the protocol.
func call[P, R any](b *browser, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		b.t.Errorf("%s: %v", cmd.Method, err)
	}
	return r
}

// listen notes errors of scripts, violations of the content security policy and
// files that are not there.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.troubles = append(b.troubles, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.troubles = append(b.troubles, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	}
}

// quiet reports what the browser complained about since the last time.
func (b *browser) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.troubles {
		b.t.Errorf("%s: %s", where, text)
	}
	b.troubles = nil
}

// forget drops what the browser complained about.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = nil
}

func (b *browser) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v\n%s", what, err, b.text())
	}
}

// text returns what the page says.
func (b *browser) text() string { return eval[string](b, "document.body?.innerText ?? ''") }

// see opens a page.
func (b *browser) see(path string) {
	b.t.Helper()
	b.run("open "+path, chromedp.Navigate(b.URL+path), chromedp.WaitReady(chromedp.CSS("h1")))
}

// shows waits until the page says all of these.
func (b *browser) shows(words ...string) {
	b.t.Helper()
	var now string
	for _, w := range words {
		until(b.t, "the page shows "+w, func(context.Context) error {
			if now = b.text(); !strings.Contains(now, w) {
				return fmt.Errorf("it shows %s", now)
			}
			return nil
		})
	}
}

// eval runs a script in the page and returns what it returns.
func eval[T any](b *browser, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Errorf("%.200s: %v", script, err)
	}
	return v
}

// folder returns where pictures go, made once.
var folder = sync.OnceValues(func() (string, error) {
	dir := os.Getenv("FAIRLEAD_SCREENSHOTS")
	if dir == "" {
		return os.MkdirTemp("", "fairlead-screenshots")
	}
	return dir, os.MkdirAll(dir, 0o755)
})

// shot takes a picture of the whole page.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir, err := folder()
	if err != nil {
		b.t.Fatal(err)
	}
	b.picture(filepath.Join(dir, name+".png"), true)
}

// picture writes a picture of the page, or of what of it is in sight.
func (b *browser) picture(path string, whole bool) {
	b.t.Helper()
	png := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err := os.WriteFile(path, png.Data, 0o644); err != nil {
		b.t.Errorf("a picture: %v", err)
	}
}
