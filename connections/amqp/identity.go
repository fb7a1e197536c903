package amqp

import (
	"fmt"
	"strings"

	"github.com/Azure/go-amqp"
)

// canonical returns a message-id as text, so that ids of different types are
// different: a string as it is (JMS: "ID:…"), others as TYPE:VALUE, and a string
// that looks like one of those as string:STRING.
func canonical(id any) string {
	switch id := id.(type) {
	case nil:
		return ""
	case string:
		if looksTyped(id) {
			return "string:" + id
		}
		return id
	case uint64:
		return fmt.Sprintf("ulong:%d", id)
	case amqp.UUID:
		return "uuid:" + id.String()
	case []byte:
		return fmt.Sprintf("binary:%x", id)
	}
	return fmt.Sprintf("other:%v", id) // the standard allows no other type
}

func looksTyped(s string) bool {
	kind, _, ok := strings.Cut(s, ":")
	switch kind {
	case "ulong", "uuid", "binary", "other", "string":
		return ok
	}
	return false
}
