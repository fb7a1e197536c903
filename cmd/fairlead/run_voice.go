package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A voice is how "fairlead run" talks: what it says itself and what its programs
// log, as text for a person or in JSON, a line each. Its methods may be called
// from any goroutine.
type voice struct {
	out      *os.File
	json     bool
	terminal bool // a person watches out
	colour   bool

	mu    sync.Mutex
	doing string // the last line of the terminal, while something takes its time
}

func newVoice(out *os.File, asJSON bool) *voice {
	terminal := !asJSON && isTerminal(out)
	return &voice{out: out, json: asJSON, terminal: terminal, colour: terminal && os.Getenv("NO_COLOR") == ""}
}

// say says text to a person, or else msg with its attributes in JSON.
func (v *voice) say(text, msg string, attributes ...any) {
	if v.json {
		v.logger().Info(msg, attributes...)
		return
	}
	v.print(text)
}

// fail says what went wrong, and what becomes of it.
func (v *voice) fail(err error, consequence string) {
	if v.json {
		v.logger().Error(consequence, "err", err.Error())
		return
	}
	v.print(v.paint(red, err.Error()) + "\n" + consequence + "\n")
}

func (v *voice) print(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.doing != "" {
		text = clearLine + text + v.doing
	}
	io.WriteString(v.out, text) // nobody is there to hear that it fails
}

// clearLine moves to the beginning of a terminal's line and clears it (ECMA-48, EL).
const clearLine = "\r\033[K"

// progress shows, on a terminal, that something takes its time, below what is said
// meanwhile; the returned func ends it.
func (v *voice) progress(what string) (done func()) {
	if !v.terminal {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	begin := time.Now()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				v.show(fmt.Sprintf("%s … %ds", what, int(time.Since(begin).Seconds())))
			case <-stop:
				v.show("")
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// show replaces the last line of the terminal.
func (v *voice) show(doing string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.doing = doing
	io.WriteString(v.out, clearLine+doing) // likewise
}

// logger returns a logger whose records look like those of a program.
func (v *voice) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(lineWriter{v}, nil)) }

type lineWriter struct{ *voice }

func (w lineWriter) Write(line []byte) (int, error) {
	w.print(w.render(string(line)))
	return len(line), nil
}

// relay says what a program writes, until that ends.
func (v *voice) relay(program io.Reader) {
	lines := bufio.NewReader(program)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			v.print(v.render(line))
		}
		if err != nil {
			return
		}
	}
}

// render returns a line of a program as it is shown. For a person that is a record
// of its log as text, and anything else as it is; in JSON the other way round.
func (v *voice) render(line string) string {
	switch isRecord := strings.HasPrefix(line, "{") && json.Valid([]byte(line)); {
	case v.json && !isRecord:
		return asRecord(line)
	case v.json || !isRecord:
		return line
	}
	fields, err := parseRecord(line)
	if err != nil || len(fields) < 3 || fields[0].name != slog.TimeKey || fields[1].name != slog.LevelKey || fields[2].name != slog.MessageKey {
		return line
	}
	return v.record(fields[0].text(), fields[1].text(), fields[2].text(), fields[3:])
}

// asRecord returns a line that a program did not log, such as one of a panic, as
// a record.
func asRecord(line string) string {
	var b strings.Builder
	r := slog.NewRecord(time.Now(), slog.LevelInfo, strings.TrimRight(line, "\r\n"), 0)
	if err := slog.NewJSONHandler(&b, nil).Handle(context.Background(), r); err != nil {
		return line
	}
	return b.String()
}

func (v *voice) record(when, level, msg string, attributes []field) string {
	var b strings.Builder
	if t, err := time.Parse(time.RFC3339Nano, when); err == nil {
		when = t.Local().Format("15:04:05.000")
	}
	fmt.Fprintf(&b, "%s %s %s", v.paint(dim, when), v.paint(colours[level], fmt.Sprintf("%-5s", level)), msg)
	var below []string
	for _, a := range attributes {
		text := a.text()
		if strings.Contains(text, "\n") { // a stack
			below = append(below, text)
			continue
		}
		if text == "" || strings.ContainsAny(text, " \"=") {
			text = strconv.Quote(text)
		}
		fmt.Fprintf(&b, " %s%s", v.paint(dim, a.name+"="), text)
	}
	for _, text := range below {
		fmt.Fprintf(&b, "\n    %s", strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    "))
	}
	return b.String() + "\n"
}

// Colours of a terminal (ECMA-48, SGR).
const (
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

var colours = map[string]string{"DEBUG": dim, "INFO": green, "WARN": yellow, "ERROR": red}

func (v *voice) paint(colour, text string) string {
	if !v.colour || colour == "" {
		return text
	}
	return "\033[" + colour + "m" + text + "\033[0m"
}

// A field is one member of a record, whose order a map would lose.
type field struct {
	name  string
	value json.RawMessage
}

// text returns a string as it is, and any other value in JSON.
func (f field) text() string {
	var s string
	if json.Unmarshal(f.value, &s) == nil {
		return s
	}
	return string(f.value)
}

func parseRecord(line string) ([]field, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(line)))
	if _, err := dec.Token(); err != nil { // the brace
		return nil, err
	}
	var fields []field
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		f := field{name: name.(string)} // the name of a member is always one
		if err := dec.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	_, err := dec.Token()
	return fields, err
}
