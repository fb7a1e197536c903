package mq

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// decode reads descriptor and data, and returns the message. Where the error says
// that it cannot be understood, the message holds all its bytes.
func (n *Message) decode() (connections.Message, error) {
	m := connections.Message{Native: n}
	n.describe(&m)
	err := n.read(&m)
	if err != nil {
		n.unread, n.converted = true, false
		n.body, m.ContentType, m.Text, m.Header = n.Data, "", false, nil
	}
	if m.Time.IsZero() { // most JMS clients say it more exactly
		m.Time = n.MD.PutAt()
	}
	m.Body = n.body
	if n.converted { // or nobody could tell whether the function has changed it
		m.Body = bytes.Clone(n.body)
	}
	return m, err
}

// describe fills in what the message descriptor says.
func (n *Message) describe(m *connections.Message) {
	md := &n.MD
	if m.Identity = md.MsgID.String(); m.Identity != "" {
		m.ID = m.Identity
	}
	if !md.CorrelID.IsZero() {
		m.CorrelationID = md.CorrelID.String()
	}
	if md.ReplyToQ != "" {
		m.ReplyTo = address{queue: md.ReplyToQ, manager: md.ReplyToQMgr}.uri()
	}
	n.usual.priority = int(md.Priority)
	m.Priority = &n.usual.priority
	m.Key = md.GroupID.String()
	if md.Expiry > 0 {
		m.TTL = time.Duration(md.Expiry) * expiryUnit
	}
}

// expiryUnit is the unit of a descriptor's expiry.
const expiryUnit = 100 * time.Millisecond

// read fills in what headers and body say. Where both the descriptor and a
// header say something, the header wins.
func (n *Message) read(m *connections.Message) error {
	md := &n.MD
	var err error
	first := rfh2.Layout{Format: md.Format, Encoding: md.Encoding, CCSID: md.CodedCharSetID}
	n.Headers, n.next, n.raw, err = rfh2.AppendHeaders(n.usual.headers[:0], first, n.Data)
	if err != nil {
		return err
	}
	for _, h := range n.Headers {
		if h.Format != rfh2.FormatRFH2 {
			continue
		}
		if n.Folders == nil {
			n.Folders = n.usual.folders[:0]
		}
		if n.Folders, err = rfh2.AppendFolders(n.Folders, h); err != nil {
			return err
		}
	}
	if n.Folders == nil && md.ReplyToQ != "" { // whoever sends no MQRFH2 expects none, as JMS clients see it, too
		m.ReplyTo = address{md.ReplyToQ, md.ReplyToQMgr, true}.uri()
	}
	null, err := n.readFolders(m)
	if err != nil {
		return err
	}
	m.Correlate = n.correlate(m)
	return n.readBody(m, null)
}

// readFolders reads the folders that mean something here. It reports whether
// the body is null.
func (n *Message) readFolders(m *connections.Message) (null bool, err error) {
	m.Header = make(map[string]any)
	n.user = n.usual.user[:0]
	var some [12]rfh2.PropertyText // most folders have fewer
	for _, f := range n.Folders {
		var texts []rfh2.PropertyText
		switch f.Name {
		case folderMCD:
			texts, err = f.AppendTexts(some[:0])
			null = n.readMCD(m, texts)
		case folderJMS:
			texts, err = f.AppendTexts(some[:0])
			n.readJMS(m, texts)
		case folderUSR:
			n.user, err = f.AppendProperties(n.user)
		default:
			err = f.Check()
		}
		if err != nil {
			return false, err
		}
	}
	n.readUser(m)
	return null, nil
}

// readUser makes headers of the user's properties.
func (n *Message) readUser(m *connections.Message) {
	notes := notesIn(n.user)
	for property, note := range notes {
		if note == typeEmpty {
			m.Header[unescapeName(property)] = ""
		}
	}
	for _, p := range n.user {
		name, v, ok := headerOf(p, notes)
		text, isText := v.(string)
		switch {
		case !ok, p.Name == propertyTypes:
		case isText && isContentType(name):
			m.ContentType = text
		default:
			m.Header[name] = v
		}
	}
}

// isContentType reports whether a property of that name says the media type, as
// we or others write it.
func isContentType(name string) bool {
	switch name {
	case propertyContent, "ContentType", "content_type", "content-type", "Content-Type":
		return true
	}
	return false
}

func (n *Message) readMCD(m *connections.Message, properties []rfh2.PropertyText) (null bool) {
	for _, p := range properties {
		switch {
		case p.Name == mcdBody:
			null = p.Null
		case p.Null:
		case p.Name == mcdType:
			n.kind = kind(p.Value)
			switch n.kind {
			case kindMap, kindStream, kindObject:
				m.Header[headerKind] = p.Value
			}
		case p.Name == mcdJMSType:
			m.Header[headerType] = p.Value
		}
	}
	return null
}

// readJMS reads the JMS headers. What is no number where one belongs is left out.
func (n *Message) readJMS(m *connections.Message, properties []rfh2.PropertyText) {
	for _, p := range properties {
		if p.Null {
			continue
		}
		text := p.Value
		switch p.Name {
		case "Cid":
			m.CorrelationID = text
		case "Rto":
			m.ReplyTo = n.replyTo(text)
		case "Gid":
			m.Key = text
		case "Seq", "Pri", "Tms":
			if number, err := strconv.ParseInt(text, 10, 64); err == nil {
				readNumber(m, p.Name, number)
			}
		}
	}
}

func readNumber(m *connections.Message, name string, n int64) {
	switch {
	case name == "Seq":
		m.Header[headerOrder] = int32(n)
	case name == "Pri":
		if n >= 0 && n <= maxPriority {
			*m.Priority = int(n)
		}
	case n > 0:
		m.Time = time.UnixMilli(n).UTC()
	}
}

// replyTo returns the address in uri. Where that names the queue alone, the
// descriptor knows the queue manager.
func (n *Message) replyTo(uri string) string {
	a, err := parseAddress(uri)
	if err != nil || a.manager != "" || a.queue != n.MD.ReplyToQ || n.MD.ReplyToQMgr == "" {
		return uri
	}
	return uriScheme + n.MD.ReplyToQMgr + strings.TrimPrefix(uri, uriScheme)
}

// readBody hands over the body as its type and the layout behind the last header
// say.
func (n *Message) readBody(m *connections.Message, null bool) error {
	switch n.kind {
	case kindText, kindMap, kindStream, kindBytes, kindObject, kindNone:
	default:
		if n.kind = kindBytes; n.next.Format == rfh2.FormatString {
			n.kind = kindText
		}
	}
	m.Text = n.kind == kindText || n.kind == kindMap || n.kind == kindStream
	var err error
	switch {
	case !m.Text:
		n.body = n.raw
	case !null:
		n.body, err = n.text()
	}
	if m.ContentType == "" {
		m.ContentType = n.contentType()
	}
	return err
}

// text returns the body in UTF-8; a map or a stream as JSON.
func (n *Message) text() ([]byte, error) {
	n.converted = n.kind != kindText || n.next.CCSID != rfh2.UTF8
	text, err := rfh2.Text(n.next.CCSID, n.next.Encoding, n.raw)
	if err != nil || n.kind == kindText {
		return text, err
	}
	return jsonOf(n.kind, text)
}

// contentType returns the media type of a body whose message says none; empty if
// that is unknown.
func (n *Message) contentType() string {
	switch n.kind {
	case kindMap, kindStream:
		return jsonType
	case kindObject:
		return objectType
	case kindText:
		if isStructured(n.body) {
			return event.ApplicationCloudEventsJSON
		}
	}
	return ""
}

// isStructured reports whether a text without a media type is a CloudEvent in
// structured mode, as we send it where messages have no properties: an object
// with all required attributes.
func isStructured(body []byte) bool {
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) || !bytes.Contains(body, []byte(`"specversion"`)) {
		return false
	}
	var required struct{ Specversion, ID, Source, Type string }
	if json.Unmarshal(body, &required) != nil {
		return false
	}
	return required.Specversion == event.CloudEventsVersionV1 && required.ID != "" && required.Source != "" && required.Type != ""
}
