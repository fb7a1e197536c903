package mq

import (
	"github.com/fairlead/fairlead/connections/mq/mqi"
	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// A Message is a received message in MQ's own terms; framework.Source(ctx) has
// it as Native. A relay sends on what it holds, but for what belongs to one
// delivery.
type Message struct {
	MD      mqi.MD
	Headers []rfh2.Header // in front of the body, MQRFH2 and others, in their order
	Folders []rfh2.Folder // of the MQRFH2
	Data    []byte        // all bytes of the message, headers included; a function that changes its event's data may change them

	kind      kind            // of the body
	next      rfh2.Layout     // of the body
	raw       []byte          // the body, within Data
	body      []byte          // the body as it was handed over
	converted bool            // body is not raw, and what was handed over is a copy of it
	user      []rfh2.Property // of folder usr
	unread    bool            // headers or body cannot be understood

	usual usual
}

// usual is room for what most messages have, so that it need not be allocated
// piece by piece.
type usual struct {
	headers  [1]rfh2.Header
	folders  [3]rfh2.Folder
	user     [2]rfh2.Property
	priority int
}

// A kind is the JMS type of a message, as folder mcd names it.
type kind string

const (
	kindNone   kind = "jms_none"
	kindText   kind = "jms_text"
	kindBytes  kind = "jms_bytes"
	kindMap    kind = "jms_map"
	kindStream kind = "jms_stream"
	kindObject kind = "jms_object"
)

// Folders of an MQRFH2, and what stands in them.
const (
	folderMCD = "mcd"
	folderJMS = "jms"
	folderUSR = "usr"

	mcdType    = "Msd"
	mcdBody    = "msgbody"
	mcdJMSType = "Type"
)

// Headers that are no properties of the sender's own. A message that is sent
// with them has that JMS type (jms_map, jms_stream, jms_object) or JMSType.
const (
	headerKind  = folderMCD + "." + mcdType
	headerType  = folderMCD + "." + mcdJMSType
	headerOrder = "JMSXGroupSeq"
)

// Properties that are ours: the media type, and what the wire cannot say about
// others. JMS lets no property be named content-type.
const (
	propertyContent = "contentType"
	propertyTypes   = "fairlead_types"
)

const (
	jsonType   = "application/json"
	objectType = "application/x-java-serialized-object"
)
