package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead/admin"
)

// data is where a command takes a message from.
type data struct {
	file        string
	contentType string
	headers     []string
}

func (d *data) flags(c *cobra.Command) {
	c.Flags().StringVar(&d.file, "file", "", "read the data from `FILE`; - is the standard input")
	c.Flags().StringVar(&d.contentType, "content-type", "", "media `type` of the data (default: JSON if it is, else text)")
	c.Flags().StringArrayVar(&d.headers, "header", nil, "add a header, as `NAME=VALUE`; may be repeated")
}

// message returns the message that the arguments, from the first one that is
// data, and the flags describe. Without data it reads the standard input, unless
// that is a terminal.
func (d *data) message(args []string) (admin.Message, error) {
	body, err := d.read(args)
	if err != nil {
		return admin.Message{}, err
	}
	m := admin.Message{ContentType: d.contentType}
	if m.ContentType == "" {
		m.ContentType = guess(body)
	}
	m.SetBody(body)
	for _, h := range d.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return m, usagef("--header: found %q, expected NAME=VALUE", h)
		}
		switch strings.ToLower(name) {
		case "reply-to":
			m.ReplyTo = value
		case "correlation-id":
			m.CorrelationID = value
		default:
			if m.Header == nil {
				m.Header = make(map[string]any)
			}
			m.Header[name] = value
		}
	}
	return m, nil
}

func (d *data) read(args []string) ([]byte, error) {
	switch {
	case len(args) > 0 && d.file != "":
		return nil, usagef("found data as an argument and --file, expected one of them")
	case len(args) > 0:
		return []byte(args[0]), nil
	case d.file == "-" || d.file == "" && !isTerminal(os.Stdin):
		body, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, fmt.Errorf("read the standard input: %w", err)
		}
		return body, nil
	case d.file != "":
		body, err := os.ReadFile(d.file)
		if err != nil {
			return nil, usageError{err}
		}
		return body, nil
	}
	return nil, usagef("no data: give it as the last argument, with --file, or on the standard input")
}

// guess returns the media type that data seems to have.
func guess(body []byte) string {
	switch {
	case json.Valid(body):
		return "application/json"
	case utf8.Valid(body):
		return "text/plain"
	}
	return "application/octet-stream"
}

// isTerminal reports whether a person sits at f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
