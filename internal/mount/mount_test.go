package mount

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func open(t *testing.T) (*Store, storage.Store) {
	t.Helper()
	st, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s, err := Open(context.Background(), storagetest.Twice(st), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, st
}

func TestServerHasItsOwnMountsFromTheStart(t *testing.T) {
	s, st := open(t)
	for path, typ := range map[string]string{
		"auth/token": TypeToken, "cubbyhole/": TypeCubbyhole, "identity": TypeIdentity, "sys/": TypeSystem,
	} {
		e, ok := s.Table().Get(path)
		if !ok || e.Type != typ || e.UUID == "" || !strings.HasPrefix(strings.TrimPrefix(e.Accessor, "auth_"), typ+"_") {
			t.Errorf("%s: %+v", path, e)
		}
		if _, err := s.Disable(context.Background(), path); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s can be disabled: %v", path, err)
		}
		if _, err := s.Move(context.Background(), path, "elsewhere"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s can be moved: %v", path, err)
		}
	}
	again, err := Open(context.Background(), st, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, e := range s.Table().entries {
		if f, ok := again.Table().Get(e.Logical()); !ok || f.Accessor != e.Accessor || f.UUID != e.UUID {
			t.Errorf("%s has another identity after a restart", e.Logical())
		}
	}
}

func TestEnableRefuses(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	if _, err := s.Enable(ctx, Entry{Auth: true, Path: "jwt", Type: TypeJWT}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enable(ctx, Entry{Path: "a/b", Type: TypeKV}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		e    Entry
		kind fault.Kind
		text string
	}{
		"no type":          {Entry{Auth: true, Path: "x"}, fault.Invalid, "backend type must be specified as a string"},
		"no path":          {Entry{Auth: true, Type: TypeJWT}, fault.Invalid, "backend path must be specified"},
		"unknown type":     {Entry{Auth: true, Path: "x", Type: "ldap"}, fault.Invalid, "plugin not found in the catalog: ldap"},
		"engine as method": {Entry{Auth: true, Path: "x", Type: TypeKV}, fault.Invalid, "plugin not found in the catalog: kv"},
		"second token":     {Entry{Auth: true, Path: "x", Type: TypeToken}, fault.Invalid, `cannot mount "x/" of type "token" as an auth backend`},
		"in use":           {Entry{Auth: true, Path: "/jwt/", Type: TypeJWT}, fault.Conflict, "path is already in use at jwt/"},
		"below another":    {Entry{Auth: true, Path: "jwt/x", Type: TypeJWT}, fault.Conflict, "path is already in use at jwt/"},
		"above another":    {Entry{Path: "a", Type: TypeKV}, fault.Conflict, "existing mount at a/b/"},
		"token's place":    {Entry{Auth: true, Path: "token", Type: TypeJWT}, fault.Conflict, "path is already in use at token/"},
		"below sys":        {Entry{Path: "sys/x", Type: TypeKV}, fault.Denied, `cannot mount "sys/x/"`},
		"auth as engine":   {Entry{Path: "auth/x", Type: TypeKV}, fault.Denied, `cannot mount "auth/x/"`},
		"below audit":      {Entry{Path: "audit/x", Type: TypeKV}, fault.Denied, `cannot mount "audit/x/"`},
		"generic method":   {Entry{Auth: true, Path: "x", Type: "generic"}, fault.Invalid, "plugin not found in the catalog: generic"},
		"cubbyhole":        {Entry{Path: "cubbyhole", Type: TypeKV}, fault.Denied, `cannot mount "cubbyhole/"`},
		"second sys":       {Entry{Path: "x", Type: TypeSystem}, fault.Denied, `mount type of "system" is not mountable`},
		"wildcard":         {Entry{Path: "x*", Type: TypeKV}, fault.Invalid, "path must not contain white space, control characters, wildcards or template brackets"},
		"white space":      {Entry{Path: "x y", Type: TypeKV}, fault.Invalid, "path must not contain white space, control characters, wildcards or template brackets"},
		"control":          {Entry{Path: "x\x00y", Type: TypeKV}, fault.Invalid, "path must not contain white space, control characters, wildcards or template brackets"},
		"not UTF-8":        {Entry{Path: "x\xff", Type: TypeKV}, fault.Invalid, "path must not contain white space, control characters, wildcards or template brackets"},
		"relative, here":   {Entry{Path: "x/./y", Type: TypeKV}, fault.Invalid, "path must not contain relative segments"},
		"negative default": {Entry{Path: "x", Type: TypeKV, Config: Config{DefaultLeaseTTL: -1}}, fault.Invalid, "lease TTLs cannot be negative"},
		"negative max":     {Entry{Path: "x", Type: TypeKV, Config: Config{MaxLeaseTTL: -1}}, fault.Invalid, "lease TTLs cannot be negative"},
		"relative":         {Entry{Path: "x/../y", Type: TypeKV}, fault.Invalid, "path must not contain relative segments"},
		"empty segment":    {Entry{Path: "x//y", Type: TypeKV}, fault.Invalid, "path must not contain empty segments"},
		"long":             {Entry{Path: strings.Repeat("x", 300), Type: TypeKV}, fault.Invalid, "path is longer than 256 bytes"},
		"default over max": {Entry{Path: "x", Type: TypeKV, Config: Config{DefaultLeaseTTL: 2 * time.Hour, MaxLeaseTTL: time.Hour}}, fault.Invalid, "given default lease TTL greater than given max lease TTL"},
		"default over the system's": {Entry{Path: "x", Type: TypeKV, Config: Config{DefaultLeaseTTL: 800 * time.Hour}}, fault.Invalid,
			"given default lease TTL greater than system max lease TTL of 2764800"},
		"visibility":         {Entry{Path: "x", Type: TypeKV, Config: Config{ListingVisibility: "x"}}, fault.Invalid, "invalid listing_visibility x"},
		"engine token type":  {Entry{Path: "x", Type: TypeKV, Config: Config{TokenType: TokenBatch}}, fault.Invalid, "'token_type' can only be modified on auth mounts"},
		"unknown token type": {Entry{Auth: true, Path: "x", Type: TypeJWT, Config: Config{TokenType: "x"}}, fault.Invalid, "invalid value for 'token_type'"},
		"passed-on token":    {Entry{Path: "x", Type: TypeKV, Config: Config{PassthroughRequestHeaders: []string{"authorization"}}}, fault.Invalid, "'Authorization' cannot be passed through"},
		"passed-on header":   {Entry{Path: "x", Type: TypeKV, Config: Config{PassthroughRequestHeaders: []string{"x-vault-token"}}}, fault.Invalid, "'X-Vault-Token' cannot be passed through"},
		"kv version":         {Entry{Path: "x", Type: TypeKV, Options: map[string]string{"version": "3"}}, fault.Invalid, `invalid value for option 'version' "3": must be "1" or "2"`},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Table().entries)
			_, err := s.Enable(ctx, tc.e)
			if fault.Of(err) != tc.kind || fault.PublicText(err) != tc.text {
				t.Errorf("%v %q, want %v %q", fault.Of(err), fault.PublicText(err), tc.kind, tc.text)
			}
			if len(s.Table().entries) != before {
				t.Error("the table changed")
			}
		})
	}
}

func TestOldNamesOfTheKeyValueEngine(t *testing.T) {
	s, _ := open(t)
	for name, version := range map[string]int{"generic": 1, "kv-v1": 1, "kv-v2": 2} {
		e, err := s.Enable(context.Background(), Entry{Path: name, Type: name})
		if err != nil || e.Type != TypeKV || e.KVVersion() != version {
			t.Errorf("%s: %+v %v", name, e, err)
		}
	}
}

func TestTuneCannotChangeWhatAMountIs(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	made, err := s.Enable(ctx, Entry{Path: "kv", Type: "kv-v2"})
	if err != nil || made.Type != TypeKV || made.KVVersion() != 2 {
		t.Fatal(made, err)
	}
	err = s.Tune(ctx, "kv", func(e *Entry) error {
		e.Type, e.UUID, e.Accessor, e.Path, e.Auth = "x", "x", "x", "x", true
		e.Description = "new"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := s.Table().Get("kv/")
	if e.Type != TypeKV || e.UUID != made.UUID || e.Accessor != made.Accessor || e.Description != "new" {
		t.Errorf("tuned to %+v", e)
	}
	if err := s.Tune(ctx, "kv", func(e *Entry) error { e.Options["version"] = "1"; return nil }); !fault.Is(err, fault.Invalid) {
		t.Errorf("a versioned mount can lose its versions: %v", err)
	}
	if err := s.Tune(ctx, "none", func(*Entry) error { return nil }); !fault.Is(err, fault.NotFound) {
		t.Errorf("a missing mount can be tuned: %v", err)
	}
	boom := errors.New("boom")
	if err := s.Tune(ctx, "kv", func(e *Entry) error { e.Description = "lost"; return boom }); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	if e, _ := s.Table().Get("kv"); e.Description != "new" {
		t.Error("a tune that failed changed the mount")
	}
}

func TestMoveKeepsTheMountsIdentity(t *testing.T) {
	s, _ := open(t)
	ctx := context.Background()
	made, err := s.Enable(ctx, Entry{Auth: true, Path: "jwt", Type: TypeJWT})
	if err != nil {
		t.Fatal(err)
	}
	for to, text := range map[string]string{
		"jwt2":         `cannot remount auth mount to non-auth mount "jwt2/"`,
		"auth/token":   "path is already in use at token/",
		"auth/token/x": `path in use at "auth/token/"`,
		"auth/jwt":     `path in use at "auth/jwt/"`,
		"auth/jwt/x":   `path in use at "auth/jwt/"`,
	} {
		if _, err := s.Move(ctx, "auth/jwt", to); fault.PublicText(err) != text {
			t.Errorf("to %s: %q, want %q", to, fault.PublicText(err), text)
		}
	}
	moved, err := s.Move(ctx, "auth/jwt/", "auth/jwt2/")
	if err != nil || moved.UUID != made.UUID || moved.Accessor != made.Accessor || moved.Logical() != "auth/jwt2/" {
		t.Fatal(moved, err)
	}
	if _, ok := s.Table().Get("auth/jwt"); ok {
		t.Error("the old path still answers")
	}
	if _, err := s.Move(ctx, "auth/jwt", "auth/jwt3"); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

func TestAnotherNodesChangeIsFollowed(t *testing.T) {
	a, st := open(t)
	swapped := make(chan *Table, 10)
	b, err := Open(context.Background(), st, Options{Changed: func(t *Table) { swapped <- t }})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := a.Enable(context.Background(), Entry{Path: "kv", Type: TypeKV}); err != nil {
		t.Fatal(err)
	}
	for table := range swapped {
		if _, ok := table.Get("kv"); ok {
			return
		}
	}
}

// TestRouteIsTheLongestPrefix compares the router with the obvious search.
func TestRouteIsTheLongestPrefix(t *testing.T) {
	seg := rapid.SampledFrom([]string{"a", "b", "c", "auth"})
	rapid.Check(t, func(t *rapid.T) {
		var entries []*Entry
		for range rapid.IntRange(0, 6).Draw(t, "mounts") {
			p := strings.Join(rapid.SliceOfN(seg, 1, 3).Draw(t, "path"), "/") + "/"
			entries = append(entries, &Entry{Path: p, Auth: rapid.Bool().Draw(t, "auth")})
		}
		table := compile(entries)
		path := strings.Join(rapid.SliceOfN(seg, 1, 5).Draw(t, "request"), "/")
		if rapid.Bool().Draw(t, "slash") {
			path += "/"
		}
		want := ""
		for _, e := range entries {
			p := e.Logical()
			if (strings.HasPrefix(path, p) || path+"/" == p) && len(p) > len(want) {
				want = p
			}
		}
		e, rest, ok := table.Route(path)
		if ok != (want != "") {
			t.Fatalf("route %q: %v, want %q", path, ok, want)
		}
		if ok && (e.Logical() != want || strings.TrimSuffix(want, "/")+"/"+rest != strings.TrimSuffix(path, "/")+strings.Repeat("/", b2i(rest == "" || strings.HasSuffix(path, "/")))) {
			t.Fatalf("route %q: %q rest %q, want %q", path, e.Logical(), rest, want)
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
