package main

import (
	"net/http"
	"slices"
	"strings"
)

// printCurl shows the request as a curl command. The token is not in it: the
// shell asks for it when the line runs.
func (c *client) printCurl(req *http.Request, body []byte) {
	var b strings.Builder
	b.WriteString("curl")
	if req.Method != http.MethodGet {
		b.WriteString(" -X " + req.Method)
	}
	var keys []string
	for k := range req.Header {
		if k != "User-Agent" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		for _, v := range req.Header[k] {
			if k == "X-Vault-Token" {
				v = "$(jotgate print token)"
				b.WriteString(` -H "` + k + `: ` + v + `"`)
				continue
			}
			b.WriteString(` -H "` + k + `: ` + doubleQuoted(v) + `"`)
		}
	}
	if len(body) > 0 {
		b.WriteString(" -d '" + strings.ReplaceAll(string(body), "'", `'"'"'`) + "'")
	}
	b.WriteString(` "` + doubleQuoted(req.URL.String()) + `"`)
	c.app.env.Println(b.String())
}

// doubleQuoted escapes what a shell would expand between double quotes.
func doubleQuoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(s)
}

// printPolicy shows the rule that a policy needs for the request.
func (c *client) printPolicy(r request) {
	var capability string
	switch {
	case r.query.Get("list") == "true":
		capability = `"list"`
	case r.method == http.MethodGet:
		capability = `"read"`
	case r.method == http.MethodDelete:
		capability = `"delete"`
	case r.method == http.MethodPatch:
		capability = `"patch"`
	default:
		capability = `"create", "update"`
	}
	if needsSudo(r.method, r.path, r.query.Get("list") == "true") {
		capability += `, "sudo"`
	}
	c.app.env.Printf("path %q {\n  capabilities = [%s]\n}\n", r.path, capability)
}
