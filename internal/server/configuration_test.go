package server_test

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/jotgate/jotgate/internal/servertest"
)

func TestTheConfigurationViewShowsNoSecret(t *testing.T) {
	dsn := servertest.Postgres(t) + " application_name=secret-in-the-dsn"
	s := servertest.Start(t, servertest.Options{Postgres: dsn})
	if status, _ := s.Pvault("GET", "system/info/configuration", "", ""); status != 401 {
		t.Errorf("without a credential: %d", status)
	}
	status, body := s.Pvault("GET", "system/info/configuration", servertest.AdminKey, "")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var v map[string]any
	if err := toml.Unmarshal([]byte(body), &v); err != nil {
		t.Errorf("not TOML: %v", err)
	}
	for _, secret := range []string{servertest.AdminKey, servertest.RootToken + "'", "secret-in-the-dsn", "search_path", "root.key"} {
		if strings.Contains(body, secret) {
			t.Errorf("%q is in the view:\n%s", secret, body)
		}
	}
	for _, want := range []string{"backing_store = 'postgres'", "admin_api_key = '********'", "devmode = true"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}
