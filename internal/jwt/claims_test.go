package jwt_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

// parse returns the unverified claims of a payload.
func parse(t *testing.T, payload string) (*jwt.Token, error) {
	t.Helper()
	key := idptest.NewKey(t, "k", jwt.HS256)
	return jwt.Parse(key.Sign(t, `{"alg":"HS256"}`, payload), jwt.Limits{})
}

func claimsOf(t *testing.T, payload string) *jwt.Claims {
	t.Helper()
	token, err := parse(t, payload)
	if err != nil {
		t.Fatal(err)
	}
	return token.Unverified()
}

func TestRegisteredClaimsAreReadByType(t *testing.T) {
	c := claimsOf(t, `{"iss":"i","sub":"s","aud":["a","b"],"exp":0,"nbf":1.5,"iat":-1,"jti":"j"}`)
	if iss, ok := c.Issuer(); iss != "i" || !ok {
		t.Error("iss")
	}
	if sub, ok := c.Subject(); sub != "s" || !ok {
		t.Error("sub")
	}
	if aud, ok := c.Audience(); !slices.Equal(aud, []string{"a", "b"}) || !ok {
		t.Error("aud")
	}
	if at, ok := c.ExpiresAt().Time(); !ok || !at.Equal(time.Unix(0, 0)) {
		t.Error("exp 0 is a value, not an absent claim")
	}
	if at, ok := c.NotBefore().Time(); !ok || !at.Equal(time.Unix(1, 5e8)) {
		t.Error("nbf")
	}
	if at, ok := c.IssuedAt().Time(); !ok || !at.Equal(time.Unix(-1, 0)) {
		t.Error("iat")
	}
	if !slices.Equal(c.Names(), []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}) {
		t.Errorf("names: %v", c.Names())
	}
}

func TestAbsentClaimsAreToldFromEmptyOnes(t *testing.T) {
	c := claimsOf(t, `{}`)
	_, iss := c.Issuer()
	_, sub := c.Subject()
	_, aud := c.Audience()
	_, exp := c.ExpiresAt().Time()
	if iss || sub || aud || exp {
		t.Error("an absent claim is there")
	}
	c = claimsOf(t, `{"iss":"","sub":"","aud":[]}`)
	_, iss = c.Issuer()
	_, sub = c.Subject()
	list, aud := c.Audience()
	if !iss || !sub || !aud || len(list) != 0 {
		t.Error("an empty claim is not there")
	}
	if list, _ := claimsOf(t, `{"aud":""}`).Audience(); !slices.Equal(list, []string{""}) {
		t.Error("an empty string is an audience")
	}
}

func TestRegisteredClaimsOfTheWrongTypeAreRefused(t *testing.T) {
	for _, c := range []string{
		`{"iss":1}`, `{"iss":null}`, `{"iss":["i"]}`, `{"sub":1}`, `{"sub":{}}`, `{"aud":null}`, `{"aud":5}`, `{"aud":["x",5]}`,
		`{"aud":{"x":1}}`, `{"exp":"1"}`, `{"exp":null}`, `{"exp":true}`, `{"nbf":[]}`, `{"iat":"now"}`, `{"jti":7}`, `{"jti":null}`,
		`{"SUB":"s"}`, `{"sub":"s","ſub":"t"}`,
	} {
		if _, err := parse(t, c); !errors.Is(err, jwt.ErrClaims) || fault.ReasonOf(err) != "invalid_claims" {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestAmbiguousJSONIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)
	for _, c := range []string{
		`{"sub":"\ud800"}`, `{"sub":"\udc00\ud800"}`, "{\"sub\":\"\xff\"}", "{\"sub\":\"\xed\xa0\x80\"}", `{"a":{"b":1,"b":2}}`, `{"a":1,"\u0061":2}`,
		`{} {}`, `{}x`, `{"a":1,}`, `{"a":01}`, `{"a":NaN}`, `{'a':1}`, "\ufeff{}", "{\"a\":\"\n\"}", `[]`, `"x"`, `1`, `null`, ``, ` `, deep,
	} {
		if _, err := parse(t, c); !errors.Is(err, jwt.ErrMalformed) || fault.ReasonOf(err) != "malformed" {
			t.Errorf("%.40q: %v", c, err)
		}
	}
	for _, c := range []string{`{"sub":"\ud83d\ude00"}`, " {\n} ", `{"a":{"b":1},"c":{"b":1}}`, deep[5 : len(deep)-1]} {
		if _, err := parse(t, c); err != nil {
			t.Errorf("%.40q: %v", c, err)
		}
	}
	for _, c := range []string{`{"a":1,"a":2}`, deep, ``} {
		if _, err := jwt.ParseValue([]byte(c), 32); !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("value %.40q: %v", c, err)
		}
	}
}

func TestPathsLeadByPointerOrByLiteralName(t *testing.T) {
	c := claimsOf(t, `{"a":{"b/c":["x",{"d~e":"y"}],"":"empty"},"/a":"slash","a.b":"dot","n":null,"s":"text"}`)
	for path, want := range map[string]string{
		"/a/b~1c/0": "x", "/a/b~1c/1/d~0e": "y", "/a/": "empty", "a.b": "dot",
		"/a/b~1c/2": "", "/a/b~1c/-1": "", "/a/b~1c/00": "", "/a/b~1c/": "", "/a/b~1c/0x": "", "/a/b~1c/99999999999": "",
		"/s/x": "", "/missing": "", "/a/b~2c": "", "/a~": "", "a/b": "", "A": "", "": "",
	} {
		v, ok := c.Lookup(jwt.ParsePath(path))
		if got, _ := v.Text(); got != want || ok != (want != "") {
			t.Errorf("%q leads to %q, %v; want %q", path, got, ok, want)
		}
	}
	if v, _ := c.Lookup(jwt.LiteralPath("/a")); v != c.Get("/a") {
		t.Error("a literal path follows a slash")
	}
	if v, ok := c.Lookup(jwt.ParsePath("n")); !ok || v.Kind() != jwt.KindNull {
		t.Error("null is there")
	}
	if _, ok := c.Lookup(jwt.Path{}); ok || (jwt.Path{}).Leads() || jwt.ParsePath("/~").Leads() || !jwt.ParsePath("/a").Leads() {
		t.Error("the zero path, or a broken one, leads somewhere")
	}
	if jwt.ParsePath("/a~1b").String() != "/a~1b" {
		t.Error("a path loses its text")
	}
}

func TestMapKeepsTheTextOfNumbers(t *testing.T) {
	c := claimsOf(t, `{"n":9007199254740993,"f":1.50,"t":true,"z":null,"l":[1,"\u0061"],"o":{"k":"v"},"e":[],"eo":{}}`)
	want := map[string]any{
		"n": json.Number("9007199254740993"), "f": json.Number("1.50"), "t": true, "z": nil,
		"l": []any{json.Number("1"), "a"}, "o": map[string]any{"k": "v"}, "e": []any{}, "eo": map[string]any{},
	}
	if got := c.Map(); fmt.Sprint(got) != fmt.Sprint(want) || got["n"] != want["n"] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestValuesAnswerForTheirOwnTypeOnly(t *testing.T) {
	c := claimsOf(t, `{"s":"x","n":1,"t":true,"f":false,"l":[1],"o":{"a":1},"z":null}`)
	for name, kind := range map[string]string{"s": "string", "n": "number", "t": "boolean", "f": "boolean", "l": "list", "o": "object", "z": "null", "none": "absent"} {
		v := c.Get(name)
		_, isText := v.Text()
		_, isNumber := v.Number()
		_, isBool := v.Bool()
		_, isList := v.List()
		for k, is := range map[string]bool{"string": isText, "number": isNumber, "boolean": isBool, "list": isList} {
			if is != (k == kind) {
				t.Errorf("a %s answers as %s", kind, k)
			}
		}
		if v.Kind().String() != kind || (v.Names() != nil) != (kind == "object") || (v.Member("a").Kind() != jwt.KindAbsent) != (kind == "object") {
			t.Errorf("%s: kind %s", kind, v.Kind())
		}
	}
	if b, _ := c.Get("f").Bool(); b {
		t.Error("false is true")
	}
	if c.Get("o").Member("b") != (jwt.Value{}) || (jwt.Value{}).Any() != nil {
		t.Error("what is absent is there")
	}
}

// TestNothingPrintsItsContents: whatever reaches a log by mistake shows
// nothing.
func TestNothingPrintsItsContents(t *testing.T) {
	key := idptest.NewKey(t, "kid-of-the-key", jwt.HS256)
	raw := key.Token(t, map[string]any{"sub": "secret-subject"})
	token, err := jwt.Parse(raw, jwt.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	value := token.Unverified().Get("sub")
	pub := key.Public(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb+verb+verb, token, value, pub)
		if strings.Contains(text, "secret-subject") || strings.Contains(text, raw[:10]) || strings.Contains(text, "[") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
}
