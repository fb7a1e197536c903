package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Client talks to the API of a running host.
type Client struct {
	URL   string // as in http://127.0.0.1:8183
	Token string
	HTTP  *http.Client // nil: http.DefaultClient
}

// Status asks how everything is doing.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	_, err := c.call(ctx, http.MethodGet, "/api/v1/status", nil, &s)
	return s, err
}

// Ping is [Backend.Ping].
func (c *Client) Ping(ctx context.Context, connection string) (time.Duration, error) {
	var p Pong
	_, err := c.call(ctx, http.MethodPost, "/api/v1/connections/"+url.PathEscape(connection)+"/ping", nil, &p)
	return time.Duration(p.Milliseconds * float64(time.Millisecond)), err
}

// Send is [Backend.Send].
func (c *Client) Send(ctx context.Context, binding string, m Message) (string, error) {
	var r SendResult
	_, err := c.call(ctx, http.MethodPost, "/api/v1/bindings/"+url.PathEscape(binding)+"/send", m, &r)
	return r.ID, err
}

// Invoke is [Backend.Invoke].
func (c *Client) Invoke(ctx context.Context, function string, m Message) (*Message, error) {
	var reply Message
	found, err := c.call(ctx, http.MethodPost, "/api/v1/functions/"+url.PathEscape(function)+"/invoke", m, &reply)
	if err != nil || !found {
		return nil, err
	}
	return &reply, nil
}

// Receive is [Backend.Receive]. A message counts as taken when it was written to
// the client, before f has seen it.
func (c *Client) Receive(ctx context.Context, connection, destination string, count int, f func(Message) error) error {
	query := url.Values{"destination": {destination}, "count": {strconv.Itoa(count)}}
	resp, err := c.do(ctx, http.MethodPost, "/api/v1/connections/"+url.PathEscape(connection)+"/receive?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var m Message
		err := lines.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("receive: the server ended the stream: %w", err)
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

// call makes one request and decodes the answer into out. It reports false if
// the answer is empty.
func (c *Client) call(ctx context.Context, method, path string, in, out any) (bool, error) {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusNoContent {
		return false, resp.Body.Close()
	}
	return true, decode(resp, out)
}

// decode reads an answer into out.
func decode(resp *http.Response, out any) error {
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s: not understood: %w", resp.Request.URL.Path, err)
	}
	return nil
}

// do makes one request with a JSON body, if in is not nil, as send does.
func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return nil, err
		}
	}
	return c.send(ctx, method, path, nil, &body)
}

// send makes one request. Any answer but success is a *Problem.
func (c *Client) send(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := cmp.Or(c.HTTP, http.DefaultClient).Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("reach the host at %s: %w", c.URL, u.Err)
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	p := &Problem{Status: resp.StatusCode, Title: resp.Status}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(p); err != nil {
		p.Detail = "the server answered " + resp.Status
	}
	return nil, p
}
