package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

func (w *world) role(name string, change func(*Role)) {
	w.Helper()
	err := w.UpdateRole(w.Context(), name, func(r *Role) error {
		if change != nil {
			change(r)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func TestCreateIsRefused(t *testing.T) {
	w := newWorld(t)
	root, user := w.root(), w.issue(login())
	o := login()
	o.NumUses = 3
	restricted := w.issue(o)
	expiring := w.child(root, func(o *CreateOptions) { o.TTL = time.Hour })
	w.role("r", func(r *Role) { r.AllowedEntityAliases = []string{"ci-*"} })
	w.role("plain", nil)
	w.role("lists", func(r *Role) { r.AllowedPolicies, r.DisallowedPoliciesGlob = []string{"a", "b"}, []string{"b*"} })

	for text, c := range map[string]struct {
		parent Issued
		change func(*CreateOptions)
	}{
		"restricted use token cannot generate child tokens":              {restricted, nil},
		"invalid 'token_type' value":                                     {user, func(o *CreateOptions) { o.Type = "odd" }},
		`batch tokens cannot have "period" set`:                          {root, func(o *CreateOptions) { o.Type, o.Period = "batch", time.Hour }},
		`batch tokens cannot have "num_uses" set`:                        {root, func(o *CreateOptions) { o.Type, o.NumUses = "batch", 1 }},
		`batch tokens cannot have "explicit_max_ttl" set`:                {root, func(o *CreateOptions) { o.Type, o.ExplicitMaxTTL = "batch", 1 }},
		"number of uses cannot be negative":                              {user, func(o *CreateOptions) { o.NumUses = -1 }},
		"root or sudo privileges required to specify token id":           {user, func(o *CreateOptions) { o.ID = "x" }},
		"custom token ID cannot have the 'hvs.' prefix":                  {root, func(o *CreateOptions) { o.ID = "hvs.x" }},
		"custom token ID cannot have the 's.' prefix":                    {root, func(o *CreateOptions) { o.ID = "s.x" }},
		"custom token ID must be printable ASCII without blanks":         {root, func(o *CreateOptions) { o.ID = "a b" }},
		"custom token ID must be printable ASCII without blanks ":        {root, func(o *CreateOptions) { o.ID = "a\x7f" }},
		"custom token ID cannot have the 'hvb.' prefix":                  {root, func(o *CreateOptions) { o.ID = "hvb.x" }},
		"custom token ID cannot have the 'b.' prefix":                    {root, func(o *CreateOptions) { o.ID = "b.x" }},
		"custom token ID cannot have a '.' in the value":                 {root, func(o *CreateOptions) { o.ID = "a.b" }},
		"child policies must be subset of parent":                        {user, func(o *CreateOptions) { o.Policies = []string{"demo", "other"} }},
		"child policies must be subset of parent ":                       {user, func(o *CreateOptions) { o.RoleName, o.Policies = "plain", []string{"other"} }},
		"root tokens may not be created without parent token being root": {user, func(o *CreateOptions) { o.Sudo, o.Policies = true, []string{" Root"} }},
		"batch tokens cannot be root tokens":                             {root, func(o *CreateOptions) { o.Type = "batch" }},
		"root or sudo privileges required to create orphan token":        {user, func(o *CreateOptions) { o.NoParent = true }},
		"root or sudo privileges required to create periodic token":      {user, func(o *CreateOptions) { o.Period = time.Hour }},
		"explicit_max_ttl must be positive":                              {user, func(o *CreateOptions) { o.ExplicitMaxTTL = -1 }},
		"period must be positive":                                        {user, func(o *CreateOptions) { o.Period = -1 }},
		"ttl must be positive":                                           {user, func(o *CreateOptions) { o.TTL = -1 }},
		"expiring root tokens cannot create non-expiring root tokens":    {expiring, nil},
		"unknown role none":                                              {user, func(o *CreateOptions) { o.RoleName = "none" }},
		`cannot assign policy "response-wrapping"`:                       {root, func(o *CreateOptions) { o.Policies = []string{"response-wrapping"} }},
		"'entity_alias' is only allowed in combination with token role":  {user, func(o *CreateOptions) { o.EntityAlias = "x" }},
		"invalid 'entity_alias' value":                                   {user, func(o *CreateOptions) { o.EntityAlias, o.RoleName = "x", "r" }},
		`token policy "b" is disallowed by this role`:                    {user, func(o *CreateOptions) { o.RoleName, o.Policies = "lists", []string{"b"} }},
		`token policies (["c" "default"]) must be subset of the role's allowed policies (["a" "b" "default"]) or glob policies ([])`: {
			user, func(o *CreateOptions) { o.RoleName, o.Policies = "lists", []string{"c"} }},
	} {
		_, err := w.tryChild(c.parent, c.change)
		if !fault.Is(err, fault.Invalid) || fault.PublicText(err) != strings.TrimSpace(text) {
			t.Errorf("want %q, got %v", text, err)
		}
	}
}

func TestCustomIDWorksOnceAndIsFound(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	is := w.child(root, func(o *CreateOptions) { o.ID, o.Policies = "my-token", []string{"x"} })
	if is.ClientToken != "my-token" {
		t.Fatal(is.ClientToken)
	}
	w.mustWork(is)
	_, err := w.tryChild(root, func(o *CreateOptions) { o.ID = "my-token" })
	refused(t, err, fault.Invalid, "cannot create a token with a duplicate ID")
	if err := w.Revoke(t.Context(), "my-token"); err != nil {
		t.Fatal(err)
	}
	w.mustFail(is)
	w.mustWork(w.child(root, func(o *CreateOptions) { o.ID = "my-token" }))
}

func TestCreatedPolicies(t *testing.T) {
	w := newWorld(t)
	root, user := w.root(), w.issue(login()) // user has default, demo
	w.role("plain", nil)
	w.role("allow", func(r *Role) { r.AllowedPolicies, r.AllowedPoliciesGlob = []string{"a"}, []string{"team-*"} })
	w.role("nodef", func(r *Role) { r.NoDefaultPolicy = true })
	w.role("not default", func(r *Role) { r.DisallowedPolicies = []string{"default", "secret"} })
	w.role("not like default", func(r *Role) { r.DisallowedPoliciesGlob = []string{"def*"} })
	for name, c := range map[string]struct {
		parent Issued
		change func(*CreateOptions)
		want   []string
	}{
		"inherits the parent's":          {user, nil, []string{"default", "demo"}},
		"root inherits root":             {root, nil, []string{"root"}},
		"subset brings default along":    {user, func(o *CreateOptions) { o.Policies = []string{"Demo "} }, []string{"default", "demo"}},
		"no_default_policy":              {user, func(o *CreateOptions) { o.Policies, o.NoDefaultPolicy = []string{"demo"}, true }, []string{"demo"}},
		"inherits without default":       {user, func(o *CreateOptions) { o.NoDefaultPolicy = true }, []string{"demo"}},
		"role disallows default":         {root, func(o *CreateOptions) { o.RoleName, o.Policies = "not default", []string{"demo"} }, []string{"demo"}},
		"role disallows its like":        {root, func(o *CreateOptions) { o.RoleName, o.Policies = "not like default", []string{"demo"} }, []string{"demo"}},
		"sudo may take any":              {root, func(o *CreateOptions) { o.Policies = []string{"z", "z"} }, []string{"default", "z"}},
		"role without lists: subset":     {user, func(o *CreateOptions) { o.RoleName, o.Policies = "plain", []string{"demo"} }, []string{"default", "demo"}},
		"role allows what user has not":  {user, func(o *CreateOptions) { o.RoleName, o.Policies = "allow", []string{"a", "team-x"} }, []string{"a", "default", "team-x"}},
		"role gives its own when silent": {user, func(o *CreateOptions) { o.RoleName = "allow" }, []string{"a", "default"}},
		"role without default":           {user, func(o *CreateOptions) { o.RoleName, o.Policies = "nodef", []string{"demo"} }, []string{"demo"}},
	} {
		is, err := w.tryChild(c.parent, c.change)
		if err != nil || !slices.Equal(is.Token.Policies, c.want) {
			t.Errorf("%s: %q %v", name, is.Token.Policies, err)
		}
	}
	for role, policy := range map[string]string{"not default": "secret", "not like default": "defense"} {
		_, err := w.tryChild(root, func(o *CreateOptions) { o.RoleName, o.Policies = role, []string{policy} })
		refused(t, err, fault.Invalid, fmt.Sprintf("token policy %q is disallowed by this role", policy))
	}
}

func TestTheSmallerNumberOfUsesCounts(t *testing.T) {
	w := newWorld(t)
	user := w.issue(login())
	w.role("none", nil)
	w.role("five", func(r *Role) { r.NumUses = 5 })
	for _, c := range []struct {
		role       string
		wish, want int
	}{{"none", 0, 0}, {"none", 3, 3}, {"five", 0, 5}, {"five", 3, 3}, {"five", 5, 5}, {"five", 9, 5}} {
		if got := w.child(user, func(o *CreateOptions) { o.RoleName, o.NumUses = c.role, c.wish }).Token.NumUses; got != c.want {
			t.Errorf("role %s, %d wished: %d uses, want %d", c.role, c.wish, got, c.want)
		}
	}
}

func TestCreatedTokenTakesFromItsParent(t *testing.T) {
	w := newWorld(t)
	o := login()
	o.EntityID, o.BoundCIDRs = "ent-1", []string{"192.0.2.0/24"}
	user := w.issue(o)
	ch := w.child(user, nil).Token
	if ch.EntityID != "ent-1" || !slices.Equal(ch.BoundCIDRs, o.BoundCIDRs) || ch.Orphan || ch.Parent != user.Token.ID {
		t.Fatalf("%+v", ch)
	}
	orphan := w.child(user, func(o *CreateOptions) { o.OrphanPath = true }).Token
	if orphan.EntityID != "" || len(orphan.BoundCIDRs) != 0 || !orphan.Orphan || orphan.Path != "auth/token/create-orphan" {
		t.Fatalf("%+v", orphan)
	}
	free := w.child(w.root(), func(o *CreateOptions) { o.NoParent, o.Policies = true, []string{"p"} }).Token
	if !free.Orphan || !free.Parent.IsZero() || free.Path != "auth/token/create" {
		t.Fatalf("no_parent of a caller with sudo: %+v", free)
	}
	if ch.DisplayName != "token" || ch.Path != "auth/token/create" {
		t.Fatalf("%+v", ch)
	}
	named := w.child(user, func(o *CreateOptions) { o.DisplayName = "my app/1!" }).Token
	if named.DisplayName != "token-my-app-1" {
		t.Fatal(named.DisplayName)
	}
}

func TestRoleBoundsTheToken(t *testing.T) {
	w := newWorld(t)
	user := w.issue(login())
	w.role("r", func(r *Role) {
		r.Period, r.ExplicitMaxTTL, r.NumUses = time.Hour, 2*time.Hour, 5
		r.Orphan, r.Renewable, r.PathSuffix = true, false, "ci/x"
		r.BoundCIDRs = []string{"192.0.2.7"}
	})
	is := w.child(user, func(o *CreateOptions) { o.RoleName = "r" })
	tok := is.Token
	if tok.Period != time.Hour || tok.ExplicitMaxTTL != 2*time.Hour || tok.NumUses != 5 || !tok.Orphan || tok.Renewable ||
		tok.Path != "auth/token/create/r/ci/x" || tok.Role != "r" || len(tok.BoundCIDRs) != 1 {
		t.Fatalf("%+v", tok)
	}
	is = w.child(user, func(o *CreateOptions) { o.RoleName, o.ExplicitMaxTTL = "r", time.Minute })
	want := "Explicit max TTL specified both during creation call and in role; using the lesser value of 60 seconds"
	if is.Token.ExplicitMaxTTL != time.Minute || !slices.Contains(is.Warnings, want) {
		t.Fatal(is.Token.ExplicitMaxTTL, is.Warnings)
	}
}

// Whoever may choose the type of the token must not lose the role's bounds by
// it.
func TestRoleBoundsABatchTokenToo(t *testing.T) {
	w := newWorld(t)
	user := w.issue(login())
	for name, c := range map[string]struct {
		change func(*Role)
		wish   time.Duration
		want   time.Duration
	}{
		"explicit max":          {func(r *Role) { r.ExplicitMaxTTL = time.Hour }, 0, time.Hour},
		"explicit max and ttl":  {func(r *Role) { r.ExplicitMaxTTL = time.Hour }, 3 * time.Hour, time.Hour},
		"period":                {func(r *Role) { r.Period = time.Hour }, 0, time.Hour},
		"both":                  {func(r *Role) { r.Period, r.ExplicitMaxTTL = 2*time.Hour, time.Hour }, 0, time.Hour},
		"shorter wish":          {func(r *Role) { r.ExplicitMaxTTL = time.Hour }, time.Minute, time.Minute},
		"role chooses the type": {func(r *Role) { r.Type, r.ExplicitMaxTTL = "default-batch", time.Hour }, 0, time.Hour},
	} {
		w.role(name, c.change)
		is := w.child(user, func(o *CreateOptions) { o.RoleName, o.Type, o.TTL = name, "batch", c.wish })
		if got := is.Token.Expires.Sub(is.Token.Created); is.Token.Type != Batch || got != c.want || is.Token.Renewable {
			t.Errorf("%s: %v lives %v, renewable %v", name, is.Token.Type, got, is.Token.Renewable)
		}
		w.mustWork(is)
		w.clock.Add(c.want)
		w.mustFail(is)
		w.clock.Add(-c.want)
	}
	w.role("uses", func(r *Role) { r.NumUses = 3 })
	_, err := w.tryChild(user, func(o *CreateOptions) { o.RoleName, o.Type = "uses", "batch" })
	refused(t, err, fault.Invalid, `batch tokens cannot have "num_uses" set`)
	if is := w.child(user, func(o *CreateOptions) { o.RoleName = "uses" }); is.Token.NumUses != 3 {
		t.Error(is.Token.NumUses)
	}
}

func TestPeriodicTokenFollowsItsRole(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	w.role("r", func(r *Role) { r.Period, r.Orphan = time.Hour, true })
	is := w.child(root, func(o *CreateOptions) { o.RoleName, o.Policies = "r", []string{"x"} })
	w.role("r", func(r *Role) { r.Period = time.Minute })
	r, err := w.Renew(t.Context(), is.Token.ID, 5*time.Hour, w.TokenLimits(Limits{}))
	if err != nil || r.TTL != time.Minute {
		t.Fatal(r.TTL, err)
	}
	if err := w.DeleteRole(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Renew(t.Context(), is.Token.ID, 0, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, `original token role "r" could not be found, not renewing`)
}

func TestCreatedTokenIsRenewedForTheLifeItWasMadeWith(t *testing.T) {
	w := newWorld(t)
	is := w.child(w.root(), func(o *CreateOptions) { o.Policies, o.TTL = []string{"x"}, 10*time.Minute })
	w.clock.Add(5 * time.Minute)
	r, err := w.Renew(t.Context(), is.Token.ID, 0, w.TokenLimits(Limits{}))
	if err != nil || r.TTL != 10*time.Minute || len(r.Warnings) != 0 {
		t.Fatal(r.TTL, r.Warnings, err)
	}
	r, err = w.Renew(t.Context(), is.Token.ID, SystemTTL, w.TokenLimits(Limits{}))
	want := `TTL of "768h" exceeded the effective max_ttl of "767h55m"; TTL value is capped accordingly`
	if err != nil || !slices.Equal(r.Warnings, []string{want}) {
		t.Fatal(r.TTL, r.Warnings, err)
	}
}

func TestARenewalWithoutSenseChangesNothing(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	_, err := w.Renew(t.Context(), is.Token.ID, -time.Second, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "increment must not be negative")
	_, err = w.Renew(t.Context(), ID{}, time.Second, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "batch tokens cannot be renewed")
	w.mustWork(is)
}

func TestARootTokenIsNoGeneratedOne(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{w.issue(login()).ClientToken, "hvb.x"} {
		err := w.db.Update(t.Context(), func(tx storage.Tx) error { _, err := w.IssueRoot(tx, id); return err })
		refused(t, err, fault.Invalid, "root token ID has the form of a generated token")
	}
}

func TestUnknownPoliciesWarn(t *testing.T) {
	w := newWorld(t)
	is := w.child(w.root(), func(o *CreateOptions) {
		o.Policies = []string{"nope"}
		o.PolicyExists = func(p string) bool { return p == "default" }
	})
	if !slices.Equal(is.Warnings, []string{`Policy "nope" does not exist`}) {
		t.Fatal(is.Warnings)
	}
}

func TestEntityAliasOfARole(t *testing.T) {
	w := newWorld(t)
	user := w.issue(login())
	w.role("r", func(r *Role) { r.AllowedEntityAliases = []string{"ci-*"} })
	is := w.child(user, func(o *CreateOptions) {
		o.RoleName, o.EntityAlias = "r", "CI-1"
		o.AliasEntity = func(_ storage.Tx, _, alias string) (string, error) { return "ent-of-" + alias, nil }
	})
	if is.Token.EntityID != "ent-of-ci-1" {
		t.Fatal("an alias in another case is another subject", is.Token.EntityID)
	}
	_, err := w.tryChild(user, func(o *CreateOptions) {
		o.RoleName, o.EntityAlias = "r", "alice"
		o.AliasEntity = func(storage.Tx, string, string) (string, error) { return "ent-2", nil }
	})
	refused(t, err, fault.Invalid, "invalid 'entity_alias' value")
	_, err = w.tryChild(user, func(o *CreateOptions) {
		o.RoleName, o.EntityAlias = "r", "ci-1"
		o.AliasEntity = func(storage.Tx, string, string) (string, error) { return "", denied("entity_disabled") }
	})
	refused(t, err, fault.Denied, "entity from given entity alias is disabled")
}

func TestRoleThatContradictsItselfIsRefused(t *testing.T) {
	w := newWorld(t)
	for text, change := range map[string]func(*Role){
		"'token_type' cannot be 'batch' when role is set to generate non-orphan tokens": func(r *Role) { r.Type, r.Renewable = "batch", false },
		"'token_type' cannot be 'batch' when role is set to generate periodic tokens": func(r *Role) {
			r.Type, r.Renewable, r.Orphan, r.Period = "batch", false, true, 1
		},
		"'token_type' cannot be 'batch' when role is set to generate renewable tokens": func(r *Role) { r.Type, r.Orphan = "batch", true },
		"'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count": func(r *Role) {
			r.Type, r.NumUses = "default-batch", 3
		},
		"invalid 'token_type' value":                  func(r *Role) { r.Type = "x" },
		"'token_explicit_max_ttl' cannot be negative": func(r *Role) { r.ExplicitMaxTTL = -1 },
		"'token_period' cannot be negative":           func(r *Role) { r.Period = -1 },
		"'token_num_uses' cannot be negative":         func(r *Role) { r.NumUses = -1 },
		"'token_type' cannot be 'batch' when role is set to generate tokens with an explicit max TTL": func(r *Role) {
			r.Type, r.Renewable, r.Orphan, r.ExplicitMaxTTL = "batch", false, true, 1
		},
	} {
		err := w.UpdateRole(t.Context(), "r", func(r *Role) error { change(r); return nil })
		refused(t, err, fault.Invalid, text)
	}
	for name, list := range map[string]func(*Role) *[]string{
		"allowed policies": func(r *Role) *[]string { return &r.AllowedPolicies }, "disallowed policies": func(r *Role) *[]string { return &r.DisallowedPolicies },
		"allowed globs": func(r *Role) *[]string { return &r.AllowedPoliciesGlob }, "disallowed globs": func(r *Role) *[]string { return &r.DisallowedPoliciesGlob },
		"aliases": func(r *Role) *[]string { return &r.AllowedEntityAliases },
	} {
		err := w.UpdateRole(t.Context(), "r", func(r *Role) error { *list(r) = make([]string, maxRoleLists+1); return nil })
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s without end: %v", name, err)
		}
	}
	for _, suffix := range []string{"/x", "x/", "a//b", "..", "a/../b", "a b", "é", strings.Repeat("a", 257)} {
		if err := w.UpdateRole(t.Context(), "r", func(r *Role) error { r.PathSuffix = suffix; return nil }); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", suffix, err)
		}
	}
	for _, name := range []string{"", "a/b", "a\x00", strings.Repeat("n", maxRoleName+1)} {
		if err := w.UpdateRole(t.Context(), name, func(*Role) error { return nil }); !fault.Is(err, fault.Invalid) {
			t.Errorf("a role named %.10q: %v", name, err)
		}
	}
	if names, err := w.Roles(t.Context()); err != nil || len(names) != 0 {
		t.Fatal(names, err)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"*", "", true}, {"a*c*e", "abcde", true},
		{"a*c*e", "ace", true}, {"a*a", "a", false}, {"", "", true}, {"", "a", false}, {"**", "x", true}, {"*x*x", "xx", true}, {"*x*x", "x", false},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("%q %q: %v", c.pattern, c.s, got)
		}
	}
	if glob(strings.Repeat("a*", 1000)+"b", strings.Repeat("a", 5000)) {
		t.Error("no match there")
	}
}

func TestCIDRs(t *testing.T) {
	got, err := ParseCIDRs([]string{" 10.0.0.0/8", "192.0.2.1/32", "2001:DB8::/32", "::ffff:192.0.2.9"})
	want := []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "192.0.2.9"}
	if err != nil || !slices.Equal(got, want) {
		t.Fatal(got, err)
	}
	for _, bad := range []string{"x", "", " ", "192.0.2.1:80", "10.0.0.1/8", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.0/08", "010.0.0.1", "::ffff:0.0.0.0/90"} {
		if _, err := ParseCIDRs([]string{bad}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if admits([]string{"garbage"}, here) {
		t.Error("a bound that cannot be read must admit nobody")
	}
}

func TestLeases(t *testing.T) {
	w := newWorld(t)
	var all []Issued
	for range 3 {
		all = append(all, w.issue(login()))
	}
	o := login()
	o.Path, o.Mount = "auth/team/a/login", "auth/team/a/"
	other := w.issue(o)
	ls := func(prefix string) []string {
		names, err := w.Leases(t.Context(), prefix, 100)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	for prefix, want := range map[string]string{"": "[auth/]", "auth": "[jwt/ team/]", "auth/jwt/": "[login/]", "auth/x": "[]"} {
		if got := fmt.Sprint(ls(prefix)); got != want {
			t.Errorf("%q: %s", prefix, got)
		}
	}
	if got := ls("auth/jwt/login/"); len(got) != 3 || !strings.HasPrefix(got[0], "h") {
		t.Fatal(got)
	}
	l, err := w.Lease(t.Context(), all[0].Token.LeaseID())
	if err != nil || l.TTL != time.Hour || l.Path != "auth/jwt/login" || !l.Renewable {
		t.Fatal(l, err)
	}
	refused(t, w.RenewLease(t.Context(), l.ID), fault.Invalid, "tokens cannot be renewed through this endpoint")
	refused(t, w.RenewLease(t.Context(), "auth/jwt/login/habc"), fault.Invalid, "lease not found")
	forged := "auth/team/a/login/h" + all[0].Token.ID.String()
	if err := w.RevokeLease(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	w.mustWork(all[0])
	if err := w.RevokeLease(t.Context(), l.ID); err != nil {
		t.Fatal(err)
	}
	w.mustFail(all[0])
	if err := w.RevokePrefix(t.Context(), "auth/jwt"); err != nil {
		t.Fatal(err)
	}
	w.mustFail(all[1])
	w.mustFail(all[2])
	w.mustWork(other)
	if err := w.RevokePrefix(t.Context(), other.Token.LeaseID()); err != nil {
		t.Fatal(err)
	}
	w.mustFail(other)
	refused(t, w.RevokePrefix(t.Context(), ""), fault.Invalid, "prefix must not be empty")
	_, err = w.Lease(t.Context(), l.ID)
	refused(t, err, fault.Invalid, "invalid lease")
}

func TestRevokePrefixOfManyTokens(t *testing.T) {
	w := newWorld(t)
	last := Issued{}
	err := w.db.Update(t.Context(), func(tx storage.Tx) (err error) {
		for range 2*pageSize + 1 {
			if last, err = w.Issue(tx, login()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.mustWork(last)
	if err := w.RevokePrefix(t.Context(), "auth/jwt/"); err != nil {
		t.Fatal(err)
	}
	if names, err := w.Leases(t.Context(), "", 10); err != nil || len(names) != 0 {
		t.Fatal(names, err)
	}
	w.mustFail(last)
}
