package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func TestSaveLeavesNothingOfAnAnswerThatBrokeOff(t *testing.T) {
	dir := t.TempDir()
	broken := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("broken off")))
	if _, err := Save(filepath.Join(dir, "f"), broken, 0o600, false); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSaveReplacesOnlyWhenTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for i, c := range []struct {
		text    string
		replace bool
		want    string
	}{{"one", false, "one"}, {"two", false, "one"}, {"three", true, "three"}} {
		n, err := Save(path, strings.NewReader(c.text), 0o600, c.replace)
		got, _ := os.ReadFile(path)
		if string(got) != c.want || (err == nil) != (c.text == c.want) || err == nil && n != int64(len(c.text)) {
			t.Errorf("step %d: file %q, error %v", i, got, err)
		}
	}
	info, err := os.Stat(path)
	if left, _ := os.ReadDir(dir); err != nil || info.Mode().Perm() != 0o600 || len(left) != 1 {
		t.Errorf("%v, %v, %v", err, info.Mode(), left)
	}
}

func TestSaveWithoutHardLinksReplacesNothingEither(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, p := range []string{a, b} {
		if err := os.WriteFile(p, []byte(p), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := moveNew(a, b); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v", err)
	}
	if err := moveNew(a, filepath.Join(dir, "c")); err != nil {
		t.Error(err)
	}
}
