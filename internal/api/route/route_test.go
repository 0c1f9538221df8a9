package route_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/route"
)

func row(pattern, action string, verbs ...string) route.Row[string] {
	return route.Row[string]{Verbs: verbs, Pattern: pattern, Auth: route.Authenticated, Action: action, Handler: action}
}

func table(t *testing.T) *route.Table[string] {
	t.Helper()
	tab, err := route.New(
		row("", "root", "read"),
		row("config", "config", "read", "update"),
		row("role/{name}", "role", "read"),
		row("role/", "roles", "list"),
		row("role/special", "special", "delete"),
		row("data/{path...}", "data", "read", "list"),
		row("{a}/{b}/end", "two", "read"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestFindPrefersLiteralThenOneSegmentThenTail(t *testing.T) {
	for _, c := range []struct {
		verb, path, action, params string
		outcome                    route.Outcome
	}{
		{"read", "", "root", "", route.Found},
		{"read", "config", "config", "", route.Found},
		{"delete", "config", "", "", route.NoVerb},
		{"read", "role/demo", "role", "name=demo", route.Found},
		{"delete", "role/special", "special", "", route.Found},
		{"read", "role/special", "role", "name=special", route.Found},
		{"list", "role/", "roles", "", route.Found},
		{"list", "role/demo", "", "", route.NoVerb},
		{"read", "role", "", "", route.NoPath},
		{"read", "data/a/b", "data", "path=a/b", route.Found},
		{"list", "data/a/", "data", "path=a/", route.Found},
		{"read", "data", "", "", route.NoPath},
		{"read", "x/y/end", "two", "a=x b=y", route.Found},
		{"read", "x//end", "", "", route.NoPath},
		{"read", "nothing", "", "", route.NoPath},
	} {
		r, ps, o := table(t).Find(c.verb, c.path)
		if o != c.outcome {
			t.Errorf("%s %q: outcome %d, want %d", c.verb, c.path, o, c.outcome)
			continue
		}
		if o != route.Found {
			if r != nil {
				t.Errorf("%s %q: a row without a match", c.verb, c.path)
			}
			continue
		}
		var got []string
		for _, p := range ps {
			got = append(got, p.Name+"="+p.Value)
			if ps.Get(p.Name) != p.Value {
				t.Errorf("Get(%s) differs", p.Name)
			}
		}
		if r.Handler != c.action || strings.Join(got, " ") != c.params {
			t.Errorf("%s %q: %s %v, want %s %s", c.verb, c.path, r.Handler, got, c.action, c.params)
		}
	}
	if got := (route.Params{}).Get("x"); got != "" {
		t.Errorf("missing parameter = %q", got)
	}
}

func TestVerbsListsWhatAPathServes(t *testing.T) {
	tab := table(t)
	if got := tab.Verbs("role/special"); !slices.Equal(got, []string{"delete", "read"}) {
		t.Errorf("Verbs = %v", got)
	}
	if got := tab.Verbs("no/such"); len(got) != 0 {
		t.Errorf("Verbs of an unknown path = %v", got)
	}
	if len(tab.Rows()) != 7 {
		t.Errorf("Rows = %d", len(tab.Rows()))
	}
}

func TestNewRefusesRowsThatLeaveSomethingToChance(t *testing.T) {
	good := row("a", "x", "read")
	for name, c := range map[string]struct {
		rows []route.Row[string]
		want string
	}{
		"no auth":         {[]route.Row[string]{{Verbs: []string{"read"}, Pattern: "a", Action: "x"}}, "public"},
		"no verbs":        {[]route.Row[string]{row("a", "x")}, "no verbs"},
		"no action":       {[]route.Row[string]{row("a", "", "read")}, "no action"},
		"public sudo":     {[]route.Row[string]{{Verbs: []string{"read"}, Pattern: "a", Action: "x", Auth: route.Public, Sudo: true}}, "sudo"},
		"taken":           {[]route.Row[string]{good, good}, "taken"},
		"names differ":    {[]route.Row[string]{row("{a}", "x", "read"), row("{b}", "y", "list")}, "names"},
		"open brace":      {[]route.Row[string]{row("{a", "x", "read")}, "not a literal"},
		"no name":         {[]route.Row[string]{row("{}", "x", "read")}, "not a literal"},
		"same name":       {[]route.Row[string]{row("{a}/{a}", "x", "read")}, "not a literal"},
		"tail not last":   {[]route.Row[string]{row("{a...}/b", "x", "read")}, "last"},
		"two bad at once": {[]route.Row[string]{row("a", ""), row("b", "")}, "row 1"},
	} {
		if _, err := route.New(c.rows...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("Must accepted a bad row")
		}
	}()
	route.Must(row("a", ""))
}
