package dashboard

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/admin"
)

// A bindingRow is a binding in a list.
type bindingRow struct {
	admin.Object
	Calls admin.CallStatus
	Plot  plot
}

// To says where what is sent goes, if the binding itself does.
func (b bindingRow) To() string {
	for _, key := range []string{"queue", "topic", "address", "destination"} {
		if v, ok := b.Spec[key]; ok {
			return fmt.Sprint(v)
		}
	}
	return ""
}

func (d *Dashboard) bindingRows(ctx context.Context) ([]bindingRow, error) {
	objects, err := d.backend.Objects(ctx, "bindings")
	if err != nil {
		return nil, err
	}
	status := d.backend.Status()
	d.history.add(status)
	var rows []bindingRow
	for _, o := range objects {
		rows = append(rows, bindingRow{o, callsOf(status, admin.KindBinding, o.Name), d.plot(admin.KindBinding+"/"+o.Name, o.Name, false)})
	}
	return rows, nil
}

// callsOf returns the counters of a function or a binding.
func callsOf(s admin.Status, kind, name string) admin.CallStatus {
	for _, c := range s.Calls {
		if c.Kind == kind && c.Name == name {
			return c
		}
	}
	return admin.CallStatus{Kind: kind, Name: name}
}

func (d *Dashboard) bindings(r *http.Request) (any, error) { return d.bindingRows(r.Context()) }

func (d *Dashboard) binding(r *http.Request) (any, error) {
	rows, err := d.bindingRows(r.Context())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Name == r.PathValue("name") {
			return row, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no binding %q", admin.ErrNotFound, r.PathValue("name"))
}

func (d *Dashboard) send(r *http.Request) (outcome, error) {
	m, err := message(r)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	id, err := d.backend.Send(ctx, r.PathValue("name"), m)
	if err != nil {
		return outcome{}, err
	}
	to := m.Destination
	if to == "" {
		to = "where the binding leads"
	}
	return outcome{result: result{Title: "Sent to " + to, Detail: "The broker has taken charge of it.", ID: id, Form: kept(r.PostForm)}}, nil
}
