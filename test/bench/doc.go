// Package bench compares Fairlead with the raw clients it is built on, on real
// brokers, in the same run: what counts are the ratios, since machines are
// noisy. Run it with "make bench".
package bench
