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
