package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fairlead/fairlead/admin"
)

// click clicks what a CSS selector finds.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.run("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// fill types text into the field of that name.
func (b *browser) fill(name, text string) {
	b.t.Helper()
	b.run("fill "+name, chromedp.SetValue(chromedp.CSS(fmt.Sprintf("main [name=%q]", name)), text))
}

// button clicks the button or link with that text. It does so within one script:
// a live region may be replaced at any time.
func (b *browser) button(text string) {
	b.t.Helper()
	script := fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll("main button, main a, main summary")].find((e) => e.innerText.trim().startsWith(%q) && e.checkVisibility());
		found?.click();
		return !!found;
	})()`, text)
	until(b.t, "there is a button "+text, func(context.Context) error {
		if !eval[bool](b, script) {
			return fmt.Errorf("there is none in %s", b.text())
		}
		return nil
	})
}

// TestActions does everything that can be done, as an operator and an admin do it.
func TestActions(t *testing.T) {
	s := newSite(t)
	b := open(t, s, desktop)
	ctx := t.Context()
	step := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			b.t, s.t = t, t
			f(t)
			b.shot("action-" + strings.ReplaceAll(name, " ", "-"))
			b.quiet(name)
		})
		b.t, s.t = t, t
	}
	step("ping", func(t *testing.T) {
		b.see("/connections")
		b.button("Ping")
		b.shows("artemis answered in")
	})
	step("pause and resume", func(t *testing.T) {
		b.see("/triggers/orders")
		b.button("Pause")
		b.shows("orders is paused", "paused since")
		b.button("Resume")
		b.shows("orders receives again", "running since")
	})
	step("send", func(t *testing.T) {
		b.see("/bindings/anywhere")
		b.fill("destination", s.prefix+".returns")
		b.fill("body", `{"id": "R-2"}`)
		b.fill("headers", "reason: broken\npriority: high")
		b.button("Send")
		b.shows("Sent to "+s.prefix+".returns", "The broker has taken charge of it.")
		if kept := eval[string](b, `document.querySelector("[name=body]").value`); kept != `{"id": "R-2"}` {
			t.Errorf("the form has %q, want what was typed", kept)
		}
	})
	step("queue", func(t *testing.T) {
		b.see("/queues")
		b.fill("queue", s.prefix+".returns")
		b.button("Look")
		b.shows("application/json, 13 bytes")
		b.see("/queues?connection=artemis&queue=" + s.prefix + ".returns")
		b.shows("application/json, 13 bytes") // looking took nothing
		if n := eval[int](b, `document.querySelectorAll(".letters > li").length`); n != 3 {
			t.Errorf("got %d messages, want 3", n)
		}
	})
	step("invoke", func(t *testing.T) {
		b.see("/functions/order.price")
		b.fill("body", `{"id": "A-1", "total": 100}`)
		b.button("Invoke")
		b.shows("order.price answered in", `"gross": 119`)
	})
	step("invoke fails", func(t *testing.T) {
		b.see("/functions/order.received")
		b.fill("body", `{"id": "A-2", "total": -1}`)
		b.button("Invoke")
		b.shows("order A-2 has a negative total")
		if strings.Contains(b.text(), "goroutine") {
			t.Error("there is a stack on the page")
		}
	})
	step("publish and purge", func(t *testing.T) {
		b.see("/topics/invoice.create")
		b.fill("body", `{"id": "I-1"}`)
		b.fill("after", "2h")
		b.button("Publish")
		b.shows("The event is in the store.", "31")
		b.button("Purge…")
		b.shows("are removed for good")
		b.click("[name=sure]")
		b.button("Purge")
		b.shows("Removed 31 events")
	})
	step("dead letters", func(t *testing.T) {
		b.see("/deadletters")
		b.button("Filter")
		b.fill("cause", "A-1008")
		b.run("filter", chromedp.Submit(chromedp.CSS("details form")))
		b.shows("1 that the filter selects", "order A-1008")
		b.click("tbody a")
		b.shows("Cause", `"total": -175.5`)
		b.button("hex")
		b.shows("00000000")
		b.button("Replay")
		b.shows("is replayed")
		until(t, "it came back under another number", func(ctx context.Context) error {
			page, err := s.DeadLetters(ctx, admin.LetterFilter{Cause: "A-1008"}, 0, 1)
			if err == nil && page.Total != 1 {
				err = fmt.Errorf("%d are there", page.Total)
			}
			return err
		})
	})
	step("discard the selection", func(t *testing.T) {
		b.see("/deadletters")
		b.click("tbody tr:nth-child(1) input[type=checkbox]")
		b.click("tbody tr:nth-child(2) input[type=checkbox]")
		b.button("Discard selected…")
		b.shows("Discard 2 dead letters")
		b.click("[name=sure]")
		b.button("Discard")
		b.shows("Removed 2 dead letters")
	})
	step("bulk replay", func(t *testing.T) {
		if err := s.Pause(ctx, "orders"); err != nil { // what is replayed does not come back at once
			t.Fatal(err)
		}
		b.see("/deadletters")
		b.button("Replay all 3…")
		b.shows("Replay 3 dead letters")
		b.fill("perSecond", "0.2")
		b.button("Replay")
		b.shows("running", "of 3")
		b.shot("replaying-desktop")
		b.button("Cancel")
		b.shows("stopped")
		if err := s.Resume(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
	})
	step("create, edit and delete", func(t *testing.T) {
		b.see("/edit/connections")
		b.button("amqp")
		b.shows("New connection", "password")
		b.fill("name", "second")
		b.fill("field.url", "amqp://"+s.broker.AMQP)
		b.fill("field.user", s.broker.User)
		b.fill("field.password", s.broker.Password)
		b.button("Save")
		b.shows("The connection second is saved")
		if strings.Contains(b.text(), s.broker.Password) {
			t.Error("the password is on the page")
		}
		b.see("/edit/triggers")
		b.fill("name", "returns")
		b.fill("field.function", "invoice.create")
		b.fill("field.connection", "second")
		b.fill("field.queue", s.prefix+".returned")
		b.button("Save")
		b.shows("The trigger returns is saved", "running")
		b.button("Edit")
		b.fill("field.concurrency", "3")
		b.button("Save")
		b.shows("concurrency: 3")
		b.see("/delete/connections/second")
		b.click("[name=sure]")
		b.button("Delete")
		b.run("it is refused: a trigger refers to it", chromedp.WaitReady(chromedp.CSS("#result .box.bad")))
		b.shows("returns")
		b.see("/delete/triggers/returns")
		b.click("[name=sure]")
		b.button("Delete")
		b.shows("The trigger returns is deleted")
	})
	step("password", func(t *testing.T) {
		b.see("/password/second")
		b.fill("password", "wrong")
		b.fill("password2", "wrong")
		b.button("Change password")
		b.shows("refused")
		b.fill("password", s.broker.Password)
		b.fill("password2", s.broker.Password)
		b.button("Change password")
		b.shows("The password of second is changed")
	})
	step("export, plan and apply", func(t *testing.T) {
		b.see("/config/import")
		b.fill("text", "version: 1\nbindings:\n  shipping.express: {connection: artemis, queue: "+s.prefix+".express}\n")
		b.button("Show what it would change")
		b.shows("shipping.express", "created")
		b.shot("plan-desktop")
		b.button("Apply")
		b.shows("Applied: 1 objects changed", "shipping.express")
		b.see("/config/import")
		b.fill("text", "version: 1\nbindings: {x: {connection: nowhere}}\n")
		b.button("Show what it would change")
		b.shows("nowhere")
		b.forget() // the answer was 400
	})
	step("audit", func(t *testing.T) {
		b.see("/audit")
		b.shows("created", "returns", "shipping.express", "by local")
		b.button("changed")
	})
	step("accounts and tokens", func(t *testing.T) {
		b.see("/security")
		b.button("New account")
		b.fill("name", "ann")
		b.run("role", chromedp.SetValue(chromedp.CSS("[action='/security/accounts'] [name=role]"), "viewer"))
		b.fill("password", "correct horse battery")
		b.fill("password2", "correct horse battery")
		b.button("Create account")
		b.shows("ann has an account now")
		b.button("New token")
		b.run("name", chromedp.SetValue(chromedp.CSS("[action='/security/tokens'] [name=name]"), "ci"))
		b.button("Create token")
		b.shows("The token ci is created", "it is not shown again")
		b.see("/security/tokens/ci/revoke")
		b.click("[name=sure]")
		b.button("Revoke")
		b.shows("The token ci is revoked")
		b.button("Set a secret")
		b.run("name", chromedp.SetValue(chromedp.CSS("[action='/security/secrets'] [name=name]"), "spare"))
		b.run("value", chromedp.SetValue(chromedp.CSS("[action='/security/secrets'] [name=password]"), "hush-hush"))
		b.button("Set secret")
		b.shows("The secret spare is set")
		if strings.Contains(b.text(), "hush-hush") {
			t.Error("the secret is on the page")
		}
	})
	step("a refused configuration", func(t *testing.T) {
		before, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		b.see("/")
		if err := os.WriteFile(s.config, append(before, "nonsense: 1\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		b.shows("A newer configuration was refused", filepath.Base(s.config)+":", "nonsense") // by itself: the page is live
		b.shot("overview-refused-desktop")
		if err := os.WriteFile(s.config, before, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	step("sign out and in", func(t *testing.T) {
		b.click(".who button")
		b.shows("You have signed out.")
		b.shot("signin-desktop")
		b.run("name", chromedp.SetValue(chromedp.CSS("[name=name]"), "ann"), chromedp.SendKeys(chromedp.CSS("[name=password]"), "correct horse battery"+kb.Enter))
		b.shows("viewer ann")
		b.see("/connections/artemis")
		if text := b.text(); strings.Contains(text, "Ping") || strings.Contains(text, "Change password") {
			t.Errorf("a viewer sees buttons: %s", text)
		}
	})
}

// TestWithoutJavaScript reads a page and sends a form with scripts turned off.
func TestWithoutJavaScript(t *testing.T) {
	s := newSite(t)
	b := open(t, s, phone)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.see("/triggers/orders")
	b.run("pause", chromedp.Click(chromedp.CSS("[data-region=trigger-switch] button")), chromedp.WaitReady(chromedp.CSS("#result .box")))
	b.run("menu", chromedp.Click(chromedp.CSS(".menu summary")), chromedp.WaitVisible(chromedp.CSS(".menu nav a")))
	b.shot("menu-phone")
	until(t, "it is paused", func(ctx context.Context) error {
		status, err := s.Status(ctx)
		for _, trigger := range status.Triggers {
			if trigger.Name == "orders" && trigger.State != "paused" {
				return fmt.Errorf("it is %s", trigger.State)
			}
		}
		return err
	})
}

// controls are what the tab key reaches. They are found anew each time, as live
// regions are replaced.
const controls = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter((e) => e.checkVisibility() && !e.disabled)`

// TestKeyboard walks through pages with the tab key alone: it reaches every
// control, in the order of the page, each with a ring around it.
func TestKeyboard(t *testing.T) {
	s := newSite(t)
	b := open(t, s, desktop)
	for _, path := range []string{"/connections/artemis", "/functions/order.price", "/deadletters", "/edit/connections?type=amqp"} {
		b.see(path)
		want := eval[int](b, "("+controls+").length")
		last, seen := -1, 0
		for range want + 5 {
			b.run("tab", chromedp.KeyEvent(kb.Tab))
			stop := eval[struct {
				Stop int
				Ring bool
			}](b, `(() => { const e = document.activeElement; const c = getComputedStyle(e); return {Stop: `+controls+`.indexOf(e), Ring: c.outlineStyle !== "none" && parseFloat(c.outlineWidth) >= 2}; })()`)
			if stop.Stop < 0 {
				break
			}
			if stop.Stop != last+1 {
				t.Errorf("%s: after control %d comes %d", path, last, stop.Stop)
			}
			if !stop.Ring {
				t.Errorf("%s: control %d has no ring: %s", path, stop.Stop, eval[string](b, "document.activeElement.outerHTML"))
			}
			last = stop.Stop
			seen++
		}
		if seen != want {
			t.Errorf("%s: the tab key reaches %d of %d controls", path, seen, want)
		}
	}
	b.see("/")
	b.run("skip link", chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	if id := eval[string](b, "document.activeElement.id"); id != "main" {
		t.Errorf("the skip link leads to %q", id)
	}
}
