package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/server"
	"github.com/jotgate/jotgate/internal/servertest"
)

// sealedBy starts a server on dir that takes its unseal key as kind says.
func sealedBy(t *testing.T, dir, kind, keyFile string) (*server.Server, error) {
	t.Helper()
	c := devConfig(t, dir)
	c.Dev, c.DevRootToken, c.Pvault.AdminKey = false, "", ""
	c.Seal = config.Seal{Type: kind, KeyFile: keyFile}
	s, err := server.New(t.Context(), c, server.Options{})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// One share is the key itself, so a store can pass from people to a key file
// by a rekey to one share, and back.
func TestOneShareServesAsTheKeyFileOfANodeThatUnsealsItself(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.ok("PUT", "sys/rekey/update", give(shares[0], st.Nonce))
	key := v.ok("PUT", "sys/rekey/update", give(shares[1], st.Nonce)).KeysB64[0]
	v.Stop()
	dir, keyFile := filepath.Join(v.Dir, "data"), filepath.Join(t.TempDir(), "unseal.key")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sealedBy(t, dir, config.SealKeyFile, keyFile)
	if err != nil || s.Sealed() {
		t.Fatalf("with the key file: %v", err)
	}
	_ = s.Close()

	back := &vault{Server: servertest.Start(t, servertest.Options{Dir: v.Dir, Shamir: true}), t: t, token: v.token}
	back.unseal(key)
	st = back.ok("PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2}`)
	fresh := back.ok("PUT", "sys/rekey/update", give(key, st.Nonce)).KeysB64
	back.ok("PUT", "sys/seal", "")
	back.unseal(fresh[:2]...)
	back.Stop()
	if s, err := sealedBy(t, dir, config.SealKeyFile, keyFile); err == nil {
		t.Errorf("the old key opens (sealed %t)", s.Sealed())
	} else {
		oneLine(t, err, "2 of 3 shares")
	}
}

func TestARekeyAtOneNodeHoldsAtTheOther(t *testing.T) {
	o := servertest.Options{Postgres: servertest.Postgres(t), Dir: t.TempDir()}
	a, old := sharedVault(t, o)
	o.Shamir = true
	b := &vault{Server: servertest.Start(t, o), t: t, token: a.token}
	b.unseal(old[:2]...)
	atB := b.ok("PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2,"require_verification":true}`)
	b.ok("PUT", "sys/rekey/update", give(old[0], atB.Nonce))
	late := b.ok("PUT", "sys/rekey/update", give(old[1], atB.Nonce))

	st := a.ok("PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2}`)
	a.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce))
	fresh := a.ok("PUT", "sys/rekey/update", give(old[1], st.Nonce)).KeysB64

	b.ok("PUT", "sys/rekey/verify", give(late.KeysB64[0], late.VerifyNonce))
	b.refused(400, "replaced in the meantime", "PUT", "sys/rekey/verify", give(late.KeysB64[1], late.VerifyNonce))
	b.ok("DELETE", "sys/rekey/init", "")
	b.ok("GET", "sys/mounts", "") // it stays unsealed
	b.ok("PUT", "sys/seal", "")
	b.unseal(fresh[1:]...)
}
