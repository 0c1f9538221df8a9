package pvaultapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/policy/votes"
)

// asked is one operation of the door as the matrix calls it.
type asked struct {
	op, method, path, body string
	// votes lists what the policies must be asked, as "operation resource"; a
	// resource that starts with "-" is about no property.
	votes []string
	want  int // status when everything is allowed; 0 = 200
}

// prepared is a fresh vault with the objects that the matrix talks about.
func prepared(t testing.TB) (*world, []asked) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","user_id":"u1","name":"Ann Lee"}`)
	tok := w.tokenize("key-all", `[{"type":"randomized","object":{"id":"`+id+`"},"props":["email"],"tags":["x"]}]`, "&transaction_id=tx")[0]
	text := encryptOne(w, "key-all", `{"object":{"fields":{"email":"e@b.c"}}}`)
	p := func(props ...string) (out []string) {
		for _, n := range props {
			out = append(out, "buyers/properties/"+n)
		}
		return out
	}
	v := func(op string, resources []string) (out []string) {
		for _, r := range resources {
			out = append(out, op+" "+r)
		}
		return out
	}
	every := p("email", "name", "user_id", "group", "ssn", "born", "points")
	toks := []string{"buyers/tokens/x"}
	obj := buyers + "objects/" + id + why
	return w, []asked{
		{op: "get-vault-version", method: "GET", path: version},
		{op: "get-iam-conf", method: "GET", path: "ctl/iam/conf"},
		{op: "set-iam-conf", method: "POST", path: "ctl/iam/conf", body: "[users]\n"},
		{op: "regenerate-user-api-key", method: "POST", path: "ctl/iam/user/regen", body: `{"name":"bob"}`},
		{op: "update-api-key-expiration", method: "POST", path: "ctl/iam/user/update-expiration", body: `{"name":"bob","expiration_secs":9}`},
		{op: "get-user", method: "GET", path: "ctl/iam/user/bob"},
		{op: "get-cluster-info", method: "GET", path: "ctl/info/cluster"},
		{op: "get-configuration", method: "GET", path: "system/info/configuration"},
		{op: "get-license", method: "GET", path: "system/info/license"},
		{op: "set-license", method: "POST", path: "system/info/license", want: 501},
		{op: "get-kms", method: "GET", path: "system/info/kms"},
		{op: "rotate-keys", method: "POST", path: "system/admin/keys/rotate", want: 501},
		{op: "get-export-key", method: "GET", path: "system/admin/export_key", want: 501},
		{op: "trigger-error", method: "POST", path: "system/debug/error/trigger", want: 501},
		{op: "garbage-collection", method: "POST", path: "system/admin/lifecycle/gc" + why},
		{op: "get-conf-var", method: "GET", path: "system/confvar/log_level"},
		{op: "set-conf-var", method: "POST", path: "system/confvar/log_level", body: `{"value":"info"}`},
		{op: "clear-all-conf-vars", method: "DELETE", path: "system/confvar"},

		{op: "list-collections", method: "GET", path: "ctl/collections"},
		{op: "get-collection", method: "GET", path: "ctl/collections/buyers"},
		{op: "add-collection", method: "POST", path: "ctl/collections", body: `{"name":"c2","type":"DATA","properties":[]}`},
		{op: "update-collection", method: "PATCH", path: "ctl/collections/buyers", body: `{"properties":[]}`},
		{op: "delete-collection", method: "DELETE", path: "ctl/collections/buyers"},
		{op: "list-collection-properties", method: "GET", path: "ctl/collections/buyers/properties"},
		{op: "get-collection-property", method: "GET", path: "ctl/collections/buyers/properties/email"},
		{op: "add-collection-property", method: "POST", path: "ctl/collections/buyers/properties/new", body: `{"data_type_name":"STRING","is_nullable":true}`},
		{op: "update-collection-property", method: "PATCH", path: "ctl/collections/buyers/properties/email", body: `{"description":"x"}`},
		{op: "delete-collection-property", method: "DELETE", path: "ctl/collections/buyers/properties/group"},
		{op: "list-data-types", method: "GET", path: "ctl/types"},
		{op: "get-data-type", method: "GET", path: "ctl/types/SSN"},
		{op: "add-data-type", method: "POST", path: "ctl/types", body: `{"name":"T1","base_type_name":"SSN"}`},
		{op: "update-data-type", method: "PATCH", path: "ctl/types/SSN", want: 501},
		{op: "delete-data-type", method: "DELETE", path: "ctl/types/NONE", want: 404},

		{op: "list-bundles", method: "GET", path: "ctl/bundles", want: 501}, {op: "add-bundle", method: "POST", path: "ctl/bundles", want: 501},
		{op: "get-bundle", method: "GET", path: "ctl/bundles/b", want: 501}, {op: "update-bundle", method: "PATCH", path: "ctl/bundles/b", want: 501},
		{op: "delete-bundle", method: "DELETE", path: "ctl/bundles/b", want: 501},
		{op: "list-actions", method: "GET", path: "ctl/actions", want: 501}, {op: "add-action", method: "POST", path: "ctl/actions", want: 501},
		{op: "get-action", method: "GET", path: "ctl/actions/a", want: 501}, {op: "delete-action", method: "DELETE", path: "ctl/actions/a", want: 501},
		{op: "invoke-action", method: "POST", path: "data/actions/a", want: 501}, {op: "http-call", method: "POST", path: "data/actions/http_call", want: 501},
		{op: "export-tokens", method: "GET", path: buyers + "export/tokens", want: 501}, {op: "import-tokens", method: "POST", path: buyers + "import/tokens", want: 501},
		{op: "encrypt-blob", method: "POST", path: buyers + "encrypt/blob", want: 501}, {op: "decrypt-blob", method: "POST", path: buyers + "decrypt/blob", want: 501},

		{op: "list-objects", method: "GET", path: buyers + "objects" + why + "&props=email,name.mask", votes: v("read", p("email", "name.mask"))},
		{op: "get-object-by-id", method: "GET", path: obj + "&props=email,id", votes: v("read", p("email", "id"))},
		{op: "add-object", method: "POST", path: buyers + "objects" + why, body: `{"email":"n@b.c","user_id":"u2"}`, votes: v("write", p("email", "user_id"))},
		{op: "add-objects", method: "POST", path: buyers + "bulk/objects" + why, body: `[{"email":"n@b.c"},{"email":"m@b.c","group":"g"}]`, votes: v("write", p("email", "group"))},
		{op: "update-object-by-id", method: "PATCH", path: obj, body: `{"group":"g","name":"X"}`, votes: v("write", p("group", "name"))},
		{op: "update-objects", method: "PATCH", path: buyers + "bulk/objects" + why, body: `[{"id":"` + id + `","group":"g"}]`, votes: v("write", p("group"))},
		{op: "delete-object-by-id", method: "DELETE", path: obj, votes: v("delete", every)},
		{op: "delete-objects", method: "DELETE", path: buyers + "bulk/objects" + why, body: `[{"id":"` + id + `"}]`, votes: v("delete", every)},
		{op: "search-objects", method: "POST", path: buyers + "query/objects" + why + "&props=name", body: `{"match":{"user_id":"u1"},"like":{"name":"ann*"}}`,
			votes: append(v("search", p("user_id", "name")), v("read", p("name"))...)},
		{op: "get-objects-count", method: "GET", path: buyers + "count/objects" + why, votes: v("stats", every)},

		{op: "tokenize", method: "POST", path: buyers + "tokens" + why, body: `[{"type":"pci","object":{"id":"` + id + `"},"props":["email","name"]}]`, votes: v("tokenize", p("email", "name"))},
		{op: "detokenize", method: "GET", path: buyers + "tokens" + why + "&token_ids=" + tok, votes: append(v("detokenize", p("email")), v("read", p("email"))...)},
		{op: "update-tokens", method: "PATCH", path: buyers + "tokens" + why + "&token_ids=" + tok, body: `{"tags":["y"]}`, votes: v("write", toks)},
		{op: "update-tokens", method: "PATCH", path: buyers + "tokens" + why + "&token_ids=" + tok, body: `{"object":{"id":"` + id + `"},"props":["name","user_id"]}`, votes: append(v("tokenize", p("name", "user_id")), v("write", toks)...)},
		{op: "delete-tokens", method: "DELETE", path: buyers + "tokens" + why + "&tags=x", votes: v("delete", toks)},
		{op: "rotate-tokens", method: "POST", path: buyers + "rotate/tokens" + why + "&token_ids=" + tok, votes: v("write", toks)},
		{op: "search-tokens", method: "POST", path: buyers + "query/tokens" + why, body: `{"tags":["x"]}`, votes: v("read", toks)},
		{op: "get-tokens-count", method: "GET", path: buyers + "count/tokens" + why, votes: v("stats", toks)},
		{op: "get-by-transaction-id", method: "GET", path: buyers + "transaction_id/tx" + why, votes: v("read", toks)},
		{op: "encrypt", method: "POST", path: buyers + "encrypt/objects" + why, body: `[{"object":{"id":"` + id + `"},"props":["email","name"]}]`, votes: v("encrypt", p("email", "name"))},
		{op: "decrypt", method: "POST", path: buyers + "decrypt/objects" + why, body: `[{"encrypted_object":{"ciphertext":"` + text + `"}}]`, votes: v("decrypt", p("email"))},
		{op: "update-encrypted", method: "PATCH", path: buyers + "encrypt/objects" + why, body: `[{"encrypted_object":{"ciphertext":"` + text + `"},"fields":{"name":"N"}}]`,
			votes: append(v("decrypt", p("email")), v("encrypt", p("email", "name"))...)},
		{op: "hash-objects", method: "POST", path: buyers + "hash/objects" + why, body: `[{"object":{"fields":{"email":"h@b.c","name":"N"}}}]`, votes: v("hash", p("email", "name"))},
	}
}

func (a asked) call(w *world, cred string) answer {
	var headers []string
	if a.op == "set-iam-conf" {
		headers = []string{"Content-Type", "application/toml"}
	}
	return w.as(cred, a.method, a.path, a.body, headers...)
}

func (a asked) status() int {
	if a.want == 0 {
		return 200
	}
	return a.want
}

// adminOnly are operations that no role of the file can reach, and public
// those that need no credential.
var (
	adminOnly = []string{"set-admin-api-key"}
	public    = []string{"data-health", "control-health"}
)

func TestMatrixNamesEveryOperation(t *testing.T) {
	w, list := prepared(t)
	var named []string
	for _, a := range list {
		named = append(named, a.op)
	}
	named = append(named, adminOnly...)
	slices.Sort(named)
	named = slices.Compact(named)
	if known := votes.APIOperations(); !slices.Equal(named, known) {
		t.Errorf("the matrix and the capability table differ:\n%v\n%v", named, known)
	}
	served := slices.DeleteFunc(w.door.Operations(), func(op string) bool { return slices.Contains(public, op) })
	if !slices.Equal(named, served) {
		t.Errorf("the matrix and the door differ:\n%v\n%v", named, served)
	}
}

// TestMatrixOfCapabilities runs every operation with each single capability
// alone, and with each single capability removed. The door must let exactly
// those through whom the table lets through, and must refuse the others before
// it looks at anything else.
func TestMatrixOfCapabilities(t *testing.T) {
	_, list := prepared(t)
	caps := votes.CapabilityNames()
	type variant struct {
		name string
		caps []string
	}
	variants := []variant{{"none", nil}, {"all", []string{"*"}}}
	for _, c := range caps {
		without := slices.DeleteFunc(slices.Clone(caps), func(x string) bool { return x == c || x == "CapSystem" })
		variants = append(variants, variant{"only " + c, []string{c}}, variant{"all but " + c, without})
	}
	for i, a := range list {
		t.Run(a.op, func(t *testing.T) {
			w, l := prepared(t) // what is allowed may find its object gone, never a refusal
			var allowed, refused int
			for _, v := range variants {
				w.roles([]votes.RoleSpec{{Name: "r", Capabilities: v.caps, Policies: []string{"AllowAll"}}}, []votes.PolicySpec{allowAll})
				role, _ := w.iam.Role("r")
				got := l[i].call(w, "key-r")
				if role.Capability(a.op).Allowed {
					allowed++
					if got.status == 403 && got.code() == "PV1007" {
						t.Errorf("%s: refused, %s", v.name, got.body)
					}
				} else {
					refused++
					if got.status != 403 || got.code() != "PV1007" {
						t.Errorf("%s: got %d %s", v.name, got.status, got.body)
					}
				}
			}
			if allowed == 0 || refused == 0 && a.op != "get-vault-version" {
				t.Errorf("the matrix has no both sides: %d allowed, %d refused", allowed, refused)
			}
		})
	}
}

// TestMatrixOfPolicies runs every data operation with exactly the votes that it
// needs, and then with each of them missing and each of them denied.
func TestMatrixOfPolicies(t *testing.T) {
	_, list := prepared(t)
	for i, a := range list {
		t.Run(a.op, func(t *testing.T) {
			run := func(policies ...votes.PolicySpec) answer {
				w, l := prepared(t)
				w.roles([]votes.RoleSpec{{Name: "r", Capabilities: []string{"*"}, Policies: []string{"*"}}}, policies)
				return l[i].call(w, "key-r")
			}
			var need []votes.PolicySpec
			for _, v := range a.votes {
				need = append(need, votePolicy("allow", v))
			}
			if got := run(need...); got.status != a.status() {
				t.Fatalf("exactly the votes it needs: %d %s", got.status, got.body)
			}
			for j, v := range a.votes {
				if got := run(slices.Delete(slices.Clone(need), j, j+1)...); got.status != 403 || got.code() != "PV1006" {
					t.Errorf("without %s: %d %s", v, got.status, got.body)
				}
				if got := run(allowAll, votePolicy("deny", v)); got.status != 403 || got.code() != "PV1006" {
					t.Errorf("with a denial of %s: %d %s", v, got.status, got.body)
				}
			}
			if len(a.votes) > 0 {
				other := allowAll
				other.Reasons = []string{"Marketing"}
				if got := run(other); got.status != 403 || got.code() != "PV1006" {
					t.Errorf("allowed for another reason only: %d %s", got.status, got.body)
				}
				other = allowAll
				other.Resources = []string{"sellers/properties/*", "sellers/tokens/*"}
				if got := run(other); got.status != 403 || got.code() != "PV1006" {
					t.Errorf("allowed on another collection only: %d %s", got.status, got.body)
				}
			}
		})
	}
}

func votePolicy(kind, vote string) votes.PolicySpec {
	op, resource, _ := strings.Cut(vote, " ")
	name := strings.NewReplacer("/", "_", ".", "_", " ", "_").Replace(kind + "_" + vote)
	return votes.PolicySpec{Name: name, Type: kind, Operations: []string{op}, Reasons: []string{"*"}, Resources: []string{resource}}
}
