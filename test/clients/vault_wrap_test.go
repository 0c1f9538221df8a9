package clients_test

import (
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/servertest"
)

// wrapEverything asks for wrapping as applications do.
func wrapEverything(c *vault.Client) *vault.Client {
	c.SetWrappingLookupFunc(func(string, string) string { return "5m" })
	return c
}

func TestVaultClientUnwrapsWhatItWrapped(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		setup(t, s)
		root := client(t, s, servertest.RootToken)
		wrapper := wrapEverything(client(t, s, servertest.RootToken))

		wrapped := must[*vault.Secret](t)(wrapper.Logical().Read("secret/data/app/db"))
		info := wrapped.WrapInfo
		if info == nil || info.Token == "" || info.Accessor == "" || info.TTL != 300 || info.CreationPath != "secret/data/app/db" || time.Since(info.CreationTime) > time.Minute {
			t.Fatalf("wrap info: %+v", info)
		}
		if wrapped.Data != nil {
			t.Errorf("the wrapped secret is in the answer: %v", wrapped.Data)
		}
		look := must[*vault.Secret](t)(client(t, s, "").Logical().Write("sys/wrapping/lookup", map[string]any{"token": info.Token}))
		same(t, "creation path", look.Data["creation_path"], "secret/data/app/db")

		got := must[*vault.Secret](t)(client(t, s, "").Logical().Unwrap(info.Token))
		same(t, "unwrapped", got.Data["data"], map[string]any{"user": "alice", "password": "pa55"})
		_, err := client(t, s, "").Logical().Unwrap(info.Token)
		refused(t, err, 400, "wrapping token is not valid or does not exist")

		// The token may also be the client's own, and root may unwrap for it.
		again := must[*vault.Secret](t)(wrapper.Logical().Read("secret/data/app/db")).WrapInfo.Token
		got = must[*vault.Secret](t)(client(t, s, again).Logical().Unwrap(""))
		same(t, "unwrapped by itself", got.Data["data"] != nil, true)
		again = must[*vault.Secret](t)(wrapper.Logical().Read("secret/data/app/db")).WrapInfo.Token
		got = must[*vault.Secret](t)(root.Logical().Unwrap(again))
		same(t, "unwrapped by root", got.Data["data"] != nil, true)
	})
}

func TestVaultClientWrapsAnythingAndRewraps(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	wrapper, root := wrapEverything(client(t, s, servertest.RootToken)), client(t, s, servertest.RootToken)
	w := must[*vault.Secret](t)(wrapper.Logical().Write("sys/wrapping/wrap", map[string]any{"a": "b", "n": 5}))
	re := must[*vault.Secret](t)(root.Logical().Write("sys/wrapping/rewrap", map[string]any{"token": w.WrapInfo.Token}))
	same(t, "creation path stays", re.WrapInfo.CreationPath, "sys/wrapping/wrap")
	_, err := root.Logical().Unwrap(w.WrapInfo.Token)
	refused(t, err, 400, "wrapping token is not valid")
	got := must[*vault.Secret](t)(root.Logical().Unwrap(re.WrapInfo.Token))
	same(t, "data", got.Data, map[string]any{"a": "b", "n": 5})
}

func TestVaultClientUnwrapsALogin(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	idp := setup(t, s)
	c := wrapEverything(client(t, s, ""))
	w := must[*vault.Secret](t)(c.Logical().Write("auth/jwt/login", map[string]any{"role": "demo", "jwt": idp.Token(audience, nil)}))
	if w.Auth != nil || w.WrapInfo == nil || w.WrapInfo.WrappedAccessor == "" {
		t.Fatalf("wrapped login: %+v %+v", w.Auth, w.WrapInfo)
	}
	in := must[*vault.Secret](t)(client(t, s, "").Logical().Unwrap(w.WrapInfo.Token))
	same(t, "accessor", in.Auth.Accessor, w.WrapInfo.WrappedAccessor)
	must[*vault.Secret](t)(client(t, s, in.Auth.ClientToken).Auth().Token().LookupSelf())
}
