package dashboard

import (
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/admin"
)

// A triggerRow is a trigger in a list.
type triggerRow struct {
	admin.TriggerStatus
	Plot plot
}

func (d *Dashboard) triggerRows(s admin.Status) []triggerRow {
	var rows []triggerRow
	for _, t := range s.Triggers {
		rows = append(rows, triggerRow{t, d.plot("trigger/"+t.Name, t.Name, false)})
	}
	return rows
}

func (d *Dashboard) triggers(*http.Request) (any, error) {
	status := d.backend.Status()
	d.history.add(status)
	return d.triggerRows(status), nil
}

// A triggerPage is one trigger.
type triggerPage struct {
	triggerRow
	Object  admin.Object
	Failed  plot
	Letters letters
}

func (d *Dashboard) trigger(r *http.Request) (any, error) {
	status := d.backend.Status()
	d.history.add(status)
	name := r.PathValue("name")
	o, err := d.backend.Object(r.Context(), "triggers", name)
	if err != nil {
		return nil, err
	}
	p := triggerPage{Object: o, Failed: d.plot("trigger/"+name, name, true), Letters: d.recentLetters(r, admin.LetterFilter{Trigger: name})}
	p.Name = name
	for _, row := range d.triggerRows(status) {
		if row.Name == name {
			p.triggerRow = row
		}
	}
	return p, nil
}

func (d *Dashboard) pause(r *http.Request) (outcome, error) {
	name := r.PathValue("name")
	if err := d.backend.Pause(r.Context(), name); err != nil {
		return outcome{}, err
	}
	return outcome{result: result{Title: fmt.Sprintf("%s is paused", name), Detail: "It receives nothing until it is resumed, also after a restart."}}, nil
}

func (d *Dashboard) resume(r *http.Request) (outcome, error) {
	name := r.PathValue("name")
	if err := d.backend.Resume(r.Context(), name); err != nil {
		return outcome{}, err
	}
	return outcome{result: result{Title: fmt.Sprintf("%s receives again", name)}}, nil
}
