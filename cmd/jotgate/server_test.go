package main

import (
	"testing"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/config"
)

// Containers set development mode up by variables; a flag wins over them.
func TestDevelopmentModeReadsItsVariables(t *testing.T) {
	vars := map[string]string{"VAULT_DEV_ROOT_TOKEN_ID": "v", "JOTGATE_DEV_ROOT_TOKEN_ID": "j", "VAULT_DEV_LISTEN_ADDRESS": "127.0.0.1:1"}
	f := serverFlags{env: &cli.Env{Lookup: func(n string) (string, bool) { v, ok := vars[n]; return v, ok }}}
	if o := f.fromEnv(); o != (config.DevOptions{RootToken: "j", ListenAddress: "127.0.0.1:1"}) {
		t.Errorf("%+v", o)
	}
	delete(vars, "JOTGATE_DEV_ROOT_TOKEN_ID")
	if o := f.fromEnv(); o.RootToken != "v" {
		t.Errorf("%+v", o)
	}
	f.opts = config.DevOptions{RootToken: "f", ListenAddress: "127.0.0.1:2"}
	if o := f.fromEnv(); o != f.opts {
		t.Errorf("%+v", o)
	}
}

func TestTheGreetingNamesAnAddressThatCanBeReached(t *testing.T) {
	for url, want := range map[string]string{
		"http://[::]:8200": "http://127.0.0.1:8200", "https://0.0.0.0:1": "https://127.0.0.1:1", "http://127.0.0.1:8200": "http://127.0.0.1:8200", "http://[::1]:8200": "http://[::1]:8200",
	} {
		if got := fromHere(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}
