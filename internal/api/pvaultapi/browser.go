package pvaultapi

import (
	"net/http"
	"slices"
)

// What browsers are told about calls from web pages.
const (
	corsMethods = "GET, POST, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, If-Match, X-Tenant-Id, X-Trans-Param, X-Pvault-Delegation, X-Pvault-Request-ID"
	corsExposed = "ETag, X-Pvault-Request-ID"
	corsMaxAge  = "600"
)

// browser tells a browser whether the web page that it shows may call, and
// answers its preflight request. It reports whether nothing is left to do. A
// browser is never told to send credentials of its own: the page must hold a
// token.
func (d *Door) browser(w http.ResponseWriter, r *http.Request) bool {
	origins := d.o.AllowOrigins
	if len(origins) == 0 {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return false
	case slices.Contains(origins, "*"):
		origin = "*"
	case !slices.Contains(origins, origin):
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		return false
	}
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}
