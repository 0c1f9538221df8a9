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

// TestUsersOfAnIdentityProviderSeeTheirOwnRows runs users with real tokens of a
// real provider against a whole server, many at once.
func TestUsersOfAnIdentityProviderSeeTheirOwnRows(t *testing.T) {
	users := 200
	if testing.Short() {
		users = 20
	}
	key := idptest.NewKey(t, "k1", jwt.Algorithm("ES256"))
	conf := servertest.Options{IAM: iam.DefaultText + `
[roles.EndUser]
capabilities = ["CapDataReader", "CapDataWriter", "CapDataSearcher"]
policies = ["PolNotes"]
[policies.PolNotes]
policy_type = "allow"
operations = ["read", "write", "search", "stats"]
reasons = ["AppFunctionality"]
resources = ["notes/properties/*"]
[idps.app]
type = "direct-jwt"
allowed_roles = ["EndUser"]
[idps.app.conf]
iss = "https://idp.test/"
aud = "vault"
extra_claims = '{"https://app.piiano.io/prop-claim-ref/owner": "sub"}'
keys = '''` + string(key.JWK(t)) + `'''
`}
	servertest.Each(t, conf, func(t *testing.T, s *servertest.Server) {
		schema := `{"name":"notes","type":"DATA","properties":[{"name":"owner","data_type_name":"STRING","is_index":true},{"name":"note","data_type_name":"STRING"}]}`
		if code, body := s.Pvault("POST", "ctl/collections", servertest.AdminKey, schema); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
		work := make(chan int)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for i := range work {
					writeAndRead(t, s, key, i)
				}
			})
		}
		for i := range users {
			work <- i
		}
		close(work)
		wg.Wait()
	})
}

// writeAndRead is one user, known by sub alone: the operator has bound the
// property owner to it.
func writeAndRead(t *testing.T, s *servertest.Server, key *idptest.Key, i int) {
	me := fmt.Sprintf("user-%04d", i)
	token := key.Token(t, map[string]any{
		"iss": "https://idp.test/", "aud": "vault", "sub": me, "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"EndUser"},
	})
	do := func(want int, method, path, body string) string {
		code, out := s.Pvault(method, path, token, body)
		if code != want {
			t.Errorf("%s: %s %s: %d %s", me, method, path, code, out)
		}
		if want == 200 && strings.Count(out, "user-") != strings.Count(out, me) {
			t.Errorf("%s sees others: %s", me, out)
		}
		return out
	}
	var mine struct{ ID string }
	out := do(200, "POST", rows+"objects"+why, `{"owner":"`+me+`","note":"of `+me+`"}`)
	if err := json.Unmarshal([]byte(out), &mine); err != nil {
		t.Errorf("%s: %v in %s", me, err, out)
		return
	}
	do(403, "POST", rows+"objects"+why, `{"owner":"user-x","note":"forged"}`)
	do(403, "PATCH", rows+"objects/"+mine.ID+why, `{"owner":"user-x"}`)
	do(200, "PATCH", rows+"objects/"+mine.ID+why, `{"note":"still of `+me+`"}`)
	if out := do(200, "GET", rows+"objects"+why+"&props=owner,note", ""); strings.Count(out, `"owner"`) != 1 {
		t.Errorf("%s lists %s", me, out)
	}
	do(200, "POST", rows+"query/objects"+why+"&props=owner", `{"in":{"owner":["`+me+`","user-0000","user-0001"]}}`)
	if out := do(200, "GET", rows+"count/objects"+why, ""); out != `{"active":1,"archived":0,"total":1}` {
		t.Errorf("%s counts %s", me, out)
	}
	do(403, "DELETE", rows+"objects/"+mine.ID+why, "")
}
