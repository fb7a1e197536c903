package mq

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/fairlead/fairlead/connections/mq/rfh2"
)

// jsonOf returns the body of a JMS map message as an object, of a stream message
// as a list: bytes in base64, characters and numbers that JSON does not have as
// text.
func jsonOf(k kind, text []byte) ([]byte, error) {
	if k == kindStream {
		return streamJSON(text)
	}
	entries, err := rfh2.DecodeMap(text)
	if err != nil {
		return nil, err
	}
	out := []byte{'{'}
	for i, e := range entries {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendJSON(out, e.Name); err != nil {
			return nil, err
		}
		out = append(out, ':')
		if out, err = appendJSON(out, e.Value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func streamJSON(text []byte) ([]byte, error) {
	values, err := rfh2.DecodeStream(text)
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendJSON(out, v.Value); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendJSON(out []byte, v any) ([]byte, error) {
	switch t := v.(type) {
	case rfh2.Char:
		v = string(rune(t))
	case float32:
		if f := float64(t); math.IsNaN(f) || math.IsInf(f, 0) {
			v = fmt.Sprint(t)
		}
	case float64:
		if math.IsNaN(t) || math.IsInf(t, 0) {
			v = fmt.Sprint(t)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return append(out, bytes.TrimRight(b.Bytes(), "\n")...), nil
}

// jmsBody is the other way round: it makes the body of a JMS map or stream
// message of a JSON object or list. Integers become i4, or i8 where they are too
// large, other numbers r8.
func jmsBody(k kind, data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	open := json.Delim('{')
	if k == kindStream {
		open = '['
	}
	if t, err := dec.Token(); err != nil || t != open {
		return nil, fmt.Errorf("%s: the data is not JSON that begins with %v", k, open)
	}
	values, err := jsonValues(dec, k == kindMap)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if k == kindMap {
		return rfh2.EncodeMap(values)
	}
	return rfh2.EncodeStream(values)
}

// jsonValues reads the rest of an object, or of a list.
func jsonValues(dec *json.Decoder, named bool) ([]rfh2.Property, error) {
	var values []rfh2.Property
	for dec.More() {
		var p rfh2.Property
		t, err := dec.Token()
		if named && err == nil {
			p.Name = t.(string) // package json has checked that
			t, err = dec.Token()
		}
		if err != nil {
			return nil, err
		}
		if p.Value, err = jmsValue(t); err != nil {
			return nil, err
		}
		values = append(values, p)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more data behind the JSON value")
	}
	return values, nil
}

func jmsValue(t json.Token) (any, error) {
	switch t := t.(type) {
	case json.Delim:
		return nil, errors.New("a value is an object or a list, which JMS does not have there")
	case json.Number:
		if n, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			return integer(n), nil
		}
		return t.Float64()
	}
	return t, nil
}
