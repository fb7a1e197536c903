package dashboard

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

func (d *Dashboard) routeConfig() {
	d.page("GET /config", "config", d.config, "config-state")
	d.mux.Handle("GET /config/export", d.guard(access.Viewer, http.HandlerFunc(d.export)))
	d.pageFor(access.Admin, "GET /config/import", "import", func(*http.Request) (any, error) { return importPage{}, nil })
	d.mux.Handle("POST /config/import", d.guard(access.Admin, http.HandlerFunc(d.plan)))
	d.action("POST /config/apply", access.Admin, d.apply)
}

func (d *Dashboard) config(r *http.Request) (any, error) { return d.backend.Export(r.Context()) }

func (d *Dashboard) export(w http.ResponseWriter, r *http.Request) {
	doc, err := d.backend.Export(r.Context())
	if err != nil {
		d.fail(w, r, err)
		return
	}
	name := "fairlead.yaml"
	if doc.File != "" {
		name = strings.ReplaceAll(filepath.Base(doc.File), `"`, "")
	}
	download(w, name, "application/yaml", []byte(doc.Text))
}

// An importPage asks for a document, or shows what it would change.
type importPage struct {
	Document admin.Document
	Prune    bool
	Plan     *admin.Plan
	Objects  []admin.Result // what applying it would do to those of the store
	NoStore  bool           // it can only be saved as a file
	Problem  *problem
}

// Idle reports whether applying it would do nothing.
func (p importPage) Idle() bool {
	for _, o := range p.Objects {
		if o.Action != admin.Unchanged && o.Action != admin.Passed {
			return false
		}
	}
	return true
}

// plan shows what a document would change, and the document, to be corrected or
// applied.
func (d *Dashboard) plan(w http.ResponseWriter, r *http.Request) {
	v := d.view(r)
	doc, err := document(r)
	page := importPage{Document: doc, Prune: r.PostFormValue("prune") != ""}
	if err == nil {
		err = d.foresee(r, &page)
	}
	status := http.StatusOK
	if err != nil {
		page.Problem = explain(err)
		status = page.Problem.Status
	}
	v.Data = page
	d.render(w, status, "import", v)
}

// foresee finds out what applying a document would do; where there is no store,
// what it would do if it were saved as the file.
func (d *Dashboard) foresee(r *http.Request, page *importPage) error {
	applied, err := d.backend.Apply(r.Context(), page.Document, admin.ApplyOptions{Prune: page.Prune, DryRun: true})
	if err == nil {
		page.Plan, page.Objects = &applied.Plan, applied.Objects
		return nil
	}
	if page.NoStore = errors.Is(err, admin.ErrNoStore); !page.NoStore {
		return err
	}
	p, err := d.backend.Plan(r.Context(), page.Document)
	if err == nil {
		page.Plan = &p
	}
	return err
}

// apply puts a document into the store.
func (d *Dashboard) apply(r *http.Request) (outcome, error) {
	doc, err := document(r)
	if err != nil {
		return outcome{to: "/config/import"}, err
	}
	applied, err := d.backend.Apply(r.Context(), doc, admin.ApplyOptions{Prune: r.PostFormValue("prune") != ""})
	if err != nil {
		return outcome{to: "/config/import"}, err
	}
	done := 0
	for _, o := range applied.Objects {
		if o.Action != admin.Unchanged && o.Action != admin.Passed {
			done++
		}
	}
	return outcome{to: "/config", result: result{Title: fmt.Sprintf("Applied: %d objects changed", done), Detail: fmt.Sprintf("Generation %d of the configuration in the store runs here now.", applied.Generation)}}, nil
}

// document reads a document that is in a form, as a file or as text.
func document(r *http.Request) (admin.Document, error) {
	if err := parseForm(r); err != nil {
		return admin.Document{}, err
	}
	doc := admin.Document{File: "pasted.yaml", Text: strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")}
	if name := r.PostFormValue("name"); name != "" {
		doc.File = filepath.Base(name)
	}
	if f, header, err := r.FormFile("file"); err == nil {
		defer f.Close()
		data, err := io.ReadAll(f)
		if err != nil {
			return doc, fmt.Errorf("%w: file: %w", admin.ErrBadRequest, err)
		}
		if len(data) > 0 {
			doc = admin.Document{File: filepath.Base(header.Filename), Text: string(data)}
		}
	}
	if strings.TrimSpace(doc.Text) == "" {
		return doc, fmt.Errorf("%w: found neither text nor a file, expected one of them", admin.ErrBadRequest)
	}
	return doc, nil
}
