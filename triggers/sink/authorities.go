package sink

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// trustBundles is where a SinkBinding mounts the ConfigMaps with certificates that
// the whole cluster trusts.
const trustBundles = "/knative-custom-certs"

// readAuthorities returns the system's authorities, those of K_CA_CERTS and those in
// the files of a folder; nil if there are none but the system's.
func readAuthorities(text, folder string) (*x509.CertPool, error) {
	bundles, err := readBundles(folder)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" && len(bundles) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a container may have none
	}
	for _, b := range bundles {
		pool.AppendCertsFromPEM(b) // one that has none is like none
	}
	if strings.TrimSpace(text) != "" && !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, errors.New("K_CA_CERTS: found no certificate, expected some in PEM")
	}
	return pool, nil
}

// readBundles reads the files of a folder, which need not be there.
func readBundles(folder string) ([][]byte, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trust bundles: %w", err)
	}
	var bundles [][]byte
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") { // versions of the mount
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("trust bundles: %w", err)
		}
		bundles = append(bundles, text)
	}
	return bundles, nil
}
