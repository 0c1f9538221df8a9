package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/servertest"
	"github.com/jotgate/jotgate/internal/snapshot"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

// ceremony is what the operations of the seal answer.
type ceremony struct {
	Nonce       string   `json:"nonce"`
	Started     bool     `json:"started"`
	T           int      `json:"t"`
	N           int      `json:"n"`
	Progress    int      `json:"progress"`
	Required    int      `json:"required"`
	Complete    bool     `json:"complete"`
	KeysB64     []string `json:"keys_base64"`
	VerifyNonce string   `json:"verification_nonce"`
	OTP         string   `json:"otp"`
	OTPLength   int      `json:"otp_length"`
	Encoded     string   `json:"encoded_token"`
}

// vault is a server with shares, and a token for it.
type vault struct {
	*servertest.Server
	t     *testing.T
	token string
}

// ok sends a request that must succeed.
func (v *vault) ok(method, path, body string) (c ceremony) {
	v.t.Helper()
	status, out := v.Vault(method, path, v.token, body)
	if status >= 300 {
		v.t.Fatalf("%s %s: %d %s", method, path, status, out)
	}
	if out != "" {
		if err := json.Unmarshal([]byte(out), &c); err != nil {
			v.t.Fatalf("%s %s: %v in %s", method, path, err, out)
		}
	}
	return c
}

// refused sends a request that must be refused with status and text.
func (v *vault) refused(status int, says, method, path, body string) {
	v.t.Helper()
	got, out := v.Vault(method, path, v.token, body)
	var e struct{ Errors []string }
	if err := json.Unmarshal([]byte(out), &e); err != nil || got != status || len(e.Errors) != 1 || !strings.Contains(e.Errors[0], says) {
		v.t.Errorf("%s %s: %d %s, want one message with %d %q", method, path, got, out, status, says)
	}
}

func give(share, nonce string) string { return fmt.Sprintf(`{"key":%q,"nonce":%q}`, share, nonce) }

// sharedVault starts a server with 2 of 3 shares and unseals it.
func sharedVault(t *testing.T, o servertest.Options) (v *vault, shares []string) {
	t.Helper()
	o.Shamir = true
	v = &vault{Server: servertest.Start(t, o), t: t}
	for _, recovery := range []string{"recovery_shares", "recovery_threshold"} {
		status, out := v.Vault("PUT", "sys/init", "", `{"secret_shares":3,"secret_threshold":2,"`+recovery+`":1}`)
		if status != 400 || !strings.Contains(out, "not applicable to seal type shamir") {
			t.Fatalf("recovery keys that nobody would get: %d %s", status, out)
		}
	}
	status, out := v.Vault("PUT", "sys/init", "", `{"secret_shares":3,"secret_threshold":2}`)
	var r struct {
		Keys  []string `json:"keys_base64"`
		Token string   `json:"root_token"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 200 {
		t.Fatalf("init: %d %v %s", status, err, out)
	}
	v.token = r.Token
	v.unseal(r.Keys[:2]...)
	return v, r.Keys
}

// unseal gives shares; the last must open.
func (v *vault) unseal(shares ...string) {
	v.t.Helper()
	for i, s := range shares {
		status, out := v.Vault("PUT", "sys/unseal", "", `{"key":"`+s+`"}`)
		if status != 200 || strings.Contains(out, `"sealed":true`) != (i < len(shares)-1) {
			v.t.Fatalf("share %d: %d %s", i, status, out)
		}
	}
}

// both runs fn on a vault with shares on each storage driver.
func both(t *testing.T, fn func(t *testing.T, v *vault, shares []string)) {
	t.Helper()
	for _, driver := range []string{"embedded", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			var o servertest.Options
			if driver == "postgres" {
				o.Postgres = servertest.Postgres(t)
			}
			v, shares := sharedVault(t, o)
			fn(t, v, shares)
		})
	}
}

func TestRekeyRetiresTheOldSharesAndTheNewOnesOpen(t *testing.T) {
	both(t, func(t *testing.T, v *vault, old []string) {
		v.ok("POST", "sys/mounts/kv", `{"type":"kv"}`)
		v.ok("POST", "kv/a", `{"k":"kept"}`)
		if st := v.ok("GET", "sys/rekey/init", ""); st.Started || st.Required != 2 {
			t.Errorf("before: %+v", st)
		}
		st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":5,"secret_threshold":3}`)
		if !st.Started || st.N != 5 || st.T != 3 || st.Progress != 0 || st.Required != 2 || len(st.Nonce) != 36 {
			t.Errorf("start: %+v", st)
		}
		if again := v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce)); again.Progress != 1 || again.Complete {
			t.Errorf("first share: %+v", again)
		}
		if again := v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce)); again.Progress != 1 {
			t.Errorf("the same share counts twice: %+v", again)
		}
		done := v.ok("PUT", "sys/rekey/update", give(old[2], st.Nonce))
		if !done.Complete || len(done.KeysB64) != 5 {
			t.Fatalf("last share: %+v", done)
		}
		v.refused(400, "no rekey in progress", "PUT", "sys/rekey/update", give(old[1], st.Nonce))
		v.ok("PUT", "sys/seal", "")
		for i, s := range old {
			status, out := v.Vault("PUT", "sys/unseal", "", `{"key":"`+s+`"}`)
			if i == 2 && (status != 400 || !strings.Contains(out, "unseal failed, invalid key")) {
				t.Errorf("three old shares: %d %s", status, out)
			}
		}
		v.unseal(done.KeysB64[1:4]...)
		if _, out := v.Vault("GET", "kv/a", v.token, ""); !strings.Contains(out, "kept") {
			t.Errorf("after the rekey: %s", out)
		}
		log := v.Audit()
		for _, s := range append(old, done.KeysB64...) {
			if strings.Contains(log, s) {
				t.Error("a share is in the audit log")
			}
		}
	})
}

func TestRekeyRefusesWhatIsWrongWithOneClearMessage(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	v.refused(400, "no rekey in progress", "PUT", "sys/rekey/update", give(shares[0], "x"))
	v.refused(400, "no rekey verification in progress", "GET", "sys/rekey/verify", "")
	v.refused(400, "no rekey verification in progress", "DELETE", "sys/rekey/verify", "")
	v.refused(400, "no rekey verification in progress", "PUT", "sys/rekey/verify", give(shares[0], ""))
	v.refused(400, "shares must be at least one", "PUT", "sys/rekey/init", `{}`)
	v.refused(400, "threshold cannot be larger than shares", "PUT", "sys/rekey/init", `{"secret_shares":2,"secret_threshold":3}`)
	v.refused(400, "shares must be less than 256", "PUT", "sys/rekey/init", `{"secret_shares":4294967297,"secret_threshold":2}`)
	v.refused(400, "error parsing given PGP key", "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1,"pgp_keys":["x"]}`)
	v.ok("DELETE", "sys/rekey/init", "") // nothing to cancel
	st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.refused(400, "already in progress", "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.refused(400, "incorrect nonce", "PUT", "sys/rekey/update", give(shares[0], "0"+st.Nonce[1:]+"0"))
	v.refused(400, "incorrect nonce", "PUT", "sys/rekey/update", `{"key":"`+shares[0]+`"}`)
	v.refused(400, "'key' must be specified", "PUT", "sys/rekey/update", `{"nonce":"`+st.Nonce+`"}`)
	v.refused(400, "hex or base64", "PUT", "sys/rekey/update", give("?", st.Nonce))
	v.refused(400, "shorter than minimum", "PUT", "sys/rekey/update", give("00", st.Nonce))
	v.refused(400, "longer than maximum", "PUT", "sys/rekey/update", give(strings.Repeat("00", 40), st.Nonce))
	v.refused(400, "incorrect nonce", "DELETE", "sys/rekey/init?nonce=x", "")
	foreign := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("f", 33)))
	v.ok("PUT", "sys/rekey/update", give(foreign, st.Nonce))
	v.refused(400, "unseal failed, invalid key", "PUT", "sys/rekey/update", give(shares[0], st.Nonce))
	if now := v.ok("GET", "sys/rekey/init", ""); now.Progress != 0 || now.Nonce != st.Nonce {
		t.Errorf("after a wrong share: %+v", now)
	}
	v.ok("PUT", "sys/rekey/update", give(shares[0], st.Nonce))
	v.ok("DELETE", "sys/rekey/init?nonce="+st.Nonce, "")
	v.refused(400, "no rekey in progress", "PUT", "sys/rekey/update", give(shares[1], st.Nonce))
	v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.ok("PUT", "sys/seal", "")
	v.unseal(shares[:2]...)
	if now := v.ok("GET", "sys/rekey/init", ""); now.Started {
		t.Error("a rekey outlives the seal")
	}
}

func TestNewSharesThatMustBeVerifiedDoNotCountBefore(t *testing.T) {
	both(t, func(t *testing.T, v *vault, old []string) {
		st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2,"require_verification":true}`)
		v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce))
		made := v.ok("PUT", "sys/rekey/update", give(old[1], st.Nonce))
		if len(made.KeysB64) != 3 || made.VerifyNonce == "" || made.VerifyNonce == st.Nonce {
			t.Fatalf("%+v", made)
		}
		v.refused(400, "sys/rekey/verify", "PUT", "sys/rekey/update", give(old[0], st.Nonce))
		v.refused(400, "incorrect nonce", "PUT", "sys/rekey/verify", give(made.KeysB64[0], st.Nonce))
		v.ok("PUT", "sys/rekey/verify", give(old[0], made.VerifyNonce))
		v.refused(400, "unseal failed, invalid key", "PUT", "sys/rekey/verify", give(made.KeysB64[1], made.VerifyNonce))
		if p := v.ok("PUT", "sys/rekey/verify", give(made.KeysB64[0], made.VerifyNonce)); p.Progress != 1 || p.T != 2 || p.N != 3 {
			t.Errorf("%+v", p)
		}
		again := v.ok("DELETE", "sys/rekey/verify", "")
		if again.Progress != 0 || again.Nonce == made.VerifyNonce {
			t.Errorf("restart: %+v", again)
		}
		// Nothing has changed so far: cancel, and the old shares are the ones.
		v.ok("PUT", "sys/seal", "")
		v.unseal(old[1:]...)

		st = v.ok("PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2,"require_verification":true}`)
		v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce))
		made = v.ok("PUT", "sys/rekey/update", give(old[1], st.Nonce))
		v.ok("PUT", "sys/rekey/verify", give(made.KeysB64[2], made.VerifyNonce))
		if p := v.ok("PUT", "sys/rekey/verify", give(made.KeysB64[0], made.VerifyNonce)); !p.Complete {
			t.Errorf("%+v", p)
		}
		v.ok("PUT", "sys/seal", "")
		v.unseal(made.KeysB64[1:]...)
	})
}

func TestGenerateRootEndsInAWorkingToken(t *testing.T) {
	both(t, func(t *testing.T, v *vault, shares []string) {
		if st := v.ok("GET", "sys/generate-root/attempt", ""); st.Started || st.OTP != "" || st.Required != 2 {
			t.Errorf("before: %+v", st)
		}
		st := v.ok("PUT", "sys/generate-root/attempt", "")
		if len(st.OTP) != st.OTPLength || st.OTPLength == 0 {
			t.Fatalf("start: %+v", st)
		}
		if again := v.ok("GET", "sys/generate-root/attempt", ""); again.OTP != "" || !again.Started {
			t.Errorf("the one-time password is shown twice: %+v", again)
		}
		v.ok("PUT", "sys/generate-root/update", give(shares[2], st.Nonce))
		done := v.ok("PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
		token := uncover(t, done.Encoded, st.OTP)
		status, out := v.Vault("GET", "auth/token/lookup-self", token, "")
		if !done.Complete || status != 200 || !strings.Contains(out, `"policies":["root"]`) || token == v.token {
			t.Errorf("%+v: %d %s", done, status, out)
		}
		if log := v.Audit(); strings.Contains(log, token) || strings.Contains(log, done.Encoded) || strings.Contains(log, st.OTP) {
			t.Error("the token, covered or not, or its password is in the audit log")
		}
	})
}

func uncover(t *testing.T, encoded, otp string) string {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(b) != len(otp) {
		t.Fatalf("%v: %d bytes for a password of %d", err, len(b), len(otp))
	}
	for i := range b {
		b[i] ^= otp[i]
	}
	return string(b)
}

func TestGenerateRootRefusesWhatIsWrongWithOneClearMessage(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	v.refused(400, "no root generation in progress", "PUT", "sys/generate-root/update", give(shares[0], "x"))
	v.refused(400, "as long as the token", "PUT", "sys/generate-root/attempt", `{"otp":"short"}`)
	v.refused(400, "PGP", "PUT", "sys/generate-root/attempt", `{"pgp_key":"x"}`)
	otp := strings.Repeat("a", v.ok("GET", "sys/generate-root/attempt", "").OTPLength)
	st := v.ok("PUT", "sys/generate-root/attempt", `{"otp":"`+otp+`"}`)
	if st.OTP != "" {
		t.Error("a password that the caller gave is echoed")
	}
	v.refused(400, "already in progress", "PUT", "sys/generate-root/attempt", "")
	v.refused(400, "incorrect nonce", "PUT", "sys/generate-root/update", give(shares[0], "x"))
	v.ok("PUT", "sys/generate-root/update", give(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("f", 33))), st.Nonce))
	v.refused(400, "unseal failed, invalid key", "PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
	v.ok("PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
	v.refused(400, "incorrect nonce", "DELETE", "sys/generate-root/attempt?nonce=x", "")
	v.ok("DELETE", "sys/generate-root/attempt", "")
	v.refused(400, "no root generation in progress", "PUT", "sys/generate-root/update", give(shares[1], st.Nonce))
}

// CVE-2026-5807: whoever could reach the server could keep operators from ever
// finishing, by starting or cancelling without end.
func TestStrangersCanNeitherStartNorCancelNorGive(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	v.ok("PUT", "sys/policies/acl/all", `{"policy":"path \"sys/*\" { capabilities = [\"create\",\"read\",\"update\",\"delete\"] }"}`)
	weak := decode[login](t, second(v.Vault("POST", "auth/token/create", v.token, `{"policies":["all"]}`))).Auth.ClientToken
	rekey := v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	root := v.ok("PUT", "sys/generate-root/attempt", "")
	for _, token := range []string{"", "hvs.wrong", weak} {
		for _, c := range [][3]string{
			{"PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`},
			{"DELETE", "sys/rekey/init", ""},
			{"PUT", "sys/rekey/update", give(shares[0], rekey.Nonce)},
			{"DELETE", "sys/rekey/verify", ""},
			{"PUT", "sys/rekey/verify", give(shares[0], rekey.Nonce)},
			{"PUT", "sys/generate-root/attempt", ""},
			{"DELETE", "sys/generate-root/attempt", ""},
			{"PUT", "sys/generate-root/update", give(shares[0], root.Nonce)},
			{"PUT", "sys/rotate", ""},
			{"PUT", "sys/step-down", ""},
			{"GET", "sys/storage/raft/snapshot", ""},
		} {
			if status, out := v.Vault(c[0], c[1], token, c[2]); status != 403 {
				t.Errorf("%s %s with %q: %d %s", c[0], c[1], token, status, out)
			}
		}
	}
	for path, want := range map[string]ceremony{"sys/rekey/init": rekey, "sys/generate-root/attempt": root} {
		if now := v.ok("GET", path, ""); now.Nonce != want.Nonce || now.Progress != 0 {
			t.Errorf("%s was disturbed: %+v", path, now)
		}
		if status, _ := v.Vault("GET", path, "", ""); status != 403 {
			t.Errorf("a stranger reads %s", path)
		}
		if status, _ := v.Vault("GET", path, weak, ""); status != 200 {
			t.Errorf("%s needs more than read to look at", path)
		}
	}
}

func TestSudoOnTheOperatorsPathsIsEnough(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	v.ok("PUT", "sys/policies/acl/operator", `{"policy":"path \"sys/rekey/*\" { capabilities = [\"read\",\"update\",\"delete\",\"sudo\"] } path \"sys/storage/raft/snapshot\" { capabilities = [\"read\",\"sudo\"] }"}`)
	v.token = decode[login](t, second(v.Vault("POST", "auth/token/create", v.token, `{"policies":["operator"]}`))).Auth.ClientToken
	st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.ok("PUT", "sys/rekey/update", give(shares[0], st.Nonce))
	v.ok("DELETE", "sys/rekey/init", "")
	if status, body := v.Vault("GET", "sys/storage/raft/snapshot", v.token, ""); status != 200 || len(body) < 4096 {
		t.Errorf("snapshot: %d", status)
	}
	v.refused(403, "permission denied", "PUT", "sys/generate-root/attempt", "")
}

func second[A, B any](_ A, b B) B { return b }

// A node that unseals itself has one key, and that key is its only share.
func TestANodeThatUnsealsItselfIsRekeyedToAnotherKey(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "data", "root.key")
	start := func() *vault {
		return &vault{Server: servertest.Start(t, servertest.Options{Dir: dir}), t: t, token: servertest.RootToken}
	}
	v := start()
	text, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.TrimSpace(string(text))
	v.refused(400, "unseals itself with one key", "PUT", "sys/rekey/init", `{"secret_shares":3,"secret_threshold":2}`)

	root := v.ok("PUT", "sys/generate-root/attempt", "")
	done := v.ok("PUT", "sys/generate-root/update", give(old, root.Nonce))
	if status, _ := v.Vault("GET", "auth/token/lookup-self", uncover(t, done.Encoded, root.OTP), ""); status != 200 {
		t.Error("the holder of the key gets no root token")
	}
	st := v.ok("PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.refused(400, "unseal failed, invalid key", "PUT", "sys/rekey/update", give(strings.Repeat("00", seal.KeySize), st.Nonce))
	fresh := v.ok("PUT", "sys/rekey/update", give(old, st.Nonce)).KeysB64
	if len(fresh) != 1 || fresh[0] == old {
		t.Fatalf("keys %v", fresh)
	}
	v.Stop()
	oneLine(t, refused(t, devConfig(t, filepath.Join(dir, "data"))), "another store")
	if err := os.WriteFile(keyFile, []byte(fresh[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := start().Vault("GET", "auth/token/lookup-self", servertest.RootToken, ""); status != 200 {
		t.Error("the new key does not open the store")
	}
}

func TestASnapshotIsAWholeSealedStore(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	v.ok("POST", "sys/mounts/kv", `{"type":"kv"}`)
	v.ok("POST", "kv/a", `{"k":"kept-in-the-snapshot"}`)
	status, body := v.Vault("GET", "sys/storage/raft/snapshot", v.token, "")
	if status != 200 || len(body) < 4096 {
		t.Fatalf("%d, %d bytes", status, len(body))
	}
	if strings.Contains(body, "kept-in-the-snapshot") || strings.Contains(body, v.token) {
		t.Error("the snapshot shows a secret")
	}
	if log := v.Audit(); !strings.Contains(log, "sys/storage/raft/snapshot") || len(log) > len(body)+1<<20 {
		t.Error("the snapshot is not recorded, or its body is")
	}
	if status, out := v.Do("GET", "/v1/sys/storage/raft/snapshot", "", "X-Vault-Token", v.token, "X-Vault-Wrap-TTL", "60s"); status != 400 || !strings.Contains(out, "cannot be wrapped") {
		t.Errorf("wrapped: %d", status)
	}
	v.ok("POST", "kv/a", `{"k":"written later"}`)
	v.Stop()

	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	meta, err := snapshot.Read(strings.NewReader(body), &data)
	if err != nil || meta.Cluster == "" || meta.Server == "" {
		t.Fatalf("%+v %v", meta, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", embedded.FileName), data.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	back := &vault{Server: servertest.Start(t, servertest.Options{Dir: dir, Shamir: true}), t: t, token: v.token}
	back.unseal(shares[1:]...)
	if _, out := back.Vault("GET", "kv/a", v.token, ""); !strings.Contains(out, "kept-in-the-snapshot") {
		t.Errorf("from the snapshot: %s", out)
	}
}

func TestASnapshotIsNotPutBackOverTheAPI(t *testing.T) {
	v, _ := sharedVault(t, servertest.Options{})
	for _, path := range []string{"sys/storage/raft/snapshot", "sys/storage/raft/snapshot-force"} {
		v.refused(400, "jotgate operator snapshot restore", "POST", path, strings.Repeat("x", 1<<20))
		if status, out := v.Vault("POST", path, "", "x"); status != 403 {
			t.Errorf("%s as a stranger: %d %s", path, status, out)
		}
	}
	for _, path := range []string{"configuration", "autopilot/state", "autopilot/configuration"} {
		v.refused(400, "raft storage is not in use", "GET", "sys/storage/raft/"+path, "")
	}
	v.refused(400, "raft storage is not in use", "POST", "sys/storage/raft/remove-peer", `{"server_id":"a"}`)
}

func TestADatabaseIsBackedUpWithItsOwnTools(t *testing.T) {
	v, _ := sharedVault(t, servertest.Options{Postgres: servertest.Postgres(t)})
	v.refused(400, "back the database up", "GET", "sys/storage/raft/snapshot", "")
}

func TestRotationAndKeyStatus(t *testing.T) {
	both(t, func(t *testing.T, v *vault, _ []string) {
		term := func() string {
			_, out := v.Vault("GET", "sys/key-status", v.token, "")
			var s struct {
				Term json.Number
				Data struct{ Term json.Number }
			}
			if err := json.Unmarshal([]byte(out), &s); err != nil || s.Term != s.Data.Term {
				t.Fatalf("%v: %s", err, out)
			}
			return s.Term.String()
		}
		if before := term(); before != "1" {
			t.Errorf("term %s", before)
		}
		v.ok("PUT", "sys/rotate", "")
		v.ok("POST", "sys/rotate", "")
		if after := term(); after != "3" {
			t.Errorf("term %s", after)
		}
		v.ok("PUT", "sys/step-down", "")
	})
}

// Whoever has lost every token still has the shares.
func TestGenerateRootWithoutATokenTakesASettingAndTheShares(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{OpenGenerateRoot: true})
	v.token = ""
	st := v.ok("PUT", "sys/generate-root/attempt", "")
	v.ok("PUT", "sys/generate-root/update", give(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("f", 33))), st.Nonce))
	v.refused(400, "unseal failed, invalid key", "PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
	v.ok("PUT", "sys/generate-root/update", give(shares[1], st.Nonce))
	done := v.ok("PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
	if status, out := v.Vault("GET", "auth/token/lookup-self", uncover(t, done.Encoded, st.OTP), ""); status != 200 {
		t.Errorf("%d %s", status, out)
	}
	v.refused(403, "permission denied", "PUT", "sys/rekey/init", `{"secret_shares":1,"secret_threshold":1}`)
	v.refused(403, "permission denied", "GET", "sys/rekey/init", "")
	if log := v.Audit(); !strings.Contains(log, "sys/generate-root/update") {
		t.Error("the audit log does not show it")
	}
}
