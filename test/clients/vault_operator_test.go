package clients_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

// sealed runs fn on a server of each driver that is sealed by shares and was
// never initialised.
func sealed(t *testing.T, fn func(t *testing.T, s *servertest.Server)) {
	t.Helper()
	servertest.Each(t, servertest.Options{Shamir: true}, fn)
}

// initialise makes shares and a root token, and unseals.
func initialise(t *testing.T, s *servertest.Server, shares, threshold int) (root *vault.Client, keys []string) {
	t.Helper()
	c := client(t, s, "")
	made := must[*vault.InitResponse](t)(c.Sys().Init(&vault.InitRequest{SecretShares: shares, SecretThreshold: threshold}))
	if len(made.Keys) != shares || len(made.KeysB64) != shares || made.RootToken == "" {
		t.Fatalf("init: %d keys", len(made.Keys))
	}
	unseal(t, c, made.KeysB64[:threshold])
	c.SetToken(made.RootToken)
	return c, made.KeysB64
}

func unseal(t *testing.T, c *vault.Client, keys []string) {
	t.Helper()
	for i, k := range keys {
		st := must[*vault.SealStatusResponse](t)(c.Sys().Unseal(k))
		if last := i == len(keys)-1; st.Sealed == last || !last && st.Progress != i+1 {
			t.Fatalf("share %d of %d: %+v", i+1, len(keys), st)
		}
	}
}

func TestVaultClientInitialisesUnsealsAndSeals(t *testing.T) {
	sealed(t, func(t *testing.T, s *servertest.Server) {
		c := client(t, s, "")
		if must[bool](t)(c.Sys().InitStatus()) {
			t.Error("initialised from the start")
		}
		if h := must[*vault.HealthResponse](t)(c.Sys().Health()); h.Initialized || !h.Sealed {
			t.Errorf("health: %+v", h)
		}
		root, keys := initialise(t, s, 5, 3)
		_, err := c.Sys().Init(&vault.InitRequest{SecretShares: 1, SecretThreshold: 1})
		refused(t, err, 400, "already initialized")
		must[*vault.Secret](t)(root.Logical().Write("cubbyhole/x", map[string]any{"a": "b"}))
		if st := must[*vault.SealStatusResponse](t)(root.Sys().SealStatus()); st.Sealed || st.T != 3 || st.N != 5 || st.Type != "shamir" {
			t.Errorf("unsealed: %+v", st)
		}

		ok(t, root.Sys().Seal())
		_, err = root.Logical().Read("cubbyhole/x")
		refused(t, err, 503, "Vault is sealed")
		if h := must[*vault.HealthResponse](t)(c.Sys().Health()); !h.Initialized || !h.Sealed {
			t.Errorf("health while sealed: %+v", h)
		}
		must[*vault.SealStatusResponse](t)(c.Sys().Unseal(keys[0]))
		if st := must[*vault.SealStatusResponse](t)(c.Sys().ResetUnsealProcess()); st.Progress != 0 {
			t.Errorf("after the reset: %+v", st)
		}
		_, err = c.Sys().Unseal("bm90IGEgc2hhcmU=!")
		refused(t, err, 400, "")
		unseal(t, c, keys[2:])
		same(t, "kept", must[*vault.Secret](t)(root.Logical().Read("cubbyhole/x")).Data, map[string]any{"a": "b"})
	})
}

func TestVaultClientRekeysWithVerification(t *testing.T) {
	sealed(t, func(t *testing.T, s *servertest.Server) {
		root, keys := initialise(t, s, 3, 2)
		sys := root.Sys()
		if st := must[*vault.RekeyStatusResponse](t)(sys.RekeyStatus()); st.Started || st.Required != 2 {
			t.Errorf("status: %+v", st)
		}
		st := must[*vault.RekeyStatusResponse](t)(sys.RekeyInit(&vault.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}))
		ok(t, sys.RekeyCancelWithNonce(st.Nonce))
		must[*vault.RekeyStatusResponse](t)(sys.RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1}))
		ok(t, sys.RekeyCancel())
		st = must[*vault.RekeyStatusResponse](t)(sys.RekeyInit(&vault.RekeyInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}))
		if !st.Started || !st.VerificationRequired || st.N != 2 || st.T != 2 {
			t.Errorf("start: %+v", st)
		}
		if up := must[*vault.RekeyUpdateResponse](t)(sys.RekeyUpdate(keys[0], st.Nonce)); up.Complete {
			t.Errorf("one share is enough: %+v", up)
		}
		share, err := base64.StdEncoding.DecodeString(keys[1])
		ok(t, err)
		done := must[*vault.RekeyUpdateResponse](t)(sys.RekeyUpdate(hex.EncodeToString(share), st.Nonce))
		if !done.Complete || len(done.KeysB64) != 2 || !done.VerificationRequired || done.VerificationNonce == "" {
			t.Fatalf("rekey: %d keys, complete %v", len(done.KeysB64), done.Complete)
		}
		if v := must[*vault.RekeyVerificationStatusResponse](t)(sys.RekeyVerificationStatus()); v.T != 2 || v.Progress != 0 {
			t.Errorf("verification: %+v", v)
		}
		must[*vault.RekeyVerificationUpdateResponse](t)(sys.RekeyVerificationUpdate(done.KeysB64[0], done.VerificationNonce))
		if v := must[*vault.RekeyVerificationUpdateResponse](t)(sys.RekeyVerificationUpdate(done.KeysB64[1], done.VerificationNonce)); !v.Complete {
			t.Errorf("verified: %+v", v)
		}
		ok(t, sys.Seal())
		unseal(t, root, done.KeysB64)
		must[map[string]*vault.MountOutput](t)(sys.ListMounts())
	})
}

func TestVaultClientGeneratesARootToken(t *testing.T) {
	sealed(t, func(t *testing.T, s *servertest.Server) {
		root, keys := initialise(t, s, 3, 2)
		sys := root.Sys()
		if st := must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootStatus()); st.Started || st.Required != 2 || st.OTPLength == 0 {
			t.Errorf("status: %+v", st)
		}
		must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootInit("", ""))
		ok(t, sys.GenerateRootCancel())
		st := must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootInit("", ""))
		must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootUpdate(keys[2], st.Nonce))
		done := must[*vault.GenerateRootStatusResponse](t)(sys.GenerateRootUpdate(keys[0], st.Nonce))
		covered, err := base64.RawStdEncoding.DecodeString(done.EncodedToken)
		if err != nil || !done.Complete || len(covered) != len(st.OTP) {
			t.Fatalf("%v: complete %v, %d bytes for a password of %d", err, done.Complete, len(covered), len(st.OTP))
		}
		for i := range covered {
			covered[i] ^= st.OTP[i]
		}
		self := must[*vault.Secret](t)(client(t, s, string(covered)).Auth().Token().LookupSelf())
		same(t, "policies", self.Data["policies"], []string{"root"})
	})
}

func TestVaultClientRotatesAndTakesASnapshot(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	sys := client(t, s, servertest.RootToken).Sys()
	before := must[*vault.KeyStatus](t)(sys.KeyStatus())
	ok(t, sys.Rotate())
	if after := must[*vault.KeyStatus](t)(sys.KeyStatus()); after.Term != before.Term+1 || after.InstallTime.Before(before.InstallTime) {
		t.Errorf("rotate: %+v, then %+v", before, after)
	}
	ok(t, sys.StepDown())
	var copied bytes.Buffer
	ok(t, sys.RaftSnapshot(&copied)) // the client looks whether the archive is whole
	if copied.Len() == 0 || bytes.Contains(copied.Bytes(), []byte("policies")) {
		t.Errorf("a snapshot of %d bytes in clear", copied.Len())
	}
}

// holder makes an OpenPGP key and returns its public half as clients send it,
// and what opens messages to it.
func holder(t *testing.T) (public string, open func(message string) string) {
	t.Helper()
	e, err := openpgp.NewEntity("Holder", "", "holder@example.com", nil)
	ok(t, err)
	var key bytes.Buffer
	ok(t, e.Serialize(&key))
	return base64.StdEncoding.EncodeToString(key.Bytes()), func(message string) string {
		t.Helper()
		raw := must[[]byte](t)(base64.StdEncoding.DecodeString(message))
		md := must[*openpgp.MessageDetails](t)(openpgp.ReadMessage(bytes.NewReader(raw), openpgp.EntityList{e}, nil, nil))
		return string(must[[]byte](t)(io.ReadAll(md.UnverifiedBody)))
	}
}

func TestVaultClientTakesSharesForTheHoldersOfPGPKeys(t *testing.T) {
	s := servertest.Start(t, servertest.Options{Shamir: true})
	key, open := holder(t)
	root := client(t, s, "")
	made := must[*vault.InitResponse](t)(root.Sys().Init(&vault.InitRequest{SecretShares: 1, SecretThreshold: 1, PGPKeys: []string{key}, RootTokenPGPKey: key}))
	share := open(made.KeysB64[0])
	unseal(t, root, []string{share})
	root.SetToken(open(made.RootToken))

	st := must[*vault.RekeyStatusResponse](t)(root.Sys().RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1, PGPKeys: []string{key}, Backup: true}))
	if !st.Backup || len(st.PGPFingerprints) != 1 {
		t.Fatalf("%+v", st)
	}
	done := must[*vault.RekeyUpdateResponse](t)(root.Sys().RekeyUpdate(share, st.Nonce))
	if !done.Complete || !done.Backup || len(done.PGPFingerprints) != 1 {
		t.Fatalf("%+v", done)
	}
	kept := must[*vault.RekeyRetrieveResponse](t)(root.Sys().RekeyRetrieveBackup())
	same(t, "kept shares", kept.KeysB64[st.PGPFingerprints[0]], done.KeysB64)
	share = open(done.KeysB64[0])
	ok(t, root.Sys().RekeyDeleteBackup())
	_, err := root.Sys().RekeyRetrieveBackup()
	refused(t, err, 400, "no backed-up keys found")

	gen := must[*vault.GenerateRootStatusResponse](t)(root.Sys().GenerateRootInit("", key))
	same(t, "fingerprint", gen.PGPFingerprint, st.PGPFingerprints[0])
	last := must[*vault.GenerateRootStatusResponse](t)(root.Sys().GenerateRootUpdate(share, gen.Nonce))
	self := must[*vault.Secret](t)(client(t, s, open(last.EncodedToken)).Auth().Token().LookupSelf())
	same(t, "policies", self.Data["policies"], []string{"root"})
}

func TestVaultClientWithoutATokenStartsAndCancelsNothing(t *testing.T) {
	sealed(t, func(t *testing.T, s *servertest.Server) {
		initialise(t, s, 1, 1)
		stranger := client(t, s, "").Sys()
		_, err := stranger.RekeyInit(&vault.RekeyInitRequest{SecretShares: 1, SecretThreshold: 1})
		refused(t, err, 403, "permission denied")
		_, err = stranger.GenerateRootInit("", "")
		refused(t, err, 403, "permission denied")
		refused(t, stranger.RekeyCancel(), 403, "permission denied")
		refused(t, stranger.GenerateRootCancel(), 403, "permission denied")
		refused(t, stranger.Rotate(), 403, "permission denied")
		refused(t, stranger.Seal(), 403, "permission denied")
	})
}

func TestVaultClientConfiguresCORS(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	sys := client(t, s, servertest.RootToken).Sys()
	ok(t, sys.ConfigureCORS(&vault.CORSRequest{Enabled: true, AllowedOrigins: []string{"https://ui.example.com"}, AllowedHeaders: []string{"X-Custom"}}))
	c := must[*vault.CORSResponse](t)(sys.CORSStatus())
	if !c.Enabled || len(c.AllowedOrigins) != 1 || c.AllowedOrigins[0] != "https://ui.example.com" {
		t.Errorf("CORS: %+v", c)
	}
	ok(t, sys.DisableCORS())
	if c := must[*vault.CORSResponse](t)(sys.CORSStatus()); c.Enabled {
		t.Errorf("CORS after its end: %+v", c)
	}
}
