package gssapi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A Login says whose tickets are used. The zero value is whoever the credential
// cache belongs to, which kinit fills: the file that KRB5CCNAME names, else
// /tmp/krb5cc_UID. The realm is described by the file that KRB5_CONFIG names,
// else /etc/krb5.conf. All files are read at each Start.
type Login struct {
	Keytab    string // path of the file with the key of Principal
	Principal string // such as app@EXAMPLE.COM; without a realm it is in the default one
}

// A ticket is good for one service.
type ticket struct {
	messages.Ticket
	key    types.EncryptionKey
	client types.PrincipalName
	realm  string // of the client
}

// within gets a ticket unless ctx ends first. The library knows no contexts: what
// it has begun then goes on, for nothing, until a KDC answers or its own
// time-outs (5 s for each KDC and protocol) are over.
func (l Login) within(ctx context.Context, service string) (ticket, error) {
	type result struct {
		ticket ticket
		err    error
	}
	got := make(chan result, 1)
	go func() {
		var r result
		r.ticket, r.err = l.ticket(service)
		got <- r
	}()
	select {
	case r := <-got:
		return r.ticket, r.err
	case <-ctx.Done():
		return ticket{}, ctx.Err()
	}
}

// ticket gets one, from the KDC where it must.
func (l Login) ticket(service string) (t ticket, err error) {
	defer recovered(&err)
	realms, err := configuration()
	if err != nil {
		return ticket{}, err
	}
	c, err := l.client(realms)
	if err != nil {
		return ticket{}, err
	}
	t = ticket{client: c.Credentials.CName(), realm: c.Credentials.Domain()}
	defer c.Destroy() // what it learned is in t
	if t.Ticket, t.key, err = c.GetServiceTicket(service); err != nil {
		return ticket{}, said(err, fmt.Sprintf("get a ticket of %s for %s", name(c), service))
	}
	return t, nil
}

// client returns a client of the realm that has a ticket-granting ticket.
func (l Login) client(realms *config.Config) (*client.Client, error) {
	if l.Keytab == "" {
		return cached(realms)
	}
	keys, err := keytab.Load(l.Keytab)
	if err != nil {
		return nil, fmt.Errorf("sasl.keytab: %w", err)
	}
	user, realm, _ := strings.Cut(l.Principal, "@")
	if realm == "" {
		realm = realms.LibDefaults.DefaultRealm
	}
	c := client.NewWithKeytab(user, realm, keys, realms, client.DisablePAFXFAST(true))
	if err := c.Login(); err != nil {
		return nil, said(err, fmt.Sprintf("log %s in with the keytab %s", name(c), l.Keytab))
	}
	return c, nil
}

// cached returns a client with the tickets that kinit got.
func cached(realms *config.Config) (*client.Client, error) {
	path, err := cachePath()
	if err != nil {
		return nil, err
	}
	cache, err := credentials.LoadCCache(path)
	if err != nil {
		return nil, fmt.Errorf("credential cache (KRB5CCNAME; kinit makes one): %w", err)
	}
	owner := cache.GetClientPrincipalName()
	who, realm := owner.PrincipalNameString(), cache.GetClientRealm()
	granting := types.PrincipalName{NameType: nametype.KRB_NT_SRV_INST, NameString: []string{"krbtgt", realm}}
	if t, ok := cache.GetEntry(granting); ok && time.Now().After(t.EndTime) {
		return nil, fmt.Errorf("credential cache %s: the ticket of %s@%s expired at %s; kinit gets another", path, who, realm, t.EndTime.Format(time.RFC3339))
	}
	c, err := client.NewFromCCache(cache, realms, client.DisablePAFXFAST(true))
	if err != nil {
		return nil, fmt.Errorf("credential cache %s: %w", path, err)
	}
	return c, nil
}

// cachePath returns the file that the credential cache is.
func cachePath() (string, error) {
	cache := os.Getenv("KRB5CCNAME")
	if cache == "" {
		return fmt.Sprintf("/tmp/krb5cc_%d", os.Getuid()), nil
	}
	path := strings.TrimPrefix(cache, "FILE:")
	if kind := regexp.MustCompile(`^[A-Za-z]+:`).FindString(path); kind != "" {
		return "", fmt.Errorf("credential cache: KRB5CCNAME begins with %s, expected a file, as in FILE:/tmp/krb5cc_0", kind)
	}
	return path, nil
}

// configuration reads what is known about realms. Of several files, the first
// that exists is it.
func configuration() (*config.Config, error) {
	paths := os.Getenv("KRB5_CONFIG")
	if paths == "" {
		paths = "/etc/krb5.conf"
	}
	var err error
	for path := range strings.SplitSeq(paths, ":") {
		var text []byte
		if text, err = os.ReadFile(path); err != nil {
			continue
		}
		realms, err := config.NewFromString(string(text))
		if _, ignored := errors.AsType[config.UnsupportedDirective](err); err != nil && !ignored {
			return nil, fmt.Errorf("%s (KRB5_CONFIG): %w", path, err)
		}
		return realms, nil
	}
	return nil, fmt.Errorf("KRB5_CONFIG: %w", err)
}

func name(c *client.Client) string {
	return c.Credentials.UserName() + "@" + c.Credentials.Domain()
}

// final are the answers of a KDC that it would give again. The library keeps no
// more than the text of what the KDC said.
var final = []int32{
	errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN,
	errorcode.KDC_ERR_S_PRINCIPAL_UNKNOWN,
	errorcode.KDC_ERR_CLIENT_REVOKED,
	errorcode.KDC_ERR_SERVICE_REVOKED,
	errorcode.KDC_ERR_PREAUTH_FAILED,
	errorcode.KDC_ERR_POLICY,
}

// said is an error of the library, in few words if the KDC said no.
func said(err error, doing string) error {
	for _, code := range final {
		if text := errorcode.Lookup(code); strings.Contains(err.Error(), text) {
			return refused(fmt.Errorf("%s: the KDC says no: %s", doing, text))
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
