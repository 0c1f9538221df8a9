package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/jotgate/jotgate/internal/servertest"
)

// holder is somebody with an OpenPGP key.
type holder struct {
	t      *testing.T
	entity *openpgp.Entity
}

func newHolders(t *testing.T, n int) []holder {
	t.Helper()
	out := make([]holder, n)
	for i := range out {
		e, err := openpgp.NewEntity("Holder", "", "holder@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = holder{t, e}
	}
	return out
}

// key is the public key as the API takes it.
func (h holder) key() string {
	var b bytes.Buffer
	if err := h.entity.Serialize(&b); err != nil {
		h.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func (h holder) fingerprint() string { return hex.EncodeToString(h.entity.PrimaryKey.Fingerprint) }

// open decrypts a message in base64.
func (h holder) open(message string) string {
	h.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		h.t.Fatal(err)
	}
	md, err := openpgp.ReadMessage(bytes.NewReader(raw), openpgp.EntityList{h.entity}, nil, nil)
	if err != nil {
		h.t.Fatalf("%v: %.60s", err, message)
	}
	plain, err := io.ReadAll(md.UnverifiedBody)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(plain)
}

func keysOf(holders []holder) []string {
	var out []string
	for _, h := range holders {
		out = append(out, h.key())
	}
	return out
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSharesAndRootTokenAreOnlyForTheirHolders(t *testing.T) {
	v := &vault{Server: servertest.Start(t, servertest.Options{Shamir: true}), t: t}
	h := newHolders(t, 4)
	v.refused(400, "incorrect number of PGP keys", "PUT", "sys/init", text(t, map[string]any{"secret_shares": 3, "secret_threshold": 2, "pgp_keys": keysOf(h[:2])}))
	v.refused(400, "error parsing given PGP key", "PUT", "sys/init", text(t, map[string]any{"secret_shares": 1, "secret_threshold": 1, "pgp_keys": []string{"x"}}))
	v.refused(400, "error parsing given PGP key", "PUT", "sys/init", text(t, map[string]any{"secret_shares": 1, "secret_threshold": 1, "root_token_pgp_key": "x"}))
	_, out := v.Vault("GET", "sys/init", "", "")
	if !strings.Contains(out, `"initialized":false`) {
		t.Fatalf("a refused init left %s", out)
	}
	status, out := v.Vault("PUT", "sys/init", "", text(t, map[string]any{"secret_shares": 3, "secret_threshold": 2, "pgp_keys": keysOf(h[:3]), "root_token_pgp_key": h[3].key()}))
	var r struct {
		Hex   []string `json:"keys"`
		Keys  []string `json:"keys_base64"`
		Token string   `json:"root_token"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 200 || len(r.Keys) != 3 {
		t.Fatalf("%d %v %s", status, err, out)
	}
	if raw, err := hex.DecodeString(r.Hex[1]); err != nil || base64.StdEncoding.EncodeToString(raw) != r.Keys[1] {
		t.Errorf("keys and keys_base64 differ: %v", err)
	}
	v.token = h[3].open(r.Token)
	v.unseal(h[2].open(r.Keys[2]), h[0].open(r.Keys[0]))
	v.ok("GET", "auth/token/lookup-self", "")
	v.refused(400, "already initialized", "PUT", "sys/init", text(t, map[string]any{"pgp_keys": keysOf(h)}))
}

func TestRekeyForHoldersKeepsABackupThatOnlyTheyCanRead(t *testing.T) {
	both(t, func(t *testing.T, v *vault, old []string) {
		h := newHolders(t, 2)
		start := func(body map[string]any) string {
			body["secret_shares"], body["secret_threshold"] = 3, 2
			return text(t, body)
		}
		v.refused(400, "no backed-up keys found", "GET", "sys/rekey/backup", "")
		v.refused(400, "cannot request a backup of the new keys without providing PGP keys for encryption", "PUT", "sys/rekey/init", start(map[string]any{"backup": true}))
		v.refused(400, "incorrect number of PGP keys for rekey", "PUT", "sys/rekey/init", start(map[string]any{"pgp_keys": keysOf(h)}))

		holders := []holder{h[0], h[1], h[0]} // one of them holds two
		_, out := v.Vault("PUT", "sys/rekey/init", v.token, start(map[string]any{"pgp_keys": keysOf(holders), "backup": true}))
		var st struct {
			Nonce        string
			Backup       bool
			Fingerprints []string `json:"pgp_fingerprints"`
		}
		if err := json.Unmarshal([]byte(out), &st); err != nil || !st.Backup || len(st.Fingerprints) != 3 || st.Fingerprints[1] != h[1].fingerprint() {
			t.Fatalf("%v %s", err, out)
		}
		v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce))
		done := v.ok("PUT", "sys/rekey/update", give(old[1], st.Nonce))
		if !done.Complete || len(done.KeysB64) != 3 {
			t.Fatalf("%+v", done)
		}
		_, out = v.Vault("GET", "sys/rekey/backup", v.token, "")
		var kept struct {
			Nonce string
			Keys  map[string][]string `json:"keys_base64"`
			Data  struct{ Keys map[string][]string }
		}
		if err := json.Unmarshal([]byte(out), &kept); err != nil || kept.Nonce != st.Nonce || len(kept.Keys) != 2 {
			t.Fatalf("%v %s", err, out)
		}
		mine := kept.Keys[h[0].fingerprint()]
		if len(mine) != 2 || mine[0] != done.KeysB64[0] || mine[1] != done.KeysB64[2] || len(kept.Data.Keys[h[1].fingerprint()]) != 1 {
			t.Fatalf("%s", out)
		}
		v.ok("PUT", "sys/seal", "")
		v.unseal(h[0].open(mine[1]), h[1].open(kept.Keys[h[1].fingerprint()][0]))
		v.ok("DELETE", "sys/rekey/backup", "")
		v.refused(400, "no backed-up keys found", "GET", "sys/rekey/backup", "")
		v.ok("DELETE", "sys/rekey/backup", "")
		if log := v.Audit(); strings.Contains(log, done.KeysB64[0]) || strings.Contains(log, h[0].key()) {
			t.Error("a message or a key is in the audit log")
		}
	})
}

func TestVerificationTakesWhatTheHoldersDecrypted(t *testing.T) {
	v, old := sharedVault(t, servertest.Options{})
	h := newHolders(t, 2)
	st := v.ok("PUT", "sys/rekey/init", text(t, map[string]any{"secret_shares": 2, "secret_threshold": 2, "pgp_keys": keysOf(h), "require_verification": true}))
	v.ok("PUT", "sys/rekey/update", give(old[0], st.Nonce))
	made := v.ok("PUT", "sys/rekey/update", give(old[1], st.Nonce))
	v.refused(400, "longer than maximum", "PUT", "sys/rekey/verify", give(made.KeysB64[0], made.VerifyNonce))
	v.ok("PUT", "sys/rekey/verify", give(h[0].open(made.KeysB64[0]), made.VerifyNonce))
	if p := v.ok("PUT", "sys/rekey/verify", give(h[1].open(made.KeysB64[1]), made.VerifyNonce)); !p.Complete {
		t.Errorf("%+v", p)
	}
}

func TestGeneratedRootTokenIsOnlyForTheHolderOfTheKey(t *testing.T) {
	v, shares := sharedVault(t, servertest.Options{})
	h := newHolders(t, 1)[0]
	otp := strings.Repeat("a", v.ok("GET", "sys/generate-root/attempt", "").OTPLength)
	v.refused(400, "either 'otp' or 'pgp_key'", "PUT", "sys/generate-root/attempt", text(t, map[string]any{"otp": otp, "pgp_key": h.key()}))
	v.refused(400, "error parsing given PGP key", "PUT", "sys/generate-root/attempt", `{"pgp_key":"x"}`)
	st := v.ok("PUT", "sys/generate-root/attempt", text(t, map[string]any{"pgp_key": h.key()}))
	if st.OTP != "" {
		t.Error("a one-time password was made beside the key")
	}
	if _, out := v.Vault("GET", "sys/generate-root/attempt", v.token, ""); !strings.Contains(out, `"pgp_fingerprint":"`+h.fingerprint()+`"`) {
		t.Errorf("status %s", out)
	}
	v.ok("PUT", "sys/generate-root/update", give(shares[0], st.Nonce))
	done := v.ok("PUT", "sys/generate-root/update", give(shares[1], st.Nonce))
	v.token = h.open(done.Encoded)
	v.ok("GET", "auth/token/lookup-self", "")
	if _, out := v.Vault("GET", "sys/generate-root/attempt", v.token, ""); !strings.Contains(out, `"pgp_fingerprint":""`) {
		t.Errorf("the key stays after the end: %s", out)
	}
}

// The shares of a rekey that another node overtook open nothing: their copy
// goes, and the copy of those that open stays.
func TestOvertakenRekeyLeavesTheBackupOfTheOneThatCounts(t *testing.T) {
	o := servertest.Options{Postgres: servertest.Postgres(t), Dir: t.TempDir()}
	a, old := sharedVault(t, o)
	o.Shamir = true
	b := &vault{Server: servertest.Start(t, o), t: t, token: a.token}
	b.unseal(old[:2]...)
	h := newHolders(t, 2)
	backup := func() string {
		t.Helper()
		status, out := a.Vault("GET", "sys/rekey/backup", a.token, "")
		var r struct{ Nonce string }
		if err := json.Unmarshal([]byte(out), &r); err != nil && status == 200 {
			t.Fatal(err)
		}
		return r.Nonce
	}
	for _, theirsIsKept := range []bool{false, true} {
		late := b.ok("PUT", "sys/rekey/init", text(t, map[string]any{"secret_shares": 2, "secret_threshold": 2, "pgp_keys": keysOf(h), "backup": true, "require_verification": true}))
		for _, s := range old[:2] {
			if p := b.ok("PUT", "sys/rekey/update", give(s, late.Nonce)); p.Complete {
				late.KeysB64, late.VerifyNonce = p.KeysB64, p.VerifyNonce
				break
			}
		}
		if backup() != late.Nonce {
			t.Fatal("no backup before the verification")
		}
		st := a.ok("PUT", "sys/rekey/init", text(t, map[string]any{"secret_shares": 2, "secret_threshold": 2, "pgp_keys": keysOf(h), "backup": theirsIsKept}))
		want := map[bool]string{true: st.Nonce}[theirsIsKept]
		for _, s := range old[:2] {
			if p := a.ok("PUT", "sys/rekey/update", give(s, st.Nonce)); p.Complete {
				old = []string{h[0].open(p.KeysB64[0]), h[1].open(p.KeysB64[1])}
				break
			}
		}
		b.ok("PUT", "sys/rekey/verify", give(h[1].open(late.KeysB64[1]), late.VerifyNonce))
		b.refused(400, "replaced in the meantime", "PUT", "sys/rekey/verify", give(h[0].open(late.KeysB64[0]), late.VerifyNonce))
		if got := backup(); got != want {
			t.Errorf("with theirs kept %t: the backup is of %q, want %q", theirsIsKept, got, want)
		}
		b.ok("DELETE", "sys/rekey/init", "")
	}
}

func TestNodeThatUnsealsItselfHandsOutNoSharesToEncrypt(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	v := &vault{Server: s, t: t, token: servertest.RootToken}
	h := newHolders(t, 1)
	v.refused(400, "this node unseals itself", "PUT", "sys/rekey/init", text(t, map[string]any{"secret_shares": 1, "secret_threshold": 1, "pgp_keys": keysOf(h)}))
}
