package dashboard

import (
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/fairlead/fairlead/admin"
)

// An auditPage is a part of the audit log.
type auditPage struct {
	admin.AuditPage
	Filter admin.AuditFilter
	Query  url.Values
	First  bool
}

// NextPage is the query of the page after this one.
func (p auditPage) NextPage() template.URL {
	q := maps.Clone(p.Query)
	q.Set("before", strconv.FormatInt(p.Next, 10))
	return template.URL(q.Encode())
}

// Filtered reports whether it is not everything.
func (p auditPage) Filtered() bool { return p.Filter != admin.AuditFilter{} }

const auditShown = 50

func (d *Dashboard) audit(r *http.Request) (any, error) {
	p := auditPage{Query: make(url.Values)}
	for name, to := range map[string]*string{"kind": &p.Filter.Kind, "name": &p.Filter.Name, "action": &p.Filter.Action, "actor": &p.Filter.Actor} {
		if *to = r.FormValue(name); *to != "" {
			p.Query.Set(name, *to)
		}
	}
	before, err := whole(r, "before")
	if err != nil {
		return nil, err
	}
	p.First = before == 0
	p.AuditPage, err = d.backend.Audit(r.Context(), p.Filter, int64(before), auditShown)
	return p, err
}
