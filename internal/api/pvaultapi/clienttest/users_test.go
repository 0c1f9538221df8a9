package clienttest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

const (
	rows = "data/collections/notes/"
	why  = "?reason=AppFunctionality"
)

// TestUsersOfAnIdentityProviderSeeTheirOwnRows runs a thousand users with real
// tokens of real providers against a whole server, many at once. One provider
// mints the claim that narrows; of the other's tokens the operator has bound
// sub to the property.
func TestUsersOfAnIdentityProviderSeeTheirOwnRows(t *testing.T) {
	users := 1000
	if testing.Short() {
		users = 40
	}
	key := idptest.NewKey(t, "k1", jwt.Algorithm("ES256"))
	conf := servertest.Options{IAM: iam.DefaultText + `
[roles.EndUser]
capabilities = ["CapDataReader", "CapDataWriter", "CapDataSearcher", "CapTokensWriter", "CapTokensReader", "CapTokensDetokenizer",
  "CapCryptoEncrypter", "CapCryptoDecrypter", "CapCryptoHasher"]
policies = ["PolNotes"]
[policies.PolNotes]
policy_type = "allow"
operations = ["*"]
reasons = ["AppFunctionality"]
resources = ["notes/properties/*", "notes/tokens/*"]
[idps.minting]
type = "direct-jwt"
allowed_roles = ["EndUser"]
[idps.minting.conf]
iss = "https://idp.test/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
[idps.plain]
type = "direct-jwt"
allowed_roles = ["EndUser"]
[idps.plain.conf]
iss = "https://plain.test/"
aud = "vault"
extra_claims = '{"https://app.piiano.io/prop-claim-ref/user_id": "sub"}'
keys = '''` + string(key.JWK(t)) + `'''
`}
	servertest.Each(t, conf, func(t *testing.T, s *servertest.Server) {
		schema := `{"name":"notes","type":"DATA","properties":[{"name":"user_id","data_type_name":"STRING","is_index":true},
			{"name":"note","data_type_name":"NAME","is_substring_index":true}]}`
		if code, body := s.Pvault("POST", "ctl/collections", servertest.AdminKey, schema); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
		users := users
		if strings.HasSuffix(t.Name(), "/postgres") {
			users /= 4 // a commit there takes longer, and the rules are the same
		}
		everyone := make([]*enduser, users)
		for i := range everyone {
			everyone[i] = newUser(t, s, key, i)
		}
		atOnce(everyone, (*enduser).write)
		atOnce(everyone, func(u *enduser) { u.live(everyone[(u.n+1)%users]) })
		want := fmt.Sprintf(`{"active":%d,"archived":0,"total":%d}`, users, users)
		if _, got := s.Pvault("GET", rows+"count/objects"+why, servertest.AdminKey, ""); got != want {
			t.Errorf("in the end: %s", got)
		}
	})
}

// atOnce lets many users work at the same time.
func atOnce(users []*enduser, do func(*enduser)) {
	work := make(chan *enduser)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for u := range work {
				do(u)
			}
		})
	}
	for _, u := range users {
		work <- u
	}
	close(work)
	wg.Wait()
}

// enduser is one user with what it has made.
type enduser struct {
	t            *testing.T
	s            *servertest.Server
	n            int
	me, jwt      string
	id           string // its object
	token, cryed string // a data token and a ciphertext of the object
	shared       string // a token of a value that all users have
}

func newUser(t *testing.T, s *servertest.Server, key *idptest.Key, n int) *enduser {
	u := &enduser{t: t, s: s, n: n, me: fmt.Sprintf("user-%04d", n)}
	claims := map[string]any{"iss": "https://plain.test/", "aud": "vault", "sub": u.me, "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"EndUser"}}
	if n%2 == 0 {
		claims["iss"], claims["sub"], claims["https://app.piiano.io/prop/user_id"] = "https://idp.test/", "anyone", u.me
	}
	u.jwt = key.Token(t, claims)
	return u
}

// do wants a status, and in an answer no user but this one.
func (u *enduser) do(want int, method, path, body string) string {
	code, out := u.s.Pvault(method, path, u.jwt, body)
	if code != want {
		u.t.Errorf("%s: %s %s: %d %s", u.me, method, path, code, out)
	}
	if want == 200 && strings.Count(out, "user-") != strings.Count(out, u.me) {
		u.t.Errorf("%s sees others: %s", u.me, out)
	}
	return out
}

// made is do for calls that answer with one id or text.
func (u *enduser) made(path, body, field string) string {
	out := strings.Trim(u.do(200, "POST", rows+path+why, body), "[]")
	var v map[string]string
	if err := json.Unmarshal([]byte(out), &v); err != nil || v[field] == "" {
		u.t.Errorf("%s: %s: %s", u.me, path, out)
	}
	return v[field]
}

func (u *enduser) write() {
	u.id = u.made("objects", `{"user_id":"`+u.me+`","note":"of `+u.me+`"}`, "id")
	object := `"object":{"id":"` + u.id + `"}`
	u.token = u.made("tokens", `[{"type":"randomized",`+object+`,"tags":["all"]}]`, "token_id")
	u.cryed = u.made("encrypt/objects", `[{`+object+`,"props":["note"]}]`, "ciphertext")
	u.do(403, "POST", rows+"objects"+why, `{"user_id":"user-x","note":"forged"}`)
	u.do(403, "POST", rows+"bulk/objects"+why, `[{"user_id":"`+u.me+`","note":"x"},{"user_id":"user-x","note":"forged"}]`)
	if !u.counts() {
		return
	}
	u.shared = u.made("tokens", `[{"type":"deterministic","object":{"fields":{"user_id":"`+u.me+`","note":"same"}},"props":["note"],"tags":["all"]}]`, "token_id")
}

// live reads and changes what is the user's, and tries the same on what is
// another's.
func (u *enduser) live(other *enduser) {
	const all = "&options=unsafe"
	u.do(200, "PATCH", rows+"objects/"+u.id+why, `{"note":"still of `+u.me+`"}`)
	u.do(403, "PATCH", rows+"objects/"+u.id+why, `{"user_id":"`+other.me+`"}`)
	for _, out := range []string{
		u.do(200, "GET", rows+"objects"+why+all, ""),
		u.do(200, "POST", rows+"query/objects"+why+all, `{"in":{"user_id":["`+u.me+`","`+other.me+`"]}}`),
		u.do(200, "POST", rows+"query/objects"+why+all, `{"like":{"note":"*user*"}}`),
	} {
		if strings.Count(out, `"note"`) != 1 || !strings.Contains(out, `"remaining_count":0`) {
			u.t.Errorf("%s lists %s", u.me, out)
		}
	}
	if out := u.do(200, "GET", rows+"count/objects"+why, ""); out != `{"active":1,"archived":0,"total":1}` {
		u.t.Errorf("%s counts %s", u.me, out)
	}
	if u.counts() {
		u.countTokens()
	}
	u.do(200, "POST", rows+"query/tokens"+why, `{"object_ids":["`+u.id+`","`+other.id+`"]}`)
	decrypt := func(text string) string { return `[{"encrypted_object":{"ciphertext":"` + text + `"}}]` }
	u.do(200, "POST", rows+"decrypt/objects"+why, decrypt(u.cryed))
	u.foreign(other, decrypt(other.cryed))
}

// counts is for calls that look at the tokens of all users: some make them.
func (u *enduser) counts() bool { return u.n%20 < 2 }

func (u *enduser) countTokens() {
	if out := u.do(200, "GET", rows+"count/tokens"+why, ""); out != `{"active":2,"archived":0,"total":2}` {
		u.t.Errorf("%s counts %s of its tokens", u.me, out)
	}
	if out := u.do(200, "GET", rows+"tokens"+why+"&tags=all&options=include_metadata", ""); strings.Count(out, `"creation_time"`) != 2 {
		u.t.Errorf("%s sees uses of others: %s", u.me, out)
	}
}

func (u *enduser) foreign(other *enduser, decrypt string) {
	object := rows + "objects/" + other.id + why
	tokens := rows + "tokens" + why + "&token_ids=" + other.token
	by := `"object":{"id":"` + other.id + `"}`
	u.do(403, "GET", object+"&props=id", "")
	u.do(403, "GET", rows+"objects"+why+"&props=id&ids="+u.id+","+other.id, "")
	u.do(403, "PATCH", object, `{"note":"stolen"}`)
	u.do(403, "PATCH", rows+"bulk/objects"+why, `[{"id":"`+other.id+`","user_id":"`+u.me+`"}]`)
	u.do(403, "DELETE", object, "")
	u.do(403, "DELETE", rows+"bulk/objects"+why, `[{"id":"`+u.id+`"},{"id":"`+other.id+`"}]`)
	u.do(403, "GET", tokens, "")
	u.do(403, "PATCH", tokens, `{"tags":["mine"]}`)
	u.do(403, "DELETE", tokens, "")
	u.do(403, "POST", rows+"rotate/tokens"+why+"&token_ids="+other.token, "")
	u.do(403, "POST", rows+"tokens"+why, `[{"type":"pci",`+by+`}]`)
	u.do(403, "POST", rows+"encrypt/objects"+why, `[{`+by+`}]`)
	u.do(403, "POST", rows+"hash/objects"+why, `[{`+by+`}]`)
	u.do(403, "POST", rows+"decrypt/objects"+why, decrypt)
	u.do(403, "PATCH", rows+"encrypt/objects"+why, strings.TrimSuffix(decrypt, "}]")+`,"fields":{"user_id":"`+u.me+`"}}]`)
	if u.counts() && other.counts() && u.shared != other.shared {
		u.t.Errorf("%s and %s have two deterministic tokens of one value", u.me, other.me)
	}
}
