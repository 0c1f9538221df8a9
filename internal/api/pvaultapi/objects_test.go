package pvaultapi_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	why    = "?reason=AppFunctionality"
	buyers = "data/collections/buyers/"
	schema = `{"name":"buyers","type":"PERSONS","properties":[
		{"name":"email","data_type_name":"EMAIL","is_unique":true},
		{"name":"name","data_type_name":"NAME","is_substring_index":true,"is_nullable":true},
		{"name":"user_id","data_type_name":"STRING","is_index":true,"is_nullable":true},
		{"name":"group","data_type_name":"STRING","is_nullable":true},
		{"name":"ssn","data_type_name":"SSN","is_nullable":true},
		{"name":"born","data_type_name":"DATE_OF_BIRTH","is_nullable":true},
		{"name":"points","data_type_name":"INTEGER","is_index":true,"is_nullable":true}]}`
)

func withBuyers(t testing.TB) *world {
	w := newWorld(t)
	w.must("key-all", "POST", "ctl/collections", schema)
	return w
}

func (w *world) add(cred, body string, extra ...string) string {
	w.t.Helper()
	var out struct{ ID string }
	w.must(cred, "POST", buyers+"objects"+why+strings.Join(extra, ""), body).json(w.t, &out)
	if len(out.ID) != 36 {
		w.t.Fatalf("id %q", out.ID)
	}
	return out.ID
}

type pageOf struct {
	Results []map[string]any
	Paging  struct {
		Size      int
		Remaining int `json:"remaining_count"`
		Cursor    string
	}
}

func TestObjectLife(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"Bob@Example.COM","name":"Bob B","ssn":"123456789","born":"1990-05-01","points":3}`)
	get := func(props string) string {
		return w.must("key-all", "GET", buyers+"objects/"+id+why+"&props="+props, "").body
	}
	if got, want := get("email,points"), `{"email":"bob@example.com","points":3}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := get("email.mask&props=ssn.mask,name.mask,born.age,born.mask"), `{"email.mask":"b**********@example.com","ssn.mask":"***-**-6789","name.mask":"B** B","born.age":36,"born.mask":"1990-**-**"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.must("key-all", "PATCH", buyers+"objects/"+id+why, `{"points":4,"name":null}`)
	all := w.must("key-all", "GET", buyers+"objects/"+id+why+"&options=unsafe", "").body
	if want := `{"id":"` + id + `","email":"bob@example.com","ssn":"123-45-6789","born":"1990-05-01","points":4}`; all != want {
		t.Errorf("got %s, want %s", all, want)
	}
	if got := w.must("key-all", "GET", buyers+"objects/"+id+why+"&options=unsafe,show_builtins", "").body; !strings.Contains(got, `"_creation_time":"2026-11-21T12:00:00Z"`) {
		t.Error(got)
	}
	if e := w.trail.last(); len(e.Req.Objects) != 1 || e.Req.Objects[0] != id || len(e.Req.Properties) == 0 || e.Req.Reason != "AppFunctionality" {
		t.Errorf("audit: %+v", e.Req)
	}
	w.must("key-all", "DELETE", buyers+"objects/"+id+why, "")
	a := w.refused(404, "PV3005", "key-all", "GET", buyers+"objects/"+id+why+"&props=email", "")
	if a.context()["ids"] != id {
		t.Error(a.body)
	}
	w.add("key-all", `{"email":"bob@example.com"}`) // the unique value is free again
}

func TestBadObjectsNamePropertyAndRuleNotValue(t *testing.T) {
	w := withBuyers(t)
	for body, prop := range map[string]string{
		`{"email":"SECRET"}`: "email", `{"email":5}`: "email", `{"email":null}`: "email", `{}`: "email",
		`{"email":"a@b.c","ssn":"SECRET"}`: "ssn", `{"email":"a@b.c","points":"SECRET"}`: "points", `{"email":"a@b.c","points":1.5}`: "points",
		`{"email":"a@b.c","born":"SECRET"}`: "born", `{"email":"a@b.c","_creation_time":"2020-01-01T00:00:00Z"}`: "_creation_time",
		`{"email":"a@b.c","id":"SECRET"}`: "id", `{"email":"a@b.c","name":"` + strings.Repeat("SECRET", 1000) + `"}`: "name",
		`{"email":"a@b.c","email.mask":"SECRET"}`: "email.mask",
	} {
		a := w.refused(400, "PV3003", "key-all", "POST", buyers+"objects"+why, body)
		if a.context()["property"] != prop || strings.Contains(a.body, "SECRET") {
			t.Errorf("%.60s: %s", body, a.body)
		}
	}
	w.refused(404, "PV3004", "key-all", "POST", buyers+"objects"+why, `{"email":"a@b.c","nope":1}`)
	w.refused(400, "PV1012", "key-all", "POST", buyers+"objects"+why, `[]`)
	w.refused(400, "PV1012", "key-all", "POST", buyers+"objects"+why, `{"email":"a@b.c","email":"a@b.c"}`)
	w.refused(400, "PV1012", "key-all", "POST", buyers+"objects"+why, "{\"email\":\"a\xff@b.c\"}")
	w.refused(404, "PV1004", "key-all", "POST", "data/collections/sellers/objects"+why, `{}`)
	w.refused(400, "PV3003", "key-all", "GET", buyers+"objects/not-a-uuid"+why+"&props=email", "")
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why, "")
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=email&options=unsafe", "")
	w.refused(400, "PV1012", "key-all", "POST", buyers+"objects"+why+"&expiration_secs=0", `{"email":"a@b.c"}`)
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=email&options=show_builtins", "")
	w.refused(400, "PV1012", "key-all", "POST", buyers+"objects"+why+"&expiration_secs=-1", `{"email":"a@b.c"}`)
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=email&page_size=0", "")
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=email&page_size=1001", "")
}

func TestUniqueValues(t *testing.T) {
	w := withBuyers(t)
	w.add("key-all", `{"email":"a@b.c"}`)
	id := w.add("key-all", `{"email":"x@b.c"}`)
	a := w.refused(409, "PV3218", "key-all", "POST", buyers+"objects"+why, `{"email":"A@B.C"}`)
	if a.context()["property"] != "email" {
		t.Error(a.body)
	}
	w.refused(409, "PV3218", "key-all", "PATCH", buyers+"objects/"+id+why, `{"email":"a@b.c"}`)
	w.refused(409, "PV3218", "key-all", "POST", buyers+"objects"+why, `{"email":"new@b.c","id":"`+id+`"}`)
	w.must("key-all", "PATCH", buyers+"objects/"+id+why, `{"email":"x@b.c"}`)
}

func TestBulkIsAllOrNothing(t *testing.T) {
	w := withBuyers(t)
	type result struct {
		OK      bool
		Results []struct {
			ID    string
			OK    bool
			Error struct {
				Code string `json:"error_code"`
			}
		}
	}
	var r result
	w.must("key-all", "POST", buyers+"bulk/objects"+why, `[{"email":"a@b.c"},{"email":"bad"},{"email":"a@b.c"}]`).json(t, &r)
	if r.OK || len(r.Results) != 3 || r.Results[0].Error.Code != "" || r.Results[1].Error.Code != "PV3003" || r.Results[2].Error.Code != "PV3218" {
		t.Errorf("got %+v", r)
	}
	count := func(want string) {
		t.Helper()
		if got := w.must("key-all", "GET", buyers+"count/objects"+why, "").body; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	count(`{"active":0,"archived":0,"total":0}`)
	r = result{}
	w.must("key-all", "POST", buyers+"bulk/objects"+why, `[{"email":"a@b.c"},{"email":"b@b.c"}]`).json(t, &r)
	count(`{"active":2,"archived":0,"total":2}`)
	ids := []string{r.Results[0].ID, r.Results[1].ID}
	missing := "11111111-1111-4111-8111-111111111111"
	r = result{}
	w.must("key-all", "PATCH", buyers+"bulk/objects"+why, `[{"id":"`+ids[0]+`","points":9},{"id":"`+missing+`","points":9}]`).json(t, &r)
	if r.OK || r.Results[1].Error.Code != "PV3005" {
		t.Errorf("got %+v", r)
	}
	if got := w.must("key-all", "GET", buyers+"objects/"+ids[0]+why+"&props=points", "").body; got != `{}` {
		t.Errorf("half a bulk update was written: %s", got)
	}
	w.must("key-all", "DELETE", buyers+"bulk/objects"+why, `[{"id":"`+ids[0]+`"},{"id":"`+missing+`"}]`)
	count(`{"active":2,"archived":0,"total":2}`)
	w.must("key-all", "DELETE", buyers+"bulk/objects"+why, `[{"id":"`+ids[0]+`"},{"id":"`+ids[1]+`"}]`)
	count(`{"active":0,"archived":0,"total":0}`)
	w.refused(400, "PV1012", "key-all", "POST", buyers+"bulk/objects"+why, `[]`)
}

func TestListPages(t *testing.T) {
	w := withBuyers(t)
	for i := range 25 {
		w.add("key-all", fmt.Sprintf(`{"email":"u%d@b.c","points":%d}`, i, i%2))
	}
	seen := map[any]bool{}
	cursor, pages := "", 0
	for {
		var p pageOf
		w.must("key-all", "GET", buyers+"objects"+why+"&props=email&page_size=10&cursor="+cursor, "").json(t, &p)
		for _, r := range p.Results {
			if seen[r["email"]] {
				t.Errorf("twice: %v", r)
			}
			seen[r["email"]] = true
		}
		pages++
		if cursor = p.Paging.Cursor; cursor == "" {
			if p.Paging.Remaining != 0 || p.Paging.Size != 5 {
				t.Errorf("last page: %+v", p.Paging)
			}
			break
		}
		w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=points&page_size=10&cursor="+cursor, "")
		w.refused(400, "PV1012", "key-all", "POST", buyers+"query/objects"+why+"&props=email&page_size=10&cursor="+cursor, `{"match":{"points":1}}`)
	}
	if len(seen) != 25 || pages != 3 {
		t.Errorf("saw %d objects on %d pages", len(seen), pages)
	}
	w.refused(400, "PV1012", "key-all", "GET", buyers+"objects"+why+"&props=email&cursor=AAAA", "")
}

func TestSearch(t *testing.T) {
	w := withBuyers(t)
	for i := range 300 {
		w.add("key-all", fmt.Sprintf(`{"email":"u%d@b.c","user_id":"u%d","points":%d,"name":"Person %d of many"}`, i, i%7, i%3, i))
	}
	search := func(q string) pageOf {
		t.Helper()
		var p pageOf
		w.must("key-all", "POST", buyers+"query/objects"+why+"&props=email&page_size=1000", q).json(t, &p)
		return p
	}
	for q, want := range map[string]int{
		`{"match":{"email":"U17@B.C"}}`:                                      1,
		`{"match":{"email":"nobody@b.c"}}`:                                   0,
		`{"match":{"points":1}}`:                                             100,
		`{"match":{"points":1,"user_id":"u3"}}`:                              14,
		`{"in":{"user_id":["u1","u2"]}}`:                                     86,
		`{"in":{"email":["u1@b.c","u2@b.c","zz@b.c"]},"match":{"points":1}}`: 1,
		`{"like":{"name":"*person 299*"}}`:                                   1,
		`{"like":{"name":"Person 1? of*"}}`:                                  10,
		`{"like":{"name":"person 1*"}}`:                                      111,
		`{"like":{"name":"*MANY"},"match":{"user_id":"u0"}}`:                 43,
		`{"like":{"name":"many*"}}`:                                          0,
		`{"match":{"id":"11111111-1111-4111-8111-111111111111"}}`:            0,
	} {
		if got := len(search(q).Results); got != want {
			t.Errorf("%s: got %d, want %d", q, got, want)
		}
	}
	for _, q := range []string{`{"match":{"group":"g"}}`, `{"like":{"email":"abc*"}}`, `{"like":{"name":"a*b"}}`, `{"match":{"email":"not an address"}}`, `{"match":{"email.mask":"x"}}`} {
		w.refused(400, "PV3003", "key-all", "POST", buyers+"query/objects"+why+"&props=email", q)
	}
	for _, q := range []string{`{}`, `{"match":{}}`, `{"equals":{"points":1}}`, `{"match":[]}`} {
		w.refused(400, "PV1012", "key-all", "POST", buyers+"query/objects"+why+"&props=email", q)
	}
}

func TestExpiredObjectsAreArchived(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`, "&expiration_secs=60")
	path := buyers + "objects/" + id + why + "&props=email"
	w.must("key-all", "GET", path, "")
	w.refused(404, "PV3005", "key-all", "GET", path+"&options=archived", "")
	w.clock.advance(time.Minute)
	w.refused(404, "PV3005", "key-all", "GET", path, "")
	w.must("key-all", "GET", path+"&options=archived", "")
	if got := w.must("key-all", "GET", buyers+"count/objects"+why, "").body; got != `{"active":0,"archived":1,"total":1}` {
		t.Error(got)
	}
	w.must("key-all", "PATCH", buyers+"objects/"+id+why+"&options=archived&expiration_secs=", `{}`)
	w.must("key-all", "GET", path, "")
	w.must("key-all", "PATCH", buyers+"objects/"+id+why+"&expiration_secs=0", `{}`)
	w.clock.advance(31 * 24 * time.Hour)
	w.refused(404, "PV3005", "key-all", "GET", path+"&options=archived", "")
	w.add("key-all", `{"email":"a@b.c"}`) // retention is over: the value is free
}

func TestOwnersHandDownTenantAndEnd(t *testing.T) {
	w := withBuyers(t)
	w.must("key-all", "POST", "ctl/collections", "orders DATA (item STRING);", "Content-Type", "application/pvschema")
	owner := w.add("key-all", `{"email":"a@b.c","_tenant_id":"t1"}`, "&expiration_secs=100")
	var order struct{ ID string }
	const orders = "data/collections/orders/"
	w.must("key-all", "POST", orders+"objects"+why, `{"item":"book","_owner_id":"`+owner+`","_owner_collection":"buyers"}`).json(t, &order)
	got := w.must("key-all", "GET", orders+"objects/"+order.ID+why+"&props=_tenant_id,_owner_id,_owner_collection,_expiration_time", "").body
	if want := `{"_tenant_id":"t1","_owner_id":"` + owner + `","_owner_collection":"buyers","_expiration_time":"2026-11-21T12:01:40Z"}`; got != want {
		t.Errorf("got %s", got)
	}
	w.refused(400, "PV3003", "key-all", "POST", orders+"objects"+why, `{"item":"book","_owner_id":"`+owner+`"}`)
	w.refused(400, "PV3003", "key-all", "POST", orders+"objects"+why, `{"item":"book","_owner_id":"`+order.ID+`","_owner_collection":"buyers"}`)
	w.must("key-all", "DELETE", buyers+"objects/"+owner+why, "")
	w.refused(404, "PV3005", "key-all", "GET", orders+"objects/"+order.ID+why+"&props=item", "")
}

func TestTenantHeader(t *testing.T) {
	w := withBuyers(t)
	one := w.add("key-all", `{"email":"1@b.c","_tenant_id":"1"}`)
	w.add("key-all", `{"email":"2@b.c","_tenant_id":"2"}`)
	path := buyers + "objects/" + one + why + "&props=email"
	w.must("key-all", "GET", path, "", "X-Tenant-Id", "3, 1")
	w.refused(403, "PV1006", "key-all", "GET", path, "", "X-Tenant-Id", "2")
	w.refused(403, "PV1006", "key-all", "GET", buyers+"objects"+why+"&props=email", "", "X-Tenant-Id", "1")
	w.must("key-all", "GET", buyers+"objects"+why+"&props=email", "", "X-Tenant-Id", "1,2")
	w.refused(403, "PV1006", "key-all", "PATCH", buyers+"objects/"+one+why, `{"_tenant_id":"2"}`, "X-Tenant-Id", "1")
	w.refused(403, "PV1006", "key-all", "DELETE", buyers+"objects/"+one+why, "", "X-Tenant-Id", "2")
	w.refused(403, "PV1006", "key-all", "POST", buyers+"objects"+why, `{"email":"3@b.c","_tenant_id":"3"}`, "X-Tenant-Id", "2")
	w.refused(400, "PV1012", "key-all", "GET", path, "", "X-Tenant-Id", "1,,2")

	mine := w.jwt("alice", "all", principal.Narrowing{Property: "_tenant_id", Values: []string{"1"}})
	w.must(mine, "GET", path, "", "X-Tenant-Id", "2") // the token's bound beats the header
	var p pageOf
	w.must(mine, "GET", buyers+"objects"+why+"&props=email", "", "X-Tenant-Id", "2").json(t, &p)
	if len(p.Results) != 1 || p.Results[0]["email"] != "1@b.c" {
		t.Errorf("got %+v", p)
	}
}

func TestClaimsNarrowEveryOperation(t *testing.T) {
	w := withBuyers(t)
	claim := func(p string, vs ...string) principal.Narrowing { return principal.Narrowing{Property: p, Values: vs} }
	alice := w.jwt("alice", "all", claim("user_id", "alice"))
	mine := w.add(alice, `{"email":"a@b.c","user_id":"alice","name":"Person One"}`)
	theirs := w.add("key-all", `{"email":"b@b.c","user_id":"bob","name":"Person Two"}`)
	none := w.add("key-all", `{"email":"n@b.c","name":"Person None"}`)
	get := func(id string) string { return buyers + "objects/" + id + why }

	w.must(alice, "GET", get(mine)+"&props=email", "")
	for _, other := range []string{theirs, none} {
		w.refused(403, "PV1006", alice, "GET", get(other)+"&props=email", "")
		w.refused(403, "PV1006", alice, "PATCH", get(other), `{"points":1}`)
		w.refused(403, "PV1006", alice, "PATCH", get(other), `{"user_id":"alice"}`)
		w.refused(403, "PV1006", alice, "DELETE", get(other), "")
		w.refused(403, "PV1006", alice, "GET", buyers+"objects"+why+"&props=email&ids="+mine+","+other, "")
		w.refused(403, "PV1006", alice, "PATCH", buyers+"bulk/objects"+why, `[{"id":"`+mine+`","points":1},{"id":"`+other+`","points":1}]`)
		w.refused(403, "PV1006", alice, "DELETE", buyers+"bulk/objects"+why, `[{"id":"`+mine+`"},{"id":"`+other+`"}]`)
	}
	w.refused(403, "PV1006", alice, "PATCH", get(mine), `{"user_id":"bob"}`)
	w.refused(403, "PV1006", alice, "PATCH", get(mine), `{"user_id":null}`)
	w.refused(403, "PV1006", alice, "POST", buyers+"objects"+why, `{"email":"c@b.c","user_id":"bob"}`)
	w.refused(403, "PV1006", alice, "POST", buyers+"objects"+why, `{"email":"c@b.c"}`)
	w.refused(403, "PV1006", alice, "POST", buyers+"bulk/objects"+why, `[{"email":"c@b.c","user_id":"alice"},{"email":"d@b.c","user_id":"bob"}]`)

	only := func(cred string, want ...string) {
		t.Helper()
		for _, a := range []answer{
			w.must(cred, "GET", buyers+"objects"+why+"&props=id", ""),
			w.must(cred, "POST", buyers+"query/objects"+why+"&props=id", `{"like":{"name":"person*"}}`),
			w.must(cred, "POST", buyers+"query/objects"+why+"&props=id", `{"in":{"email":["a@b.c","b@b.c","n@b.c"]}}`),
		} {
			var p pageOf
			a.json(t, &p)
			if len(p.Results) != len(want) || p.Paging.Remaining != 0 {
				t.Errorf("got %+v, want %v", p, want)
				continue
			}
			for i := range want {
				if p.Results[i]["id"] != want[i] {
					t.Errorf("got %v, want %v", p.Results, want)
				}
			}
		}
		if got, want := w.must(cred, "GET", buyers+"count/objects"+why, "").body, fmt.Sprintf(`{"active":%d,"archived":0,"total":%d}`, len(want), len(want)); got != want {
			t.Errorf("count: %s", got)
		}
	}
	only(alice, mine)
	only(w.jwt("nobody", "all", claim("user_id", "carol")))
	only(w.jwt("empty", "all", claim("user_id")))
	only(w.jwt("both", "all", claim("user_id", "alice"), claim("user_id", "bob")))
	only(w.jwt("anded", "all", claim("user_id", "alice", "bob"), claim("email", "B@B.C")), theirs)
	only(w.jwt("unindexed", "all", claim("group", "g")))

	lost := w.jwt("lost", "all", claim("no_such_property", "x"))
	w.refused(403, "PV1006", lost, "GET", get(mine)+"&props=email", "")
	w.refused(403, "PV1006", lost, "GET", buyers+"objects"+why+"&props=email", "")
	w.refused(403, "PV1006", lost, "GET", buyers+"count/objects"+why, "")
	w.refused(403, "PV1006", lost, "POST", buyers+"objects"+why, `{"email":"c@b.c"}`)
}

func TestClaimsNeverWiden(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","user_id":"alice"}`)
	w.roles([]votes.RoleSpec{{Name: "blind", Capabilities: []string{"*"}}}, nil)
	tok := w.jwt("alice", "blind", principal.Narrowing{Property: "user_id", Values: []string{"alice"}})
	w.refused(403, "PV1006", tok, "GET", buyers+"objects/"+id+why+"&props=email", "")
}

func TestPoliciesVotePerProperty(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","name":"Bob","ssn":"123-45-6789","user_id":"alice"}`)
	w.roles([]votes.RoleSpec{
		{Name: "all", Capabilities: []string{"*"}, Policies: []string{"AllowAll"}},
		{Name: "support", Capabilities: []string{"*"}, Policies: []string{"Mask", "Name", "Deny"}},
	}, []votes.PolicySpec{allowAll,
		{Name: "Mask", Type: "allow", Operations: []string{"read"}, Reasons: []string{"*"}, Resources: []string{"*/types/EMAIL.mask", "buyers/properties/ssn"}},
		{Name: "Name", Type: "allow", Operations: []string{"*"}, Reasons: []string{"AppFunctionality"}, Resources: []string{"buyers/properties/name", "buyers/properties/id"}},
		{Name: "Deny", Type: "deny", Operations: []string{"read"}, Reasons: []string{"*"}, Resources: []string{"*/types/SSN"}},
	})
	get := buyers + "objects/" + id + why + "&props="
	w.must("key-support", "GET", get+"email.mask,name,id", "")
	for _, props := range []string{"email", "name,email", "ssn", "ssn.mask", "user_id", "_tenant_id"} {
		w.refused(403, "PV1006", "key-support", "GET", get+props, "")
	}
	w.refused(403, "PV1006", "key-support", "GET", strings.Replace(get, "AppFunctionality", "Marketing", 1)+"name", "")
	w.refused(403, "PV1006", "key-support", "GET", buyers+"objects/"+id+why+"&options=unsafe", "")
	w.must("key-support", "PATCH", buyers+"objects/"+id+why, `{"name":"Rob"}`)
	w.refused(403, "PV1006", "key-support", "PATCH", buyers+"objects/"+id+why, `{"name":"Rob","email":"x@b.c"}`)
	w.refused(403, "PV1006", "key-support", "DELETE", buyers+"objects/"+id+why, "")
	w.refused(403, "PV1006", "key-support", "PATCH", buyers+"objects/"+id+why+"&expiration_secs=0", `{}`)
	w.must("key-support", "POST", buyers+"query/objects"+why+"&props=name", `{"like":{"name":"rob*"}}`)
	w.refused(403, "PV1006", "key-support", "POST", buyers+"query/objects"+why+"&props=name", `{"match":{"email":"a@b.c"}}`)
	w.refused(403, "PV1006", "key-support", "GET", buyers+"count/objects"+why, "")
	a := w.refused(403, "PV1006", "key-support", "GET", get+"email", "")
	if a.context()["username"] != "user-support" {
		t.Error(a.body)
	}
	if e := w.trail.last(); len(e.Checks) == 0 || e.Checks[0].OK {
		t.Errorf("audit shows no check: %+v", e)
	}
}

func TestAdminReadsDataOnlyIfTheServerSaysSo(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`)
	w.refused(403, "PV1006", "pvaultauth", "GET", buyers+"objects/"+id+why+"&props=email", "")
	w.must("pvaultauth", "GET", "ctl/collections", "")
}

func TestNothingPersonalLiesInAKey(t *testing.T) {
	w := withBuyers(t)
	w.add("key-all", `{"email":"needle@b.c","name":"Needle Person","user_id":"needle","ssn":"123-45-6789","_tenant_id":"needle"}`)
	err := w.store.View(context.Background(), func(tx storage.ReadTx) error {
		items, err := tx.Scan(nil, nil, 10000)
		if len(items) < 10 {
			t.Errorf("only %d keys", len(items))
		}
		for _, it := range items {
			for _, word := range []string{"needle", "nee", "123-45", "6789"} {
				if bytes.Contains(bytes.ToLower(it.Key), []byte(word)) || bytes.Contains(bytes.ToLower(it.Value), []byte(word)) {
					t.Errorf("%q lies in clear under %q", word, it.Key)
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
