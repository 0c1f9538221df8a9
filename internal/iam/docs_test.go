package iam

import (
	"os"
	"regexp"
	"testing"
)

// TestDocumentedFilesCompile takes every TOML block of the page, the appended
// ones one after the other.
func TestDocumentedFilesCompile(t *testing.T) {
	page, err := os.ReadFile("../../docs/iam.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml( append)?\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 4 {
		t.Errorf("%d blocks", len(blocks))
	}
	appended := DefaultText
	for _, b := range blocks {
		text := b[2]
		if b[1] != "" {
			appended += "\n" + text
			text = appended
		}
		s, err := Compile(text, Options{File: "docs/iam.md"})
		if err != nil {
			t.Errorf("%v\nin:\n%s", err, b[2])
		}
		s.CloseExcept(nil)
	}
}
