package passpolicy

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

const everyClass = `
length = 20
rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" min-chars = 1 }
rule "charset" { charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" min-chars = 2 }
rule "charset" { charset = "0123456789" min-chars = 3 }
rule "charset" { charset = "!@#$%^&*" }`

func TestPasswordsSatisfyEveryRule(t *testing.T) {
	for name, text := range map[string]string{
		"HCL": everyClass,
		"JSON": `{"length": 20, "rule": [{"charset": {"charset": "abcdefghijklmnopqrstuvwxyz", "min-chars": 1}},
			{"charset": {"charset": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "min-chars": 2}}, {"charset": {"charset": "0123456789", "min-chars": 3}}, {"charset": {"charset": "!@#$%^&*"}}]}`,
	} {
		p, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := map[string]bool{}
		for range 200 {
			pw, err := p.Generate(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			count := func(in func(rune) bool) (n int) {
				for _, c := range pw {
					if in(c) {
						n++
					}
				}
				return n
			}
			if len(pw) != 20 || count(unicode.IsLower) < 1 || count(unicode.IsUpper) < 2 || count(unicode.IsDigit) < 3 || seen[pw] {
				t.Fatalf("%s: a password of %d characters with %d lower, %d upper, %d digits, seen %v", name, len(pw), count(unicode.IsLower), count(unicode.IsUpper), count(unicode.IsDigit), seen[pw])
			}
			seen[pw] = true
		}
	}
}

// Nobody who may ask for a password waits for luck.
func TestRulesThatChanceRarelyMeetsAreStillMet(t *testing.T) {
	p, err := Parse(`length = 100
		rule "charset" { charset = "1" min-chars = 99 }
		rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" min-chars = 1 }`)
	if err != nil {
		t.Fatal(err)
	}
	places := map[int]bool{}
	for range 40 {
		pw, err := p.Generate(rand.Reader)
		if err != nil || strings.Count(pw, "1") != 99 {
			t.Fatalf("%d ones, %v", strings.Count(pw, "1"), err)
		}
		places[strings.IndexFunc(pw, unicode.IsLetter)] = true
	}
	if len(places) < 10 {
		t.Errorf("the demanded letter stood at %d places only", len(places))
	}
}

func TestEachCharacterIsAsLikely(t *testing.T) {
	p, err := Parse(`length = 100
		rule "charset" { charset = "aaab" }
		rule "charset" { charset = "bc" }`)
	if err != nil {
		t.Fatal(err)
	}
	count := map[rune]int{}
	for range 300 {
		pw, err := p.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range pw {
			count[c]++
		}
	}
	for _, c := range "abc" {
		if n := count[c]; n < 9000 || n > 11000 { // 10,000 expected; a deviation by more than 12 sigma
			t.Errorf("%q stands %d times in 30,000 characters", c, n)
		}
	}
}

func TestPoliciesThatCannotBeAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":             "passwords must be between 4 and 100 characters",
		"length = 3\n": "passwords must be between 4 and 100 characters",
		`length = 101 rule "charset" { charset = "a" }`: "passwords must be between 4 and 100 characters",
		`length = 20`:                  "invalid password policy: no charset specified",
		`length = "x"`:                 "invalid password policy: length must be a whole number that is not negative",
		`length = -1`:                  "invalid password policy: length must be a whole number that is not negative",
		`length = {}`:                  "invalid password policy: length must be a whole number that is not negative",
		"length = 20\nsize = 20":       `invalid password policy: line 2: only length and rule "charset" are known`,
		`{"length": 20, "length": 20}`: "invalid password policy: length stands there twice",
		`length = 20 rule "regex" { charset = "a" }`:                                           `invalid password policy: the only kind of rule is "charset"`,
		`length = 20 rule { }`:                                                                 `invalid password policy: the only kind of rule is "charset"`,
		`length = 20 rule = 3`:                                                                 `invalid password policy: the only kind of rule is "charset"`,
		`length = 20 rule "charset" { }`:                                                       "invalid password policy: a rule needs a charset",
		`length = 20 rule "charset" { charset = 7 }`:                                           "invalid password policy: charset must be a text",
		`length = 20 rule "charset" { charset = ["a"] }`:                                       "invalid password policy: charset must be a text",
		`length = 20 rule "charset" { charset = "a" min-char = 1 }`:                            "invalid password policy: line 1: a rule has charset and min-chars only",
		`length = 20 rule "charset" { charset = "a\tb" }`:                                      "invalid password policy: non-printable character in charset",
		`length = 4 rule "charset" { charset = "a" min-chars = 5 }`:                            "invalid password policy: specified rules require at least 5 characters but 4 is specified",
		`length = 20 rule "charset" {`:                                                         "invalid password policy: it is neither HCL nor JSON",
		"length = \xff":                                                                        "invalid password policy: it is not valid UTF-8",
		`length = 20 rule "charset" { charset = "` + manyChars(256) + `" }`:                    "invalid password policy: charset is too long: limited to 255 characters",
		`length = 20 rule "charset" { charset = "` + strings.Repeat("a", maxText) + `" }`:      "invalid password policy: it is longer than 8192 bytes",
		strings.Repeat("[", maxText):                                                           "invalid password policy: it is neither HCL nor JSON",
		`length = 20 rule "charset" { charset = "a" min-chars = 99999999999999999999999999 } `: "invalid password policy: it holds a value that cannot be read",
	} {
		if _, err := Parse(text); !fault.Is(err, fault.Invalid) || fault.PublicText(err) != want {
			t.Errorf("%.60q: %q, want %q", text, fault.PublicText(err), want)
		}
	}
}

func manyChars(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteRune(rune(0x4e00 + i))
	}
	return b.String()
}

func TestNoPasswordWithoutRandomness(t *testing.T) {
	p, err := Parse(everyClass)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no more")
	for _, rng := range []io.Reader{iotest.ErrReader(broken), io.MultiReader(bytes.NewReader(make([]byte, 70)), iotest.ErrReader(broken))} {
		if _, err := p.Generate(rng); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	}
	if _, err := (Policy{}).Generate(rand.Reader); err == nil {
		t.Error("the zero policy made a password")
	}
}

func TestStoreKeepsWhatIsValid(t *testing.T) {
	ctx := context.Background()
	st, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	s := NewStore(st)
	if err := s.Put(ctx, "strong", Stored{Text: everyClass, EntropySource: "platform"}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"": everyClass, strings.Repeat("x", 257): everyClass, "bad": "length = 1"} {
		if err := s.Put(ctx, name, Stored{Text: text}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if p, ok, err := s.Get(ctx, "strong"); p.Text != everyClass || p.EntropySource != "platform" || !ok || err != nil {
		t.Errorf("%+v %v %v", p, ok, err)
	}
	if names, err := s.List(ctx); len(names) != 1 || names[0] != "strong" || err != nil {
		t.Errorf("%q %v", names, err)
	}
	if err := errors.Join(s.Delete(ctx, "strong"), s.Delete(ctx, "strong")); err != nil {
		t.Error(err)
	}
	if _, ok, err := s.Get(ctx, "strong"); ok || err != nil {
		t.Errorf("it is still there, %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everyClass)
	f.Add(`{"length": 20, "rule": {"charset": {"charset": "abc", "min-chars": "1"}}}`)
	f.Add(`length = 4 rule "charset" "x" { charset = "a" }`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		pw, err := p.Generate(rand.Reader)
		if err != nil || len([]rune(pw)) != p.length || !p.content([]rune(pw)) {
			t.Fatalf("a password of %d characters, %v", len([]rune(pw)), err)
		}
	})
}
