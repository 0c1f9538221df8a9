package session

import (
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
)

func FuzzDecodeToken(f *testing.F) {
	t := Token{Path: "p", Policies: []string{"a"}, Parent: ID{1}, Meta: map[string]string{"k": "v"}}
	f.Add(t.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := decodeToken(ID{1}, b)
		if h, herr := decodeHead(b); err == nil && (herr != nil || h.flags != tok.flags || h.parent != tok.Parent) {
			t.Fatal("head and token disagree")
		}
	})
}

// Whatever is presented, the answer is a caller or one plain refusal.
func FuzzAuthenticate(f *testing.F) {
	w := newWorld(f)
	is, o := w.issue(login()), login()
	o.Type = Batch
	batch := w.issue(o)
	for _, s := range []string{is.ClientToken, batch.ClientToken, "", "hvs.", "hvb.", "root", "s.abc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		p, err := w.Authenticate(t.Context(), token, here)
		if token == is.ClientToken || token == batch.ClientToken {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
		if p != nil || !fault.Is(err, fault.Denied) || fault.PublicText(err) != "permission denied" {
			t.Fatalf("%q: %v %v", token, p, err)
		}
	})
}
