package http

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/framework"
)

// async reports whether a request prefers not to wait (RFC 7240).
func async(h http.Header) bool {
	for _, line := range h["Prefer"] {
		for preference := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(preference), "respond-async") {
				return true
			}
		}
	}
	return false
}

// publish stores the events of a request for the function and answers 202 with
// their ids. One that comes again with the same source and id is the same event.
func (h *Handler) publish(w http.ResponseWriter, r *http.Request, t *target, in request) error {
	ids := make([]string, len(in.events))
	for i, ev := range in.events {
		if err := h.Runtime.Publish(r.Context(), t.function, ev, framework.PublishOptions{}); err != nil {
			h.fail(w, err)
			return err
		}
		ids[i] = ev.ID()
	}
	var answer any = map[string][]string{"ids": ids}
	if in.mode != batchMode {
		answer = map[string]string{"id": ids[0]}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic(err) // strings
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Preference-Applied", "respond-async")
	write(w, http.StatusAccepted, body)
	return nil
}
