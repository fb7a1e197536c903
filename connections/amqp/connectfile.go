package amqp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/connections"
)

// A connectFile dials what connect.json says, the file in which clients of
// several languages keep where to connect. It is read for each connection.
type connectFile struct {
	name     string // of the connection in the configuration
	settings *Connection

	mu    sync.Mutex
	path  string  // of the file last read; guarded by mu
	text  string  // what it held; guarded by mu
	dials *dialer // by that; guarded by mu
}

// dial is a [connections.Dial].
func (f *connectFile) dial(ctx context.Context) (connections.Conn, error) {
	d, err := f.dialer()
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", f.name, err)
	}
	return d.dial(ctx)
}

// dialer returns the one for what is in the file now. While that stays the same,
// so does the dialer, and the certificates that it holds.
func (f *connectFile) dialer() (*dialer, error) {
	path, text, err := readConnectFile(f.settings.File)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dials != nil && path == f.path && string(text) == f.text {
		return f.dials, nil
	}
	settings, a, err := parseConnectFile(text)
	if err != nil {
		return nil, located(path, err)
	}
	settings.ContainerID, settings.IdleTimeout = f.settings.ContainerID, f.settings.IdleTimeout
	f.path, f.text = path, string(text)
	f.dials = &dialer{name: f.name, settings: settings, address: a, secure: settings.TLS.Handshake()}
	return f.dials, nil
}

// located puts the file and the line before each thing that is wrong with it.
func located(path string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, located(path, e))
		}
		return errors.Join(errs...)
	}
	if e, ok := errors.AsType[*fileError](err); ok {
		return fmt.Errorf("%s:%d: %w", path, e.line, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

const connectFileName = "connect.json"

// readConnectFile returns the file at path, or if that is empty, the one that
// MESSAGING_CONNECT_FILE names, or the first that exists of those in the working
// folder, the user's and the machine's configuration.
func readConnectFile(path string) (string, []byte, error) {
	if path == "" {
		path = os.Getenv("MESSAGING_CONNECT_FILE")
	}
	if path != "" {
		text, err := os.ReadFile(path)
		return path, text, err
	}
	places := []string{connectFileName}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, filepath.Join(home, ".config", "messaging", connectFileName))
	}
	places = append(places, filepath.Join("/etc/messaging", connectFileName))
	for _, path := range places {
		text, err := os.ReadFile(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return path, text, err
		}
	}
	return "", nil, fmt.Errorf("found no url, urls or file, and no %s", strings.Join(places, ", "))
}

// parseConnectFile returns the settings that the file stands for, without a URL,
// and where to connect.
func parseConnectFile(text []byte) (*Connection, address, error) {
	root, err := parseJSON(text)
	if err != nil {
		return nil, address{}, err
	}
	r := connectReader{lines: make(map[string]int)}
	c, a := r.connection(root)
	if len(r.errs) == 0 {
		r.refused(errors.Join(c.checkSASL(a), c.TLS.Check()))
	}
	if len(r.errs) == 0 && len(c.SASL.Mechanisms) > 0 { // without a list, those that tell the password are left out
		r.refused(c.checkClear(a))
	}
	return c, a, errors.Join(r.errs...)
}

// A connectReader takes the values of a file and notes what is wrong.
type connectReader struct {
	lines map[string]int // of the fields that are there
	errs  []error
}

func (r *connectReader) wrong(v *fileValue, field, want string) {
	r.errs = append(r.errs, wrongAt(v.line, "%s: found %s, expected %s", field, v.describe(), want))
}

// connection reads the whole file.
func (r *connectReader) connection(v *fileValue) (*Connection, address) {
	r.known("", v, "scheme", "host", "port", "user", "password", "sasl", "tls")
	scheme := r.choice(v, "scheme", "amqps", "amqp")
	a := address{host: "localhost", tls: scheme == "amqps"}
	if host := r.text(v, "", "host"); host != "" {
		a.host = host
	}
	a.port = r.port(v.fields["port"], scheme)
	c := &Connection{User: r.text(v, "", "user"), Password: r.text(v, "", "password")}
	c.SASL.AllowInsecure = new(false)
	if sasl := r.section(v, "sasl"); sasl != nil {
		r.sasl(sasl, &c.SASL)
	}
	switch tls := r.section(v, "tls"); {
	case tls != nil && scheme == "amqp":
		r.errs = append(r.errs, wrongAt(tls.line, `tls: found with the scheme "amqp", expected "amqps", or no tls`))
	case tls != nil:
		c.TLS = r.tls(tls)
	}
	return c, a
}

func (r *connectReader) sasl(v *fileValue, s *SASL) {
	r.known("sasl", v, "enabled", "enable", "mechanisms", "allow_insecure")
	enabled := r.boolean(v, "sasl", "enabled", true)
	if alias := v.fields["enable"]; alias != nil {
		if v.fields["enabled"] != nil {
			r.errs = append(r.errs, wrongAt(alias.line, "sasl.enable: found beside sasl.enabled, expected one of them"))
		}
		enabled = r.boolean(v, "sasl", "enable", true)
		r.lines["sasl.enabled"] = alias.line
	}
	s.Enabled, s.AllowInsecure = &enabled, new(r.boolean(v, "sasl", "allow_insecure", false))
	m := v.fields["mechanisms"]
	switch {
	case m == nil:
	case m.list != nil:
		for _, item := range m.list {
			name, ok := item.scalar.(string)
			if !ok {
				r.wrong(item, "sasl.mechanisms", "the name of a mechanism")
			}
			s.Mechanisms = append(s.Mechanisms, name)
		}
	default:
		names, ok := m.scalar.(string)
		if !ok {
			r.wrong(m, "sasl.mechanisms", "a list, or a text with spaces between the names")
		}
		s.Mechanisms = strings.Fields(names)
	}
}

func (r *connectReader) tls(v *fileValue) *connections.TLS {
	r.known("tls", v, "cert", "key", "ca", "verify")
	return &connections.TLS{
		CA: r.text(v, "tls", "ca"), Cert: r.text(v, "tls", "cert"), Key: r.text(v, "tls", "key"),
		Verify: new(r.boolean(v, "tls", "verify", true)),
	}
}

// known notes the lines of the fields, and those that do not exist.
func (r *connectReader) known(section string, v *fileValue, names ...string) {
	for _, key := range v.keys {
		field := join(section, key)
		r.lines[field] = v.fields[key].line
		if !slices.Contains(names, key) {
			r.errs = append(r.errs, wrongAt(v.fields[key].line, "%s: unknown, expected one of %s", field, strings.Join(names, ", ")))
		}
	}
}

func join(section, key string) string {
	if section == "" {
		return key
	}
	return section + "." + key
}

func (r *connectReader) section(v *fileValue, name string) *fileValue {
	s := v.fields[name]
	if s != nil && s.fields == nil {
		r.wrong(s, name, "a map")
		return nil
	}
	return s
}

func (r *connectReader) text(v *fileValue, section, name string) string {
	f := v.fields[name]
	if f == nil {
		return ""
	}
	s, ok := f.scalar.(string)
	switch {
	case !ok:
		r.wrong(f, join(section, name), "a text")
	case s == "" && name != "password":
		r.errs = append(r.errs, wrongAt(f.line, "%s: found an empty text", join(section, name)))
	}
	return s
}

func (r *connectReader) boolean(v *fileValue, section, name string, otherwise bool) bool {
	f := v.fields[name]
	if f == nil {
		return otherwise
	}
	b, ok := f.scalar.(bool)
	if !ok {
		r.wrong(f, join(section, name), "true or false")
	}
	return b
}

// choice returns a text, which is one of those given; the first is the default.
func (r *connectReader) choice(v *fileValue, name string, values ...string) string {
	f := v.fields[name]
	if f == nil {
		return values[0]
	}
	s, _ := f.scalar.(string)
	if !slices.Contains(values, s) {
		r.wrong(f, name, fmt.Sprintf("%q", values))
	}
	return s
}

// port returns the number of a port; of none, that of the scheme.
func (r *connectReader) port(v *fileValue, scheme string) string {
	ports := map[string]string{"amqp": "5672", "amqps": "5671"}
	if v == nil {
		return ports[scheme]
	}
	switch p := v.scalar.(type) {
	case string:
		if number, ok := ports[p]; ok {
			return number
		}
	case json.Number:
		if n, err := strconv.ParseUint(p.String(), 10, 16); err == nil && n > 0 {
			return p.String()
		}
	}
	r.wrong(v, "port", `a number from 1 to 65535, "amqp" or "amqps"`)
	return ""
}

// fileFields are the names in the file of those settings that have others there.
var fileFields = map[string]string{"sasl.allowInsecure": "sasl.allow_insecure"}

// refused notes what is wrong with the settings as a whole.
func (r *connectReader) refused(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			r.refused(e)
		}
		return
	}
	e, ok := errors.AsType[*connections.SettingError](err)
	if !ok {
		return
	}
	here := *e
	if name, ok := fileFields[e.Field]; ok {
		here.Field = name
	}
	r.errs = append(r.errs, wrongAt(r.line(here.Field), "%s", here.Error()))
}

// line returns that of a field, or of the section that it would be in.
func (r *connectReader) line(field string) int {
	section, _, _ := strings.Cut(field, ".")
	for _, name := range []string{field, section} {
		if line, ok := r.lines[name]; ok {
			return line
		}
	}
	return 1
}
