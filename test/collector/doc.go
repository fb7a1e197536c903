// Package collector follows messages through a host with the receiver of the
// OpenTelemetry collector: a module of its own, as that brings gRPC along.
package collector
