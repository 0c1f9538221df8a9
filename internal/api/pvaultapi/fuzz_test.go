package pvaultapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
)

// FuzzNoRequestGetsAServerError sends whatever comes to mind to every
// operation. 501 is an answer; any other 5xx is a defect.
func FuzzNoRequestGetsAServerError(f *testing.F) {
	w, list := prepared(f)
	for _, a := range list {
		path, query, _ := strings.Cut(a.path, "?")
		f.Add(a.method, path, query, a.body, "", "application/json")
	}
	f.Add("GET", buyers+"objects/%2e%2e", "reason=Other&adhoc_reason=\x00", "{}", "1,2", "text/plain")
	f.Add("POST", "ctl/collections", "format=pvschema", "c DATA (x STRING COMMENT '');", "", "application/pvschema")
	f.Add("POST", buyers+"query/objects", why[1:]+"&props=email&page_size=1", `{"in":{"points":[1,2]},"like":{"name":"***abc"}}`, "t", "")
	f.Add("PATCH", buyers+"encrypt/objects", why[1:], `[{"encrypted_object":{"ciphertext":"AQEAAAAB"},"fields":{"points":1e400}}]`, "", "")
	f.Fuzz(func(t *testing.T, method, path, query, body, tenant, media string) {
		req := httptest.NewRequest("GET", pvaultapi.Prefix, strings.NewReader(body))
		req.Method, req.URL.Path, req.URL.RawQuery = method, pvaultapi.Prefix+path, query
		req.Header.Set("Authorization", "Bearer key-all")
		if tenant != "" {
			req.Header.Set("X-Tenant-Id", tenant)
		}
		if media != "" {
			req.Header.Set("Content-Type", media)
		}
		rec := httptest.NewRecorder()
		w.door.ServeHTTP(rec, req)
		if rec.Code >= 500 && rec.Code != 501 {
			t.Fatalf("%s %s?%s %q: %d %s", method, path, query, body, rec.Code, rec.Body)
		}
	})
}
