package access

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"unicode"
)

// problem answers with a problem document (RFC 9457).
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	doc := struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail}
	if err := json.NewEncoder(w).Encode(doc); err != nil {
		slog.Debug("the client did not wait for its answer", "err", err)
	}
}

// printable returns what a client has sent, cut and without control characters.
func printable(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '�'
		}
		return r
	}, s)
}
