package services_test

import (
	"path/filepath"
	"testing"

	"github.com/fairlead/fairlead/test/services"
)

// Both principals get a ticket for the brokers' service with their keytabs.
func TestKerberos(t *testing.T) {
	realm := services.Kerberos(t)
	t.Setenv("KRB5_CONFIG", realm.Config)
	for principal, keytab := range map[string]string{realm.Principal: realm.Keytab, "stranger@FAIRLEAD.TEST": realm.Stranger} {
		t.Setenv("KRB5CCNAME", filepath.Join(t.TempDir(), "cache"))
		run(t, "kinit", "-k", "-t", keytab, principal)
		run(t, "kvno", "amqp/localhost")
	}
}
