package dashboard

import (
	"context"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/admin"
)

// storeTimeout is how long a page waits for the store where that is not what the
// page is about.
const storeTimeout = 2 * time.Second

// An overviewPage is what the first page shows beside the status.
type overviewPage struct {
	Done, Failed plot
	InFlight     int
	Waiting      int
	Triggers     []triggerRow
	Letters      []admin.Letter
	LettersTotal int
	Depth        int
	StoreErr     error // why nothing is known of the store; nil: it is
}

// NoStore reports whether there is no store at all.
func (p overviewPage) NoStore() bool {
	return p.StoreErr != nil && explain(p.StoreErr).Status == http.StatusNotImplemented
}

const recent = 5 // how many dead letters are recent

func (d *Dashboard) overview(r *http.Request) (any, error) {
	status := d.backend.Status()
	d.history.add(status)
	p := overviewPage{
		Done: d.plot(everything, "Calls of functions", false), Failed: d.plot(everything, "Failed calls of functions", true),
		Triggers: d.triggerRows(status),
	}
	for _, c := range status.Calls {
		if c.Kind == admin.KindFunction {
			p.InFlight += c.InFlight
		}
	}
	for _, t := range status.Triggers {
		p.Waiting += t.Waiting
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	page, err := d.backend.DeadLetters(ctx, admin.LetterFilter{}, 0, recent)
	if err != nil {
		p.StoreErr = err
		return p, nil
	}
	p.Letters, p.LettersTotal = page.Letters, page.Total
	topics, err := d.backend.Topics(ctx)
	for _, t := range topics {
		p.Depth += t.Depth
	}
	p.StoreErr = err
	return p, nil
}
