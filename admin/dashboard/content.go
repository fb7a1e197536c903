package dashboard

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/admin"
)

// contentMost is how much of a body a page shows, in bytes.
const contentMost = 64 << 10

// A content is a message as a page shows it.
type content struct {
	ID          string
	Type        string
	Headers     []header
	Form        string // of Text: JSON, text or hex
	Text        string
	Size        int
	Cut         bool // Text is not all of it
	Correlation string
	ReplyTo     string
}

type header struct{ Name, Value string }

// Forms in which a body may be asked for.
var contentForms = []string{"auto", "text", "json", "hex"}

// show returns a message in a form: JSON in lines where it is JSON, text where it
// is text, and else the bytes in hexadecimal.
func show(m *admin.Message, form string) *content {
	body := m.Body()
	c := &content{ID: m.ID, Type: m.ContentType, Size: len(body), Correlation: m.CorrelationID, ReplyTo: m.ReplyTo}
	for name, v := range m.Header {
		c.Headers = append(c.Headers, header{name, headerText(v)})
	}
	sort.Slice(c.Headers, func(i, j int) bool { return c.Headers[i].Name < c.Headers[j].Name })
	if c.Cut = len(body) > contentMost; c.Cut {
		body = body[:contentMost]
	}
	var pretty bytes.Buffer
	isJSON := form != "text" && form != "hex" && !c.Cut && json.Indent(&pretty, body, "", "  ") == nil
	switch {
	case form == "hex" || form != "text" && !utf8.Valid(trimmed(body)):
		c.Form, c.Text = "hex", hex.Dump(body)
	case isJSON && len(body) > 0:
		c.Form, c.Text = "json", pretty.String()
	default:
		c.Form, c.Text = "text", strings.ToValidUTF8(string(body), "\uFFFD")
	}
	return c
}

// trimmed drops what cutting may have left of a last character.
func trimmed(b []byte) []byte {
	for i := 0; i < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b[max(0, len(b)-utf8.UTFMax):]); i++ {
		b = b[:len(b)-1]
	}
	return b
}

func headerText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// message reads the message that a form describes.
func message(r *http.Request) (admin.Message, error) {
	m := admin.Message{
		Destination: strings.TrimSpace(r.PostFormValue("destination")), ID: strings.TrimSpace(r.PostFormValue("id")),
		ContentType: strings.TrimSpace(r.PostFormValue("contentType")), CorrelationID: strings.TrimSpace(r.PostFormValue("correlationId")),
		ReplyTo: strings.TrimSpace(r.PostFormValue("replyTo")), As: r.PostFormValue("as"),
	}
	if text := r.PostFormValue("redelivered"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return m, fmt.Errorf("%w: delivered before: found %q, expected a number from 0", admin.ErrBadRequest, text)
		}
		m.Redelivered = n
	}
	if m.ContentType != "" {
		if _, _, err := mime.ParseMediaType(m.ContentType); err != nil {
			return m, fmt.Errorf("%w: content type: found %q, expected a media type such as application/json", admin.ErrBadRequest, m.ContentType)
		}
	}
	body := []byte(strings.ReplaceAll(r.PostFormValue("body"), "\r\n", "\n")) // which browsers send for each end of a line
	if m.ContentType == "" {
		m.ContentType = guess(body)
	}
	m.SetBody(body)
	var err error
	m.Header, err = headers(r.PostFormValue("headers"))
	return m, err
}

// guess returns the media type that a body seems to have.
func guess(body []byte) string {
	if json.Valid(body) {
		return "application/json"
	}
	return "text/plain"
}

// headers reads lines of "name: value".
func headers(text string) (map[string]any, error) {
	var all map[string]any
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("%w: headers: found %q, expected a line such as name: value", admin.ErrBadRequest, line)
		}
		if all == nil {
			all = make(map[string]any)
		}
		all[name] = strings.TrimSpace(value)
	}
	return all, nil
}
