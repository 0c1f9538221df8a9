package jotgate_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/jotgate/jotgate/"

// allowed is the table of who may import whom, from the doors down to the
// drawers. A package that is not in it fails the test, and so does an import
// that its row does not list. "internal/" is left out of the names.
var allowed = map[string][]string{
	"fault":     {},
	"principal": {},
	"storage":   {"fault"},

	"jwt":          {"fault"},
	"jwks":         {"fault", "jwt"},
	"jwks/kept":    {"jwks", "storage", "storage/record"},
	"policy":       {},
	"policy/acl":   {"fault", "policy"},
	"policy/votes": {"fault", "policy"},
	"trust":        {"fault", "jwt", "policy", "principal"},

	"storage/record":          {},
	"storage/storagetest":     {"fault", "storage"},
	"storage/driver":          {"storage"},
	"storage/embedded":        {"fault", "storage", "storage/driver"},
	"storage/postgres":        {"fault", "storage", "storage/driver"},
	"storage/postgres/pgtest": {},
	"seal":                    {"fault", "seal/shamir", "storage"},
	"seal/shamir":             {},

	"audit":      {"fault", "policy"},
	"auditstore": {"audit", "fault", "storage"},
	"gate":       {"audit", "fault", "policy", "principal"},

	"metrics": {"audit", "fault", "gate", "jwks"},

	"iam":         {"fault", "jwks", "jwt", "policy", "policy/votes", "principal", "seal", "storage", "trust"},
	"tokencache":  {},
	"bearer":      {"fault", "iam", "jwt", "policy", "principal", "tokencache", "trust"},
	"cors":        {"fault", "storage"},
	"quota":       {"fault", "storage"},
	"passpolicy":  {"fault", "storage"},
	"snapshot":    {"fault"},
	"pgp":         {"fault"},
	"uiheaders":   {"fault", "storage"},
	"policystore": {"fault", "policy", "policy/acl", "principal", "storage"},
	"mount":       {"fault", "storage", "storage/record"},
	"identity":    {"fault", "policy/acl", "seal", "storage", "storage/record"},
	"session":     {"fault", "identity", "principal", "seal", "storage", "storage/record"},
	"authjwt":     {"fault", "identity", "jwks", "jwt", "policy", "principal", "seal", "session", "storage", "storage/record", "tokencache", "trust"},

	"engine/drawer":    {"fault", "storage"},
	"engine/kv":        {"engine/drawer", "fault", "gate", "storage", "storage/record"},
	"engine/cubbyhole": {"engine/drawer", "fault", "gate", "principal", "storage"},
	"engine/objects":   {"fault", "gate", "policy", "principal", "seal", "storage"},

	"config": {"audit", "fault"},

	"ambient":     {},
	"cli":         {},
	"cli/clitest": {"ambient"},
	"cli/jwttool": {"cli", "fault", "jwks", "jwt"},

	"spec/script": {},

	"client/jwtauth": {"ambient"}, // a module of its own
}

// pure packages do no I/O: what they may not import from the standard library.
var pure = map[string][]string{
	"jwt":          {"net", "net/http", "os", "database/sql"},
	"trust":        {"net", "net/http", "os", "database/sql"},
	"policy":       {"net", "net/http", "os", "database/sql", "time"},
	"policy/acl":   {"net/http", "os", "database/sql"},
	"policy/votes": {"net", "net/http", "os", "database/sql"},
}

// free packages may import any of ours: they are the outermost ring.
var free = []string{"server", "servertest", "idptest", "api/vaultapi", "api/pvaultapi", "api/route", "cmd/jotgate", "cmd/pvault", "bench"}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// sources calls visit for each Go file that is not a test.
func sources(t *testing.T, visit func(pkg, file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "node_modules" || n == "testdata" || (strings.HasPrefix(n, ".") && n != ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			visit(strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "internal/"), file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsFollowTheTable(t *testing.T) {
	seen := map[string]bool{}
	sources(t, func(pkg, file string) {
		seen[pkg] = true
		row, known := allowed[pkg]
		if !known && !slices.Contains(free, pkg) {
			t.Errorf("%s: package %s is not in the table of arch_test.go", file, pkg)
			return
		}
		for _, imp := range imports(t, file) {
			if slices.Contains(pure[pkg], imp) {
				t.Errorf("%s: %s does no I/O and must not import %s", file, pkg, imp)
			}
			ours, ok := strings.CutPrefix(imp, module+"internal/")
			if ok && known && !slices.Contains(row, ours) {
				t.Errorf("%s: %s must not import %s", file, pkg, ours)
			}
		}
	})
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the table has a row for %s, which does not exist", pkg)
		}
	}
}

func TestOneDoorNeverImportsTheOther(t *testing.T) {
	doors := []string{"api/vaultapi", "api/pvaultapi"}
	sources(t, func(pkg, file string) {
		for _, imp := range imports(t, file) {
			for _, d := range doors {
				if strings.HasPrefix(pkg, "api/") && pkg != d && imp == module+"internal/"+d {
					t.Errorf("%s: a door must not import %s", file, d)
				}
				if strings.HasPrefix(pkg, "engine/") && strings.HasPrefix(imp, module+"internal/api/") {
					t.Errorf("%s: an engine must not import a door", file)
				}
			}
		}
	})
}
