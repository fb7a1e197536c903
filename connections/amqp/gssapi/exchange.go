// Package gssapi is the client's side of the SASL mechanism GSSAPI (RFC 4752)
// with Kerberos 5: it proves who the client is by a ticket, makes the broker
// prove that it could open that, and agrees that what follows is neither signed
// nor encrypted (TLS does that).
package gssapi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/fairlead/fairlead/connections"
)

// An Exchange authenticates one connection to one service, once. Its methods
// are called in their order: Start, Next for each challenge, End.
type Exchange struct {
	Service string // the service's principal without a realm, such as amqp/broker.example.com
	Login   Login  // whose ticket is used

	step    func(challenge []byte) ([]byte, error) // what answers the next challenge; nil at the end
	ticket  ticket
	proof   types.Authenticator // its time, which the broker has to repeat
	subkey  bool                // the broker chose the key
	trusted bool
}

// Start gets a ticket for the service and returns the first token. An error
// wraps [connections.ErrRefused] if the KDC said no.
func (x *Exchange) Start(ctx context.Context) (token []byte, err error) {
	defer recovered(&err)
	if x.ticket, err = x.Login.within(ctx, x.Service); err != nil {
		return nil, err
	}
	if x.proof, err = types.NewAuthenticator(x.ticket.realm, x.ticket.client); err != nil {
		return nil, err
	}
	x.proof.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: contextFlags()}
	request, err := messages.NewAPReq(x.ticket.Ticket, x.ticket.key, x.proof)
	if err != nil {
		return nil, err
	}
	types.SetFlag(&request.APOptions, flags.APOptionMutualRequired)
	body, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	x.step = x.identify
	return seal(apRequest, body), nil
}

// contextFlags is the checksum of the authenticator (RFC 4121, section 4.1.1): no
// channel binding, and what the context is to do.
func contextFlags() []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 16)
	binary.LittleEndian.PutUint32(b[20:], gssapi.ContextFlagMutual|gssapi.ContextFlagInteg)
	return b
}

// Next answers a challenge of the broker.
func (x *Exchange) Next(challenge []byte) (response []byte, err error) {
	defer recovered(&err)
	if x.step == nil {
		return nil, errors.New("unexpected challenge")
	}
	return x.step(challenge)
}

// End sees what came with the broker's success. It refuses a broker that did not
// prove who it is.
func (x *Exchange) End([]byte) error {
	if !x.trusted {
		return errors.New("the broker did not prove that it could open our ticket")
	}
	return nil
}

// identify looks at the broker's proof: the time in our request, which it could
// read with its own key only.
func (x *Exchange) identify(challenge []byte) ([]byte, error) {
	kind, body, err := unseal(challenge)
	if err != nil {
		return nil, err
	}
	switch kind {
	case apReply:
	case krbError:
		var said messages.KRBError
		if err := said.Unmarshal(body); err != nil {
			return nil, fmt.Errorf("the broker refuses our ticket: %w", err)
		}
		return nil, fmt.Errorf("the broker refuses our ticket: %w", said)
	default:
		return nil, fmt.Errorf("found a token of kind %#04x, expected the broker's proof", kind)
	}
	var reply messages.APRep
	if err := reply.Unmarshal(body); err != nil {
		return nil, fmt.Errorf("the broker's proof: %w", err)
	}
	plain, err := crypto.DecryptEncPart(reply.EncPart, x.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return nil, fmt.Errorf("the broker's proof: %w", err)
	}
	var proof messages.EncAPRepPart
	if err := proof.Unmarshal(plain); err != nil {
		return nil, fmt.Errorf("the broker's proof: %w", err)
	}
	if proof.CTime.Unix() != x.proof.CTime.Unix() || proof.Cusec != x.proof.Cusec {
		return nil, errors.New("the broker's proof is not for our request")
	}
	if len(proof.Subkey.KeyValue) > 0 {
		x.ticket.key, x.subkey = proof.Subkey, true
	}
	x.step = x.agree
	return []byte{}, nil
}

// noLayer is the bit of the security layers that says: none.
const noLayer = 1

// agree chooses among the security layers offered: none.
func (x *Exchange) agree(challenge []byte) ([]byte, error) {
	offer, err := x.unwrap(challenge)
	if err != nil {
		return nil, fmt.Errorf("the broker's offer of security layers: %w", err)
	}
	if len(offer) != 4 {
		return nil, fmt.Errorf("the broker's offer of security layers: found %d bytes, expected 4", len(offer))
	}
	if offer[0]&noLayer == 0 {
		return nil, errors.New("the broker insists on a security layer of Kerberos; use TLS instead, and let it allow none")
	}
	x.step, x.trusted = nil, true
	return x.wrap([]byte{noLayer, 0, 0, 0})
}

// Flags of a wrap token (RFC 4121, section 4.2.2).
const (
	sealedFlag = 2
	subkeyFlag = 4
)

// unwrap returns what the broker signed.
func (x *Exchange) unwrap(token []byte) ([]byte, error) {
	if len(token) > 2 && token[0] == 0x60 {
		return nil, errors.New("found a token as RC4 and DES have it, expected one for AES (RFC 4121)")
	}
	var w gssapi.WrapToken
	if len(token) > gssapi.HdrLen {
		token = rotated(token)
	}
	if err := w.Unmarshal(token, true); err != nil {
		return nil, err
	}
	if w.Flags&sealedFlag != 0 {
		return nil, errors.New("found an encrypted token, expected a signed one")
	}
	if _, err := w.Verify(x.ticket.key, keyusage.GSSAPI_ACCEPTOR_SEAL); err != nil {
		return nil, errors.New("the signature is wrong")
	}
	return w.Payload, nil
}

// rotated undoes the rotation that the header of a wrap token tells.
func rotated(token []byte) []byte {
	head, body := token[:gssapi.HdrLen], token[gssapi.HdrLen:]
	by := int(binary.BigEndian.Uint16(head[6:])) % len(body)
	return append(append(append([]byte(nil), head...), body[by:]...), body[:by]...)
}

// wrap signs what goes to the broker.
func (x *Exchange) wrap(payload []byte) ([]byte, error) {
	etype, err := crypto.GetEtype(x.ticket.key.KeyType)
	if err != nil {
		return nil, err
	}
	w := gssapi.WrapToken{EC: uint16(etype.GetHMACBitLength() / 8), SndSeqNum: uint64(x.proof.SeqNumber), Payload: payload}
	if x.subkey {
		w.Flags = subkeyFlag
	}
	if err := w.SetCheckSum(x.ticket.key, keyusage.GSSAPI_INITIATOR_SEAL); err != nil {
		return nil, err
	}
	return w.Marshal()
}

// recovered turns a panic of the Kerberos library, which trusts the files and the
// messages that it reads, into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("kerberos: what was read makes no sense: %v", p)
	}
}

// refused says that err is a no, and not a failure.
func refused(err error) error { return fmt.Errorf("%w: %w", connections.ErrRefused, err) }
