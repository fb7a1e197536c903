package gssapi

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
)

// Kinds of tokens (RFC 4121, section 4.1).
const (
	apRequest = 0x0100
	apReply   = 0x0200
	krbError  = 0x0300
)

// kerberos5 is the object identifier of the mechanism, encoded.
var kerberos5 = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

// seal puts a message of Kerberos into the frame of GSS-API.
func seal(kind uint16, body []byte) []byte {
	b := bytes.Clone(kerberos5)
	b = binary.BigEndian.AppendUint16(b, kind)
	return asn1tools.AddASNAppTag(append(b, body...), 0)
}

// unseal takes it out.
func unseal(token []byte) (kind uint16, body []byte, err error) {
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(token, &outer)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("the broker's token: %w", err)
	case len(rest) > 0 || outer.Class != asn1.ClassApplication || outer.Tag != 0:
		return 0, nil, errors.New("the broker's token is not one of GSS-API")
	}
	inner, ok := bytes.CutPrefix(outer.Bytes, kerberos5)
	if !ok || len(inner) < 2 {
		return 0, nil, errors.New("the broker's token is not one of Kerberos 5")
	}
	return binary.BigEndian.Uint16(inner), inner[2:], nil
}
