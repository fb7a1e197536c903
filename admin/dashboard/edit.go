package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

func (d *Dashboard) routeEdit() {
	d.pageFor(access.Admin, "GET /edit/{kind}", "edit", d.create)
	d.pageFor(access.Admin, "GET /edit/{kind}/{name}", "edit", d.edit)
	d.mux.Handle("POST /edit/{kind}", d.guard(access.Admin, http.HandlerFunc(d.put)))
	d.mux.Handle("POST /edit/{kind}/{name}", d.guard(access.Admin, http.HandlerFunc(d.put)))
	d.pageFor(access.Admin, "GET /delete/{kind}/{name}", "delete", d.deleting)
	d.action("POST /delete/{kind}/{name}", access.Admin, d.delete)
	d.pageFor(access.Admin, "GET /password/{name}", "password", d.connection)
	d.action("POST /password/{name}", access.Admin, d.setPassword)
}

// An editPage is the form for an object.
type editPage struct {
	Kind     *kind
	Name     string // empty: it is a new one
	Typed    string // name of a new one
	Type     string
	Types    []string // to choose from; nil: there is nothing to choose
	Version  int64
	Owner    string
	AsYAML   bool
	OnlyYAML string // why it cannot be edited in fields
	Text     string
	Inputs   []input
	Problem  *problem
	Conflict *admin.VersionConflict
	Names    map[string][]string // of what a key refers to
}

// An input is a field with its value.
type input struct {
	field
	Value string
	Kept  bool // there is a secret, which stays if nothing is typed
}

// Common returns the inputs that are shown at once, or the others.
func (p editPage) Common(yes bool) (all []input) {
	for _, i := range p.Inputs {
		if i.field.Common == yes {
			all = append(all, i)
		}
	}
	return all
}

// MoreSet reports whether any input that is not shown at once has a value.
func (p editPage) MoreSet() bool {
	for _, i := range p.Common(false) {
		if i.Value != "" || i.Kept {
			return true
		}
	}
	return false
}

func (d *Dashboard) kindOf(r *http.Request) (*kind, error) {
	kinds, err := d.kinds()
	if err != nil {
		return nil, fmt.Errorf("read the schema of the configuration: %w", err)
	}
	k := kinds[r.PathValue("kind")]
	if k == nil {
		return nil, fmt.Errorf("%w: there is no kind %q", admin.ErrNotFound, r.PathValue("kind"))
	}
	return k, nil
}

// create shows the form for a new object, once its type is chosen.
func (d *Dashboard) create(r *http.Request) (any, error) {
	k, err := d.kindOf(r)
	if err != nil {
		return nil, err
	}
	p := editPage{Kind: k, Type: r.FormValue("type"), AsYAML: r.FormValue("as") == formYAML}
	if len(k.Types) > 1 && p.Type == "" {
		for _, v := range k.Types {
			p.Types = append(p.Types, v.Type)
		}
		return p, nil
	}
	v := k.variant(p.Type)
	if v == nil {
		return nil, fmt.Errorf("%w: there is no type %q of %s", admin.ErrBadRequest, p.Type, k.Name)
	}
	if p.Type != "" {
		p.Text = "type: " + p.Type + "\n"
	}
	p.Inputs = v.inputs(nil)
	p.Names = d.names(r)
	return p, nil
}

// edit shows the form for an object of the store.
func (d *Dashboard) edit(r *http.Request) (any, error) {
	k, err := d.kindOf(r)
	if err != nil {
		return nil, err
	}
	o, err := d.backend.Object(r.Context(), k.Name, r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	p := editPage{Kind: k, Name: o.Name, Version: o.Version, Owner: o.Owner, Text: o.Text, AsYAML: r.FormValue("as") == formYAML, Names: d.names(r)}
	p.fill(o.Text)
	return p, nil
}

// fill makes the inputs of what stands below an object's name. Where they cannot
// hold that, it is edited as YAML.
func (p *editPage) fill(text string) {
	spec, err := specOf(text)
	if err != nil {
		p.OnlyYAML = "it is not keys with values"
	}
	p.Type, _ = spec["type"].(string)
	v := p.Kind.variant(p.Type)
	if v == nil {
		p.OnlyYAML = fmt.Sprintf("there is no form for the type %q", p.Type)
	}
	if p.OnlyYAML == "" {
		p.Inputs = v.inputs(spec)
		if key := unknown(spec, "", v); key != "" {
			p.OnlyYAML = "there is no field for " + key
		}
	}
	p.AsYAML = p.AsYAML || p.OnlyYAML != ""
}

// specOf reads what stands below an object's name.
func specOf(text string) (spec map[string]any, err error) {
	err = yaml.Unmarshal([]byte(text), &spec)
	return spec, err
}

// unknown returns a key that no field has, or nothing.
func unknown(spec map[string]any, prefix string, v *variant) string {
	for key, value := range spec {
		if prefix+key == "type" {
			continue
		}
		exact, below := false, false
		for _, f := range v.Fields {
			exact = exact || f.Key == prefix+key
			below = below || strings.HasPrefix(f.Key, prefix+key+".")
		}
		inner, isMap := value.(map[string]any)
		switch {
		case exact:
		case below && isMap:
			if k := unknown(inner, prefix+key+".", v); k != "" {
				return k
			}
		default:
			return prefix + key
		}
	}
	return ""
}

// inputs returns the fields with the values of spec.
func (v *variant) inputs(spec map[string]any) []input {
	var all []input
	for _, f := range v.Fields {
		in := input{field: f}
		if value, ok := at(spec, f.Key); ok {
			in.Value = f.text(value)
			if f.Form == formSecret && strings.HasPrefix(in.Value, "${secret:") {
				in.Value, in.Kept = "", true
			}
		}
		all = append(all, in)
	}
	return all
}

// at returns the value at a key with dots.
func at(spec map[string]any, key string) (any, bool) {
	first, rest, nested := strings.Cut(key, ".")
	v, ok := spec[first]
	if !nested || !ok {
		return v, ok
	}
	inner, _ := v.(map[string]any)
	return at(inner, rest)
}

// text returns a value as its form shows it.
func (f field) text(v any) string {
	switch all := v.(type) {
	case nil:
		return ""
	case []any:
		if f.Form == formLines {
			var lines []string
			for _, one := range all {
				lines = append(lines, fmt.Sprint(one))
			}
			return strings.Join(lines, "\n")
		}
		return asYAML(v)
	case map[string]any:
		return strings.TrimSuffix(asYAML(v), "\n")
	}
	return fmt.Sprint(v)
}

// names returns the names that keys refer to.
func (d *Dashboard) names(r *http.Request) map[string][]string {
	status := d.backend.Status()
	names := map[string][]string{"function": status.Functions}
	for _, c := range status.Connections {
		names["connection"] = append(names["connection"], c.Name)
	}
	return names
}

// put creates or changes an object as the form says. What is wrong is shown above
// the form, which keeps what was typed.
func (d *Dashboard) put(w http.ResponseWriter, r *http.Request) {
	k, err := d.kindOf(r)
	if err == nil {
		err = parseForm(r)
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	p := &editPage{Kind: k, Name: r.PathValue("name"), Type: r.PostFormValue("type"), AsYAML: r.PostFormValue("as") == formYAML, Names: d.names(r)}
	p.Typed = strings.TrimSpace(r.PostFormValue("name"))
	name := p.Name
	if name == "" {
		name = p.Typed
	}
	o, err := d.putObject(r, p, name)
	if err == nil {
		o := outcome{to: "/" + k.Name, result: result{Title: fmt.Sprintf("The %s %s is saved", k.One, o.Name), Detail: "It runs here now, and on the other replicas within a second."}}
		if k.Name != "security" {
			o.to = pathOf("/"+k.Name, name)
		}
		http.Redirect(w, r, d.results.put(o.to, access.From(r.Context()).Name, o.result), http.StatusSeeOther)
		return
	}
	p.Problem = explain(err)
	if conflict, ok := errors.AsType[*admin.VersionConflict](err); ok {
		p.Conflict = conflict
	}
	v := d.view(r)
	v.Data = *p
	d.render(w, p.Problem.Status, "edit", v)
}

func (d *Dashboard) putObject(r *http.Request, p *editPage, name string) (o admin.Object, err error) {
	if p.Version, err = strconv.ParseInt(r.PostFormValue("version"), 10, 64); err != nil {
		return o, fmt.Errorf("%w: version: found %q, expected a number", admin.ErrBadRequest, r.PostFormValue("version"))
	}
	if p.AsYAML {
		p.Text = strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")
	} else if err := d.compose(r, p); err != nil {
		return o, err
	}
	if name == "" {
		return o, fmt.Errorf("%w: name: found none, expected letters, digits, dots, dashes and underscores", admin.ErrBadRequest)
	}
	return d.backend.Put(r.Context(), p.Kind.Name, name, p.Text, p.Version)
}

// compose makes the text of an object from the fields of its form.
func (d *Dashboard) compose(r *http.Request, p *editPage) error {
	v := p.Kind.variant(p.Type)
	if v == nil {
		return fmt.Errorf("%w: there is no type %q of %s", admin.ErrBadRequest, p.Type, p.Kind.Name)
	}
	var before map[string]any
	if p.Name != "" {
		o, err := d.backend.Object(r.Context(), p.Kind.Name, p.Name)
		if err != nil {
			return err
		}
		before, _ = specOf(o.Text) // secrets that are kept; nothing else is taken from it
	}
	spec := new(object)
	if p.Type != "" {
		spec.set("type", p.Type)
	}
	for _, f := range v.Fields {
		in := input{field: f, Value: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("field."+f.Key), "\r\n", "\n"))}
		value, err := f.parse(in.Value)
		if err != nil {
			return err
		}
		if old, ok := at(before, f.Key); ok && f.Form == formSecret && in.Value == "" {
			value, in.Kept = old, true
		}
		if f.Form == formSecret {
			in.Value = "" // it is not sent back
		}
		p.Inputs = append(p.Inputs, in)
		if value != nil {
			spec.set(f.Key, value)
		}
	}
	b, err := yaml.Marshal(spec.items)
	p.Text = string(b)
	return err
}

// parse reads what was typed into a field; nil if that is nothing.
func (f field) parse(text string) (any, error) {
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "${") {
		return text, nil
	}
	switch f.Form {
	case formSwitch:
		return text == "true", nil
	case formNumber:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: found %q, expected a number", admin.ErrBadRequest, f.Key, text)
		}
		return n, nil
	case formLines:
		var all []string
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, line)
			}
		}
		return all, nil
	case formPairs:
		pairs, err := headers(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Key, err)
		}
		return pairs, nil
	case formYAML:
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			return nil, fmt.Errorf("%w: %s: found what is no YAML: %w", admin.ErrBadRequest, f.Key, err)
		}
		return v, nil
	}
	return text, nil
}

// An object is keys with values in their order.
type object struct{ items yaml.MapSlice }

// set sets the value of a key with dots.
func (o *object) set(key string, v any) {
	first, rest, nested := strings.Cut(key, ".")
	if !nested {
		o.items = append(o.items, yaml.MapItem{Key: key, Value: v})
		return
	}
	for i := range o.items {
		if o.items[i].Key == first {
			inner := object{o.items[i].Value.(yaml.MapSlice)}
			inner.set(rest, v)
			o.items[i].Value = inner.items
			return
		}
	}
	var inner object
	inner.set(rest, v)
	o.items = append(o.items, yaml.MapItem{Key: first, Value: inner.items})
}

// A deletePage asks whether an object shall be deleted.
type deletePage struct {
	Kind *kind
	admin.Object
}

func (d *Dashboard) deleting(r *http.Request) (any, error) {
	k, err := d.kindOf(r)
	if err != nil {
		return nil, err
	}
	o, err := d.backend.Object(r.Context(), k.Name, r.PathValue("name"))
	return deletePage{k, o}, err
}

func (d *Dashboard) delete(r *http.Request) (outcome, error) {
	kind, name := r.PathValue("kind"), r.PathValue("name")
	here := outcome{to: pathOf("/delete", kind, name)}
	if err := confirmed(r); err != nil {
		return here, err
	}
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil {
		return here, fmt.Errorf("%w: version: found %q, expected a number", admin.ErrBadRequest, r.PostFormValue("version"))
	}
	if err := d.backend.Delete(r.Context(), kind, name, version); err != nil {
		return here, err
	}
	return outcome{to: "/" + url.PathEscape(kind), result: result{Title: fmt.Sprintf("The %s %s is deleted", singular[kind], name)}}, nil
}

func (d *Dashboard) setPassword(r *http.Request) (outcome, error) {
	name := r.PathValue("name")
	here := outcome{to: pathOf("/password", name)}
	password, err := twice(r)
	if err != nil {
		return here, err
	}
	if err := d.backend.SetPassword(r.Context(), name, password); err != nil {
		return here, err
	}
	return outcome{to: pathOf("/connections", name), result: result{Title: "The password of " + name + " is changed", Detail: "The broker has taken it. Links that used the one before are being replaced."}}, nil
}
