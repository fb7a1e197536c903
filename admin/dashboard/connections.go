package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/admin"
)

// A connectionRow is a connection in a list.
type connectionRow struct {
	admin.ConnectionStatus
	State    string // of its sending side
	Address  string
	Triggers []admin.TriggerStatus // that receive over it
	Bindings []string
	Object   admin.Object
	Owner    string
}

// Failing returns the triggers that cannot receive at the moment.
func (c connectionRow) Failing() (failing []admin.TriggerStatus) {
	for _, t := range c.Triggers {
		if t.Error != "" && t.State != "running" && t.State != "paused" {
			failing = append(failing, t)
		}
	}
	return failing
}

func (d *Dashboard) connectionRows(ctx context.Context) ([]connectionRow, error) {
	objects, err := d.backend.Objects(ctx, "connections")
	if err != nil {
		return nil, err
	}
	bindings, err := d.backend.Objects(ctx, "bindings")
	if err != nil {
		return nil, err
	}
	status := d.backend.Status()
	var rows []connectionRow
	for _, o := range objects {
		row := connectionRow{Object: o, Owner: o.Owner, Address: address(o.Spec)}
		row.Name, row.Refused = o.Name, o.Refused
		row.Type, _ = o.Spec["type"].(string)
		for _, c := range status.Connections {
			if c.Name == o.Name {
				row.ConnectionStatus = c
			}
		}
		for _, t := range status.Triggers {
			if t.Connection == o.Name {
				row.Triggers = append(row.Triggers, t)
			}
		}
		for _, b := range bindings {
			if b.Spec["connection"] == o.Name {
				row.Bindings = append(row.Bindings, b.Name)
			}
		}
		row.State = row.state()
		rows = append(rows, row)
	}
	return rows, nil
}

// state says in a word how a connection does, on either side.
func (c connectionRow) state() string {
	running := false
	for _, t := range c.Triggers {
		running = running || t.State == "running"
	}
	switch {
	case c.Error != "" || len(c.Failing()) > 0:
		return "down"
	case c.Connected || running:
		return "connected"
	}
	return "idle"
}

// address says in a word where a connection leads.
func address(spec map[string]any) string {
	for _, key := range []string{"url", "urls", "address", "file", "ccdt"} {
		if v, ok := spec[key]; ok {
			if all, ok := v.([]any); ok {
				text := ""
				for i, one := range all {
					if i > 0 {
						text += ", "
					}
					text += fmt.Sprint(one)
				}
				return text
			}
			return fmt.Sprint(v)
		}
	}
	return ""
}

func (d *Dashboard) connections(r *http.Request) (any, error) { return d.connectionRows(r.Context()) }

func (d *Dashboard) connection(r *http.Request) (any, error) {
	rows, err := d.connectionRows(r.Context())
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Name == r.PathValue("name") {
			return row, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no connection %q", admin.ErrNotFound, r.PathValue("name"))
}

func (d *Dashboard) ping(r *http.Request) (outcome, error) {
	name := r.PathValue("name")
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	took, err := d.backend.Ping(ctx, name)
	if err != nil {
		return outcome{}, err
	}
	return outcome{result: result{Title: fmt.Sprintf("%s answered in %s", name, milliseconds(took))}}, nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
