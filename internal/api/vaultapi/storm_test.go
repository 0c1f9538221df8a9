package vaultapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// The parts that requests of the storm are made of. They are mixed without
// regard to what belongs together.
var (
	stormVerbs = rapid.SampledFrom([]string{
		"GET", "GET", "LIST", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "SCAN", "TRACE", "CONNECT", "get", "PROPFIND", "HELP", "REVOKE",
	})
	stormPieces = rapid.SampledFrom([]string{
		"", "v1", "sys", "auth", "jwt", "token", "kv1", "kv2", "identity", "cubbyhole", "data", "metadata", "config", "role", "demo", "login", "tune",
		"mounts", "policies", "acl", "root", "x", "a%2Fb", "%2e%2e", "%2E", "%00", "%ff%fe", "%0a", "%252e%252e", "+", "*", "é", "%c3%a9", "%F0%9F%98%80",
		"..", ".", "{{x}}", "a b", "%", "%zz", "%20", ";", ":", "@", "\\", "?x", "#y", strings.Repeat("s", 300), strings.Repeat("a/", 200),
	})
	stormQueries = rapid.SampledFrom([]string{
		"", "", "", "?list=true", "?list=1", "?list=x", "?help=1", "?scan=true", "?after=a&limit=-1", "?version=1", "?version=99999999999999999999", "?version=x", "?%zz", "?depth=-1",
		"?a=%00&a=2", "?limit=x", "?;", "?list=true&help=1", "?standbyok=true",
	})
	stormTypes = rapid.SampledFrom([]string{
		"", "application/json", "application/merge-patch+json", "application/json-patch+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
		"text/plain; charset=utf-7", "x/y/z", ";", "application/merge-patch+json; charset=", "\"",
	})
	stormHeaders = rapid.SampledFrom([][2]string{
		{"X-Vault-Namespace", ""}, {"X-Vault-Namespace", "ns1/../"}, {"X-Vault-Wrap-TTL", "1m"}, {"X-Vault-Wrap-TTL", "-1"}, {"X-Vault-Wrap-TTL", "99999999999h"}, {"X-Vault-Wrap-TTL", "1e400"},
		{"X-Vault-Wrap-Format", "jwt"}, {"X-Vault-Request", "false"}, {"X-Vault-MFA", ":::"}, {"X-Vault-Index", "%%"}, {"X-Vault-Policy-Override", "true"}, {"Origin", "null"}, {"Origin", "https://evil.example"},
		{"Authorization", "Bearer"}, {"Authorization", "Bearer  x y"}, {"Authorization", "Basic eDp5"}, {"X-Vault-Token", ""}, {"X-Vault-Token", "hvs." + strings.Repeat("A", 68)}, {"X-Vault-Token", "hvb.AAAA"},
		{"X-Vault-Token", "é"}, {"X-Vault-Inline-Auth-Path", "auth/jwt/login"}, {"X-Forwarded-For", "::1, x"}, {"Accept-Encoding", "gzip"}, {"Content-Encoding", "gzip"}, {"Expect", "100-continue"},
		{"X-HTTP-Method-Override", "DELETE"}, {"Access-Control-Request-Method", "PUT"}, {"Range", "bytes=0-1"},
	})
	stormTexts = rapid.OneOf(rapid.SampledFrom(hostileValues), rapid.Map(rapid.String(), func(s string) string { return fmt.Sprintf("%q", s) }))
	stormNames = rapid.SampledFrom([]string{
		"token", "accessor", "policies", "policy", "data", "options", "type", "config", "jwt", "role", "ttl", "period", "num_uses", "path", "paths", "id", "name", "metadata", "lease_id", "increment",
		"bound_claims", "user_claim", "jwks_url", "jwt_validation_pubkeys", "versions", "cas", "from", "to", "input", "mount_accessor", "canonical_id", "", "a.b", "é",
	})
)

// stormRows are all paths that are served, with hostile parameters.
func stormRows() []string {
	var out []string
	for _, m := range mountsOf {
		for _, r := range (*m.b).table.Rows() {
			out = append(out, m.path+r.Pattern)
		}
	}
	return out
}

func stormBody(t *rapid.T) string {
	switch rapid.IntRange(0, 5).Draw(t, "kind of body") {
	case 0:
		return ""
	case 1:
		return string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
	case 2:
		return rapid.SampledFrom([]string{
			`[]`, `null`, `{`, `{}{}`, `"x"`, `{"a":1,"a":2}`, `{"a":"\ud800"}`, strings.Repeat("[", 5000), strings.Repeat(`{"a":`, 5000), "a=b&c=d", "--x\r\n\r\n--x--", "\xef\xbb\xbf{}",
		}).Draw(t, "odd body")
	}
	var parts []string
	for range rapid.IntRange(0, 4).Draw(t, "fields") {
		parts = append(parts, fmt.Sprintf("%q:%s", stormNames.Draw(t, "name"), stormTexts.Draw(t, "value")))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func stormTarget(t *rapid.T, rows []string) string {
	var segs []string
	if rapid.Bool().Draw(t, "served path") {
		segs = strings.Split(rapid.SampledFrom(rows).Draw(t, "row"), "/")
		for i, s := range segs {
			if strings.HasPrefix(s, "{") {
				segs[i] = stormPieces.Draw(t, "parameter")
			}
		}
	} else {
		segs = rapid.SliceOfN(stormPieces, 0, 6).Draw(t, "segments")
	}
	prefix := rapid.SampledFrom([]string{"/v1/", "/v1/", "/v1/", "/v1//", "/", "//", "http://x/v1/", "/v1/./"}).Draw(t, "prefix")
	return strings.ReplaceAll(prefix+strings.Join(segs, "/"), " ", "%20") + stormQueries.Draw(t, "query")
}

// stormRequest is a request as a server reads it from the wire, nil if it
// would not get as far as the door.
func stormRequest(t *rapid.T, rows []string) *http.Request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n", stormVerbs.Draw(t, "verb"), stormTarget(t, rows))
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		h := stormHeaders.Draw(t, "header")
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if ct := stormTypes.Draw(t, "content type"); ct != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", ct)
	}
	body := stormBody(t)
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	r, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		return nil
	}
	r.RemoteAddr = "192.0.2.1:1234"
	return r
}

// shaped reports whether an answer has the door's form: an object, whose
// errors, if it is a refusal, are a list of readable texts.
func shaped(verb string, status int, body []byte) error {
	if verb == "HEAD" || len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) {
		return fmt.Errorf("is not UTF-8")
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	if status < 400 {
		return nil
	}
	var list []string
	if raw, ok := m["errors"]; ok {
		return json.Unmarshal(raw, &list)
	}
	if _, envelope := m["request_id"]; status == 404 && envelope {
		return nil // "not found" with data or warnings
	}
	return fmt.Errorf("has no errors")
}

// noSeal is what seal, init and the like answer in a process without a seal,
// such as this test's.
var noSeal = []byte("this server has no seal to operate")

// No request, whoever sends it and whatever is in it, is the server's fault or
// gets an answer that is not the door's.
func TestAnyRequestGetsAnAnswerOfTheDoorAndNever5xx(t *testing.T) {
	rows := stormRows()
	var d *door
	var callers []string
	fresh := func() {
		d = hostileDoor(t)
		batch := d.do("POST", "auth/token/create", rootToken, map[string]any{"type": "batch", "policies": "default"}).want(200).token()
		callers = []string{"", rootToken, rootToken, d.token("default"), batch, "unknown"}
	}
	fresh()
	reached := map[int]int{}
	rapid.Check(t, func(rt *rapid.T) {
		// A request may end the root token; a new door then takes the place.
		if a := d.do("GET", "auth/token/lookup-self", rootToken, nil); a.status != 200 {
			fresh()
		}
		for range 60 {
			r := stormRequest(rt, rows)
			if r == nil {
				continue
			}
			if token := rapid.SampledFrom(callers).Draw(rt, "caller"); token != "" && r.Header.Get("X-Vault-Token") == "" {
				r.Header.Set("X-Vault-Token", token)
			}
			line := fmt.Sprintf("%s %.200q", r.Method, r.URL.String())
			w := httptest.NewRecorder()
			d.h.ServeHTTP(w, r)
			reached[w.Code]++
			if w.Code >= 500 && !bytes.Contains(w.Body.Bytes(), noSeal) {
				rt.Fatalf("%s: %d %s\n%s", line, w.Code, w.Body, d.log)
			}
			if err := shaped(r.Method, w.Code, w.Body.Bytes()); err != nil {
				rt.Fatalf("%s: %d %.300q: the body %v", line, w.Code, w.Body, err)
			}
		}
	})
	// The storm means nothing if it does not get past the first refusals.
	for _, status := range []int{200, 400, 403, 404, 405} {
		if reached[status] == 0 {
			t.Errorf("no request of the storm got %d: %v", status, reached)
		}
	}
	t.Log(reached)
}
