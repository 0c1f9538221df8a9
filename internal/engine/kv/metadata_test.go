package kv_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

func TestMetadataBeforeAndAfterValues(t *testing.T) {
	b := newBench(t)
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: map[string]string{"owner": "me", "x": "y"}}))
	if _, err := b.read("a", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("a secret without versions: %v", err)
	}
	_, err := b.write("a", `{}`, 0)
	b.must(err)
	patch := func(path string, c kv.MetadataChange) error {
		return b.pass("patch", "secret/metadata/"+path, func(p gate.Pass) error { return b.PatchMetadata(t.Context(), p, addr(path), c) })
	}
	b.must(patch("a", kv.MetadataChange{CustomPatch: map[string]*string{"x": nil, "z": ptr("new")}}))
	v, err := b.read("a", 0)
	b.must(err)
	if fmt.Sprint(v.Custom) != "map[owner:me z:new]" {
		t.Errorf("custom metadata: %v", v.Custom)
	}
	b.must(patch("a", kv.MetadataChange{ClearCustom: true}))
	if m, err := b.metadata("a"); err != nil || m.Custom != nil {
		t.Errorf("cleared: %+v, %v", m, err)
	}
	if err := patch("nobody", kv.MetadataChange{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("patch of nothing: %v", err)
	}
	b.must(b.removeAll("a"))
	b.must(b.removeAll("a"))
	if _, err := b.read("a", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("after delete: %v", err)
	}
	if _, err := b.list("", kv.Page{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("list after delete: %v", err)
	}
}

func TestCustomMetadataLimits(t *testing.T) {
	b := newBench(t)
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = "v"
	}
	for name, m := range map[string]map[string]string{
		"65 keys": many, "empty key": {"": "v"}, "long key": {strings.Repeat("k", 129): "v"}, "empty value": {"k": ""},
		"long value": {"k": strings.Repeat("v", 513)}, "control in key": {"k\n": "v"}, "control in value": {"k": "\x1b"},
	} {
		err := b.setMetadata("a", kv.MetadataChange{Custom: m})
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.PublicText(err), "custom_metadata validation failed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(many, "0")
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: many}))
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: map[string]string{strings.Repeat("k", 128): strings.Repeat("v", 512)}}))
}

func TestListShowsFoldersOnceAndPages(t *testing.T) {
	b := newBench(t)
	for _, p := range []string{"a", "a/x", "a/y/z", "a-b", "b/1", "c", "é/ü"} {
		_, err := b.write(p, `{}`)
		b.must(err)
	}
	for i := range 40 {
		_, err := b.write(fmt.Sprintf("b/deep/%d", i), `{}`)
		b.must(err)
	}
	for folder, want := range map[string]string{
		"": "a,a-b,a/,b/,c,é/", "a/": "x,y/", "a/y/": "z", "b/": "1,deep/", "é/": "ü",
	} {
		names, err := b.list(folder, kv.Page{})
		b.must(err)
		if strings.Join(names, ",") != want {
			t.Errorf("list %q = %v, want %s", folder, names, want)
		}
		var paged []string
		for after := ""; ; {
			names, err := b.list(folder, kv.Page{After: after, Limit: 2})
			if fault.Is(err, fault.NotFound) {
				break
			}
			b.must(err)
			paged = append(paged, names...)
			after = names[len(names)-1]
		}
		if strings.Join(paged, ",") != want {
			t.Errorf("pages of %q = %v", folder, paged)
		}
	}
	for _, folder := range []string{"c/", "zz/", "a/x/"} {
		if _, err := b.list(folder, kv.Page{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("list %q: %v", folder, err)
		}
	}
	b.must(b.pass("list", "secret/detailed-metadata/a/", func(p gate.Pass) error {
		l, err := b.ListDetailed(t.Context(), p, addr("a/"), kv.Page{})
		if len(l) != 2 || l[0].Metadata == nil || l[0].Metadata.Current != 1 || l[1].Metadata != nil {
			t.Errorf("detailed: %+v", l)
		}
		return err
	}))
}
