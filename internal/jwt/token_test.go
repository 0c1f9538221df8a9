package jwt_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
)

func TestHeaderRules(t *testing.T) {
	key := idptest.NewKey(t, "k", jwt.HS256)
	for name, c := range map[string]struct {
		header string
		want   error
	}{
		"plain":                  {`{"alg":"HS256"}`, nil},
		"typ JWT":                {`{"alg":"HS256","typ":"jwt"}`, nil},
		"access token":           {`{"alg":"HS256","typ":"application/at+JWT"}`, nil},
		"SPIFFE":                 {`{"alg":"HS256","typ":"JOSE"}`, nil},
		"key material is unread": {`{"alg":"HS256","jwk":{"kty":"oct"},"jku":"https://evil.test","x5c":["x"]}`, nil},
		"other content type":     {`{"alg":"HS256","cty":"json"}`, nil},
		"crit":                   {`{"alg":"HS256","crit":["exp"],"exp":1}`, jwt.ErrMalformed},
		"empty crit":             {`{"alg":"HS256","crit":[]}`, jwt.ErrMalformed},
		"b64":                    {`{"alg":"HS256","b64":true}`, jwt.ErrMalformed},
		"zip":                    {`{"alg":"HS256","zip":"DEF"}`, jwt.ErrMalformed},
		"enc":                    {`{"alg":"HS256","enc":"A256GCM"}`, jwt.ErrMalformed},
		"no alg":                 {`{}`, jwt.ErrMalformed},
		"empty alg":              {`{"alg":""}`, jwt.ErrMalformed},
		"alg in capitals":        {`{"ALG":"HS256","alg":"HS256"}`, jwt.ErrMalformed},
		"alg number":             {`{"alg":256}`, jwt.ErrMalformed},
		"kid number":             {`{"alg":"HS256","kid":1}`, jwt.ErrMalformed},
		"kid null":               {`{"alg":"HS256","kid":null}`, jwt.ErrMalformed},
		"folded kid":             {"{\"alg\":\"HS256\",\"\u212Aid\":\"k\"}", jwt.ErrMalformed},
		"twice":                  {`{"alg":"HS256","alg":"HS256"}`, jwt.ErrMalformed},
		"nested token":           {`{"alg":"HS256","cty":"application/JWT"}`, jwt.ErrMalformed},
		"deep":                   {`{"alg":"HS256","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, jwt.ErrMalformed},
		"list":                   {`["alg"]`, jwt.ErrMalformed},
		"logout":                 {`{"alg":"HS256","typ":"logout+jwt"}`, jwt.ErrType},
		"proof of possession":    {`{"alg":"HS256","typ":"dpop+jwt"}`, jwt.ErrType},
		"unheard of":             {`{"alg":"HS256","typ":"x"}`, jwt.ErrType},
	} {
		token, err := jwt.Parse(key.Sign(t, c.header, `{}`), jwt.Limits{})
		if c.want == nil && (err != nil || token.Algorithm() != jwt.HS256) || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestTokenAccessors(t *testing.T) {
	key := idptest.NewKey(t, "the-kid", jwt.ES256)
	raw := key.Token(t, map[string]any{"sub": "s"})
	token, err := jwt.Parse(raw, jwt.BearerLimits)
	if err != nil {
		t.Fatal(err)
	}
	if kid, ok := token.KeyID(); kid != "the-kid" || !ok || token.Type() != "JWT" || token.Algorithm() != jwt.ES256 {
		t.Error("the header is not what was signed")
	}
	if token.Hash() != sha256.Sum256([]byte(raw)) || token.Len() != len(raw) {
		t.Error("the hash is not that of the text")
	}
	bare, err := jwt.Parse(key.Sign(t, `{"alg":"ES256"}`, `{}`), jwt.BearerLimits)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := bare.KeyID(); ok || bare.Type() != "" {
		t.Error("a header has what was not signed")
	}
}

func TestSizeIsBoundedBeforeAnythingElse(t *testing.T) {
	key := idptest.NewKey(t, "", jwt.HS256)
	raw := key.Token(t, map[string]any{"pad": strings.Repeat("x", 20<<10)})
	_, err := jwt.Parse(raw, jwt.BearerLimits)
	if !errors.Is(err, jwt.ErrTooLarge) || !fault.Is(err, fault.TooLarge) || fault.ReasonOf(err) != "token_too_large" {
		t.Errorf("got %v", err)
	}
	if _, err := jwt.Parse(raw, jwt.Limits{}); !errors.Is(err, jwt.ErrTooLarge) {
		t.Error("the zero limit lets everything pass")
	}
	if _, err := jwt.Parse(raw, jwt.LoginLimits); err != nil {
		t.Errorf("a login may be larger: %v", err)
	}
}

// TestOneTokenHasOneSpelling changes every byte of a token in many ways: only
// the token itself is accepted.
func TestOneTokenHasOneSpelling(t *testing.T) {
	key := idptest.NewKey(t, "k", jwt.ES256)
	raw := key.Token(t, map[string]any{"sub": "s"})
	verifies := func(s string) bool {
		token, err := jwt.Parse(s, jwt.BearerLimits)
		if err != nil {
			return false
		}
		_, err = token.Verify([]*jwt.Key{key.Public(t)}, nil)
		return err == nil
	}
	if !verifies(raw) {
		t.Fatal("the token itself is refused")
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	for i := range alphabet {
		if i != last && verifies(raw[:len(raw)-1]+alphabet[i:i+1]) {
			t.Errorf("the last character may also be %c", alphabet[i])
		}
	}
	for i := 0; i <= len(raw); i++ {
		for _, extra := range []string{" ", "\n", "\r", "\t", "=", ".", "\x00", "\u00a0"} {
			if verifies(raw[:i] + extra + raw[i:]) {
				t.Errorf("%q at %d is accepted", extra, i)
			}
		}
	}
	std := base64.RawStdEncoding.EncodeToString([]byte(`{"alg":"ES256","x":"???>>>"}`))
	if _, err := jwt.Parse(std+raw[strings.IndexByte(raw, '.'):], jwt.BearerLimits); !errors.Is(err, jwt.ErrMalformed) {
		t.Errorf("the standard alphabet: %v", err)
	}
}

// TestUnusedBitsAreRefusedAlsoWhereTheRestWouldDo: the decoder hands back what
// came before the bad end, and that may be valid JSON by itself.
func TestUnusedBitsAreRefusedAlsoWhereTheRestWouldDo(t *testing.T) {
	header, payload := b64([]byte(`{"alg":"HS256"} `)), b64([]byte(`{"sub":"abc"}   `)) // 16 bytes: one in the last group
	if _, err := jwt.Parse(header+"."+payload+".AAAA", jwt.Limits{}); err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.Parse(header+"."+payload+".", jwt.Limits{}); !errors.Is(err, jwt.ErrMalformed) {
		t.Errorf("no signature: got %v", err)
	}
	lax := func(s string) string { return s[:len(s)-1] + "B" } // sets unused bits only, and loses none that are used
	for name, raw := range map[string]string{"header": lax(header) + "." + payload, "payload": header + "." + lax(payload)} {
		if _, err := jwt.Parse(raw+".AAAA", jwt.Limits{}); !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestErrorsNeverHoldTheToken(t *testing.T) {
	for _, v := range readVectors(t) {
		if v.Token == "" {
			continue
		}
		_, err := jwt.Parse(v.Token, jwt.LoginLimits)
		if err == nil {
			continue
		}
		if fault.ReasonOf(err) == "" || fault.PublicText(err) == "internal error" {
			t.Errorf("%s: an error without a reason: %v", v.ID, err)
		}
		for _, part := range strings.FieldsFunc(v.Token, func(r rune) bool { return r == '.' }) {
			if len(part) > 8 && strings.Contains(err.Error(), part[:8]) {
				t.Errorf("%s: the error shows the token: %v", v.ID, err)
			}
		}
	}
}

// What people do to a token on its way is said in their words.
func TestASpoiledTokenIsNamedByWhatSpoiledIt(t *testing.T) {
	for raw, want := range map[string]string{
		"Bearer eyJhbGciOiJub25lIn0.e30.AAAA": "the token begins with the word Bearer: send what follows it alone",
		"bearer x":                            "the token begins with the word Bearer: send what follows it alone",
		"eyJhbGciOiJub25lIn0.e30.AAAA\n":      "there is white space in the token",
		"eyJhbGciOiJub25lIn0.\te30.AAAA":      "there is white space in the token",
		"\ufeffeyJhbGciOiJub25lIn0.e30.AAAA":  "the token begins with a byte order mark",
		"eyJhbGciOiJub25lIn0.e30":             "a token has three non-empty parts with a dot between them",
		"eyJhbGciOiJub25lIn0.e30.AAAA=":       "the token's signature is not canonical base64url",
		"Bearer ":                             "there is white space in the token",
	} {
		_, err := jwt.Parse(raw, jwt.Limits{})
		if !errors.Is(err, jwt.ErrMalformed) || fault.PublicText(err) != want {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
}
