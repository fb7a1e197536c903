package config

import (
	"cmp"
	"time"

	"github.com/fairlead/fairlead/framework"
)

// Defaults of what a document leaves out. [Load] fills them in.
const (
	DefaultGrace       = 25 * time.Second
	DefaultTimeout     = 30 * time.Second
	DefaultConcurrency = 1 // of a trigger
	DefaultPublished   = 8 // of a function, on what is published for it
	DefaultPrefetch    = 32
	DefaultListen      = "127.0.0.1:8080"
	DefaultMaxBody     = 8 << 20 // bytes
	DefaultSchema      = "fairlead"
)

// DefaultRetry returns how failed calls are tried again if nothing says
// otherwise.
func DefaultRetry() framework.RetryPolicy {
	return framework.RetryPolicy{Attempts: 5, First: 200 * time.Millisecond, Max: 30 * time.Second}
}

// DefaultPublishedRetry returns the same for published events.
func DefaultPublishedRetry() framework.RetryPolicy {
	return framework.RetryPolicy{Attempts: 25, First: time.Second, Max: time.Hour}
}

// Empty returns the configuration of a document that says nothing.
func Empty() *Config {
	c := &Config{Version: 1}
	c.setDefaults()
	return c
}

// setDefaults fills in what the document leaves out. What a function leaves out
// is in TimeoutOf and its like, since a function need not be in the document.
func (c *Config) setDefaults() {
	c.Grace = cmp.Or(c.Grace, DefaultGrace)
	c.Store.Schema = cmp.Or(c.Store.Schema, DefaultSchema)
	c.HTTP.Listen = cmp.Or(c.HTTP.Listen, DefaultListen)
	c.HTTP.MaxBody = cmp.Or(c.HTTP.MaxBody, DefaultMaxBody)
	for name, t := range c.Triggers {
		if t.Channel != nil || t.Schedule != nil { // they have neither key
			continue
		}
		t.Concurrency = cmp.Or(t.Concurrency, DefaultConcurrency)
		t.Prefetch = cmp.Or(t.Prefetch, max(DefaultPrefetch, t.Concurrency))
		c.Triggers[name] = t
	}
}

// TimeoutOf returns the longest time of one call of a function.
func (c *Config) TimeoutOf(function string) time.Duration {
	return cmp.Or(c.Functions[function].Timeout, DefaultTimeout)
}

// PublishedOf returns how many published events a function works on at once.
func (c *Config) PublishedOf(function string) int {
	return cmp.Or(c.Functions[function].Concurrency, DefaultPublished)
}

// PublishedRetryOf returns how events published for a function are tried again.
func (c *Config) PublishedRetryOf(function string) framework.RetryPolicy {
	return c.Functions[function].Retry.Over(DefaultPublishedRetry())
}

// RetryOf returns how failed calls of a trigger's function are tried again: what
// the trigger says wins over what the function says, key by key.
func (c *Config) RetryOf(t Trigger) framework.RetryPolicy {
	standard := DefaultRetry()
	if t.StoreTopic.Topic != "" {
		standard = DefaultPublishedRetry()
	}
	return t.Retry.Over(c.Functions[t.Function].Retry.Over(standard))
}

// AttemptsSet reports whether the document says how often a trigger's function is
// called with a message that fails.
func (c *Config) AttemptsSet(t Trigger) bool {
	function := c.Functions[t.Function].Retry
	return t.Retry != nil && t.Retry.Attempts != nil || function != nil && function.Attempts != nil
}

// DeadLetterOf returns where a trigger's dead letters go, or "" for the default.
func (c *Config) DeadLetterOf(t Trigger) string {
	return cmp.Or(t.DeadLetter, c.Functions[t.Function].DeadLetter)
}
