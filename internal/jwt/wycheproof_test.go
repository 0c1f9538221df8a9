package jwt

import (
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/go-jose/go-jose/v4"
)

type wycheproofFile struct {
	TestGroups []struct {
		Comment string          `json:"comment"`
		Private json.RawMessage `json:"private"`
		Public  json.RawMessage `json:"public"`
		Tests   []struct {
			TcID    int      `json:"tcId"`
			Comment string   `json:"comment"`
			JWS     any      `json:"jws"`
			Result  string   `json:"result"`
			Flags   []string `json:"flags"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func readWycheproof(t *testing.T, name string) wycheproofFile {
	t.Helper()
	doc, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var f wycheproofFile
	if err := json.Unmarshal(doc, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// signatureLayer verifies a token whose payload need not be claims: the
// published vectors sign the text "foo".
func signatureLayer(raw string, keys []*Key) error {
	token, payload, err := parseEnvelope(raw, 32)
	if err != nil {
		return err
	}
	if _, ok := decodeSegment(payload); !ok {
		return ErrMalformed
	}
	everything := append(Asymmetric(), HS256, HS384, HS512)
	_, err = token.Verify(keys, everything)
	return err
}

// Vectors whose verdict is not ours, each for a reason.
var (
	// An empty payload is a sound JWS and no JWT.
	emptyPayload = []int{259, 264, 268, 272, 320, 325}
	// The group pairs a key for one algorithm with a token of another.
	otherAlgorithm = []int{346, 347, 350, 351}
	// Called valid, with a foreign character in the text.
	foreignCharacter = []int{372, 373}
	// Called invalid, byte-identical to the valid 357.
	identicalToValid = []int{367, 370}
)

func TestWycheproofSignatures(t *testing.T) {
	mayRefuse := slices.Concat(emptyPayload, otherAlgorithm, foreignCharacter)
	agreed := 0
	for _, g := range readWycheproof(t, "json_web_signature_test.json").TestGroups {
		doc := g.Public
		if doc == nil {
			doc = g.Private // symmetric
		}
		var keys []*Key
		if k, err := ParseInlineJWK(doc); err == nil {
			keys = append(keys, k)
		}
		for _, test := range g.Tests {
			raw, isString := test.JWS.(string)
			var err error = ErrMalformed // JSON serialization is not a text that Parse takes
			if isString {
				err = signatureLayer(raw, keys)
			}
			if err == nil {
				oracleAccepts(t, raw, doc)
			}
			switch valid := test.Result == "valid"; {
			case valid == (err == nil):
				agreed++
			case err == nil && !slices.Contains(identicalToValid, test.TcID):
				t.Errorf("%d %s %s: accepted", test.TcID, g.Comment, test.Comment)
			case err != nil && !slices.Contains(mayRefuse, test.TcID):
				t.Errorf("%d %s %s: refused: %v", test.TcID, g.Comment, test.Comment, err)
			}
		}
	}
	if agreed < 387 {
		t.Errorf("agreed with %d vectors only", agreed)
	}
}

func TestWycheproofKeys(t *testing.T) {
	agreed := 0
	for _, g := range readWycheproof(t, "json_web_key_test.json").TestGroups {
		doc := g.Public
		if doc == nil {
			doc = g.Private
		}
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(doc, &set); err != nil {
			t.Fatal(err)
		}
		var keys []*Key
		for _, k := range set.Keys {
			if k, err := ParseInlineJWK(k); err == nil {
				keys = append(keys, k)
			}
		}
		for _, test := range g.Tests {
			if slices.Contains(test.Flags, "Ambiguous") {
				continue // a question of the whole set, which is not this package's
			}
			err := signatureLayer(test.JWS.(string), keys)
			if (test.Result == "valid") != (err == nil) {
				t.Errorf("%d %s %s: want %s, got %v", test.TcID, g.Comment, test.Comment, test.Result, err)
			}
			agreed++
		}
	}
	if agreed < 20 {
		t.Errorf("looked at %d vectors only", agreed)
	}
}

// oracleAccepts holds what we accept against another implementation.
func oracleAccepts(t *testing.T, raw string, key []byte) {
	t.Helper()
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(key); err != nil {
		t.Errorf("the oracle refuses a key that we take: %v", err)
		return
	}
	obj, err := jose.ParseSignedCompact(raw, everyJoseAlgorithm)
	if err != nil {
		t.Errorf("the oracle cannot parse what we accept: %v", err)
		return
	}
	if _, err := obj.Verify(k); err != nil {
		t.Errorf("the oracle refuses what we accept: %v", err)
	}
}

var everyJoseAlgorithm = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA, jose.HS256, jose.HS384, jose.HS512,
}
