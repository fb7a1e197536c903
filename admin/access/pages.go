package access

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/triggers/http/rate"
)

//go:embed signin.html
var signInHTML string

// signInTemplate is the page for signing in. It is executed with a SignInPage.
var signInTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("signin").Parse(signInHTML))
})

// A SignInPage is what the page for signing in shows. Its forms are sent by POST
// to /signin: once, if Once is set, and else name and password; and next. Where
// OIDC is set, a link to /signin/oidc?next=… leads to the provider.
type SignInPage struct {
	Next    string // the path to go to after that
	Once    string // the secret of a one-time link
	Name    string // that was tried before
	Problem string // why it did not work
	OIDC    string // the issuer's host; empty: there is no provider
	NoStore bool   // there are no accounts, as there is no store
	Done    bool   // somebody has signed in, and goes on to Next
	Out     bool   // somebody has signed out
}

// The paths that Pages serves itself.
const (
	signInPath   = "/signin"
	signOutPath  = "/signout"
	oidcPath     = "/signin/oidc"
	callbackPath = "/signin/oidc/callback"
)

// Pages serves the pages of next to those who have signed in, with headers that
// bind browsers to them, and sends others to sign in. Files below /static/ are for
// everybody. It serves /signin and /signout itself.
func (a *Access) Pages(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+signInPath, a.showSignIn)
	mux.HandleFunc("POST "+signInPath, a.signIn)
	mux.Handle("POST "+signOutPath, a.identified(http.HandlerFunc(a.signOut)))
	if a.OIDC != nil {
		mux.HandleFunc("GET "+oidcPath, a.beginOIDC)
		mux.HandleFunc("GET "+callbackPath, a.endOIDC)
	}
	mux.Handle("GET /static/", next)
	mux.Handle("/", a.identified(signedIn(next)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guardHeaders(w.Header(), r)
		if !a.expects(r.Host) {
			http.Error(w, "this is not "+printable(r.Host), http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// identified hands requests on with who makes them.
func (a *Access) identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known, refused := a.identify(r)
		if refused != nil {
			refused.header(w.Header())
			http.Error(w, refused.text, refused.status)
			return
		}
		next.ServeHTTP(w, known)
	})
}

// contentPolicy lets a page load its own files and nothing else, and no script or
// style that is in it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func guardHeaders(h http.Header, r *http.Request) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// signedIn sends those who have not signed in to where they can.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case From(r.Context()).Role != None:
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, signInPath+"?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		default:
			http.Error(w, "sign in first", http.StatusUnauthorized)
		}
	})
}

// inside returns the path of a page of ours; of anything else the first one's.
func inside(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	if p := u.Path; p == signInPath || p == signOutPath || strings.HasPrefix(p, signInPath+"/") {
		return "/"
	}
	return path
}

// page returns what the page for signing in shows at first.
func (a *Access) page(next string) SignInPage {
	p := SignInPage{Next: inside(next), NoStore: !a.stored()}
	if a.OIDC != nil {
		p.OIDC = a.OIDC.name()
	}
	return p
}

func (a *Access) show(w http.ResponseWriter, r *http.Request, status int, p SignInPage) {
	var b bytes.Buffer
	if err := signInTemplate().Execute(&b, p); err != nil {
		a.Log.ErrorContext(r.Context(), "the page for signing in cannot be made", "err", err)
		http.Error(w, "this page cannot be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		a.Log.DebugContext(r.Context(), "the browser did not wait for its page", "err", err)
	}
}

// showSignIn shows where to sign in. A one-time link is not used up by that: mail
// programs and chats look at links, too.
func (a *Access) showSignIn(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := a.page(q.Get("next"))
	p.Out = q.Has("out")
	if once := q.Get("once"); isSecret(once) {
		p.Once = once
	}
	a.show(w, r, http.StatusOK, p)
}

// maxSignIn is the longest form for signing in, in bytes.
const maxSignIn = 8 << 10

// signIn takes a name and a password, or the secret of a one-time link.
func (a *Access) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	if err := a.protect.Check(r); err != nil {
		http.Error(w, "this form is another site's", http.StatusForbidden)
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form cannot be read", http.StatusBadRequest)
		return
	}
	p := a.page(r.PostForm.Get("next"))
	var id Identity
	var secret string
	var err error
	if once := r.PostForm.Get("once"); once != "" {
		id, secret, err = a.useLink(r.Context(), once)
	} else {
		p.Name = r.PostForm.Get("name")
		id, secret, err = a.enter(r, p.Name, r.PostForm.Get("password"))
	}
	if err != nil {
		a.refuse(w, r, p, err)
		return
	}
	a.admit(w, r, id, secret)
	http.Redirect(w, r, p.Next, http.StatusSeeOther)
}

// enter opens a session for who knows an account's password.
func (a *Access) enter(r *http.Request, name, password string) (id Identity, secret string, err error) {
	hash, err := a.verify(r.Context(), rate.Address(r), name, password)
	if err != nil {
		return id, "", err
	}
	id = Identity{Name: name, Kind: Account}
	s := newSession(id, SessionMax)
	s.hash = hash
	secret, err = a.open(r.Context(), s)
	return id, secret, err
}

// admit gives a browser its session. What it had before is over, so that nobody
// can know the new one.
func (a *Access) admit(w http.ResponseWriter, r *http.Request, id Identity, secret string) {
	if before := sessionOf(r); before != "" {
		if err := a.end(r.Context(), before); err != nil && !errors.Is(err, ErrNoStore) {
			a.Log.WarnContext(r.Context(), "a session did not end", "err", err)
		}
	}
	setCookie(w, r, secret)
	a.Log.InfoContext(r.Context(), "signed in", "name", id.Name, "by", string(id.Kind), "address", rate.Address(r))
}

// refuse shows why somebody could not sign in.
func (a *Access) refuse(w http.ResponseWriter, r *http.Request, p SignInPage, err error) {
	status := http.StatusForbidden
	wait, tooOften := errors.AsType[*WaitError](err)
	switch {
	case tooOften:
		status, p.Problem = http.StatusTooManyRequests, "Too many attempts. Wait a minute and try again."
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.After.Seconds()+1)))
	case errors.Is(err, ErrNoStore):
		status, p.Problem = http.StatusNotImplemented, "There are no accounts here, as there is no store. \"fairlead signin\" prints a link that signs in."
	case errors.Is(err, errNoRole):
		p.Problem = "The provider knows you, but no role here is for you. An admin can give you one with admin.oidc.roles."
	case errors.Is(err, ErrRefused) && r.PostForm.Get("once") != "":
		p.Problem = "This link was used already, or is too old. \"fairlead signin\" prints another."
	case errors.Is(err, ErrRefused):
		p.Problem = "The name or the password is wrong."
	case errors.Is(err, errProvider):
		status, p.Problem = http.StatusBadGateway, "Signing in with the provider did not work. The log says why. Try again."
	case errors.Is(err, ErrUnavailable), r.Context().Err() != nil:
		status, p.Problem = http.StatusServiceUnavailable, "The store, which keeps the accounts, is out of reach. \"fairlead signin\" prints a link that signs in."
	default:
		status, p.Problem = http.StatusInternalServerError, "That did not work. The log says why."
	}
	a.Log.WarnContext(r.Context(), "not signed in", "name", printable(p.Name), "address", rate.Address(r), "err", err)
	if errors.Is(err, ErrRefused) {
		if err := a.audit(r.Context(), nil, Change{Kind: SessionKind, Name: printable(p.Name), Action: refused, After: rate.Address(r)}); err != nil {
			a.Log.WarnContext(r.Context(), "the audit log does not have that somebody could not sign in", "err", err)
		}
	}
	a.show(w, r, status, p)
}

func (a *Access) signOut(w http.ResponseWriter, r *http.Request) {
	if secret := sessionOf(r); CSRF(r.Context()) != "" { // else there is no session to end
		if err := a.end(r.Context(), secret); err != nil {
			a.Log.WarnContext(r.Context(), "a session did not end", "err", err)
			http.Error(w, "you are still signed in: the store is out of reach", http.StatusServiceUnavailable)
			return
		}
		a.Log.InfoContext(r.Context(), "signed out", "name", From(r.Context()).Name)
	}
	setCookie(w, r, "")
	http.Redirect(w, r, signInPath+"?out", http.StatusSeeOther)
}

// stored reports whether there is a store that keeps accounts.
func (a *Access) stored() bool {
	if a.Store == nil {
		return false
	}
	_, err := a.Store(context.Background()) // it does not wait for the store
	return err == nil
}
