package votes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
)

func allow(name string, ops, reasons, resources string) PolicySpec {
	return spec(name, "allow", ops, reasons, resources)
}

func deny(name string, ops, reasons, resources string) PolicySpec {
	return spec(name, "deny", ops, reasons, resources)
}

func spec(name, kind, ops, reasons, resources string) PolicySpec {
	return PolicySpec{Name: name, Type: kind, Operations: strings.Fields(ops), Reasons: strings.Fields(reasons), Resources: strings.Fields(resources)}
}

// role compiles one role that has all the policies.
func role(t *testing.T, caps string, policies ...PolicySpec) *Role {
	t.Helper()
	all, err := Compile([]RoleSpec{{Name: "R", Capabilities: strings.Fields(caps), Policies: []string{"*"}}}, policies)
	if err != nil {
		t.Fatal(err)
	}
	r, ok := all.Role("R")
	if !ok {
		t.Fatal("no role")
	}
	return r
}

func TestVoting(t *testing.T) {
	tests := []struct {
		name     string
		policies []PolicySpec
		resource string
		want     bool
	}{
		{"no policy", nil, "c/properties/email/EMAIL", false},
		{"one allow", []PolicySpec{allow("A", "read", "*", "*")}, "c/properties/email/EMAIL", true},
		{"one deny", []PolicySpec{deny("D", "read", "*", "*")}, "c/properties/email/EMAIL", false},
		{"allow and deny", []PolicySpec{allow("A", "read", "*", "*"), deny("D", "read", "*", "c/properties/email")}, "c/properties/email/EMAIL", false},
		{"allow and a deny of another operation", []PolicySpec{allow("A", "read", "*", "*"), deny("D", "write", "*", "*")}, "c/properties/email/EMAIL", true},
		{"allow and a deny for another reason", []PolicySpec{allow("A", "read", "*", "*"), deny("D", "read", "Marketing", "*")}, "c/properties/email/EMAIL", true},
		{"allow and a deny of another resource", []PolicySpec{allow("A", "read", "*", "*"), deny("D", "read", "*", "c/properties/ssn")}, "c/properties/email/EMAIL", true},
		{"allow for another operation", []PolicySpec{allow("A", "write", "*", "*")}, "c/properties/email/EMAIL", false},
		{"allow for all operations", []PolicySpec{allow("A", "*", "Analytics", "*")}, "c/properties/email/EMAIL", true},
		{"allow for another reason", []PolicySpec{allow("A", "read", "Marketing", "*")}, "c/properties/email/EMAIL", false},
		{"by property", []PolicySpec{allow("A", "read", "*", "c/properties/email")}, "c/properties/email/EMAIL", true},
		{"another property", []PolicySpec{allow("A", "read", "*", "c/properties/email")}, "c/properties/ssn/SSN", false},
		{"another collection", []PolicySpec{allow("A", "read", "*", "d/properties/email")}, "c/properties/email/EMAIL", false},
		{"any collection", []PolicySpec{allow("A", "read", "*", "*/properties/email")}, "c/properties/email/EMAIL", true},
		{"collection glob", []PolicySpec{allow("A", "read", "*", "cust*/properties/email")}, "customers/properties/email/EMAIL", true},
		{"collection glob in the middle", []PolicySpec{allow("A", "read", "*", "c*s/properties/email")}, "customers/properties/email/EMAIL", true},
		{"collection glob, head and tail may not overlap", []PolicySpec{allow("A", "read", "*", "ab*ba/properties/email")}, "aba/properties/email/EMAIL", false},
		{"name glob", []PolicySpec{allow("A", "read", "*", "*/properties/_*")}, "c/properties/_id/OBJECT_ID", true},
		{"name glob, no match", []PolicySpec{allow("A", "read", "*", "*/properties/_*")}, "c/properties/id/OBJECT_ID", false},
		{"by type", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL")}, "c/properties/email/EMAIL", true},
		{"type in another case", []PolicySpec{allow("A", "read", "*", "*/types/email")}, "c/properties/email/EMAIL", false},
		{"a type is not a property", []PolicySpec{allow("A", "read", "*", "*/properties/EMAIL")}, "c/properties/email/EMAIL", false},
		{"a transformation is another property", []PolicySpec{allow("A", "read", "*", "*/properties/email")}, "c/properties/email.mask/EMAIL.mask", false},
		{"a transformation is another type", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL")}, "c/properties/email.mask/EMAIL.mask", false},
		{"transformation by type", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL.mask")}, "c/properties/email.mask/EMAIL.mask", true},
		{"transformation does not open the plain value", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL.mask")}, "c/properties/email/EMAIL", false},
		{"type unknown, allow by type", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL")}, "c/properties/email", false},
		{"type unknown, deny by type", []PolicySpec{allow("A", "read", "*", "*"), deny("D", "read", "*", "*/types/SSN")}, "c/properties/ssn", false},
		{"type unknown, allow by name", []PolicySpec{allow("A", "read", "*", "*/properties/email")}, "c/properties/email", true},
		{"type asked itself", []PolicySpec{allow("A", "read", "*", "*/types/EMAIL")}, "c/types/EMAIL", true},
		{"tokens", []PolicySpec{allow("A", "read", "*", "c/tokens")}, "c/tokens", true},
		{"tokens, name ignored", []PolicySpec{allow("A", "read", "*", "c/tokens/x")}, "c/tokens/y", true},
		{"tokens are not properties", []PolicySpec{allow("A", "read", "*", "c/properties/*")}, "c/tokens", false},
		{"properties are not tokens", []PolicySpec{allow("A", "read", "*", "c/tokens/*")}, "c/properties/x", false},
		{"archived needs its own policy", []PolicySpec{allow("A", "read", "*", "c/properties/* c/types/*")}, "c/archived/properties/email/EMAIL", false},
		{"archived", []PolicySpec{allow("A", "read", "*", "c/archived/properties/email")}, "c/archived/properties/email/EMAIL", true},
		{"archived by type, older word", []PolicySpec{allow("A", "read", "*", "c/deleted/types/EMAIL")}, "c/archived/properties/email/EMAIL", true},
		{"archived does not open the living", []PolicySpec{allow("A", "read", "*", "c/archived/properties/*")}, "c/properties/email/EMAIL", false},
		{"archived tokens", []PolicySpec{allow("A", "read", "*", "c/archived/tokens/*")}, "c/archived/tokens", true},
		{"unknown kind", []PolicySpec{allow("A", "read", "*", "*")}, "c/rows/email", false},
		{"no collection", []PolicySpec{allow("A", "read", "*", "*")}, "/properties/email", false},
		{"no name", []PolicySpec{allow("A", "read", "*", "*")}, "c/properties", false},
		{"too many parts", []PolicySpec{allow("A", "read", "*", "*")}, "c/properties/a/B/C", false},
		{"empty", []PolicySpec{allow("A", "read", "*", "*")}, "", false},
		{"a star in a question is a name", []PolicySpec{allow("A", "read", "*", "c/properties/email")}, "c/properties/*", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := role(t, "", tt.policies...).Vote("read", tt.resource, "Analytics")
			if d.Allowed != tt.want {
				t.Fatalf("%+v", d)
			}
			c, failed := d.Failed()
			if failed == tt.want || failed && c.Name != "policy" {
				t.Errorf("failed check %+v", c)
			}
			if d.Allowed && (d.Rule != `policy "A"` || !slices.Equal(d.Granting, []string{"A"})) {
				t.Errorf("decision names %q, %v", d.Rule, d.Granting)
			}
		})
	}
}

func TestDenialNamesThePolicy(t *testing.T) {
	r := role(t, "", allow("A", "*", "*", "*"), deny("PolDeny", "*", "*", "*/types/SSN"))
	d := r.Vote("read", "c/properties/ssn/SSN", "Other")
	if d.Allowed || d.Rule != `policy "PolDeny"` {
		t.Errorf("%+v", d)
	}
}

func TestVoteReasons(t *testing.T) {
	all := role(t, "", allow("A", "read", "*", "*"))
	some := role(t, "", allow("A", "read", "Analytics Other", "*"))
	for _, reason := range Reasons() {
		if !all.Vote("read", "c/properties/x", reason).Allowed {
			t.Errorf("a policy for all reasons does not speak of %q", reason)
		}
	}
	for reason, want := range map[string][2]bool{
		"Analytics": {true, true}, "Marketing": {true, false}, "": {true, false}, "analytics": {false, false}, "*": {false, false}, "Nonsense": {false, false},
	} {
		for i, r := range []*Role{all, some} {
			if got := r.Vote("read", "c/properties/x", reason).Allowed; got != want[i] {
				t.Errorf("reason %q, role %d: %v", reason, i, got)
			}
		}
	}
}

func TestVoteOperations(t *testing.T) {
	for _, have := range Operations() {
		r := role(t, "", allow("A", have, "*", "*"))
		for _, op := range append(Operations(), "*", "", "Read") {
			if got := r.Vote(op, "c/properties/x", "Other").Allowed; got != (op == have) {
				t.Errorf("%q allows %q: %v", have, op, got)
			}
		}
	}
}

func TestZeroRoleMayDoNothing(t *testing.T) {
	for _, r := range []*Role{nil, {}} {
		if r.Vote("read", "c/properties/x", "Other").Allowed || r.Has(CapDataReader) || r.Capability("list-objects").Allowed || len(r.TrustedRoles()) > 0 {
			t.Error("zero role may do something")
		}
	}
	var none *Roles
	if _, ok := none.Role("x"); ok || none.Names() != nil {
		t.Error("nil Roles has a role")
	}
	if (*Role)(nil).Capability("get-vault-version").Allowed {
		t.Error("no role at all may call the API")
	}
}

// TestCapabilityTable holds the table of the reference, once more and by hand.
func TestCapabilityTable(t *testing.T) {
	table := map[string]string{
		"list-objects": "CapDataReader CapObjectsLister", "get-object-by-id": "CapDataReader CapObjectsReader CapOjectsReader CapObjectsLister",
		"add-object":  "CapDataWriter CapDataCreator CapObjectsWriter CapObjectsCreator",
		"add-objects": "CapDataWriter CapDataCreator CapObjectsWriter CapObjectsCreator", "update-object-by-id": "CapDataWriter CapDataUpdater CapObjectsWriter CapObjectsUpdater",
		"update-objects": "CapDataWriter CapDataUpdater CapObjectsWriter CapObjectsUpdater", "delete-object-by-id": "CapDataWriter CapDataDeleter CapObjectsWriter CapObjectsDeleter",
		"delete-objects": "CapDataWriter CapDataDeleter CapObjectsWriter CapObjectsDeleter", "search-objects": "CapDataSearcher",
		"get-objects-count": "CapDataReader CapObjectsLister", "get-tokens-count": "CapDataReader CapTokensReader",
		"tokenize": "CapTokensWriter", "detokenize": "CapTokensDetokenizer", "update-tokens": "CapTokensWriter", "delete-tokens": "CapTokensWriter",
		"rotate-tokens": "CapTokensWriter", "search-tokens": "CapTokensReader", "export-tokens": "CapTokensExporter", "import-tokens": "CapTokensImporter",
		"get-by-transaction-id": "CapTransactionIdReader CapDataReader",
		"encrypt":               "CapCryptoEncrypter", "encrypt-blob": "CapCryptoEncrypter", "decrypt": "CapCryptoDecrypter", "decrypt-blob": "CapCryptoDecrypter",
		"update-encrypted": "", "hash-objects": "CapCryptoHasher",
		"list-actions": "CapActionsReader CapActionReader", "get-action": "CapActionsReader CapActionReader", "add-action": "CapActionsWriter CapActionWriter",
		"delete-action": "CapActionsWriter CapActionWriter", "invoke-action": "CapActionsInvoker CapActionInvoker", "http-call": "CapActionsInvoker CapActionInvoker",
		"get-iam-conf": "CapIAMReader", "set-iam-conf": "CapIAMWriter", "get-user": "CapIAMReader", "regenerate-user-api-key": "CapIAMWriter",
		"update-api-key-expiration": "CapIAMWriter", "set-admin-api-key": "",
		"list-bundles": "CapCodeReader", "get-bundle": "CapCodeReader", "add-bundle": "CapCodeWriter", "update-bundle": "CapCodeWriter", "delete-bundle": "CapCodeWriter",
		"list-data-types": "CapTypesReader", "get-data-type": "CapTypesReader", "add-data-type": "CapTypesWriter", "update-data-type": "CapTypesWriter", "delete-data-type": "CapTypesWriter",
		"list-collections": "CapCollectionsReader", "get-collection": "CapCollectionsReader", "list-collection-properties": "CapCollectionsReader",
		"get-collection-property": "CapCollectionsReader", "add-collection": "CapCollectionsWriter", "update-collection": "CapCollectionsWriter",
		"delete-collection": "CapCollectionsWriter", "add-collection-property": "CapCollectionsWriter", "update-collection-property": "CapCollectionsWriter",
		"delete-collection-property": "CapCollectionsWriter",
		"garbage-collection":         "CapSystemGCRunner", "get-conf-var": "CapConfvarReader", "set-conf-var": "CapConfvarWriter", "clear-all-conf-vars": "CapConfvarWriter",
		"get-kms": "CapKMSReader", "rotate-keys": "CapKMSWriter", "get-export-key": "CapExportKeyReader", "get-cluster-info": "CapClusterInfoReader",
		"get-configuration": "CapInfoReader", "get-license": "CapInfoReader", "set-license": "", "trigger-error": "CapErrorWriter",
	}
	names := append(CapabilityNames(), "CapOjectsReader", "CapActionReader", "CapActionWriter", "CapActionInvoker", "*")
	for _, name := range names {
		r := role(t, name)
		for op, list := range table {
			want := slices.Contains(strings.Fields(list), name) || name == "CapSystem" || name == "*"
			d := r.Capability(op)
			if d.Allowed != want {
				t.Errorf("%s with %s: %v", op, name, d.Allowed)
			}
			if c, failed := d.Failed(); failed == want || failed && c.Name != "capability" {
				t.Errorf("%s with %s: check %+v", op, name, c)
			}
		}
		if !r.Capability("get-vault-version").Allowed {
			t.Errorf("version with %s is refused", name)
		}
		if r.Capability("no-such-operation").Allowed {
			t.Errorf("unknown operation with %s is allowed", name)
		}
	}
	if len(table)+1 != len(APIOperations()) {
		t.Errorf("the table has %d operations, the package %d", len(table)+1, len(APIOperations()))
	}
	if r := role(t, "CapCryptoEncrypter CapCryptoDecrypter"); !r.Capability("update-encrypted").Allowed {
		t.Error("both crypto capabilities do not allow update-encrypted")
	}
	if d := role(t, "CapCryptoEncrypter").Capability("update-encrypted"); d.Checks[0].Expected != "CapCryptoDecrypter" {
		t.Errorf("what is missing: %+v", d.Checks)
	}
}

func TestHas(t *testing.T) {
	r := role(t, "CapOjectsReader CapActionInvoker")
	for _, name := range CapabilityNames() {
		c, ok := ParseCapability(name)
		if !ok || c.String() != name {
			t.Fatalf("%s parses to %s, %v", name, c, ok)
		}
		if want := name == "CapObjectsReader" || name == "CapActionsInvoker"; r.Has(c) != want {
			t.Errorf("Has(%s) = %v", c, r.Has(c))
		}
		if !role(t, "CapSystem").Has(c) {
			t.Errorf("CapSystem lacks %s", c)
		}
	}
	for _, c := range []Capability{capNone, numCapabilities, 63, 200} {
		if role(t, "*").Has(c) || c.String() != "CapNone" {
			t.Errorf("capability %d", c)
		}
	}
	if _, ok := ParseCapability("capdatareader"); ok {
		t.Error("capability names ignore case")
	}
}

func TestCapabilitiesOfARole(t *testing.T) {
	for caps, want := range map[string]string{
		"": "", "CapTypesReader CapDataReader CapDataReader": "CapDataReader CapTypesReader", "*": "*", "CapDataReader CapSystem": "*",
	} {
		if got := strings.Join(role(t, caps).Capabilities(), " "); got != want {
			t.Errorf("%q: %q, want %q", caps, got, want)
		}
	}
	if (*Role)(nil).Capabilities() != nil {
		t.Error("no role has capabilities")
	}
}

func TestCompileReportsEveryProblem(t *testing.T) {
	_, err := Compile([]RoleSpec{
		{Name: "Admin"},
		{Name: "A", Capabilities: []string{"CapNone"}, Policies: []string{"nope"}, TrustedRoles: []string{"ghost"}},
		{Name: "A"},
	}, []PolicySpec{
		{Name: "P", Type: "Allow"},
		spec("P", "allow", "reed", "Fun", "a/b/c"),
	})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("kind of %v", err)
	}
	for _, want := range []string{
		`role "Admin" is built in`, `role "A" is built in or defined twice`, `unknown capability "CapNone"`, `policy "nope" is not defined`, `role "ghost", which is not defined`,
		`policy "P" is defined twice`, `policy_type is "Allow"`, `operations must name at least one`, `reasons must name`, `resources must name`,
		`unknown operation "reed"`, `unknown reason "Fun"`, `resource "a/b/c" has no known kind`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s\nin: %v", want, err)
		}
	}
}

func TestResourceSyntax(t *testing.T) {
	for _, s := range []string{"*", "*/types/EMAIL", "*/types/SSN.mask", "*/properties/_*", "employees/properties/email", "c/tokens", "c/tokens/*", "c/deleted/tokens/x", "c/archived/types/*"} {
		if err := CheckResource(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"", "**", "c", "c/email", "c/rows/x", "c/properties", "c/properties/", "/properties/x", "c*d*/properties/x", "c/properties/*a*", "c/properties/a/b", "c d/properties/x", "c/properties/é", "c/archived/x"} {
		if err := CheckResource(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestRolesAndTrust(t *testing.T) {
	all, err := Compile([]RoleSpec{{Name: "Backend"}, {Name: "User", TrustedRoles: []string{"Backend"}, Policies: []string{"B", "A", "A"}}},
		[]PolicySpec{allow("A", "*", "*", "*"), deny("B", "*", "*", "*")})
	if err != nil {
		t.Fatal(err)
	}
	if got := all.Names(); !slices.Equal(got, []string{"Backend", "User"}) {
		t.Errorf("Names = %v", got)
	}
	r, _ := all.Role("User")
	if r.Name() != "User" || !slices.Equal(r.TrustedRoles(), []string{"Backend"}) || !slices.Equal(r.Policies(), []string{"A", "B"}) {
		t.Errorf("role %+v", r)
	}
	admin, ok := all.Role(AdminRole)
	if !ok || !admin.Has(CapSystem) || admin.Vote("read", "c/properties/x", "Other").Allowed {
		t.Error("built-in role")
	}
}

func TestAllowedVoteAllocatesNothing(t *testing.T) {
	r := role(t, "CapDataReader", allow("A", "read", "*", "*/types/EMAIL"), deny("D", "read", "*", "*/types/SSN"))
	if n := testing.AllocsPerRun(100, func() {
		if !r.Vote("read", "customers/properties/email/EMAIL", "Other").Allowed || !r.Capability("list-objects").Allowed {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAgainstModel compares with the rule written out: at least one allow and
// no deny among the policies that name the operation, the reason, the data.
func TestAgainstModel(t *testing.T) {
	list := func(t *rapid.T, label string, from ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 3, rapid.ID[string]).Draw(t, label)
	}
	names := func(pattern, s string) bool {
		head, tail, star := strings.Cut(pattern, "*")
		return s == pattern || star && len(s) >= len(head)+len(tail) && strings.HasPrefix(s, head) && strings.HasSuffix(s, tail)
	}
	rapid.Check(t, func(t *rapid.T) {
		var specs []PolicySpec
		for i := range rapid.IntRange(0, 4).Draw(t, "policies") {
			specs = append(specs, PolicySpec{
				Name: fmt.Sprintf("P%d", i), Type: rapid.SampledFrom([]string{"allow", "allow", "deny"}).Draw(t, "type"),
				Operations: list(t, "ops", "read", "write", "*"), Reasons: list(t, "reasons", "Other", "Analytics", "*"),
				Resources: list(t, "resources", "*", "c/properties/a", "*/properties/a*", "c*/types/A", "*/types/*", "c/tokens/x", "d/properties/*"),
			})
		}
		all, err := Compile([]RoleSpec{{Name: "R", Policies: []string{"*"}}}, specs)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := all.Role("R")
		op, reason := rapid.SampledFrom([]string{"read", "write"}).Draw(t, "op"), rapid.SampledFrom([]string{"Other", "Analytics"}).Draw(t, "reason")
		parts := strings.Split(rapid.SampledFrom([]string{"c/properties/a/A", "cc/properties/ab/A", "d/properties/b/B", "c/tokens"}).Draw(t, "resource"), "/")
		allows, denies := 0, 0
		for _, p := range specs {
			speaks := false
			for _, res := range p.Resources {
				w := strings.Split(res, "/")
				switch {
				case res == "*":
					speaks = true
				case w[1] == "tokens":
					speaks = speaks || parts[1] == "tokens" && names(w[0], parts[0])
				case parts[1] == "tokens":
				case w[1] == "properties":
					speaks = speaks || names(w[0], parts[0]) && names(w[2], parts[2])
				default:
					speaks = speaks || names(w[0], parts[0]) && names(w[2], parts[3])
				}
			}
			in := func(l []string, s string) bool { return slices.Contains(l, s) || slices.Contains(l, "*") }
			if !speaks || !in(p.Operations, op) || !in(p.Reasons, reason) {
				continue
			}
			if p.Type == "allow" {
				allows++
			} else {
				denies++
			}
		}
		if d := r.Vote(op, strings.Join(parts, "/"), reason); d.Allowed != (allows > 0 && denies == 0) {
			t.Fatalf("%d allow, %d deny, got %+v", allows, denies, d)
		}
	})
}

var sink policy.Decision

func BenchmarkVote(b *testing.B) {
	all, err := Compile([]RoleSpec{{Name: "R", Policies: []string{"*"}}}, []PolicySpec{
		allow("A", "read", "*", "*/types/EMAIL */types/NAME */types/SSN.mask */properties/_* */properties/id"), deny("D", "read", "*", "*/types/SSN"),
	})
	if err != nil {
		b.Fatal(err)
	}
	r, _ := all.Role("R")
	b.ReportAllocs()
	for b.Loop() {
		sink = r.Vote("read", "customers/properties/email/EMAIL", "Other")
	}
}

func FuzzResource(f *testing.F) {
	f.Add("*/types/EMAIL", "c/properties/email/EMAIL")
	f.Add("c/archived/tokens", "c/archived/tokens/x")
	f.Fuzz(func(t *testing.T, resource, question string) {
		p, err := parsePattern(resource)
		if err != nil {
			return
		}
		if q, ok := parseQuestion(question); ok && p.fits(&q, false) && !p.fits(&q, true) {
			t.Errorf("%q fits %q only when sure", resource, question)
		}
	})
}
