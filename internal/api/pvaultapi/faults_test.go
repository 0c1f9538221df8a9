package pvaultapi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// Whatever call of the storage fails, the answer is that the vault cannot serve
// the request now: never that something is missing or wrong, and never a part.
func TestStorageThatFailsIsSaidToBeUnavailable(t *testing.T) {
	w := withBuyers(t)
	id := w.add("key-all", `{"email":"a@b.c","name":"Bob"}`)
	tok := w.tokenize("key-all", `[{"type":"pointer","object":{"id":"`+id+`"}},{"type":"pci","object":{"id":"`+id+`"},"props":["email"]}]`)
	both := "&token_ids=" + tok[0] + "," + tok[1]
	n := 0
	fresh := func() string { n++; return fmt.Sprintf("n%d@b.c", n) }
	fixed := func(method, path, body string) func() [3]string {
		return func() [3]string { return [3]string{method, path, body} }
	}
	for name, prepare := range map[string]func() [3]string{
		"add": func() [3]string {
			return [3]string{"POST", buyers + "objects" + why, `{"email":"` + fresh() + `"}`}
		},
		"add all": func() [3]string {
			return [3]string{"POST", buyers + "bulk/objects" + why, `[{"email":"` + fresh() + `"},{"email":"` + fresh() + `"}]`}
		},
		"update": fixed("PATCH", buyers+"objects/"+id+why, `{"name":"Rob"}`),
		"delete": func() [3]string {
			return [3]string{"DELETE", buyers + "objects/" + w.add("key-all", `{"email":"`+fresh()+`"}`) + why, ""}
		},
		"get":           fixed("GET", buyers+"objects/"+id+why+"&options=unsafe", ""),
		"list":          fixed("GET", buyers+"objects"+why+"&options=unsafe", ""),
		"search":        fixed("POST", buyers+"query/objects"+why+"&options=unsafe", `{"match":{"email":"a@b.c"}}`),
		"tokenize":      fixed("POST", buyers+"tokens"+why, `[{"type":"randomized","object":{"id":"`+id+`"}}]`),
		"detokenize":    fixed("GET", buyers+"tokens"+why+both, ""),
		"search tokens": fixed("POST", buyers+"query/tokens"+why, `{"token_ids":["`+tok[0]+`"]}`),
		"count":         fixed("GET", buyers+"count/objects"+why, ""),
		"encrypt":       fixed("POST", buyers+"encrypt/objects"+why, `[{"type":"randomized","object":{"id":"`+id+`"},"props":["email"]}]`),
		"hash":          fixed("POST", buyers+"hash/objects"+why, `[{"object":{"id":"`+id+`"},"props":["email"]}]`),
		"collections":   fixed("GET", "ctl/collections", ""),
		"types":         fixed("GET", "ctl/types", ""),
	} {
		t.Run(name, func(t *testing.T) {
			first := prepare()
			whole := w.must("key-all", first[0], first[1], first[2])
			hits := 0
			for call := int64(1); ; call++ {
				r := prepare()
				f := &storagetest.Faulty{Store: w.store, FailAt: call}
				w.raw.Use(f)
				a := w.as("key-all", r[0], r[1], r[2])
				w.raw.Use(nil)
				if f.Calls() < call {
					if a.status != http.StatusOK || r[0] == "GET" && a.body != whole.body {
						t.Errorf("without a failure: %d %s", a.status, a.body)
					}
					break
				}
				hits++
				if a.status != http.StatusServiceUnavailable || a.code() != "PV1010" {
					t.Errorf("call %d failed: %d %s", call, a.status, a.body)
				}
			}
			if hits == 0 {
				t.Error("the storage was not asked")
			}
		})
	}
}
