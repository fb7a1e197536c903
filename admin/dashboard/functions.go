package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/admin"
)

// A functionRow is a function in a list.
type functionRow struct {
	admin.Object
	Calls    admin.CallStatus
	Triggers []admin.TriggerStatus // that call it
	Plot     plot
}

func (d *Dashboard) functionRows(ctx context.Context) ([]functionRow, error) {
	objects, err := d.backend.Objects(ctx, "functions")
	if err != nil {
		return nil, err
	}
	status := d.backend.Status()
	d.history.add(status)
	var rows []functionRow
	for _, o := range objects {
		row := functionRow{Object: o, Calls: callsOf(status, admin.KindFunction, o.Name), Plot: d.plot(admin.KindFunction+"/"+o.Name, o.Name, false)}
		for _, t := range status.Triggers {
			if t.Function == o.Name {
				row.Triggers = append(row.Triggers, t)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (d *Dashboard) functions(r *http.Request) (any, error) { return d.functionRows(r.Context()) }

// A functionPage is one function.
type functionPage struct {
	functionRow
	Failed  plot
	Letters letters
	Brokers []string // kinds that a message may seem to come from
}

func (d *Dashboard) function(r *http.Request) (any, error) {
	rows, err := d.functionRows(r.Context())
	if err != nil {
		return nil, err
	}
	name := r.PathValue("name")
	for _, row := range rows {
		if row.Name == name {
			return functionPage{row, d.plot(admin.KindFunction+"/"+name, name, true), d.recentLetters(r, admin.LetterFilter{Function: name}), []string{"mq", "stomp", "amqp"}}, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no function %q", admin.ErrNotFound, name)
}

func (d *Dashboard) invoke(r *http.Request) (outcome, error) {
	m, err := message(r)
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	begin := time.Now()
	reply, err := d.backend.Invoke(ctx, r.PathValue("name"), m)
	if err != nil {
		return outcome{}, err
	}
	res := result{Title: fmt.Sprintf("%s answered in %s", r.PathValue("name"), milliseconds(time.Since(begin))), Form: kept(r.PostForm)}
	if reply == nil {
		res.Title = fmt.Sprintf("%s was done in %s", r.PathValue("name"), milliseconds(time.Since(begin)))
		res.Detail = "It does not reply."
	} else {
		res.Reply = show(reply, "auto")
	}
	return outcome{result: res}, nil
}
