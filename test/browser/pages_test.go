package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/test/services"
)

// pages are all pages of a site, by the names of their pictures.
func (s *site) pages() []struct{ name, path string } {
	page, err := s.DeadLetters(s.t.Context(), admin.LetterFilter{}, 0, 1)
	if err != nil || len(page.Letters) == 0 {
		s.t.Fatalf("no dead letter: %v", err)
	}
	letter := fmt.Sprint(page.Letters[0].ID)
	return []struct{ name, path string }{
		{"overview", "/"}, {"connections", "/connections"}, {"connection", "/connections/artemis"}, {"connection-new", "/edit/connections"}, {"connection-edit", "/edit/connections?type=amqp"},
		{"triggers", "/triggers"}, {"trigger", "/triggers/orders"}, {"trigger-new", "/edit/triggers"}, {"bindings", "/bindings"}, {"binding", "/bindings/anywhere"},
		{"functions", "/functions"}, {"function", "/functions/order.received"}, {"topics", "/topics"}, {"topic", "/topics/invoice.create"}, {"topic-purge", "/topics/invoice.create/purge"},
		{"deadletters", "/deadletters"}, {"deadletters-filter", "/deadletters?function=order.received&cause=negative"}, {"deadletter", "/deadletters/" + letter}, {"deadletter-hex", "/deadletters/" + letter + "?as=hex"},
		{"replay", "/deadletters/replay?all=true"}, {"discard", "/deadletters/discard?id=" + letter}, {"queues", "/queues"}, {"queue", "/queues?connection=artemis&queue=" + s.prefix + ".returns"},
		{"config", "/config"}, {"import", "/config/import"}, {"audit", "/audit"}, {"security", "/security"}, {"password", "/password/artemis"}, {"absent", "/connections/nobody"},
	}
}

// violations returns what axe-core finds wrong with the page.
const violations = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) => r.violations.map((v) =>
  v.id + ": " + v.help + ": " + v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? n.all[0]?.message ?? "")).join("; ")))`

// wide returns what does not fit into the width of the page.
const wide = `(() => {
  const most = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= most) return [];
  return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > most + 1 && !e.closest("pre, .scroll, .unseen"))
    .map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40)).slice(0, 5);
})()`

// cut returns tables that do not fit, and have to be scrolled.
const cut = `[...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText.slice(0, 60) + " " + e.scrollWidth + " > " + e.clientWidth)`

// small returns what is too small for a finger.
const small = `[...document.querySelectorAll("button, .button, input:not([type=hidden]), select, summary, .tabs a, .menu a")].filter((e) => e.checkVisibility()).map((e) => [e, (e.closest("label.check") ?? e).getBoundingClientRect()])
  .filter(([e, r]) => r.height > 0 && r.height < 43.5).map(([e, r]) => e.tagName + " " + e.textContent.trim().slice(0, 30) + " " + r.height)`

// contrast is what of violations depends on the colours.
var contrast = strings.Replace(violations, `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`, `{type: "rule", values: ["color-contrast"]}`, 1)

func TestEveryPage(t *testing.T) {
	axe := services.Axe(t)
	s := newSite(t)
	for _, l := range []look{desktop, phone} {
		t.Run(l.name, func(t *testing.T) {
			b := open(t, s, l)
			if l == desktop && os.Getenv("FAIRLEAD_UPDATE_IMAGES") == "1" {
				b.illustrate()
			}
			for _, p := range s.pages() {
				b.see(p.path)
				if p.name != "absent" { // whose 404 the browser reports
					b.quiet(p.path)
				}
				b.shot(p.name + "-" + l.name)
				b.report(p.path, "wider than the page", wide)
				b.report(p.path, "a table does not fit", cut)
				if l.phone {
					b.report(p.path, "too small for a finger", small)
				}
				eval[bool](b, axe+"\ntrue")
				b.report(p.path, "what axe-core finds", violations)
				b.prefers("dark")
				b.shot(p.name + "-" + l.name + "-dark")
				b.report(p.path, "what axe-core finds in the dark", contrast)
				b.prefers("light")
				b.forget()
			}
		})
	}
}

// report shows what a script finds wrong with the page.
func (b *browser) report(where, what, script string) {
	b.t.Helper()
	if found := eval[[]string](b, script); len(found) > 0 {
		b.t.Errorf("%s: %s:\n%s", where, what, strings.Join(found, "\n"))
	}
}

// illustrate makes the picture of the overview that the documentation has, of a
// program that has worked at different speeds for a while.
func (b *browser) illustrate() {
	b.t.Helper()
	b.see("/")
	for i := range 600 {
		if i%97 == 0 {
			b.send("anywhere", b.prefix+".orders", fmt.Sprintf(`{"id":"B-%d","total":-1}`, i))
		}
		b.send("anywhere", b.prefix+".orders", fmt.Sprintf(`{"id":"B-%d","total":%d}`, i, i+1))
		time.Sleep(time.Duration(40+30*(i/60%5)) * time.Millisecond)
	}
	b.picture(filepath.Join("..", "..", "docs", "images", "dashboard.png"), false)
}
