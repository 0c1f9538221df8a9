package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// bench is a server that is set up and ready to be measured.
type bench struct {
	base   string
	root   string // token of the Vault door
	admin  string // API key of the pvault door
	key    *rsa.PrivateKey
	client *http.Client
	opts   options
	serial atomic.Int64

	filled    bool     // the collection is there
	ids       []string // of some of its objects
	nextBuyer atomic.Int64
}

// path is one way through the server. prepare returns what to send: next is
// called with the worker and its turn, and may end the run early.
type path struct {
	name    string
	prepare func(ctx context.Context, b *bench) (next func(worker, i int) (call, bool), err error)
}

var paths = []path{
	{"login-service", loginPath("svc", oneToken)},
	{"login-batch", loginPath("batch", oneToken)},
	{"login-service-new-jwt", loginPath("svc", newToken)},
	{"login-batch-new-jwt", loginPath("batch", newToken)},
	{"login-new-subject", loginPath("svc", newSubject)},
	{"lookup-self", withToken(func(b *bench, _, _ int) call { return call{method: "GET", url: "/v1/auth/token/lookup-self"} })},
	{"kv-read", withToken(func(b *bench, _, _ int) call { return call{method: "GET", url: "/v1/secret/data/bench"} })},
	{"kv-write", withToken(func(b *bench, w, i int) call {
		return call{method: "POST", url: fmt.Sprintf("/v1/secret/data/w%d-%d", w, i%100), body: []byte(`{"data":{"user":"alice","password":"correct horse battery staple"}}`)}
	})},
	{"jwt-cached", directPath(true)},
	{"jwt-uncached", directPath(false)},
	{"object-get", objectPath(true, getObject)},
	{"object-get-uncached", objectPath(false, getObject)},
	{"object-add", objectPath(true, addObject)},
	{"object-search", objectPath(true, searchObjects)},
	{"object-list-100", objectPath(true, listObjects)},
}

func pathNames() []string {
	var n []string
	for _, p := range paths {
		n = append(n, p.name)
	}
	return n
}

// setUp brings the empty dev server into the state of both guides.
func setUp(ctx context.Context, srv *child, o options) (*bench, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	b := &bench{base: "http://" + srv.addr, root: srv.root, admin: srv.admin, key: key, client: &http.Client{Timeout: 30 * time.Second}, opts: o}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	pub := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	role := func(kind string) map[string]any {
		return map[string]any{"role_type": "jwt", "bound_audiences": "bench", "user_claim": "sub", "token_policies": "bench", "token_type": kind, "token_ttl": "1h"}
	}
	steps := []struct {
		path string
		body any
		want int
	}{
		{"/v1/sys/policies/acl/bench", map[string]any{"policy": `path "secret/data/*" { capabilities = ["create", "read", "update"] }`}, 204},
		{"/v1/sys/auth/jwt", map[string]any{"type": "jwt"}, 204},
		{"/v1/auth/jwt/config", map[string]any{"jwt_validation_pubkeys": []string{pub}, "bound_issuer": "https://bench/"}, 204},
		{"/v1/auth/jwt/role/svc", role("service"), 204},
		{"/v1/auth/jwt/role/batch", role("batch"), 204},
		{"/v1/secret/data/bench", map[string]any{"data": map[string]any{"user": "alice", "password": "correct horse"}}, 200},
	}
	for _, s := range steps {
		if _, err := b.do(ctx, "POST", s.path, b.root, s.body, s.want); err != nil {
			return nil, err
		}
	}
	conf, err := fetch(ctx, b.client, call{method: "GET", url: b.base + "/api/pvlt/1.0/ctl/iam/conf", header: bearer(b.admin), want: 200})
	if err != nil {
		return nil, err
	}
	iam := string(conf) + "\n[idps.bench]\ntype = \"direct-jwt\"\n[idps.bench.conf]\niss = \"https://bench/\"\naud = \"bench\"\nkeys = '''" + jwk(&key.PublicKey) + "'''\n"
	_, err = fetch(ctx, b.client, call{method: "POST", url: b.base + "/api/pvlt/1.0/ctl/iam/conf", header: bearer(b.admin), body: []byte(iam), want: 200})
	return b, err
}

func bearer(t string) [2]string { return [2]string{"Authorization", "Bearer " + t} }

// do sends a JSON body with a client token of the Vault door.
func (b *bench) do(ctx context.Context, method, path, token string, body any, want int) ([]byte, error) {
	js, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return fetch(ctx, b.client, call{method: method, url: b.base + path, header: [2]string{"X-Vault-Token", token}, body: js, want: want})
}

func jwk(k *rsa.PublicKey) string {
	return fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"%s","alg":"RS256","kid":"bench","use":"sig"}`,
		base64.RawURLEncoding.EncodeToString(k.N.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes()))
}

// sign returns an RS256 token for sub.
func (b *bench) sign(sub string) (string, error) {
	now := time.Now().Unix()
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT","kid":"bench"}`))
	claims := fmt.Sprintf(`{"iss":"https://bench/","aud":"bench","sub":%q,"iat":%d,"nbf":%d,"exp":%d,"jti":"%d","roles":["VaultAdminRole"],"repository":"octo-org/octo-repo","ref":"refs/heads/main","workflow":"deploy"}`, sub, now, now, now+3600, b.serial.Add(1))
	text := head + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, b.key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), err
}

// many signs n tokens; subjects differ unless same is set.
func (b *bench) many(n int, same bool) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		sub := "alice"
		if !same {
			sub = fmt.Sprintf("user-%d", b.serial.Load())
		}
		t, err := b.sign(sub)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// once hands out each of n items once, over all workers.
func once(n int, item func(i int) call) func(int, int) (call, bool) {
	var at atomic.Int64
	return func(int, int) (call, bool) {
		i := int(at.Add(1)) - 1
		if i >= n {
			return call{}, false
		}
		return item(i), true
	}
}

// tokens says which JWTs a path logs in with.
type tokens int

const (
	oneToken   tokens = iota // one again and again
	newToken                 // a new one each time, of one subject
	newSubject               // a new one each time, each of another subject
)

func loginPath(role string, which tokens) func(context.Context, *bench) (func(int, int) (call, bool), error) {
	return func(_ context.Context, b *bench) (func(int, int) (call, bool), error) {
		body := func(t string) []byte { return []byte(`{"role":"` + role + `","jwt":"` + t + `"}`) }
		c := call{method: "POST", url: b.base + "/v1/auth/jwt/login", want: 200}
		if which == oneToken {
			t, err := b.sign("alice")
			c.body = body(t)
			return func(int, int) (call, bool) { return c, true }, err
		}
		ts, err := b.many(b.opts.tokens, which == newToken)
		return once(len(ts), func(i int) call { c := c; c.body = body(ts[i]); return c }), err
	}
}

// withToken logs in once and sends what each returns with the client token.
func withToken(each func(b *bench, worker, i int) call) func(context.Context, *bench) (func(int, int) (call, bool), error) {
	return func(ctx context.Context, b *bench) (func(int, int) (call, bool), error) {
		t, err := b.sign("alice")
		if err != nil {
			return nil, err
		}
		out, err := b.do(ctx, "POST", "/v1/auth/jwt/login", "", map[string]string{"role": "svc", "jwt": t}, 200)
		if err != nil {
			return nil, err
		}
		var login struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			} `json:"auth"`
		}
		if err := json.NewDecoder(bytes.NewReader(out)).Decode(&login); err != nil {
			return nil, err
		}
		return func(w, i int) (call, bool) {
			c := each(b, w, i)
			c.header, c.want = [2]string{"X-Vault-Token", login.Auth.ClientToken}, 200
			if !strings.HasPrefix(c.url, "http") {
				c.url = b.base + c.url
			}
			return c, true
		}, nil
	}
}

// directPath sends JWTs as bearer to the pvault door: one token again and
// again, so that its verification is cached, or a new one each time.
func directPath(cached bool) func(context.Context, *bench) (func(int, int) (call, bool), error) {
	return func(_ context.Context, b *bench) (func(int, int) (call, bool), error) {
		c := call{method: "GET", url: b.base + "/api/pvlt/1.0/system/info/version", want: 200}
		if cached {
			t, err := b.sign("alice")
			c.header = bearer(t)
			return func(int, int) (call, bool) { return c, true }, err
		}
		ts, err := b.many(b.opts.tokens, true)
		return once(len(ts), func(i int) call { c := c; c.header = bearer(ts[i]); return c }), err
	}
}
