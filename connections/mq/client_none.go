//go:build !mq || !cgo

package mq

// client returns nil: this build has no client library.
func client() connector { return nil }
