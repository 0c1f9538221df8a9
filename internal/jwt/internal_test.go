package jwt

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNumbersCompareByExactDecimalValue(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"1", "1.0", 0}, {"1", "10e-1", 0}, {"-0", "0", 0}, {"0.000", "0e99", 0}, {"0", "-0e99999999999999999999", 0}, {"100", "1E+2", 0},
		{"1", "1.9", -1}, {"3.9", "3", 1}, {"-0.5", "0", -1}, {"-2", "-1", -1}, {"-1", "1", -1},
		{"9007199254740993", "9007199254740992", 1}, {"1e300", "-9223372036854775808", 1},
		{"0.1", "0.01", 1}, {"12", "123", -1}, {"1e-400", "0", 1}, {"-1e400", "1e-400", -1}, {"99", "100", -1},
	} {
		a, ok1 := ParseNumber(c.a)
		b, ok2 := ParseNumber(c.b)
		got, ok := a.Compare(b)
		back, _ := b.Compare(a)
		if !ok1 || !ok2 || !ok || got != c.want || back != -c.want || a.Equal(b) != (c.want == 0) {
			t.Errorf("Compare(%s, %s) = %d, %v; want %d", c.a, c.b, got, ok, c.want)
		}
	}
}

func TestNumbersThatNoArithmeticHoldsEqualNothing(t *testing.T) {
	huge, ok := ParseNumber("1e999999999999999999")
	if !ok || huge.Text() != "1e999999999999999999" {
		t.Fatal("a well-formed number is refused")
	}
	one, _ := ParseNumber("1")
	if huge.Equal(huge) || one.Equal(huge) || (Number{}).Equal(Number{}) {
		t.Error("numbers beyond all bounds, or none at all, are taken as equal")
	}
}

func TestOnlyJSONNumbersAreNumbers(t *testing.T) {
	for _, s := range []string{"", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x10", "NaN", "1 ", "1e5x", "--1", "1.5.5", "1ee5", "Infinity"} {
		if _, ok := ParseNumber(s); ok {
			t.Errorf("%q is taken for a number", s)
		}
	}
}

func TestNumberOrderAgreesWithRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?`)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		na, ok1 := ParseNumber(a)
		nb, ok2 := ParseNumber(b)
		ra, ok3 := new(big.Rat).SetString(a)
		rb, ok4 := new(big.Rat).SetString(b)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			t.Fatalf("%q %q: not read", a, b)
		}
		if got, ok := na.Compare(nb); !ok || got != ra.Cmp(rb) {
			t.Fatalf("Compare(%s, %s) = %d, %v; want %d", a, b, got, ok, ra.Cmp(rb))
		}
	})
}

func TestDatesAreExactAndNeverWrap(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0", "1970-01-01T00:00:00Z"}, {"-0.0", "1970-01-01T00:00:00Z"}, {"0.4", "1970-01-01T00:00:00.4Z"},
		{"1893412799", "2029-12-31T11:59:59Z"}, {"1.893412799e9", "2029-12-31T11:59:59Z"},
		{"1893412799.123456789", "2029-12-31T11:59:59.123456789Z"}, {"1.0000000009", "1970-01-01T00:00:01Z"},
		{"-1", "1969-12-31T23:59:59Z"}, {"-0.5", "1969-12-31T23:59:59.5Z"}, {"-1e-10", "1969-12-31T23:59:59.999999999Z"},
		{"1e-100000", "1970-01-01T00:00:00Z"}, {"1e-9", "1970-01-01T00:00:00.000000001Z"}, {"12e-8", "1970-01-01T00:00:00.00000012Z"},
		{"9223372036854775807", "9999-12-31T23:59:59.999999999Z"}, {"9223372036854775808", "9999-12-31T23:59:59.999999999Z"},
		{"1e19", "9999-12-31T23:59:59.999999999Z"}, {"1e400", "9999-12-31T23:59:59.999999999Z"},
		{"1e99999999999999999999", "9999-12-31T23:59:59.999999999Z"}, {"300000000000", "9999-12-31T23:59:59.999999999Z"},
		{"-1e400", "0001-01-01T00:00:00Z"}, {"-1e99999999999999999999", "0001-01-01T00:00:00Z"}, {"-100000000000", "0001-01-01T00:00:00Z"},
		{"1e-99999999999999999999", "1970-01-01T00:00:00Z"}, {"1E-99999999999999999999", "1970-01-01T00:00:00Z"},
	} {
		n, ok := ParseNumber(c.text)
		if got := n.time().Format(time.RFC3339Nano); !ok || got != c.want {
			t.Errorf("%s is %s, want %s", c.text, got, c.want)
		}
	}
}

func TestDateAgreesWithRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,10})(\.[0-9]{1,12})?`).Draw(t, "n")
		n, _ := ParseNumber(text)
		r, _ := new(big.Rat).SetString(text)
		ns := new(big.Rat).Mul(r, new(big.Rat).SetInt64(1e9))
		floor := new(big.Int).Div(ns.Num(), ns.Denom()) // Euclidean: towards the past
		sec, nsec := new(big.Int).DivMod(floor, big.NewInt(1e9), new(big.Int))
		want := time.Unix(sec.Int64(), nsec.Int64())
		if want.Before(earliest) || want.After(latest) {
			t.Skip()
		}
		if got := n.time(); !got.Equal(want) {
			t.Fatalf("%s is %v, want %v", text, got, want)
		}
	})
}

func TestDepthCountsBracketsOutsideStringsOnly(t *testing.T) {
	for _, c := range []struct {
		doc  string
		want bool
	}{
		{`{}`, true}, {`{"a":[]}`, true}, {`{"a":[{}]}`, false}, {`{"a":"[[[[{{{"}`, true}, {`{"a":"\"[[[[","b":"\\"}`, true},
		{`[[],[],[],[]]`, true}, {`[{"a":[]}]`, false}, {`[[[`, false},
	} {
		if got := depthWithin([]byte(c.doc), 2); got != c.want {
			t.Errorf("depthWithin(%s, 2) = %v", c.doc, got)
		}
	}
}

func TestNamesThatFoldOntoRegisteredOnesAreFound(t *testing.T) {
	for _, name := range []string{"SUB", "ſub", "Iss", "iſs", "iſſ", "EXP", "aUd", "JTI"} {
		if _, ok := foldsOnto(name, registeredClaims); !ok {
			t.Errorf("%q is not found", name)
		}
	}
	for _, name := range []string{"sub", "iss", "subject", "su", "", "s\u0443b", "ｓｕｂ", "nbf ", "ıss"} {
		if r, ok := foldsOnto(name, registeredClaims); ok {
			t.Errorf("%q folds onto %q", name, r)
		}
	}
}

func TestEdwardsPointsOfSmallOrderAreRefused(t *testing.T) {
	for _, h := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // not canonical
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // not canonical
		"0200000000000000000000000000000000000000000000000000000000000000", // not on the curve
		"00",
	} {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatal(err)
		}
		if soundEdwardsPoint(b) {
			t.Errorf("%s is taken for a sound key", h)
		}
	}
	// The 19 encodings at or above the field's prime are second spellings.
	onCurve := 0
	for y := range int64(19) {
		spelling := func(n *big.Int) []byte {
			b := n.FillBytes(make([]byte, 32))
			slices.Reverse(b)
			return b
		}
		if soundEdwardsPoint(spelling(big.NewInt(y))) {
			onCurve++
		}
		if soundEdwardsPoint(spelling(new(big.Int).Add(fieldP, big.NewInt(y)))) {
			t.Errorf("p+%d is taken for a sound key", y)
		}
	}
	if onCurve == 0 {
		t.Error("none of the small coordinates is on the curve, so nothing was tested")
	}
	for range 8 {
		pub, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !soundEdwardsPoint(pub) {
			t.Errorf("%x is refused", pub)
		}
	}
}

func TestROCAFingerprintIsFoundAndRare(t *testing.T) {
	// A number that is 65537^k modulo each of the primes, by the Chinese
	// remainder theorem: the structure of a weak modulus.
	n, m := big.NewInt(0), big.NewInt(1)
	for i, p := range rocaPrimes {
		prime := big.NewInt(p)
		want := new(big.Int).Exp(big.NewInt(65537), big.NewInt(int64(i)+5), prime)
		// n += m * ((want-n)/m mod p)
		diff := new(big.Int).Sub(want, n)
		diff.Mul(diff, new(big.Int).ModInverse(m, prime)).Mod(diff, prime)
		n.Add(n, diff.Mul(diff, m))
		m.Mul(m, prime)
	}
	if !hasROCA(n) {
		t.Error("the structure of a weak modulus is not found")
	}
	if hasROCA(new(big.Int).Add(n, big.NewInt(1))) {
		t.Error("every number is taken for weak")
	}
}

func TestSplitLooksAtThreePartsOnly(t *testing.T) {
	for _, s := range []string{"", ".", "..", "...", "a", "a.b", "a.b.", ".b.c", "a..c", "a.b.c.", "a.b.c.d", strings.Repeat(".", 1<<20)} {
		if _, _, _, ok := split(s); ok {
			t.Errorf("%.20q is split", s)
		}
	}
	if h, p, s, ok := split("a.b.c"); !ok || h+p+s != "abc" {
		t.Error("three parts are not split")
	}
}

func FuzzSplitAndDecode(f *testing.F) {
	f.Add("a.b.c")
	f.Add("YQ.YQ.YR")
	f.Add("YQ.Y\nQ.YQ")
	f.Fuzz(func(t *testing.T, raw string) {
		h, p, s, ok := split(raw)
		if !ok {
			return
		}
		if h+"."+p+"."+s != raw {
			t.Fatalf("parts of %q do not make it up", raw)
		}
		for _, seg := range []string{h, p, s} {
			if b, ok := decodeSegment(seg); ok && strict64.EncodeToString(b) != seg {
				t.Fatalf("%q is accepted and is not canonical", seg)
			}
		}
	})
}

// FuzzJSON holds the walker against the library: whatever the library finds
// valid, the walker must take apart without a panic and without losing
// anything.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, ` { "a" : [ 1 , "\"]" , {} ] , "b":null } `, `{"a":{"a":[[],[{}]]}}`, `{"\u0061":1e5,"é":"\ud83d\ude00"}`, `[]`, `{"a":"\ud800"}`, `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		v, err := ParseValue([]byte(doc), 32)
		if err != nil {
			return
		}
		again, err := ParseValue(v.JSON(), 32)
		if err != nil || again != v {
			t.Fatalf("%q does not survive", doc)
		}
		walk(t, v)
	})
}

func walk(t *testing.T, v Value) {
	t.Helper()
	_ = v.Any()
	list, _ := v.List()
	for _, e := range list {
		walk(t, e)
	}
	for _, name := range v.Names() {
		m := v.Member(name)
		if m.Kind() == KindAbsent {
			t.Fatalf("member %q is lost", name)
		}
		walk(t, m)
	}
	if n, ok := v.Number(); ok && !wellFormed(n.Text()) {
		t.Fatalf("%q is not a number", n.Text())
	}
}
