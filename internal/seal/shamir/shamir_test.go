package shamir

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFieldAgreesWithTheAESField(t *testing.T) {
	// FIPS 197 §4.2: {57}·{83} = {c1}, {57}·{13} = {fe}.
	if got := multiply(0x57, 0x83); got != 0xc1 {
		t.Errorf("57·83 = %02x, want c1", got)
	}
	if got := multiply(0x57, 0x13); got != 0xfe {
		t.Errorf("57·13 = %02x, want fe", got)
	}
	for b := 1; b < 256; b++ {
		if got := multiply(divide(1, byte(b)), byte(b)); got != 1 {
			t.Errorf("%02x times its inverse = %02x", b, got)
		}
	}
}

// The share layout is y bytes then x: a line through (0, s) with slope m has
// the share s ⊕ m·x at x.
func TestCombineReadsYBytesThenX(t *testing.T) {
	share := func(x byte) []byte { return []byte{0x41 ^ multiply(0x57, x), 0x42 ^ multiply(0x83, x), x} }
	got, err := Combine([][]byte{share(7), share(200)})
	if err != nil || string(got) != "AB" {
		t.Fatalf("got %q, %v", got, err)
	}
	// Worked by hand for x = 1 and 2.
	got, err = Combine([][]byte{unhex(t, "16c101"), unhex(t, "ef5f02")})
	if err != nil || string(got) != "AB" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestAnyThresholdOfSharesGivesTheSecretBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "secret")
		n := rapid.IntRange(2, 20).Draw(t, "shares")
		k := rapid.IntRange(2, n).Draw(t, "threshold")
		shares, err := Split(secret, n, k)
		if err != nil {
			t.Fatal(err)
		}
		picked := rapid.Permutation(shares).Draw(t, "picked")[:rapid.IntRange(k, n).Draw(t, "count")]
		got, err := Combine(picked)
		if err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("got %x, %v; want %x", got, err, secret)
		}
	})
}

func TestOneShareTooFewGivesSomethingElse(t *testing.T) {
	secret := bytes.Repeat([]byte{0xa5}, 32)
	shares, err := Split(secret, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Combine(shares[:2])
	if err != nil || bytes.Equal(got, secret) {
		t.Fatalf("two of three shares gave %x, %v", got, err)
	}
}

func TestSplitRefusesImpossibleNumbers(t *testing.T) {
	for _, c := range []struct{ n, k int }{{1, 1}, {2, 1}, {2, 3}, {256, 2}, {0, 0}, {-1, 2}} {
		if _, err := Split([]byte("s"), c.n, c.k); err == nil {
			t.Errorf("Split(%d, %d) was taken", c.n, c.k)
		}
	}
	if _, err := Split(nil, 3, 2); err == nil {
		t.Error("an empty secret was taken")
	}
	shares, err := Split([]byte("s"), 255, 255)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Combine(shares); err != nil || string(got) != "s" {
		t.Fatalf("255 of 255: %q, %v", got, err)
	}
}

func TestCombineRefusesBrokenShares(t *testing.T) {
	for name, c := range map[string]struct {
		shares [][]byte
		want   error
	}{
		"none":       {nil, ErrTooFew},
		"one":        {[][]byte{{1, 1}}, ErrTooFew},
		"too short":  {[][]byte{{1}, {2}}, ErrLength},
		"lengths":    {[][]byte{{1, 1}, {1, 2, 3}}, ErrLength},
		"number 0":   {[][]byte{{1, 0}, {1, 2}}, ErrZero},
		"same share": {[][]byte{{1, 2}, {1, 2}}, ErrDuplicate},
		"same x":     {[][]byte{{1, 2}, {9, 2}}, ErrDuplicate},
	} {
		if _, err := Combine(c.shares); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzCombine(f *testing.F) {
	f.Add([]byte{0x16, 0xc1, 1, 0xef, 0x5f, 2}, 3)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 || size > 64 {
			return
		}
		var shares [][]byte
		for ; len(data) >= size; data = data[size:] {
			shares = append(shares, data[:size])
		}
		secret, err := Combine(shares)
		if err == nil && len(secret) != size-1 {
			t.Fatalf("%d bytes from shares of %d", len(secret), size)
		}
	})
}
