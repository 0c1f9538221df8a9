package pvaultapi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/principal"
)

func (w *world) tokenize(cred, body string, extra ...string) []string {
	w.t.Helper()
	var out []struct {
		ID string `json:"token_id"`
	}
	w.must(cred, "POST", buyers+"tokens"+why+strings.Join(extra, ""), body).json(w.t, &out)
	ids := make([]string, len(out))
	for i := range out {
		ids[i] = out[i].ID
	}
	return ids
}

func (w *world) detokenize(cred, query string) string {
	w.t.Helper()
	return w.must(cred, "GET", buyers+"tokens"+why+"&"+query, "").body
}

func TestTokenTypes(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","name":"Bob","ssn":"123-45-6789"}`)
	req := func(kind, more string) string {
		return `[{"type":"` + kind + `","object":{"id":"` + id + `"},"props":["email"]` + more + `}]`
	}
	one := func(kind, more string) string { return w.tokenize("key-all", req(kind, more))[0] }

	for _, kind := range []string{"pci", "pci_oneway", "deterministic"} {
		first := one(kind, "")
		if one(kind, "") != first {
			t.Errorf("%s: the same value has two tokens", kind)
		}
		if first == one(kind, `,"scope":"other"`) {
			t.Errorf("%s: two scopes share a token", kind)
		}
	}
	if first := one("randomized", ""); one("randomized", "") == first {
		t.Error("randomized tokens repeat")
	}
	pci, oneway, pointer, snapshot := one("pci", ""), one("pci_oneway", ""), one("pointer", ""), one("randomized", "")
	w.must("key-all", "PATCH", buyers+"objects/"+id+why, `{"email":"new@b.c"}`)
	for tok, want := range map[string]string{pci: "a@b.c", snapshot: "a@b.c", pointer: "new@b.c"} {
		if got := w.detokenize("key-all", "token_ids="+tok); got != `[{"token_id":"`+tok+`","fields":{"email":"`+want+`"}}]` {
			t.Errorf("got %s", got)
		}
	}
	if got := w.detokenize("key-all", "token_ids="+snapshot+"&props=email.mask"); !strings.Contains(got, `{"email.mask":"a**********@b.c"}`) {
		t.Error(got)
	}
	w.refused(400, "PV1012", "key-all", "GET", buyers+"tokens"+why+"&token_ids="+oneway, "")
	w.refused(400, "PV3003", "key-all", "GET", buyers+"tokens"+why+"&token_ids="+snapshot+"&props=ssn", "")
	if got := w.detokenize("key-all", "token_ids=nope"); got != "[]" {
		t.Error(got)
	}
	w.refused(400, "PV1012", "key-all", "GET", buyers+"tokens"+why, "")

	var hash []struct {
		ID string `json:"token_id"`
	}
	w.must("key-all", "POST", buyers+"hash/objects"+why, `[{"object":{"fields":{"email":"A@B.C"}}}]`).json(t, &hash)
	det := w.tokenize("key-all", `[{"type":"deterministic","object":{"fields":{"email":"a@b.c"}}}]`)
	if hash[0].ID != det[0] {
		t.Error("a hash differs from the deterministic token of the same value")
	}
	for _, bad := range []string{
		`[]`, `[{"type":"x","object":{"id":"` + id + `"}}]`, `[{"type":"pci"}]`, `[{"type":"pci","object":{}}]`,
		`[{"type":"pci","object":{"id":"` + id + `","fields":{"email":"a@b.c"}}}]`, `[{"type":"pci","object":{"request_index":0}}]`,
		`[{"type":"pointer","object":{"fields":{"email":"a@b.c"}}}]`, `[{"type":"pci","token_id":"a b","object":{"id":"` + id + `"}}]`,
		`[{"type":"pci","object":{"id":"` + id + `"},"tags":["` + strings.Repeat("x", 300) + `"]}]`, `[{"type":"pci","object":{"id":"` + id + `"},"scope":"a\u0000b"}]`,
	} {
		w.refused(400, "PV1012", "key-all", "POST", buyers+"tokens"+why, bad)
	}
	w.refused(409, "PV3218", "key-all", "POST", buyers+"tokens"+why, req("deterministic", `,"token_id":"x"`))
	w.refused(400, "PV1012", "key-all", "POST", buyers+"tokens"+why, req("pci", `,"fptemplate":"primary_account_number"`))
	w.refused(404, "PV3005", "key-all", "POST", buyers+"tokens"+why, strings.ReplaceAll(req("pci", ""), id, "11111111-1111-4111-8111-111111111111"))
}

func TestTokenLife(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c"}`)
	tok := w.tokenize("key-all", `[{"type":"randomized","object":{"id":"`+id+`"},"token_id":"mine","tags":["t1"]},{"type":"randomized","object":{"request_index":0},"tags":["t2"]}]`, "&transaction_id=tx1")
	if tok[0] != "mine" {
		t.Error(tok)
	}
	w.refused(409, "PV3218", "key-all", "POST", buyers+"tokens"+why, `[{"type":"randomized","object":{"id":"`+id+`"},"token_id":"mine"}]`)
	w.refused(409, "PV3218", "key-all", "POST", buyers+"tokens"+why+"&transaction_id=tx1", `[{"type":"randomized","object":{"id":"`+id+`"}}]`)
	if a := w.must("key-all", "GET", buyers+"transaction_id/tx1"+why, ""); !strings.Contains(a.body, `"mine"`) || !strings.Contains(a.body, tok[1]) {
		t.Error(a.body)
	}
	count := func(want string) {
		t.Helper()
		if got := w.must("key-all", "GET", buyers+"count/tokens"+why, "").body; got != want {
			t.Errorf("got %s", got)
		}
	}
	count(`{"active":2,"archived":0,"total":2}`)
	if got := w.detokenize("key-all", "tags=t2&options=include_metadata"); !strings.Contains(got, tok[1]) || !strings.Contains(got, `"tags":["t2"]`) || strings.Contains(got, "mine") {
		t.Error(got)
	}
	if got := w.must("key-all", "POST", buyers+"query/tokens"+why, `{"object_ids":["`+id+`"],"tags":["t1"]}`).body; !strings.Contains(got, `"token_id":"mine"`) || strings.Contains(got, tok[1]) || strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
	w.must("key-all", "PATCH", buyers+"tokens"+why+"&token_ids=mine&expiration_secs=60", `{"tags":["t3"]}`)
	if got := w.detokenize("key-all", "tags=t1"); got != "[]" {
		t.Error(got)
	}
	w.clock.advance(time.Minute)
	if got := w.detokenize("key-all", "tags=t3"); got != "[]" {
		t.Error(got)
	}
	if got := w.detokenize("key-all", "tags=t3&options=archived"); !strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
	count(`{"active":1,"archived":1,"total":2}`)
	var rotated map[string]string
	w.must("key-all", "POST", buyers+"rotate/tokens"+why+"&token_ids="+tok[1], "").json(t, &rotated)
	if got := w.detokenize("key-all", "token_ids="+tok[1]); got != "[]" {
		t.Error("a rotated token still works")
	}
	if got := w.detokenize("key-all", "token_ids="+rotated[tok[1]]); !strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
	w.refused(404, "PV3087", "key-all", "POST", buyers+"rotate/tokens"+why+"&token_ids="+tok[1], "")
	w.refused(404, "PV3009", "key-all", "DELETE", buyers+"tokens"+why+"&token_ids="+tok[1], "")
	w.must("key-all", "DELETE", buyers+"tokens"+why+"&token_ids="+rotated[tok[1]], "")
	count(`{"active":0,"archived":1,"total":1}`)
	w.tokenize("key-all", `[{"type":"pci","object":{"id":"`+id+`"}}]`)
	w.must("key-all", "DELETE", buyers+"objects/"+id+why, "")
	count(`{"active":0,"archived":0,"total":0}`)
	if a := w.tokenize("key-all", `[{"type":"pointer","store_object":true,"object":{"fields":{"email":"s@b.c"}}}]`); !strings.Contains(w.detokenize("key-all", "token_ids="+a[0]), "s@b.c") {
		t.Error("a stored object has no token")
	}
}

func TestClaimsNarrowTokens(t *testing.T) {
	w := withBuyers(t)
	claim := principal.Narrowing{Property: "user_id", Values: []string{"alice"}}
	alice := w.jwt("alice", "all", claim)
	bob := w.jwt("bob", "all", principal.Narrowing{Property: "user_id", Values: []string{"bob"}})
	mine := w.add("key-all", `{"email":"a@b.c","user_id":"alice"}`)
	theirs := w.add("key-all", `{"email":"b@b.c","user_id":"bob"}`)
	req := func(id string) string {
		return `[{"type":"randomized","object":{"id":"` + id + `"},"props":["email"],"tags":["x"]}]`
	}
	my, their := w.tokenize(alice, req(mine))[0], w.tokenize("key-all", req(theirs))[0]
	given := w.tokenize(alice, `[{"type":"randomized","object":{"fields":{"email":"g@b.c","user_id":"alice"}},"props":["email"],"tags":["x"]}]`)[0]
	shared := w.tokenize("key-all", `[{"type":"deterministic","object":{"fields":{"email":"s@b.c"}}}]`)[0]

	w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, req(theirs))
	w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","object":{"fields":{"email":"x@b.c"}}}]`)
	w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","object":{"fields":{"email":"x@b.c","user_id":"bob"}}}]`)
	w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","store_object":true,"object":{"fields":{"email":"x@b.c","user_id":"bob"}}}]`)
	w.refused(403, "PV1006", alice, "POST", buyers+"hash/objects"+why, `[{"object":{"id":"`+theirs+`"}}]`)

	for _, tok := range []string{my, given} {
		if got := w.detokenize(alice, "token_ids="+tok); !strings.Contains(got, tok) {
			t.Error(got)
		}
		w.refused(403, "PV1006", bob, "GET", buyers+"tokens"+why+"&token_ids="+tok, "")
	}
	for _, tok := range []string{their} {
		w.refused(403, "PV1006", alice, "GET", buyers+"tokens"+why+"&token_ids="+tok, "")
		w.refused(403, "PV1006", alice, "PATCH", buyers+"tokens"+why+"&token_ids="+tok, `{"tags":["y"]}`)
		w.refused(403, "PV1006", alice, "DELETE", buyers+"tokens"+why+"&token_ids="+tok, "")
		w.refused(403, "PV1006", alice, "POST", buyers+"rotate/tokens"+why+"&token_ids="+tok, "")
		w.refused(403, "PV1006", alice, "POST", buyers+"query/tokens"+why, `{"token_ids":["`+tok+`"]}`)
	}
	// The id follows from the value: that others have it must not show.
	for _, tok := range []string{shared, "no-such-token"} {
		if got := w.detokenize(alice, "token_ids="+tok); got != "[]" {
			t.Error(got)
		}
		if got := w.must(alice, "POST", buyers+"query/tokens"+why, `{"token_ids":["`+tok+`"]}`).body; got != "[]" {
			t.Error(got)
		}
		w.refused(404, "PV3009", alice, "PATCH", buyers+"tokens"+why+"&token_ids="+tok, `{"tags":["y"]}`)
		w.refused(404, "PV3009", alice, "PATCH", buyers+"tokens"+why+"&token_ids="+tok, `{"object":{"fields":{"email":"g@b.c","user_id":"alice"}}}`)
		w.refused(404, "PV3009", alice, "DELETE", buyers+"tokens"+why+"&token_ids="+tok, "")
		w.refused(404, "PV3087", alice, "POST", buyers+"rotate/tokens"+why+"&token_ids="+tok, "")
	}
	for _, got := range []string{
		w.detokenize(alice, "tags=x"), w.detokenize(alice, "object_ids="+mine+","+theirs),
		w.must(alice, "POST", buyers+"query/tokens"+why, `{"tags":["x"]}`).body,
	} {
		if !strings.Contains(got, my) || strings.Contains(got, their) || strings.Contains(got, "b@b.c") {
			t.Errorf("got %s", got)
		}
	}
	if got := w.must(alice, "GET", buyers+"count/tokens"+why, "").body; got != `{"active":2,"archived":0,"total":2}` {
		t.Error(got)
	}
	w.must(alice, "DELETE", buyers+"tokens"+why+"&tags=x", "")
	if got := w.detokenize("key-all", "tags=x"); !strings.Contains(got, their) || strings.Contains(got, my) {
		t.Errorf("a narrowed delete reached too far: %s", got)
	}
	// A token follows its object: whoever owns the object owns the token.
	again := w.tokenize(alice, req(mine))[0]
	w.must("key-all", "PATCH", buyers+"objects/"+mine+why, `{"user_id":"bob"}`)
	w.refused(403, "PV1006", alice, "GET", buyers+"tokens"+why+"&token_ids="+again, "")
	w.detokenize(bob, "token_ids="+again)
}

func encryptOne(w *world, cred, request string, extra ...string) string {
	w.t.Helper()
	var out []struct{ Ciphertext string }
	w.must(cred, "POST", buyers+"encrypt/objects"+why+strings.Join(extra, ""), "["+request+"]").json(w.t, &out)
	return out[0].Ciphertext
}

func TestEncryptAndDecrypt(t *testing.T) {
	w := withBuyers(t)
	plain := `"object":{"fields":{"email":"A@b.c","points":3}}`
	random, random2 := encryptOne(w, "key-all", `{`+plain+`}`), encryptOne(w, "key-all", `{`+plain+`}`)
	det, det2 := encryptOne(w, "key-all", `{"type":"deterministic",`+plain+`}`), encryptOne(w, "key-all", `{"type":"deterministic",`+plain+`}`)
	if random == random2 || det != det2 || strings.Contains(random, "b.c") {
		t.Error("randomized ciphertexts repeat, or deterministic ones differ")
	}
	decrypt := func(text, scope string) answer {
		return w.as("key-all", "POST", buyers+"decrypt/objects"+why+"&options=include_metadata", `[{"encrypted_object":{"ciphertext":"`+text+`","scope":"`+scope+`"}}]`)
	}
	for _, text := range []string{random, det} {
		if a := decrypt(text, "default"); !strings.HasPrefix(a.body, `[{"fields":{"email":"a@b.c","points":3},"metadata":{"type":"`) {
			t.Error(a.body)
		}
		for _, bad := range []answer{decrypt(text, "other"), decrypt(text[:len(text)-8]+"AAAAAAA=", ""), decrypt(text[4:], ""), decrypt("", ""), decrypt("AQ==", ""), decrypt("Ag==", ""), decrypt(text+"\\n", "")} {
			if bad.status != 400 || bad.code() != "PV3003" {
				t.Errorf("%d %s", bad.status, bad.body)
			}
		}
	}
	w.must("key-all", "POST", "ctl/collections", strings.Replace(schema, "buyers", "sellers", 1))
	if a := w.as("key-all", "POST", "data/collections/sellers/decrypt/objects"+why, `[{"encrypted_object":{"ciphertext":"`+random+`"}}]`); a.status != 400 {
		t.Error("a ciphertext of another collection was decrypted")
	}
	var up []struct{ Ciphertext string }
	w.must("key-all", "PATCH", buyers+"encrypt/objects"+why, `[{"encrypted_object":{"ciphertext":"`+random+`"},"fields":{"points":4}}]`).json(t, &up)
	if a := decrypt(up[0].Ciphertext, ""); !strings.Contains(a.body, `"points":4`) || !strings.Contains(a.body, "a@b.c") {
		t.Error(a.body)
	}
	short := encryptOne(w, "key-all", `{"tags":["t"],`+plain+`}`, "&expiration_secs=60")
	w.clock.advance(time.Minute)
	if a := decrypt(short, ""); a.status != 400 || a.code() != "PV3233" {
		t.Error(a.body)
	}
	if a := w.as("key-all", "POST", buyers+"decrypt/objects"+why+"&options=archived", `[{"encrypted_object":{"ciphertext":"`+random+`"}}]`); a.status != 400 {
		t.Errorf("a live ciphertext counts as archived: %s", a.body)
	}
	if a := w.must("key-all", "POST", buyers+"decrypt/objects"+why+"&options=archived,include_metadata", `[{"encrypted_object":{"ciphertext":"`+short+`"},"props":["email.mask"]}]`); !strings.Contains(a.body, `{"email.mask":"a**********@b.c"}`) || !strings.Contains(a.body, `"tags":["t"]`) {
		t.Error(a.body)
	}
	w.refused(400, "PV1012", "key-all", "POST", buyers+"encrypt/objects"+why, `[{"type":"rot13",`+plain+`}]`)
	tok := w.tokenize("key-all", `[{"type":"pci","object":{"encrypted":{"ciphertext":"`+random+`"}},"props":["email"]}]`)
	if got := w.detokenize("key-all", "token_ids="+tok[0]); !strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
}

func TestClaimsNarrowCiphertexts(t *testing.T) {
	w := withBuyers(t)
	alice := w.jwt("alice", "all", principal.Narrowing{Property: "user_id", Values: []string{"alice"}})
	mine := w.add("key-all", `{"email":"a@b.c","user_id":"alice"}`)
	theirs := w.add("key-all", `{"email":"b@b.c","user_id":"bob"}`)
	byID := func(id string) string { return `{"object":{"id":"` + id + `"},"props":["email"]}` }
	decrypt := func(text string) string { return `[{"encrypted_object":{"ciphertext":"` + text + `"}}]` }
	fields := func(f string) string { return `{"object":{"fields":{` + f + `}}}` }

	w.must(alice, "POST", buyers+"decrypt/objects"+why, decrypt(encryptOne(w, "key-all", byID(mine))))
	w.must(alice, "POST", buyers+"decrypt/objects"+why, decrypt(encryptOne(w, alice, fields(`"email":"x@b.c","user_id":"alice"`))))
	for _, text := range []string{
		encryptOne(w, "key-all", byID(theirs)),
		encryptOne(w, "key-all", fields(`"email":"x@b.c"`)),
		encryptOne(w, "key-all", fields(`"email":"x@b.c","user_id":"bob"`)),
	} {
		w.refused(403, "PV1006", alice, "POST", buyers+"decrypt/objects"+why, decrypt(text))
		w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","object":{"encrypted":{"ciphertext":"`+text+`"}}}]`)
		w.refused(403, "PV1006", alice, "PATCH", buyers+"encrypt/objects"+why, `[{"encrypted_object":{"ciphertext":"`+text+`"},"fields":{"user_id":"alice"}}]`)
	}
	own := encryptOne(w, alice, fields(`"email":"x@b.c","user_id":"alice"`))
	w.refused(403, "PV1006", alice, "PATCH", buyers+"encrypt/objects"+why, `[{"encrypted_object":{"ciphertext":"`+own+`"},"fields":{"user_id":"bob"}}]`)
	w.refused(403, "PV1006", alice, "POST", buyers+"encrypt/objects"+why, "["+byID(theirs)+"]")
	w.refused(403, "PV1006", alice, "POST", buyers+"encrypt/objects"+why, "["+fields(`"email":"x@b.c"`)+"]")
	gone := encryptOne(w, "key-all", byID(mine))
	w.must("key-all", "DELETE", buyers+"objects/"+mine+why, "")
	w.refused(403, "PV1006", alice, "POST", buyers+"decrypt/objects"+why, decrypt(gone))
}

func TestTagsOfTokens(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","_tenant_id":"t1"}`)
	other := w.add("key-all", `{"email":"b@b.c","_tenant_id":"t1"}`)
	far := w.add("key-all", `{"email":"c@b.c","_tenant_id":"t2"}`)
	req := func(id, more string) string {
		return `[{"type":"pci","object":{"id":"` + id + `"}` + more + `}]`
	}
	tok := w.tokenize("key-all", req(id, `,"tags":["one"]`))[0]
	if again := w.tokenize("key-all", req(id, `,"tags":["two"]`))[0]; again != tok {
		t.Error("the same value has two tokens")
	}
	if got := w.detokenize("key-all", "token_ids="+tok+"&options=include_metadata"); !strings.Contains(got, `"tags":["one","two"]`) || strings.Contains(got, "agg") || !strings.Contains(got, `"effective_tenant_id":"t1"`) {
		t.Errorf("tags are not appended: %s", got)
	}
	if got := w.detokenize("key-all", "token_ids="+tok+"&options=include_metadata,include_aggregated_data"); !strings.Contains(got, `"agg":{"max_effective_expiration_time":null}`) {
		t.Error(got)
	}
	unique := `,"tags":["one"],"ensure_unique_tenant_tags":["one"]`
	w.tokenize("key-all", req(id, unique))
	w.refused(409, "PV3218", "key-all", "POST", buyers+"tokens"+why, req(other, unique))
	w.tokenize("key-all", req(far, unique))
	w.refused(400, "PV1012", "key-all", "POST", buyers+"tokens"+why, req(id, `,"ensure_unique_tenant_tags":["one"]`))
	w.must("key-all", "DELETE", buyers+"tokens"+why+"&tags=one&tenant_id=t2", "")
	w.refused(404, "PV3009", "key-all", "DELETE", buyers+"tokens"+why+"&tags=one&tenant_id=t2", "")
}

func TestReplacedTokenValues(t *testing.T) {
	w := withBuyers(t)
	alice := w.jwt("alice", "all", principal.Narrowing{Property: "user_id", Values: []string{"alice"}})
	mine := w.add(alice, `{"email":"a@b.c","user_id":"alice"}`)
	theirs := w.add("key-all", `{"email":"b@b.c","user_id":"bob"}`)
	pci := w.tokenize("key-all", `[{"type":"pci","object":{"id":"`+mine+`"},"props":["email"]}]`)[0]
	path := buyers + "tokens" + why + "&token_ids="
	fields := func(f string) string { return `{"object":{"fields":{` + f + `}},"props":["email"]}` }
	w.must("key-all", "PATCH", path+pci, fields(`"email":"new@b.c"`))
	if got := w.detokenize("key-all", "token_ids="+pci); !strings.Contains(got, "new@b.c") {
		t.Error(got)
	}
	if got := w.tokenize("key-all", `[{"type":"pci","object":{"fields":{"email":"new@b.c"}}}]`)[0]; got != pci {
		t.Error("the new value has another token")
	}
	if got := w.tokenize("key-all", `[{"type":"pci","object":{"fields":{"email":"a@b.c"}}}]`)[0]; got == pci {
		t.Error("the old value still has the token")
	}
	w.refused(409, "PV3218", "key-all", "PATCH", path+pci, fields(`"email":"a@b.c"`))
	// All uses of a value share the token. That there is one outside alice's
	// claims, as of the first, must not show: she is refused for both.
	alone := w.tokenize(alice, `[{"type":"pci","object":{"fields":{"email":"alone@b.c","user_id":"alice"}},"props":["email"]}]`)[0]
	for _, tok := range []string{pci, alone} {
		w.refused(403, "PV1006", alice, "PATCH", path+tok, fields(`"email":"x@b.c","user_id":"alice"`))
		w.refused(403, "PV1006", alice, "POST", buyers+"rotate/tokens"+why+"&token_ids="+tok, "")
	}
	for _, email := range []string{"new@b.c", "unknown@b.c"} { // the one has a token of another id
		w.refused(403, "PV1006", alice, "POST", buyers+"tokens"+why, `[{"type":"pci","token_id":"chosen","object":{"fields":{"email":"`+email+`","user_id":"alice"}},"props":["email"]}]`)
	}
	own := w.tokenize(alice, `[{"type":"randomized","object":{"fields":{"email":"own@b.c","user_id":"alice"}},"props":["email"]}]`)[0]
	w.must(alice, "PATCH", path+own, fields(`"email":"own2@b.c","user_id":"alice"`))
	w.must(alice, "POST", buyers+"rotate/tokens"+why+"&token_ids="+own, "")
	foreign := w.tokenize("key-all", `[{"type":"randomized","object":{"id":"`+theirs+`"},"props":["email"]}]`)[0]
	w.refused(403, "PV1006", alice, "PATCH", path+foreign, fields(`"email":"x@b.c","user_id":"alice"`))
	w.refused(403, "PV1006", alice, "PATCH", path+pci, `{"object":{"id":"`+theirs+`"}}`)
	pointer := w.tokenize("key-all", `[{"type":"pointer","object":{"id":"`+mine+`"}}]`)[0]
	w.refused(400, "PV1012", "key-all", "PATCH", path+pointer, fields(`"email":"x@b.c"`))
	w.refused(400, "PV1012", "key-all", "PATCH", path+foreign+","+pci, fields(`"email":"x@b.c"`))
	w.refused(404, "PV3009", "key-all", "PATCH", path+"nope", fields(`"email":"x@b.c"`))
}

func TestTokensThatLookLikeCards(t *testing.T) {
	w := newWorld(t)
	w.must("key-all", "POST", "ctl/collections", "buyers DATA (card CC_NUMBER NULL, amex CC_NUMBER NULL);", "Content-Type", "application/pvschema")
	req := func(kind string) string {
		return `[{"type":"` + kind + `","object":{"fields":{"card":"4111111111111111"}},"fptemplate":"primary_account_number","fpprops":["card"]}]`
	}
	for _, kind := range []string{"randomized", "pci", "pci_oneway", "deterministic"} {
		tok := w.tokenize("key-all", req(kind))[0]
		if len(tok) != 16 || tok[:6] != "411111" || tok[12:] != "1111" || tok == "4111111111111111" || !luhn(tok) {
			t.Errorf("%s: %s is no card number like the original", kind, tok)
		}
		if again := w.tokenize("key-all", req(kind))[0]; (again == tok) != (kind != "randomized") {
			t.Errorf("%s: %s, then %s", kind, tok, again)
		}
	}
	var hash []struct {
		ID string `json:"token_id"`
	}
	w.must("key-all", "POST", buyers+"hash/objects"+why, strings.Replace(req("x"), `"type":"x",`, "", 1)).json(t, &hash)
	if det := w.tokenize("key-all", req("deterministic"))[0]; hash[0].ID != det {
		t.Error("a hash differs from the deterministic token")
	}
	for _, bad := range []string{
		`[{"type":"pci","object":{"fields":{"amex":"378282246310005"}},"fptemplate":"primary_account_number"}]`,
		`[{"type":"pci","object":{"fields":{"card":"4111111111111111"}},"fptemplate":"other"}]`,
		`[{"type":"pci","object":{"fields":{"card":"4111111111111111"}},"fptemplate":"primary_account_number","token_id":"x"}]`,
	} {
		w.refused(400, "PV1012", "key-all", "POST", buyers+"tokens"+why, bad)
	}
}

func luhn(s string) bool {
	sum := 0
	for i := range s {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}

func TestGlobalScopeSharesIDsAndNothingElse(t *testing.T) {
	w := withBuyers(t)
	w.must("key-all", "POST", "ctl/collections", strings.Replace(schema, "buyers", "sellers", 1))
	for _, kind := range []string{"pci", "pci_oneway", "deterministic"} {
		for scope, same := range map[string]bool{"global:x": true, "default": false} {
			body := `[{"type":"` + kind + `","scope":"` + scope + `","object":{"fields":{"email":"` + strings.ReplaceAll(kind, "_", "") + `@b.c"}}}]`
			here := w.tokenize("key-all", body)[0]
			if kind == "deterministic" {
				if got := w.must("key-all", "GET", "data/collections/sellers/tokens"+why+"&token_ids="+here, "").body; got != "[]" {
					t.Errorf("a token of one collection is read in another: %s", got)
				}
			}
			var there []struct {
				ID string `json:"token_id"`
			}
			w.must("key-all", "POST", "data/collections/sellers/tokens"+why, body).json(t, &there)
			if (here == there[0].ID) != same {
				t.Errorf("%s in %s: %s and %s", kind, scope, here, there[0].ID)
			}
		}
	}
}

func TestTokensEndWithTheirObject(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","_tenant_id":"t1"}`)
	tok := w.tokenize("key-all", `[{"type":"randomized","object":{"id":"`+id+`"}}]`)[0]
	patch := func(query, body string) { w.must("key-all", "PATCH", buyers+"objects/"+id+why+query, body) }
	patch("", `{"_tenant_id":"t2"}`)
	if got := w.detokenize("key-all", "token_ids="+tok+"&options=include_metadata"); !strings.Contains(got, `"effective_tenant_id":"t2"`) {
		t.Errorf("the token does not follow its object: %s", got)
	}
	patch("&expiration_secs=60", `{}`)
	w.clock.advance(time.Minute)
	if got := w.detokenize("key-all", "token_ids="+tok); got != "[]" {
		t.Errorf("the token outlives its object: %s", got)
	}
	if got := w.detokenize("key-all", "token_ids="+tok+"&options=archived"); !strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
	patch("&options=archived&expiration_secs=", `{}`)
	if got := w.detokenize("key-all", "token_ids="+tok); !strings.Contains(got, "a@b.c") {
		t.Error(got)
	}
	patch("&expiration_secs=0", `{}`)
	w.clock.advance(31 * 24 * time.Hour)
	for _, options := range []string{"", "&options=archived"} {
		if got := w.detokenize("key-all", "token_ids="+tok+options); got != "[]" {
			t.Errorf("the token is kept longer than its object: %s", got)
		}
	}
}
