package clients_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"

	"github.com/jotgate/jotgate/internal/servertest"
)

func baoClient(t *testing.T, s *servertest.Server, token string) *bao.Client {
	t.Helper()
	conf := bao.DefaultConfig()
	conf.Address, conf.MaxRetries = s.URL, 0
	c, err := bao.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(token)
	return c
}

func baoRefused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var re *bao.ResponseError
	if !errors.As(err, &re) || re.StatusCode != status || !strings.Contains(strings.Join(re.Errors, "\n"), text) {
		t.Errorf("got %v, want status %d with %q", err, status, text)
	}
}

func TestOpenBaoClientConfiguresLogsInAndReads(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		idp := setup(t, s)
		root := baoClient(t, s, servertest.RootToken)
		ok(t, root.Sys().EnableAuthWithOptions("ci", &bao.EnableAuthOptions{Type: "jwt", Config: bao.AuthConfigInput{DefaultLeaseTTL: "10m"}}))
		must[*bao.Secret](t)(root.Logical().Write("auth/ci/config", map[string]any{"jwks_url": idp.JWKSURL(), "bound_issuer": idp.Issuer()}))
		must[*bao.Secret](t)(root.Logical().Write("auth/ci/role/demo", demoRole))
		if m := must[map[string]*bao.AuthMount](t)(root.Sys().ListAuth())["ci/"]; m == nil || m.Type != "jwt" || m.Config.DefaultLeaseTTL != 600 {
			t.Errorf("auth mount: %+v", m)
		}

		c := baoClient(t, s, "")
		in := must[*bao.Secret](t)(c.Logical().Write("auth/ci/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)}))
		c.SetToken(in.Auth.ClientToken)
		same(t, "policies", in.Auth.Policies, []string{"app", "default"})
		kv := c.KVv2("secret")
		same(t, "secret", must[*bao.KVSecret](t)(kv.Get(t.Context(), "app/db")).Data, map[string]any{"user": "alice", "password": "pa55"})
		must[*bao.KVSecret](t)(kv.Put(t.Context(), "app/x", map[string]any{"a": "b"}, bao.WithCheckAndSet(0)))
		must[*bao.KVSecret](t)(kv.Patch(t.Context(), "app/x", map[string]any{"c": "d"}))
		same(t, "patched", must[*bao.KVSecret](t)(kv.Get(t.Context(), "app/x")).Data, map[string]any{"a": "b", "c": "d"})
		same(t, "version 1", must[*bao.KVSecret](t)(kv.GetVersion(t.Context(), "app/x", 1)).Data, map[string]any{"a": "b"})
		ok(t, kv.Delete(t.Context(), "app/x"))
		same(t, "list", must[*bao.Secret](t)(c.Logical().List("secret/metadata/app")).Data["keys"], []any{"db", "x"})
		ok(t, kv.DeleteMetadata(t.Context(), "app/x"))
		_, err := kv.Get(t.Context(), "other")
		baoRefused(t, err, 403, "permission denied")
		_, err = c.Logical().Write("auth/ci/login", map[string]any{"role": "demo", "jwt": "x.y.z"})
		baoRefused(t, err, 400, "")
		same(t, "ttl", must[*bao.Secret](t)(c.Auth().Token().RenewSelf(1800)).Auth.LeaseDuration, 1800)
		ok(t, c.Auth().Token().RevokeSelf(""))
		_, err = c.Auth().Token().LookupSelf()
		baoRefused(t, err, 403, "permission denied")
	})
}

func TestOpenBaoClientSys(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	setup(t, s)
	root := baoClient(t, s, servertest.RootToken)
	sys := root.Sys()
	if h := must[*bao.HealthResponse](t)(sys.Health()); !h.Initialized || h.Sealed {
		t.Errorf("health: %+v", h)
	}
	if st := must[*bao.SealStatusResponse](t)(sys.SealStatus()); st.Sealed || st.Version == "" {
		t.Errorf("seal status: %+v", st)
	}
	ok(t, sys.Mount("kv1", &bao.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}))
	ok(t, root.KVv1("kv1").Put(t.Context(), "x", map[string]any{"a": "b"}))
	same(t, "kv1", must[*bao.KVSecret](t)(root.KVv1("kv1").Get(t.Context(), "x")).Data, map[string]any{"a": "b"})
	ok(t, sys.Remount("kv1", "kv2"))
	same(t, "policies", must[[]string](t)(sys.ListPolicies()), []string{"app", "default", "root"})
	same(t, "capabilities", must[[]string](t)(sys.CapabilitiesSelf("x")), []string{"root"})
	must[map[string]*bao.Audit](t)(sys.ListAudit())
}

func TestOpenBaoClientUnwrapsAndWatches(t *testing.T) {
	t.Parallel() // waits for real time
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	put(t, s, "auth/jwt/role/short", with(demoRole, map[string]any{"token_ttl": "2s", "token_max_ttl": "4s"}))
	c := baoClient(t, s, "")
	c.SetWrappingLookupFunc(func(string, string) string { return "1m" })
	w := must[*bao.Secret](t)(c.Logical().Write("auth/jwt/login", map[string]any{"role": "short", "jwt": idp.Token(audience, nil)}))
	c = baoClient(t, s, "")
	in := must[*bao.Secret](t)(c.Logical().Unwrap(w.WrapInfo.Token))
	c.SetToken(in.Auth.ClientToken)
	watch := must[*bao.LifetimeWatcher](t)(c.NewLifetimeWatcher(&bao.LifetimeWatcherInput{Secret: in}))
	go watch.Start()
	defer watch.Stop()
	renewed := 0
	for {
		select {
		case <-watch.RenewCh():
			renewed++
		case err := <-watch.DoneCh():
			ok(t, err)
			if renewed == 0 {
				t.Error("never renewed")
			}
			return
		case <-time.After(time.Minute):
			t.Fatal("the watcher does not end")
		}
	}
}

// TestOpenBaoClientRotatesByItsOwnNames: what Vault calls rotate and rekey.
func TestOpenBaoClientRotatesByItsOwnNames(t *testing.T) {
	sealed(t, func(t *testing.T, s *servertest.Server) {
		root, keys := initialise(t, s, 3, 2)
		sys := baoClient(t, s, root.Token()).Sys()
		before := must[*bao.KeyStatus](t)(sys.KeyStatus())
		ok(t, sys.RotateKeyring())
		if after := must[*bao.KeyStatus](t)(sys.KeyStatus()); after.Term != before.Term+1 {
			t.Errorf("keyring: %+v, then %+v", before, after)
		}

		ask := &bao.RotateInitRequest{SecretShares: 2, SecretThreshold: 2, RequireVerification: true}
		must[*bao.RotateStatusResponse](t)(sys.RotateRootInit(ask))
		ok(t, sys.RotateRootCancel())
		start := must[*bao.RotateStatusResponse](t)(sys.RotateRootInit(ask))
		if st := must[*bao.RotateStatusResponse](t)(sys.RotateRootStatus()); !st.Started || st.Nonce != start.Nonce || st.Required != 2 || st.N != 2 {
			t.Errorf("status: %+v", st)
		}
		if st := must[*vault.RekeyStatusResponse](t)(root.Sys().RekeyStatus()); st.Nonce != start.Nonce {
			t.Errorf("under its other name: %+v", st)
		}
		must[*bao.RotateUpdateResponse](t)(sys.RotateRootUpdate(keys[0], start.Nonce))
		done := must[*bao.RotateUpdateResponse](t)(sys.RotateRootUpdate(keys[2], start.Nonce))
		if !done.Complete || len(done.KeysB64) != 2 || done.VerificationNonce == "" {
			t.Fatalf("last share: %d keys, complete %v", len(done.KeysB64), done.Complete)
		}
		must[*bao.RotateVerificationUpdateResponse](t)(sys.RotateRootVerificationUpdate(done.KeysB64[0], done.VerificationNonce))
		ok(t, sys.RotateRootVerificationCancel())
		again := must[*bao.RotateVerificationStatusResponse](t)(sys.RotateRootVerificationStatus())
		if again.Progress != 0 || again.N != 2 || again.Nonce == done.VerificationNonce {
			t.Errorf("verification from the start: %+v", again)
		}
		must[*bao.RotateVerificationUpdateResponse](t)(sys.RotateRootVerificationUpdate(done.KeysB64[0], again.Nonce))
		if v := must[*bao.RotateVerificationUpdateResponse](t)(sys.RotateRootVerificationUpdate(done.KeysB64[1], again.Nonce)); !v.Complete {
			t.Errorf("verified: %+v", v)
		}
		ok(t, sys.Seal())
		unseal(t, root, done.KeysB64)
		for _, share := range append(keys, done.KeysB64...) {
			if strings.Contains(s.Audit(), share) {
				t.Error("a share is in the audit log")
			}
		}

		stranger := baoClient(t, s, "").Sys()
		_, err := stranger.RotateRootInit(ask)
		baoRefused(t, err, 403, "permission denied")
		baoRefused(t, stranger.RotateKeyring(), 403, "permission denied")
	})
}

// A client that logs in inside its request is told how to log in here, and is
// never answered as somebody else: not without a token, and not as the holder
// of one that is sent beside the JWT.
func TestOpenBaoInlineLoginIsRefusedWithAHint(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	c, err := baoClient(t, s, "").WithInlineAuth("auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)})
	ok(t, err)
	for _, token := range []string{"", servertest.RootToken} {
		c.SetToken(token)
		_, err = c.Logical().Read("secret/data/app/db")
		baoRefused(t, err, 403, "log in at auth/<mount>/login")
	}
	resp, err := c.Logical().ReadRaw("secret/data/app/db")
	if err == nil || resp.Header.Get(bao.InlineAuthErrorResponseHeader) == "" {
		t.Errorf("%v: the answer does not say that the login failed", err)
	}
	ok(t, resp.Body.Close())
}
