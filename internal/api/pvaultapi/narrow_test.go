package pvaultapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
)

func (w *world) user(name string) string {
	return w.jwt(name, "all", principal.Narrowing{Property: "user_id", Values: []string{name}})
}

// TestOwnershipDoesNotPassOnWithAnID deletes an object and lets someone else
// take its id: what was made of the first stays out of reach.
func TestOwnershipDoesNotPassOnWithAnID(t *testing.T) {
	w := withBuyers(t)
	alice, bob := w.user("alice"), w.user("bob")
	id := w.add(bob, `{"email":"secret@b.c","user_id":"bob"}`)
	text := encryptOne(w, bob, `{"object":{"id":"`+id+`"},"props":["email"]}`)
	tok := w.tokenize(bob, `[{"type":"randomized","object":{"id":"`+id+`"},"props":["email"]}]`)[0]
	decrypt := `[{"encrypted_object":{"ciphertext":"` + text + `"}}]`
	w.must(bob, "POST", buyers+"decrypt/objects"+why, decrypt)
	w.must("key-all", "DELETE", buyers+"objects/"+id+why, "")
	w.clock.advance(time.Second)
	w.must(alice, "POST", buyers+"objects"+why, `{"id":"`+id+`","email":"mine@b.c","user_id":"alice"}`)
	w.refused(403, "PV1006", alice, "POST", buyers+"decrypt/objects"+why, decrypt)
	w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","object":{"encrypted":{"ciphertext":"`+text+`"}}}]`)
	w.refused(403, "PV1006", alice, "PATCH", buyers+"encrypt/objects"+why, `[{"encrypted_object":{"ciphertext":"`+text+`"},"fields":{"user_id":"alice"}}]`)
	if got := w.detokenize(alice, "token_ids="+tok); got != "[]" {
		t.Errorf("the token outlives its object: %s", got)
	}
}

// TestUsesDoNotPassOnWithAnID lets an object end for good while a token of its
// value lives on, and someone else take its id.
func TestUsesDoNotPassOnWithAnID(t *testing.T) {
	w := withBuyers(t)
	var made struct{ ID string }
	w.must("key-all", "POST", buyers+"objects"+why+"&expiration_secs=60", `{"email":"secret@b.c","user_id":"bob"}`).json(t, &made)
	tok := w.tokenize("key-all", `[{"type":"pci","object":{"id":"`+made.ID+`"},"props":["email"]},{"type":"pci","object":{"fields":{"email":"secret@b.c"}}}]`)[0]
	w.clock.advance(40 * 24 * time.Hour)
	alice := w.user("alice")
	w.must(alice, "POST", buyers+"objects"+why, `{"id":"`+made.ID+`","email":"mine@b.c","user_id":"alice"}`)
	for _, options := range []string{"", "&options=archived"} {
		if got := w.detokenize(alice, "object_ids="+made.ID+options); got != "[]" {
			t.Errorf("alice reads a value of an object that was not hers: %s", got)
		}
	}
	w.refused(403, "PV1006", alice, "GET", buyers+"tokens"+why+"&options=archived&token_ids="+tok, "")
}

// TestOwnedObjectsDoNotPassOnWithAnID lets someone of another tenant take the
// id of a deleted owner: what that one owned keeps its tenant and stays archived.
func TestOwnedObjectsDoNotPassOnWithAnID(t *testing.T) {
	w := withBuyers(t)
	owner := w.add("key-all", `{"email":"a@b.c","_tenant_id":"t2"}`)
	child := w.add("key-all", `{"email":"secret@b.c","_owner_id":"`+owner+`","_owner_collection":"buyers"}`)
	shared := w.tokenize("key-all", `[{"type":"pci","object":{"id":"`+child+`"},"props":["email"]}]`)[0]
	w.must("key-all", "DELETE", buyers+"objects/"+owner+why, "")
	w.clock.advance(time.Second)
	thief := w.jwt("thief", "all", principal.Narrowing{Property: "_tenant_id", Values: []string{"t1"}})
	w.must(thief, "POST", buyers+"objects"+why, `{"id":"`+owner+`","email":"x@b.c","_tenant_id":"t1"}`)
	for _, secs := range []string{"60", ""} {
		w.must(thief, "PATCH", buyers+"objects/"+owner+why+"&expiration_secs="+secs, `{}`)
	}
	w.refused(404, "PV3005", "key-all", "GET", buyers+"objects/"+child+why+"&props=id", "")
	w.refused(403, "PV1006", thief, "GET", buyers+"objects/"+child+why+"&props=email&options=archived", "")
	w.refused(403, "PV1006", thief, "GET", buyers+"tokens"+why+"&options=archived&token_ids="+shared, "")
	if got := w.must("key-all", "GET", buyers+"objects/"+child+why+"&props=_tenant_id&options=archived", "").body; got != `{"_tenant_id":"t2"}` {
		t.Error(got)
	}
}

// TestCursorsFitOneView uses the cursor of one caller as another.
func TestCursorsFitOneView(t *testing.T) {
	w := withBuyers(t)
	for i := range 6 {
		w.add("key-all", fmt.Sprintf(`{"email":"c%d@b.c","user_id":"%s","_tenant_id":"t1"}`, i, []string{"alice", "bob"}[i%2]))
	}
	path := buyers + "objects" + why + "&props=id&page_size=1"
	next := func(cred string, headers ...string) string {
		var page struct {
			Paging struct{ Cursor string }
		}
		w.must(cred, "GET", path, "", headers...).json(t, &page)
		return "&cursor=" + page.Paging.Cursor
	}
	alice, bob := w.user("alice"), w.user("bob")
	again := w.jwt("alice2", "all", principal.Narrowing{Property: "user_id", Values: []string{"alice"}})
	cursor := next(alice)
	w.must(alice, "GET", path+cursor, "")
	w.must(again, "GET", path+cursor, "") // a fresh token of the same user
	for _, other := range []string{bob, "key-all"} {
		w.refused(400, "PV1012", other, "GET", path+cursor, "")
		w.refused(400, "PV1012", alice, "GET", path+next(other), "")
	}
	w.refused(400, "PV1012", alice, "GET", path+cursor, "", "X-Tenant-Id", "t1")
	w.refused(400, "PV1012", "key-all", "GET", path+next("key-all", "X-Tenant-Id", "t1"), "")
}

// TestOwnersCountAgainstClaims wants that nobody attaches objects to what they
// may not touch, even if the owner's collection does not have the property.
func TestOwnersCountAgainstClaims(t *testing.T) {
	w := withBuyers(t)
	w.must("key-all", "POST", "ctl/collections", `{"name":"firms","type":"DATA","properties":[{"name":"title","data_type_name":"STRING"}]}`)
	var firm struct{ ID string }
	w.must("key-all", "POST", "data/collections/firms/objects"+why, `{"title":"x"}`).json(t, &firm)
	owned := `{"email":"a@b.c","user_id":"alice","_owner_id":"` + firm.ID + `","_owner_collection":"firms"}`
	w.refused(403, "PV1006", w.user("alice"), "POST", buyers+"objects"+why, owned)
	w.must("key-all", "POST", buyers+"objects"+why, owned)
}

// TestDelegationKeepsBothRestrictions narrows the back end's credential too.
func TestDelegationKeepsBothRestrictions(t *testing.T) {
	w := withBuyers(t)
	w.roles([]votes.RoleSpec{
		{Name: "all", Capabilities: []string{"*"}, Policies: []string{"AllowAll"}},
		{Name: "backend"}, {Name: "lent", Capabilities: []string{"*"}, Policies: []string{"AllowAll"}, TrustedRoles: []string{"backend"}},
	}, []votes.PolicySpec{allowAll})
	here := w.add("key-all", `{"email":"a@b.c","user_id":"alice","group":"g1"}`)
	there := w.add("key-all", `{"email":"b@b.c","user_id":"alice","group":"g2"}`)
	backend := w.jwt("svc", "backend", principal.Narrowing{Property: "group", Values: []string{"g1"}})
	lent := w.jwt("alice", "lent", principal.Narrowing{Property: "user_id", Values: []string{"alice"}})
	get := func(id string) string { return buyers + "objects/" + id + why + "&props=id" }
	w.must(backend, "GET", get(here), "", "X-Pvault-Delegation", lent)
	w.refused(403, "PV1006", backend, "GET", get(there), "", "X-Pvault-Delegation", lent)
	w.must("key-backend", "GET", get(there), "", "X-Pvault-Delegation", lent)
}

// TestManyForeignTokensWithATag keeps others' tokens out of a caller's way.
func TestManyForeignTokensWithATag(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"b@b.c","user_id":"bob"}`)
	one := `{"type":"randomized","object":{"id":"` + id + `"},"props":["email"],"tags":["news"]}`
	for range 2 {
		w.tokenize("key-all", "["+strings.Join(slices.Repeat([]string{one}, 600), ",")+"]")
	}
	alice := w.user("alice")
	mine := w.tokenize(alice, `[{"type":"randomized","object":{"fields":{"email":"a@b.c","user_id":"alice"}},"props":["email"],"tags":["news"]}]`)[0]
	if got := w.detokenize(alice, "tags=news"); got != `[{"token_id":"`+mine+`","fields":{"email":"a@b.c"}}]` {
		t.Error(got)
	}
	w.refused(400, "PV1012", "key-all", "GET", buyers+"tokens"+why+"&tags=news", "")
}

// TestArchivedDataNeedsItsOwnVotes reads archived tokens and ciphertexts with
// policies for active data only.
func TestArchivedDataNeedsItsOwnVotes(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`)
	tok := w.tokenize("key-all", `[{"type":"randomized","object":{"id":"`+id+`"},"props":["email"]}]`, "&expiration_secs=60")[0]
	text := encryptOne(w, "key-all", `{"object":{"id":"`+id+`"},"props":["email"]}`, "&expiration_secs=60")
	w.clock.advance(time.Minute)
	active := allowAll
	active.Name, active.Resources = "Active", []string{"*/properties/*", "*/tokens/*"}
	w.roles([]votes.RoleSpec{
		{Name: "all", Capabilities: []string{"*"}, Policies: []string{"AllowAll"}}, {Name: "r", Capabilities: []string{"*"}, Policies: []string{"Active"}},
	}, []votes.PolicySpec{allowAll, active})
	for _, a := range []asked{
		{method: "GET", path: buyers + "tokens" + why + "&options=archived&token_ids=" + tok},
		{method: "POST", path: buyers + "decrypt/objects" + why + "&options=archived", body: `[{"encrypted_object":{"ciphertext":"` + text + `"}}]`},
		{method: "PATCH", path: buyers + "encrypt/objects" + why + "&options=archived", body: `[{"encrypted_object":{"ciphertext":"` + text + `"},"fields":{}}]`},
	} {
		w.must("key-all", a.method, a.path, a.body)
		w.refused(403, "PV1006", "key-r", a.method, a.path, a.body)
	}
}

// TestAuditNamesTheObjectsBehindTokensAndCiphertexts looks for ids, and for no
// values.
func TestAuditNamesTheObjectsBehindTokensAndCiphertexts(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"secret@b.c"}`)
	in := `"object":{"id":"` + id + `"},"props":["email"]`
	text := encryptOne(w, "key-all", `{`+in+`}`)
	tok := w.tokenize("key-all", `[{"type":"randomized",`+in+`}]`)[0]
	cipher := `"encrypted_object":{"ciphertext":"` + text + `"}`
	named := "&token_ids=" + tok
	for _, a := range []asked{
		{method: "POST", path: buyers + "encrypt/objects" + why, body: `[{` + in + `}]`},
		{method: "PATCH", path: buyers + "encrypt/objects" + why, body: `[{` + cipher + `,"fields":{"name":"x"}}]`},
		{method: "POST", path: buyers + "decrypt/objects" + why, body: `[{` + cipher + `}]`},
		{method: "POST", path: buyers + "hash/objects" + why, body: `[{` + in + `}]`},
		{method: "POST", path: buyers + "tokens" + why, body: `[{"type":"pci",` + in + `},{"type":"pci","object":{"request_index":0}}]`},
		{method: "GET", path: buyers + "tokens" + why + named},
		{method: "POST", path: buyers + "query/tokens" + why, body: `{"token_ids":["` + tok + `"]}`},
		{method: "PATCH", path: buyers + "tokens" + why + named, body: `{"tags":["x"]}`},
		{method: "DELETE", path: buyers + "tokens" + why + named},
	} {
		w.must("key-all", a.method, a.path, a.body)
		e := w.trail.last()
		if got := fmt.Sprintf("%+v", e); !strings.Contains(got, id) || strings.Contains(got, "secret@") {
			t.Errorf("%s %s: %s", a.method, a.path, got)
		}
	}
}

// TestNullIsNoObject refuses null where an object is meant.
func TestNullIsNoObject(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`)
	for _, a := range []asked{
		{method: "POST", path: buyers + "objects" + why, body: "null"},
		{method: "POST", path: buyers + "bulk/objects" + why, body: "[null]"},
		{method: "POST", path: buyers + "bulk/objects" + why, body: `[{"email":"x@b.c"}, null]`},
		{method: "PATCH", path: buyers + "objects/" + id + why, body: " null"},
		{method: "PATCH", path: buyers + "bulk/objects" + why, body: "[null]"},
		{method: "PATCH", path: buyers + "encrypt/objects" + why, body: "[null]"},
	} {
		w.refused(400, "PV1012", "key-all", a.method, a.path, a.body)
	}
}

// TestNarrowedCallersCannotDestroyTheDataOfEveryone tries the operations on a
// schema that delete values.
func TestNarrowedCallersCannotDestroyTheDataOfEveryone(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","user_id":"bob","group":"g"}`)
	alice := w.user("alice")
	w.refused(403, "PV1006", alice, "DELETE", "ctl/collections/buyers", "")
	w.refused(403, "PV1006", alice, "DELETE", "ctl/collections/buyers/properties/group", "")
	if got := w.must("key-all", "GET", buyers+"objects/"+id+why+"&props=group", "").body; got != `{"group":"g"}` {
		t.Error(got)
	}
}

// TestOneTenantHeader refuses a second one, which could widen the first.
func TestOneTenantHeader(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","_tenant_id":"t2"}`)
	path := buyers + "objects/" + id + why + "&props=id"
	w.must("key-all", "GET", path, "", "X-Tenant-Id", "t1,t2")
	w.refused(403, "PV1006", "key-all", "GET", path, "", "X-Tenant-Id", "t1")
	w.refused(400, "PV1012", "key-all", "GET", path, "", "X-Tenant-Id", "t1", "X-Tenant-Id", "t2")
}
