package mq

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
	"github.com/fairlead/fairlead/framework"
)

// An encoder makes messages for one queue.
type encoder struct {
	jms     bool
	to      address
	answers bool // what is sent there are answers
	headers map[string]string
}

func newEncoder(c *Connection, to address, t *Target) encoder {
	return encoder{jms: c.JMS, to: to, answers: t.Native, headers: t.Headers}
}

// encoding is how we write integers.
const encoding = rfh2.LittleEndian

// encode returns the descriptor and the bytes of m. An error is Terminal: no
// retry can help.
func (e *encoder) encode(m connections.Message, now time.Time) (mqi.MD, []byte, error) {
	md, data, err := e.message(m, now)
	if err != nil {
		err = framework.Terminal(fmt.Errorf("message for %s: %w", e.to.queue, err))
	}
	return md, data, err
}

func (e *encoder) message(m connections.Message, now time.Time) (mqi.MD, []byte, error) {
	from, relayed := m.Native.(*Message)
	if !relayed {
		from = nil
	}
	headed := e.headed(&m, from)
	if !headed {
		var err error
		if m, err = structured(m); err != nil {
			return mqi.MD{}, nil, err
		}
	}
	b, err := bodyFor(&m, from)
	if err != nil {
		return mqi.MD{}, nil, err
	}
	md, err := e.descriptor(&m, from)
	if err != nil {
		return md, nil, err
	}
	if !headed {
		md.Format, md.Encoding, md.CodedCharSetID = b.layout.Format, b.layout.Encoding, b.layout.CCSID
		return md, b.data, nil
	}
	header, err := e.header(&m, from, b, &md, now)
	if err != nil {
		return md, nil, err
	}
	data, err := header.Append(make([]byte, 0, header.Len()+len(b.data)), encoding)
	md.Format, md.Encoding, md.CodedCharSetID = rfh2.FormatRFH2, encoding, rfh2.UTF8
	return md, append(data, b.data...), err
}

// deadLetterMark begins the names of headers that tell the story of a dead
// letter, which must not get lost even where messages have no properties.
const deadLetterMark = "fairlead_"

// headed reports whether m gets an MQRFH2.
func (e *encoder) headed(m *connections.Message, from *Message) bool {
	if e.to.plain {
		return false
	}
	if e.jms || from != nil && len(from.Folders) > 0 {
		return true
	}
	for name := range m.Header {
		if strings.HasPrefix(name, deadLetterMark) {
			return true
		}
	}
	return false
}

// structured returns a CloudEvent, which m is in binary mode, in structured
// mode; other messages as they are.
func structured(m connections.Message) (connections.Message, error) {
	if _, ok := m.Header[connections.Prefix+"specversion"]; !ok {
		return m, nil
	}
	events, _, err := connections.NewCodec("", "").Decode(&m)
	if err != nil {
		return m, err
	}
	s, err := connections.EncodeStructured(events[0])
	m.Body, m.ContentType, m.Text, m.Header = s.Body, s.ContentType, s.Text, nil
	return m, err
}

// A body is what stands behind the headers.
type body struct {
	kind   kind
	layout rfh2.Layout
	data   []byte
}

// bodyFor returns the body of m. A relay keeps the bytes that it received if the
// function left them as they were.
func bodyFor(m *connections.Message, from *Message) (body, error) {
	if from != nil && from.unread {
		md := &from.MD
		return body{kindBytes, rfh2.Layout{Format: md.Format, Encoding: md.Encoding, CCSID: md.CodedCharSetID}, from.Data}, nil
	}
	if from != nil && bytes.Equal(m.Body, from.body) {
		return body{from.kind, from.next, from.raw}, nil
	}
	return newBody(m)
}

func newBody(m *connections.Message) (body, error) {
	text := rfh2.Layout{Format: rfh2.FormatString, Encoding: encoding, CCSID: rfh2.UTF8}
	// JMS clients read numbers in bytes as this says, and JMS has them big-endian.
	opaque := rfh2.Layout{Format: rfh2.FormatNone, Encoding: rfh2.BigEndian, CCSID: rfh2.UTF8}
	wanted, _ := m.Header[headerKind].(string)
	switch k := kind(wanted); k {
	case kindMap, kindStream:
		data, err := jmsBody(k, m.Body)
		return body{k, text, data}, err
	case kindObject:
		return body{k, opaque, m.Body}, nil
	}
	switch {
	case m.Text:
		return body{kindText, text, m.Body}, nil
	case len(m.Body) == 0 && m.ContentType == "":
		return body{kindNone, opaque, nil}, nil
	}
	return body{kindBytes, opaque, m.Body}, nil
}

// header returns the MQRFH2 of m.
func (e *encoder) header(m *connections.Message, from *Message, b body, md *mqi.MD, now time.Time) (*rfh2.RFH2, error) {
	user, err := e.userFolder(m, from)
	if err != nil {
		return nil, err
	}
	header := &rfh2.RFH2{Next: b.layout, Folders: make([]rfh2.Folder, 2, 3)}
	var room [10]rfh2.PropertyText // for all that folder jms may have
	header.Folders[0], err = rfh2.NewFolder(folderMCD, mcdFolder(m, from, b))
	if err == nil {
		header.Folders[1], err = rfh2.NewTextFolder(folderJMS, e.appendJMS(room[:0], m, from, md, now))
	}
	if err == nil && len(user) > 0 {
		var f rfh2.Folder
		f, err = rfh2.NewFolder(folderUSR, user)
		header.Folders = append(header.Folders, f)
	}
	if from != nil {
		for _, f := range from.Folders {
			if f.Name != folderMCD && f.Name != folderJMS && f.Name != folderUSR {
				header.Folders = append(header.Folders, f)
			}
		}
	}
	return header, err
}

// mcdFolder says what kind of message it is.
func mcdFolder(m *connections.Message, from *Message, b body) []rfh2.Property {
	properties := []rfh2.Property{{Name: mcdType, Value: string(b.kind)}}
	jmsType, _ := m.Header[headerType].(string)
	if from != nil {
		for _, p := range from.folder(folderMCD) {
			if !writable(p) {
				continue
			}
			switch folderMCD + "." + p.Name {
			case headerKind:
				if b.kind == from.kind { // which may have a name of its own, such as that of a message domain
					properties[0].Value = p.Value
				}
			case headerType:
				if jmsType == "" {
					jmsType = fmt.Sprint(p.Value)
				}
			default:
				if p.Name != mcdBody || len(m.Body) == 0 {
					properties = append(properties, p)
				}
			}
		}
	}
	if jmsType != "" && (from == nil || rfh2.IsText(jmsType)) { // a relay must not fail for what it received
		properties = append(properties, rfh2.Property{Name: "Type", Value: jmsType})
	}
	return properties
}

// appendJMS appends the JMS headers, which are folder jms. Numbers stand there as
// text.
func (e *encoder) appendJMS(dst []rfh2.PropertyText, m *connections.Message, from *Message, md *mqi.MD, now time.Time) []rfh2.PropertyText {
	add := func(name, text string) {
		if text != "" && rfh2.IsText(text) { // what XML cannot hold, the descriptor has
			dst = append(dst, rfh2.PropertyText{Name: name, Value: text})
		}
	}
	number := func(name string, n int64) { add(name, strconv.FormatInt(n, 10)) }
	add("Dst", e.to.uri())
	if md.ReplyToQ != "" {
		add("Rto", address{queue: md.ReplyToQ, manager: md.ReplyToQMgr}.uri())
	}
	if p := int64(md.Priority); md.Priority != mqi.MQPRI_PRIORITY_AS_Q_DEF && p != defaultPriority {
		number("Pri", p)
	}
	number("Tms", now.UnixMilli())
	if md.Expiry > 0 {
		number("Exp", now.Add(time.Duration(md.Expiry)*expiryUnit).UnixMilli())
	}
	add("Cid", correlationText(m, from))
	if key := groupText(m, from); key != "" {
		add("Gid", key)
		number("Seq", int64(md.MsgSeqNumber))
	}
	number("Dlv", int64(1+min(1, md.Persistence)))
	return dst
}

// Priorities of JMS.
const (
	defaultPriority = 4
	maxPriority     = 9
)

// userFolder has the headers. A relay keeps the properties that the function
// left alone exactly as they were, null ones included.
func (e *encoder) userFolder(m *connections.Message, from *Message) ([]rfh2.Property, error) {
	headers := e.userHeaders(m)
	properties := make([]rfh2.Property, 0, len(headers))
	var notes []string
	if from != nil {
		properties, notes = keep(from.user, headers)
	}
	for _, h := range headers {
		if h.Value == nil { // it is kept
			continue
		}
		p, note, err := propertyOf(h.Name, h.Value)
		if err != nil {
			return nil, err
		}
		properties = append(properties, p)
		if note != "" {
			notes = append(notes, note)
		}
	}
	if len(notes) > 0 {
		properties = append(properties, rfh2.Property{Name: propertyTypes, Value: strings.Join(notes, " ")})
	}
	return properties, nil
}

// userHeaders returns the headers that are properties in folder usr, by name.
func (e *encoder) userHeaders(m *connections.Message) []rfh2.Property {
	headers := make([]rfh2.Property, 0, len(m.Header)+len(e.headers)+1)
	for name, v := range e.headers {
		if m.Header[name] == nil {
			headers = append(headers, rfh2.Property{Name: name, Value: v})
		}
	}
	for name, v := range m.Header {
		switch name {
		case headerKind, headerType, headerOrder, propertyTypes:
			continue
		}
		if v != nil {
			headers = append(headers, rfh2.Property{Name: name, Value: v})
		}
	}
	if m.ContentType != "" && m.ContentType != impliedType(m) {
		headers = slices.DeleteFunc(headers, func(h rfh2.Property) bool { return h.Name == propertyContent })
		headers = append(headers, rfh2.Property{Name: propertyContent, Value: m.ContentType})
	}
	slices.SortFunc(headers, byName)
	return headers
}

func byName(a, b rfh2.Property) int { return strings.Compare(a.Name, b.Name) }

// impliedType is the media type that a receiver takes for granted.
func impliedType(m *connections.Message) string {
	switch kind, _ := m.Header[headerKind].(string); kind {
	case string(kindMap), string(kindStream):
		return jsonType
	case string(kindObject):
		return objectType
	}
	return ""
}

// keep returns the properties of a received message whose header is unchanged,
// and takes the values out of headers, which are sorted.
func keep(user []rfh2.Property, headers []rfh2.Property) (kept []rfh2.Property, notes []string) {
	types := notesIn(user)
	for _, p := range user {
		name, v, ok := headerOf(p, types)
		i, there := slices.BinarySearchFunc(headers, rfh2.Property{Name: name}, byName)
		switch {
		case p.Name == propertyTypes, isContentType(name), !writable(p):
			continue
		case ok != there, ok && !equal(v, headers[i].Value):
			continue
		}
		if there {
			headers[i].Value = nil
		}
		kept = append(kept, p)
		if note := types[p.Name]; note != "" {
			notes = append(notes, p.Name+"="+note)
		}
	}
	return kept, notes
}

// writable reports whether p, which was read, can be written as it is: readers
// take more names and characters than XML has. What is a header is written in
// another form if not.
func writable(p rfh2.Property) bool {
	if rfh2.CheckName(p.Name) != nil {
		return false
	}
	switch v := p.Value.(type) {
	case string:
		return rfh2.IsText(v)
	case rfh2.Char:
		return rfh2.IsText(string(rune(v)))
	}
	return true
}

// equal compares what headers may hold.
func equal(a, b any) bool {
	switch a := a.(type) {
	case []byte:
		b, ok := b.([]byte)
		return ok && bytes.Equal(a, b)
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	}
	if _, ok := b.([]byte); ok {
		return false
	}
	return a == b
}

// folder returns the properties of a folder; none if it has no such folder.
func (n *Message) folder(name string) []rfh2.Property {
	for _, f := range n.Folders {
		if f.Name == name {
			properties, err := f.Properties()
			if err != nil {
				return nil // it was read before, so it can be read
			}
			return properties
		}
	}
	return nil
}
