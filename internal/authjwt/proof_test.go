package authjwt

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

// remembering returns a node with one role that follows a fetched key set, on
// a clock that the test sets, and a token that the node has proved and kept.
func remembering(t *testing.T) (n node, idp *idptest.Provider, set func(time.Duration), raw string) {
	ns, _ := nodes(t, 1)
	n = ns[0]
	start := time.Now()
	var offset atomic.Int64
	now := func() time.Time { return start.Add(time.Duration(offset.Load())) }
	n.now = now
	n.client = jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true, Now: now})
	idp = idptest.NewPlain(t)
	idp.SetClock(now)
	if _, err := n.WriteConfig(context.Background(), testMount, params{"jwks_url": idp.JWKSURL()}); err != nil {
		t.Fatal(err)
	}
	n.role(t, "r", nil)
	raw = idp.Token("a", map[string]any{"sub": "user", "aud": nil, "exp": now().Add(time.Hour).Unix()})
	for i := range 2 {
		if got := n.proved.Len(); got != 0 {
			t.Fatalf("%d proofs after %d logins: a token that comes once is not worth remembering", got, i)
		}
		if _, err := n.login(raw); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.proved.Len(); got != 1 {
		t.Fatalf("%d proofs after two logins with one token", got)
	}
	if _, err := n.login(raw); err != nil {
		t.Fatal(err)
	}
	return n, idp, func(d time.Duration) { offset.Store(int64(d)) }, raw
}

func TestARememberedTokenIsJudgedAnewEachTime(t *testing.T) {
	n, _, set, raw := remembering(t)
	n.role(t, "r", params{"bound_subject": "other"})
	if _, err := n.login(raw); fault.PublicText(err) != "error validating token: invalid subject (sub) claim" {
		t.Errorf("the role has changed: %v", err)
	}
	n.role(t, "r", params{"token_bound_cidrs": []string{"192.0.2.0/24"}})
	if _, err := n.login(raw); !fault.Is(err, fault.Denied) {
		t.Errorf("the role has bound the address: %v", err)
	}
	n.role(t, "r", params{"token_bound_cidrs": []string{}})
	set(2 * time.Hour)
	if _, err := n.login(raw); fault.ReasonOf(err) != trust.ReasonExpired {
		t.Errorf("the token is over: %v", err)
	}
}

func TestARememberedTokenEndsWithTheKeyThatProvedIt(t *testing.T) {
	t.Run("withdrawn", func(t *testing.T) {
		n, idp, set, raw := remembering(t)
		idp.Rotate(jwt.RS256)
		set(time.Minute)
		if _, err := n.login(idp.Token("a", map[string]any{"sub": "user", "aud": nil})); err != nil {
			t.Fatalf("the new key's token: %v", err)
		}
		if _, err := n.login(raw); err == nil || n.proved.Len() != 0 {
			t.Errorf("the key is withdrawn: %v, %d proofs", err, n.proved.Len())
		}
	})
	t.Run("another configuration", func(t *testing.T) {
		n, _, _, raw := remembering(t)
		n.config(t, idptest.NewKey(t, "", jwt.ES256))
		if _, err := n.login(raw); err == nil {
			t.Error("another key counts now, and the token of the old one is admitted")
		}
	})
	t.Run("another mount", func(t *testing.T) {
		n, _, _, raw := remembering(t)
		other := testMount
		other.UUID, other.Path = "v", "auth/other/"
		if _, err := n.WriteConfig(context.Background(), other, params{"jwt_validation_pubkeys": []string{string(idptest.NewKey(t, "", jwt.ES256).PEM(t))}}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.WriteRole(context.Background(), other, "r", params{"role_type": "jwt", "user_claim": "sub", "bound_subject": "user"}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Login(context.Background(), Request{Mount: other, Role: "r", JWT: raw}); err == nil {
			t.Error("what one mount's keys have proved counts on another")
		}
	})
}

func TestALoginWithoutARoleUsesAndFillsTheMemory(t *testing.T) {
	n, idp, _, raw := remembering(t)
	if _, err := n.WriteConfig(context.Background(), testMount, params{"jwks_url": idp.JWKSURL(), "role_selection": "claims"}); err != nil {
		t.Fatal(err)
	}
	login := func(raw string) error {
		_, err := n.Login(context.Background(), Request{Mount: testMount, JWT: raw})
		return err
	}
	other := idp.Token("a", map[string]any{"sub": "user", "aud": nil, "jti": "2"})
	for range 3 {
		for _, token := range []string{raw, other} {
			if err := login(token); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := n.proved.Len(); got != 2 {
		t.Errorf("%d proofs of two tokens", got)
	}
	n.role(t, "r", params{"bound_subject": "other"})
	if err := login(raw); !errors.Is(err, errNoRole) {
		t.Errorf("no role admits the token any more: %v", err)
	}
}

func TestOnlyWhatWasProvedIsRemembered(t *testing.T) {
	n, idp, _, raw := remembering(t)
	head, sig := raw[:strings.LastIndexByte(raw, '.')+1], raw[strings.LastIndexByte(raw, '.')+1:]
	forged := head + strings.Repeat("A", len(sig)-1) + "A"
	big := idp.Token("a", map[string]any{"sub": "user", "aud": nil, "x": strings.Repeat("x", maxProofBytes)})
	for range 3 {
		if _, err := n.login(forged); err == nil {
			t.Error("a forged signature is admitted")
		}
		if _, err := n.login(raw + " "); err == nil {
			t.Error("another spelling of a remembered token is admitted")
		}
		if _, err := n.login(big); err != nil {
			t.Error(err)
		}
	}
	if got := n.proved.Len(); got != 1 {
		t.Errorf("%d tokens are remembered", got)
	}
}

// TestGenerationOfSeveralSets: a change of any set of the mount is seen.
func TestGenerationOfSeveralSets(t *testing.T) {
	ns, _ := nodes(t, 1)
	n := ns[0]
	a, b := idptest.NewPlain(t), idptest.NewPlain(t)
	if _, err := n.WriteConfig(context.Background(), testMount, params{"jwks_pairs": []any{
		map[string]any{"jwks_url": a.JWKSURL()}, map[string]any{"jwks_url": b.JWKSURL()},
	}}); err != nil {
		t.Fatal(err)
	}
	c, err := n.compiled(context.Background(), testMount.UUID)
	if err != nil {
		t.Fatal(err)
	}
	defer c.source.release()
	before := c.source.Generation()
	b.Rotate(jwt.RS256)
	if err := c.source.pairs[1].Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	if c.source.Generation() <= before {
		t.Error("a set has changed and the source's generation has not")
	}
}
