package engine

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// properties are those of one message handle, in their order.
type properties struct {
	list []rfh2.Property // names with their folder, but for those in usr
	at   int             // inquired last
}

// CreateHandle is MQCRTMH.
func (c *Conn) CreateHandle() (int64, Result) {
	r := c.begin("MQCRTMH", "")
	defer c.manager.mu.Unlock()
	if r != ok {
		return 0, r
	}
	c.next++
	c.handles[c.next] = new(properties)
	return c.next, ok
}

// DeleteHandle is MQDLTMH.
func (c *Conn) DeleteHandle(handle int64) Result {
	r := c.begin("MQDLTMH", "")
	defer c.manager.mu.Unlock()
	if _, known := c.handles[handle]; r == ok && !known {
		r = failed(mqi.MQRC_HMSG_ERROR)
	}
	delete(c.handles, handle)
	return r
}

// withHandle runs f on the properties of a handle.
func (c *Conn) withHandle(verb string, handle int64, f func(*properties) Result) Result {
	r := c.begin(verb, "")
	defer c.manager.mu.Unlock()
	if r != ok {
		return r
	}
	p := c.handles[handle]
	if p == nil {
		return failed(mqi.MQRC_HMSG_ERROR)
	}
	return f(p)
}

func (p *properties) find(name string) int {
	return slices.IndexFunc(p.list, func(q rfh2.Property) bool { return q.Name == name })
}

// SetProperty is MQSETMP.
func (c *Conn) SetProperty(handle int64, name string, value any) Result {
	return c.withHandle("MQSETMP", handle, func(p *properties) Result {
		name := strings.TrimPrefix(name, "usr.")
		folder, rest, nested := strings.Cut(name, ".")
		if rfh2.CheckName(folder) != nil || nested && rfh2.CheckName(rest) != nil {
			return failed(mqi.MQRC_PROPERTY_NAME_ERROR)
		}
		if i := p.find(name); i >= 0 {
			p.list[i].Value = value
			return ok
		}
		p.list = append(p.list, rfh2.Property{Name: name, Value: value})
		return ok
	})
}

// DeleteProperty is MQDLTMP.
func (c *Conn) DeleteProperty(handle int64, name string) Result {
	return c.withHandle("MQDLTMP", handle, func(p *properties) Result {
		i := p.find(strings.TrimPrefix(name, "usr."))
		if i < 0 {
			return warning(mqi.MQRC_PROPERTY_NOT_AVAILABLE)
		}
		p.list = slices.Delete(p.list, i, i+1)
		return ok
	})
}

// InquireProperty is MQINQMP. The name % asks for the first or the next one.
func (c *Conn) InquireProperty(handle int64, name string, options int32) (p rfh2.Property, r Result) {
	r = c.withHandle("MQINQMP", handle, func(all *properties) Result {
		i := all.find(strings.TrimPrefix(name, "usr."))
		if name == "" || name == "%" || strings.HasSuffix(name, ".%") {
			i = all.at + 1
			if options&mqi.MQIMPO_INQ_NEXT == 0 {
				i = 0
			}
			all.at = i
		}
		if i < 0 || i >= len(all.list) {
			return failed(mqi.MQRC_PROPERTY_NOT_AVAILABLE)
		}
		p = all.list[i]
		return ok
	})
	return p, r
}

// attach puts the properties of a handle in front of a message that is put.
func (c *Conn) attach(msg *message, handle int64) Result {
	if handle == 0 {
		return ok
	}
	p := c.handles[handle]
	if p == nil {
		return failed(mqi.MQRC_HMSG_ERROR)
	}
	if len(p.list) == 0 {
		return ok
	}
	header := rfh2.RFH2{Next: layout(&msg.md)}
	for _, name := range p.folders() {
		folder, err := rfh2.NewFolder(name, p.in(name))
		if err != nil {
			return failed(mqi.MQRC_PROPERTY_NAME_ERROR)
		}
		header.Folders = append(header.Folders, folder)
	}
	data, err := header.Append(nil, rfh2.LittleEndian)
	if err != nil {
		return failed(mqi.MQRC_MSG_TOO_BIG_FOR_Q_MGR)
	}
	msg.data = append(data, msg.data...)
	msg.md.Format, msg.md.Encoding, msg.md.CodedCharSetID = rfh2.FormatRFH2, rfh2.LittleEndian, rfh2.UTF8
	return ok
}

const userFolder = "usr"

// folders returns the names of the folders that the properties are in.
func (p *properties) folders() []string {
	var names []string
	for _, q := range p.list {
		if name := folderOf(q.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func folderOf(name string) string {
	if folder, _, nested := strings.Cut(name, "."); nested {
		return folder
	}
	return userFolder
}

// in returns the properties of one folder.
func (p *properties) in(folder string) []rfh2.Property {
	var found []rfh2.Property
	for _, q := range p.list {
		if folderOf(q.Name) == folder {
			found = append(found, rfh2.Property{Name: strings.TrimPrefix(q.Name, folder+"."), Value: q.Value})
		}
	}
	return found
}

func layout(md *mqi.MD) rfh2.Layout {
	return rfh2.Layout{Format: md.Format, Encoding: md.Encoding, CCSID: md.CodedCharSetID}
}

// detach returns a message as a getter wants its properties: in an MQRFH2 in
// front of it, or without, or in a message handle.
func (c *Conn) detach(msg *message, gmo *GMO) (mqi.MD, []byte, Result) {
	if gmo.Options&(mqi.MQGMO_NO_PROPERTIES|mqi.MQGMO_PROPERTIES_IN_HANDLE) == 0 && gmo.Properties == 0 {
		return msg.md, msg.data, ok
	}
	headers, next, body, err := rfh2.Split(layout(&msg.md), msg.data)
	if err != nil || len(headers) != 1 || headers[0].Format != rfh2.FormatRFH2 {
		return msg.md, msg.data, ok
	}
	if gmo.Properties != 0 {
		p := c.handles[gmo.Properties]
		if p == nil {
			return msg.md, nil, failed(mqi.MQRC_HMSG_ERROR)
		}
		list, err := flatten(headers[0])
		if err != nil {
			return msg.md, nil, failed(mqi.MQRC_RFH_FORMAT_ERROR)
		}
		*p = properties{list: list}
	}
	md := msg.md
	md.Format, md.Encoding, md.CodedCharSetID = next.Format, next.Encoding, next.CCSID
	return md, body, ok
}

func flatten(h rfh2.Header) ([]rfh2.Property, error) {
	header, err := rfh2.Decode(h)
	if err != nil {
		return nil, err
	}
	var list []rfh2.Property
	for _, f := range header.Folders {
		in, err := f.Properties()
		if err != nil {
			return nil, err
		}
		for _, p := range in {
			if f.Name != userFolder {
				p.Name = f.Name + "." + p.Name
			}
			list = append(list, p)
		}
	}
	return list, nil
}

// dropEmpty removes strings without characters from the user's properties, as
// queue managers do.
func dropEmpty(msg *message) {
	headers, _, body, err := rfh2.Split(layout(&msg.md), msg.data)
	if err != nil || len(headers) != 1 || headers[0].Format != rfh2.FormatRFH2 {
		return
	}
	header, err := rfh2.Decode(headers[0])
	if err != nil {
		return
	}
	changed := false
	for i, f := range header.Folders {
		if without, some := withoutEmpty(f); some {
			header.Folders[i], changed = without, true
		}
	}
	if !changed {
		return
	}
	if data, err := header.Append(nil, msg.md.Encoding); err == nil {
		msg.data = append(data, body...)
		msg.md.CodedCharSetID = rfh2.UTF8
	}
}

func withoutEmpty(f rfh2.Folder) (rfh2.Folder, bool) {
	list, err := f.Properties()
	if err != nil || f.Name != userFolder {
		return f, false
	}
	n := len(list)
	list = slices.DeleteFunc(list, func(p rfh2.Property) bool { return p.Value == "" })
	if len(list) == n {
		return f, false
	}
	without, err := rfh2.NewFolder(f.Name, list)
	return without, err == nil
}
