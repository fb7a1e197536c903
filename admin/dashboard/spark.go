package dashboard

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// A plot is the rates of the last minutes, as a small picture.
type plot struct {
	Name   string // of what is shown
	Rates  []rate
	Failed bool // it shows the failures
	now    time.Time
}

func (p plot) value(r rate) float64 {
	if p.Failed {
		return r.Failed
	}
	return r.Done
}

// Last returns the present rate.
func (p plot) Last() float64 {
	if len(p.Rates) == 0 {
		return 0
	}
	return p.value(p.Rates[len(p.Rates)-1])
}

// Highest returns the highest rate that is shown.
func (p plot) Highest() (most float64) {
	for _, r := range p.Rates {
		most = max(most, p.value(r))
	}
	return most
}

// The picture's coordinates; the style sheet stretches it.
const (
	plotWidth  = 300.0
	plotHeight = 40.0
)

// span is how much time the picture shows: what is known, within bounds.
func (p plot) span() time.Duration {
	if len(p.Rates) == 0 {
		return historyFor
	}
	return max(historyLeast, min(historyFor, p.now.Sub(p.Rates[0].Since)))
}

// SVG draws the rates as steps, since each is the mean over its time.
func (p plot) SVG() template.HTML {
	var line strings.Builder
	width, most := p.span(), p.Highest()
	begin := p.now.Add(-width)
	x := func(t time.Time) float64 {
		return max(0, min(plotWidth, t.Sub(begin).Seconds()/width.Seconds()*plotWidth))
	}
	y := func(v float64) float64 {
		if most == 0 {
			return plotHeight - 1
		}
		return plotHeight - 1 - v/most*(plotHeight-3)
	}
	for i, r := range p.Rates {
		if i == 0 {
			fmt.Fprintf(&line, "M%.1f %.1f", x(r.Since), y(p.value(r)))
		}
		fmt.Fprintf(&line, "L%.1f %.1f", x(r.At), y(p.value(r)))
	}
	class, label := "plot", "a second"
	if p.Failed {
		class, label = "plot plot-bad", "failures a second"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="%s" viewBox="0 0 %.0f %.0f" preserveAspectRatio="none" role="img" aria-label="%s">`, class, plotWidth, plotHeight,
		template.HTMLEscapeString(fmt.Sprintf("%s over the last 5 minutes: now %s %s, at most %s", p.Name, number(p.Last()), label, number(most))))
	if n := len(p.Rates); n > 0 {
		first, last := x(p.Rates[0].Since), x(p.Rates[n-1].At)
		fmt.Fprintf(&b, `<path class="plot-area" d="%sL%.1f %.0fL%.1f %.0fZ"/><path class="plot-line" d="%s"/>`, line.String(), last, plotHeight, first, plotHeight, line.String())
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // numbers, and a label that was escaped
}

// plot returns the rates of something.
func (d *Dashboard) plot(key, name string, failed bool) plot {
	return plot{Name: name, Rates: d.history.rates(key), Failed: failed, now: time.Now()}
}
