package jotgate_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The threat model says which test shows each answer; a test that is renamed
// or removed must not leave its claim behind.
func TestTheThreatModelNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir(".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, "_test.go") {
			var b []byte
			b, err = os.ReadFile(p)
			all.Write(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllSubmatch(text, -1)
	if len(names) < 20 {
		t.Fatalf("only %d tests are named", len(names))
	}
	for _, n := range names {
		if !strings.Contains(all.String(), "func "+string(n[1])+"(") {
			t.Errorf("docs/threat-model.md names %s, which does not exist", n[1])
		}
	}
}
