package audit

import (
	"bytes"
	stdjson "encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func line(t *testing.T, d Device, e *Entry) (string, map[string]any) {
	t.Helper()
	v, err := open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.close() }()
	n := v.format.encode(e)
	defer n.release()
	text := string(n.b)
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Fatalf("an entry must be exactly one line: %q", text)
	}
	var m map[string]any
	if err := stdjson.Unmarshal([]byte(strings.TrimPrefix(text, d.Options["prefix"])), &m); err != nil {
		t.Fatalf("line is not JSON: %v\n%s", err, text)
	}
	return text, m
}

func at(t *testing.T, m map[string]any, path ...string) any {
	t.Helper()
	var v any = m
	for _, p := range path {
		o, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v: no object at %q in %v", path, p, v)
		}
		v = o[p]
	}
	return v
}

func TestLineKeepsSecretsOutAndTheRestReadable(t *testing.T) {
	text, m := line(t, fileDevice("discard"), sample())
	for _, secret := range []string{"hunter", "SECRETTOKEN", "OTHERTOKEN", "WRAPTOKEN", "ACCESSOR"} {
		if strings.Contains(text, secret) {
			t.Errorf("line shows %q: %s", secret, text)
		}
	}
	hash := newSalter(testSalt).hash
	want := map[string]any{
		"type": "response", "time": "2026-11-21T20:37:11.773246899Z", "error": "denied\nbecause", "diagnosis": "r-1",
		"auth.client_token": hash("hvs.SECRETTOKEN"), "auth.accessor": hash("ACCESSORACCESSOR"), "auth.display_name": "jwt-alice",
		"auth.metadata.role": "demo", "auth.remaining_uses": 3.0, "auth.token_ttl": 3600.0, "auth.policy_results.allowed": true,
		"request.id": "r-1", "request.path": "secret/data/app", "request.data.when": "2026-11-21T20:37:11Z",
		"request.data.open": "in the clear", "request.data.data.pw": hash("hunter2"), "request.data.options.why": hash("hunter4"),
		"request.data.options.cas": 1.0, "request.remote_port": 4711.0, "request.wrap_ttl": 60.0, "request.namespace.id": "root",
		"response.data.version": 1.0, "response.auth.client_token": hash("hvs.OTHERTOKEN"), "response.secret.lease_id": "l-1",
		"response.wrap_info.token": hash("hvs.WRAPTOKEN"), "response.wrap_info.creation_path": "auth/jwt/login",
	}
	for path, w := range want {
		if got := at(t, m, strings.Split(path, ".")...); got != w {
			t.Errorf("%s = %v, want %v", path, got, w)
		}
	}
	if !strings.Contains(text, "12345678901234567890") {
		t.Error("a big number lost digits")
	}
	if !strings.Contains(text, `"options":{"cas":1,"why":"`+hash("hunter4")+`","l":["`+hash("hunter5")+`",{"k":"`+hash("hunter6")+`"}],"e":{},"f":[]}`) {
		t.Errorf("raw JSON lost its shape: %s", text)
	}
}

func TestOptionsChangeWhatIsHashed(t *testing.T) {
	text, m := line(t, fileDevice("discard", "log_raw", "true", "hmac_accessor", "false", "prefix", "@cee: "), sample())
	if !strings.HasPrefix(text, "@cee: {") {
		t.Errorf("prefix missing: %.20q", text)
	}
	if at(t, m, "request", "data", "data", "pw") != "hunter2" || at(t, m, "auth", "accessor") != "ACCESSORACCESSOR" {
		t.Error("log_raw and hmac_accessor=false must show parameters and accessors")
	}
	if strings.Contains(text, "TOKEN") {
		t.Error("a client token must stay hashed even with log_raw")
	}
}

func TestElideListResponses(t *testing.T) {
	e := sample()
	e.Req.Operation = "list"
	e.Resp.Data = map[string]any{"keys": []string{"a", "b"}, "key_info": map[string]any{"a": 1, "b": 2}}
	for _, op := range []string{"list", "scan"} {
		e.Req.Operation = op
		_, m := line(t, fileDevice("discard", "elide_list_responses", "true"), e)
		if at(t, m, "response", "data", "keys") != 2.0 || at(t, m, "response", "data", "key_info") != 2.0 {
			t.Errorf("%s: lists must become counts: %v", op, at(t, m, "response", "data"))
		}
	}
}

func TestPvaultLineCarriesItsReadersNames(t *testing.T) {
	e := sample()
	e.Door, e.Auth.Role = "pvault", "ReaderRole"
	e.Req.Collection, e.Req.Objects, e.Req.Properties, e.Req.Reason = "buyers", []string{"o-1"}, []string{"email"}, "AppFunctionality"
	_, m := line(t, fileDevice("discard"), e)
	if m["user_name"] != "jwt-alice" || m["role_name"] != "ReaderRole" || m["collection"] != "buyers" ||
		m["reason"] != "AppFunctionality" || m["status_code"] != 200.0 || m["operation_id"] != "update" {
		t.Errorf("pvault members: %v", m)
	}
	if at(t, m, "data_accessed").([]any)[0] != "o-1" || at(t, m, "data_requested").([]any)[0] != "email" {
		t.Errorf("pvault lists: %v", m)
	}
}

func TestHostileTextStaysInsideItsString(t *testing.T) {
	for _, s := range []string{"a\nb", "\x00\x1b[2J", "\xff\xfe", "\u2028", "\u2029", "\u0080\u0085\u009f", `"}],"type":"x`, "\x7f", "ſ🔑"} {
		e := &Entry{Error: s, Auth: Auth{Metadata: map[string]string{s: s}}, Req: RequestPart{Data: map[string]any{s: s, "raw": jsontext.Value(s)}}}
		text, m := line(t, fileDevice("discard"), e)
		for _, c := range text[:len(text)-1] {
			if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
				t.Errorf("%q: control character %#x in the line", s, c)
			}
		}
		if !utf8.ValidString(text) {
			t.Errorf("%q: the line is no UTF-8", s)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); m["error"] != want && s != "\xff\xfe" {
			t.Errorf("error = %q, want %q", m["error"], want)
		}
	}
}

func TestUnusualTypesAreHashedToo(t *testing.T) {
	type odd struct{ Text string }
	e := &Entry{Req: RequestPart{Data: map[string]any{
		"odd": odd{"hunter1"}, "sec": Secret("hunter2"), "bytes": []byte("hunter3"), "map": map[string]string{"k": "hunter4"},
		"bad": func() {}, "num": stdjson.Number("hunter5"), "f": 1.5, "dur": time.Minute, "u": uint64(9), "two": jsontext.Value(`"hunter6" "hunter7"`),
	}}}
	text, m := line(t, fileDevice("discard"), e)
	if strings.Contains(text, "hunter") {
		t.Errorf("a text got through: %s", text)
	}
	if at(t, m, "request", "data", "f") != 1.5 || at(t, m, "request", "data", "dur") != 60.0 {
		t.Errorf("numbers: %v", m)
	}
}

func FuzzRawJSON(f *testing.F) {
	for _, s := range []string{`{"a":["x",1,{"b":null}]}`, `"s"`, `[]`, `{"a":1}{"b":2}`, `{"a":1,"a":"x"}`, "[\"\xff\"]"} {
		f.Add([]byte(s))
	}
	v, err := open(fileDevice("discard"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := v.format.encode(&Entry{Req: RequestPart{Data: map[string]any{"raw": jsontext.Value(raw)}}})
		defer n.release()
		if !stdjson.Valid(n.b) || bytes.Count(n.b, []byte("\n")) != 1 {
			t.Errorf("%q became %q", raw, n.b)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := sample()
	e.Type, e.Resp, e.Checks, e.Error, e.Diagnosis = Request, nil, nil, "", ""
	e.Req.Data, e.Req.Headers = nil, nil
	v, err := open(fileDevice("discard"))
	if err != nil {
		b.Fatal(err)
	}
	tokens := []Secret{"hvs.A", "hvs.B"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Auth.ClientToken, e.Auth.Accessor = tokens[i&1], tokens[i&1]
		v.format.encode(e).release()
	}
}
