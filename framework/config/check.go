package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/connections"
)

// check finds what is wrong with a document beside its keys and types. Values
// that could not be read are passed over.
func (r *reader) check(c *Config) {
	if n := r.root.get("version"); r.ok(n) && c.Version != 1 {
		r.at(n, n.describe(), "1")
	}
	r.checkHTTP(c)
	r.checkAdmin(c)
	if n := r.root.get("metrics").get("listen"); r.ok(n) {
		r.checkListen(n, "HOST:PORT, such as 127.0.0.1:9090")
	}
	for _, section := range []string{"connections", "triggers", "bindings", "functions", "security", "examples"} {
		for _, n := range r.root.get(section).named() {
			r.checkName(n)
		}
	}
	for _, n := range r.root.get("connections").named() {
		r.checkConnection(n, c.Connections[n.key])
	}
	for _, n := range r.root.get("triggers").named() {
		r.checkTrigger(c, n, c.Triggers[n.key])
	}
	r.checkRoutes(c)
	for _, n := range r.root.get("security").named() {
		r.checkSecurity(n, c.Security[n.key])
	}
	for _, n := range r.root.get("bindings").named() {
		r.checkBinding(c, n, c.Bindings[n.key])
	}
	for _, n := range r.root.get("functions").named() {
		if n.from == nil && r.noFunction(n.key) {
			r.atKey(n, strconv.Quote(n.key), r.functionsThereAre(n.key))
		}
		if p := n.get("concurrency"); r.ok(p) && c.Functions[n.key].Concurrency < 1 {
			r.at(p, p.describe(), "a number from 1")
		}
		r.checkRetry(n.get("retry"), c.Functions[n.key].Retry)
		r.checkDeadLetter(c, n.get("deadLetter"))
	}
	for _, n := range r.root.get("examples").named() {
		r.checkExample(c, n)
	}
}

// ok reports whether n is in the document and nothing is wrong with it so far.
func (r *reader) ok(n *node) bool { return n != nil && !r.wrong[n] }

// nameForm is what a name looks like, as a regular expression.
const nameForm = `^[A-Za-z0-9._-]+$`

func validName(s string) bool {
	const punctuation = "._-"
	return s != "" && strings.IndexFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(punctuation, c))
	}) < 0
}

func (r *reader) checkName(n *node) {
	if !validName(n.key) {
		r.atKey(n, "the name "+strconv.Quote(n.key), "letters, digits, dots, dashes and underscores")
	}
}

// needsStore reports a value that needs the store where there is none, and what
// would do instead.
func (r *reader) needsStore(c *Config, n *node, found, instead string) {
	switch {
	case !r.ok(n):
	case c.Store.None:
		r.at(n, found, instead+": there is no store (store: none)")
	case r.noURL(c):
		r.at(n, found, instead+", or store.url: this program starts no Postgres of its own")
	}
}

// noURL reports whether there is no store because the document does not say where.
func (r *reader) noURL(c *Config) bool { return r.options.NoPostgres && c.Store.URL == "" }

func (r *reader) checkHTTP(c *Config) {
	n := r.root.get("http")
	if l := n.get("listen"); r.ok(l) {
		r.checkListen(l, "HOST:PORT, such as 127.0.0.1:8080, or :8080 for all interfaces")
	}
	r.checkFunction(n.get("function"))
	r.checkAdmission(c, n.get("security"), c.HTTP.Security)
	if m := n.get("maxBody"); r.ok(m) && c.HTTP.MaxBody < 1 {
		r.at(m, m.describe(), "a number of bytes from 1")
	}
}

// checkAdmin finds what would let passwords and tokens be read on their way.
func (r *reader) checkAdmin(c *Config) {
	n := r.root.get("admin")
	if l := n.get("listen"); r.ok(l) && c.Admin.Listen != "off" {
		r.checkListen(l, "off or HOST:PORT, such as 127.0.0.1:8183")
		if r.ok(l) && c.Admin.TLS == nil && !isLoopback(c.Admin.Listen) {
			r.at(l, l.describe()+" without admin.tls", "an address of this machine alone, such as 127.0.0.1:8183, or admin: {tls: {cert, key}} beside it")
		}
	}
	if i := n.get("oidc").get("issuer"); r.ok(i) && !Fetchable(c.Admin.OIDC.Issuer) {
		r.at(i, i.describe(), "a URL that begins with https://, or http:// on this machine")
	}
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func (r *reader) checkListen(n *node, want string) {
	const bits = 16
	_, port, err := net.SplitHostPort(n.text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, bits)
	}
	if err != nil {
		r.at(n, n.describe(), want)
	}
}

// checkFunction checks that n, which may be nil, names a function that exists. An
// object of the store may wait for one.
func (r *reader) checkFunction(n *node) {
	if r.ok(n) && n.origin() == nil && r.noFunction(n.text) {
		r.at(n, n.describe(), r.functionsThereAre(n.text))
	}
}

// noFunction reports whether there is no function of that name, where those that
// there are are known.
func (r *reader) noFunction(name string) bool {
	return r.options.Functions != nil && !slices.Contains(r.options.Functions, name)
}

func (r *reader) functionsThereAre(found string) string {
	return "a function that exists: " + oneOf(found, r.options.Functions)
}

// checkReference checks that n, which may be nil, names an object of a section.
func (r *reader) checkReference(n *node, section string) {
	if r.ok(n) && r.root.get(section).get(n.text) == nil {
		what := "a " + strings.TrimSuffix(section, "s") + " that exists: "
		if section == "security" {
			what = "a security definition that exists: "
		}
		r.at(n, n.describe(), what+oneOf(n.text, r.root.get(section).keys()))
	}
}

func (r *reader) checkConnection(n *node, c Connection) {
	r.completePassword(n, c)
	if driver, ok := r.driver(n); ok && !r.failed[n] && !r.unknown[n] && driver.Open != nil {
		if _, err := driver.Open(n.key, c.Settings); !errors.Is(err, connections.ErrNotBuilt) {
			r.refused(n, err)
		}
	}
	if m := n.get("reconnect").get("max"); r.ok(m) && c.Reconnect.Max < c.Reconnect.First {
		r.at(m, m.describe(), "at least first, "+c.Reconnect.First.String())
	}
}

func (r *reader) checkRetry(n *node, p *Retry) {
	if p == nil {
		return
	}
	if a := n.get("attempts"); r.ok(a) && *p.Attempts < 0 {
		r.at(a, a.describe(), "a number from 0, which means for ever")
	}
	if m := n.get("max"); r.ok(m) && p.Max < p.First {
		r.at(m, m.describe(), fmt.Sprintf("at least first, %s", p.First))
	}
}

func (r *reader) checkExample(c *Config, n *node) {
	binding := n.get("binding")
	r.checkReference(binding, "bindings")
	if r.ok(binding) && n.get("destination") == nil {
		if b := c.Bindings[binding.text]; b.Target != nil && fixed(b.Target) == "" {
			r.below(n, "destination", "nothing", "where to send: the binding has no queue or topic of its own")
		}
	}
}
