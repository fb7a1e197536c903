// Package e2e runs a real program against real brokers, kills and cuts
// everything, and counts every message.
package e2e
