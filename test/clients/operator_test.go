package clients_test

import (
	"encoding/base64"
	"testing"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

// TestTheOfficialClientOperatesTheSeal walks through what an operator does
// with "vault operator": initialise, unseal, rotate, rekey, make a root token.
func TestTheOfficialClientOperatesTheSeal(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Shamir: true})
	sys := client(t, s, "").Sys()
	made := must[*vault.InitResponse](t)(sys.Init(&vault.InitRequest{SecretShares: 3, SecretThreshold: 2}))
	for _, key := range made.KeysB64[:2] {
		must[*vault.SealStatusResponse](t)(sys.Unseal(key))
	}
	c := client(t, s, made.RootToken)
	sys = c.Sys()

	before := must[*vault.KeyStatus](t)(sys.KeyStatus())
	ok(t, sys.Rotate())
	after := must[*vault.KeyStatus](t)(sys.KeyStatus())
	if after.Term != before.Term+1 || after.InstallTime.IsZero() {
		t.Errorf("key status %+v, then %+v", before, after)
	}
	ok(t, sys.StepDown())

	if st := must[*vault.RekeyStatusResponse](t)(sys.RekeyStatus()); st.Started || st.Required != 2 {
		t.Errorf("rekey status %+v", st)
	}
	start := must[*vault.RekeyStatusResponse](t)(sys.RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1, RequireVerification: true}))
	if !start.Started || !start.VerificationRequired || start.N != 1 || start.T != 1 {
		t.Errorf("rekey start %+v", start)
	}
	ok(t, sys.RekeyCancel())
	start = must[*vault.RekeyStatusResponse](t)(sys.RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1, RequireVerification: true}))
	must[*vault.RekeyUpdateResponse](t)(sys.RekeyUpdate(made.KeysB64[0], start.Nonce))
	fresh := must[*vault.RekeyUpdateResponse](t)(sys.RekeyUpdate(made.Keys[2], start.Nonce)) // in hex
	if !fresh.Complete || len(fresh.KeysB64) != 1 || fresh.VerificationNonce == "" || !fresh.VerificationRequired {
		t.Fatalf("rekey end %+v", fresh)
	}
	if st := must[*vault.RekeyVerificationStatusResponse](t)(sys.RekeyVerificationStatus()); st.Nonce != fresh.VerificationNonce || st.N != 1 {
		t.Errorf("verification status %+v", st)
	}
	if v := must[*vault.RekeyVerificationUpdateResponse](t)(sys.RekeyVerificationUpdate(fresh.KeysB64[0], fresh.VerificationNonce)); !v.Complete {
		t.Errorf("verification %+v", v)
	}
	key := fresh.KeysB64[0]

	root := must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootInit("", ""))
	if len(root.OTP) != root.OTPLength || !root.Started {
		t.Fatalf("root start %+v", root)
	}
	ok(t, sys.GenerateRootCancel())
	root = must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootInit("", ""))
	done := must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootUpdate(key, root.Nonce))
	token, err := base64.RawStdEncoding.DecodeString(done.EncodedToken)
	if err != nil || !done.Complete || len(token) != len(root.OTP) {
		t.Fatalf("%v %+v", err, done)
	}
	for i := range token {
		token[i] ^= root.OTP[i]
	}
	must[*vault.Secret](t)(client(t, s, string(token)).Auth().Token().LookupSelf())

	ok(t, sys.Seal())
	if st := must[*vault.SealStatusResponse](t)(sys.Unseal(key)); st.Sealed {
		t.Error("the new share does not open")
	}

	stranger := client(t, s, "").Sys()
	_, err = stranger.RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1})
	refused(t, err, 403, "permission denied")
	_, err = stranger.GenerateRootInit("", "")
	refused(t, err, 403, "permission denied")
	refused(t, stranger.RekeyCancel(), 403, "permission denied")
	refused(t, stranger.GenerateRootCancel(), 403, "permission denied")
}
