package policy

import "testing"

func TestZeroDecisionDenies(t *testing.T) {
	var d Decision
	if d.Allowed {
		t.Error("allowed")
	}
	if _, failed := d.Failed(); failed {
		t.Error("the zero decision names a check")
	}
}

func TestDenySaysWhichCheckFailed(t *testing.T) {
	d := Deny(Check{Name: "path", Note: "no rule"})
	if c, failed := d.Failed(); d.Allowed || !failed || c.Name != "path" {
		t.Errorf("%+v", d)
	}
	d.Checks = []Check{{Name: "a", OK: true}, {Name: "b"}, {Name: "c"}}
	if c, _ := d.Failed(); c.Name != "b" {
		t.Errorf("first failed check is %q", c.Name)
	}
}

func TestACheckWritesItselfForTheLog(t *testing.T) {
	for want, c := range map[string]Check{
		"audience ok": {Name: "audience", OK: true, Expected: "a"},
		"role failed": {Name: "role"},
		`subject failed (expected "alice", received "mallory")`: {Name: "subject", Expected: "alice", Received: "mallory"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
