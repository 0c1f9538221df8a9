package acl

import (
	"fmt"
	"strings"
	"testing"
)

func benchACL(b testing.TB) *ACL {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "path \"secret/data/team%d/*\" { capabilities = [\"read\"] }\n", i)
		fmt.Fprintf(&text, "path \"secret/+/app%d/+/config\" { capabilities = [\"read\"] }\n", i)
	}
	p, err := Parse("big", text.String())
	if err != nil {
		b.Fatal(err)
	}
	a, err := Compile([]*Policy{p, Default()}, TemplateData{EntityID: "e", EntityName: "n"})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func TestAllowedDecisionAllocatesNothing(t *testing.T) {
	a := benchACL(t)
	for _, q := range []Question{
		{Operation: Read, Path: "secret/data/team150/x/y", Data: map[string]any{"version": "1"}},
		{Operation: Read, Path: "auth/token/lookup-self"},
		{Operation: List, Path: "cubbyhole/"},
	} {
		if n := testing.AllocsPerRun(100, func() {
			if !a.Decide(q).Allowed {
				t.Fatal("denied")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", q.Path, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	a := benchACL(b)
	q := Question{Operation: Read, Path: "secret/data/team150/x/y"}
	b.ReportAllocs()
	for b.Loop() {
		if !a.Decide(q).Allowed {
			b.Fatal("denied")
		}
	}
}

func BenchmarkCompileDefault(b *testing.B) {
	d := Default()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile([]*Policy{d}, TemplateData{EntityID: "e", EntityName: "n"}); err != nil {
			b.Fatal(err)
		}
	}
}
