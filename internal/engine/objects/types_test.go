package objects

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func TestValuesAreNormalisedOrRefused(t *testing.T) {
	for name, cases := range map[string]map[string]string{ // "" = refused
		"STRING":               {`"cafe\u0301"`: `"café"`, `""`: `""`, `5`: "", `null`: "", `"\ud800"`: ""},
		"INTEGER":              {`5`: `5`, `-9223372036854775808`: `-9223372036854775808`, `9223372036854775808`: "", `1.0`: "", `1e3`: "", `"5"`: ""},
		"DOUBLE":               {`1.50`: `1.5`, `1e2`: `100`, `1e999`: "", `"1"`: ""},
		"BOOLEAN":              {`true`: `true`, `1`: ""},
		"JSON":                 {`{"b": 1, "a": [1, 2]}`: `{"b":1,"a":[1,2]}`, `12345678901234567890`: `12345678901234567890`},
		"EMAIL":                {`" Bob@X.Com "`: `"bob@x.com"`, `"a@b@c"`: "", `"@b.c"`: "", `"a b@c.d"`: ""},
		"EMAIL_STRICT":         {`"Bob@X.Com"`: `"bob@x.com"`, `"bob@localhost"`: "", `"\"q\"@x.com"`: ""},
		"URL":                  {`"https://x.test/a"`: `"https://x.test/a"`, `"ftp://x"`: "", `"/rel"`: "", `"javascript:alert(1)"`: ""},
		"PHONE_NUMBER":         {`"+1 (212) 555-2795"`: `"+12125552795"`, `"123"`: "", `"12345678x"`: ""},
		"ZIP_CODE_US":          {`"12345"`: `"12345"`, `"12345-6789"`: `"12345-6789"`, `"1234"`: ""},
		"TIMESTAMP":            {`"2026-01-02T03:04:05+02:00"`: `"2026-01-02T01:04:05Z"`, `"2026-01-02"`: ""},
		"DATE":                 {`"2024-02-29"`: `"2024-02-29"`, `"2023-02-29"`: ""},
		"SSN":                  {`"123456789"`: `"123-45-6789"`, `"000-12-3456"`: "", `"666-12-3456"`: "", `"912-12-3456"`: "", `"123-00-4567"`: ""},
		"BAN":                  {`"de89 3704 0044"`: `"DE8937040044"`, `"x"`: ""},
		"CC_NUMBER":            {`"4111 1111 1111 1111"`: `"4111111111111111"`, `"4111111111111112"`: "", `"41"`: ""},
		"CC_EXPIRATION_STRING": {`"1/30"`: `"01/2030"`, `"12-2031"`: `"12/2031"`, `"13/30"`: ""},
		"CC_CVV":               {`"123"`: `"123"`, `"12"`: "", `"12a"`: ""},
		"US_BANK_ROUTING":      {`"021000021"`: `"021000021"`, `"021000022"`: ""},
		"OBJECT_ID":            {`"11111111-1111-4111-8111-11111111111A"`: `"11111111-1111-4111-8111-11111111111a"`, `"x"`: ""},
		"NAME":                 {`" Ann "`: `"Ann"`, `""`: "", `"a\u0000b"`: ""},
		"ADDRESS":              {`"1 Road\nTown"`: `"1 Road\nTown"`, `"a\u0007"`: ""},
	} {
		for in, want := range cases {
			got, rule := builtinTypes[name].canonical(jsontext.Value(in))
			if string(got) != want || (rule == "") != (want != "") {
				t.Errorf("%s %s: got %s, rule %q, want %s", name, in, got, rule, want)
			}
		}
	}
}

func TestCanonicalValuesAreStable(t *testing.T) {
	for name, in := range map[string]string{
		"EMAIL": `"Bob@X.Com"`, "PHONE_NUMBER": `"+1 212 555 2795"`, "SSN": `"123456789"`, "CC_EXPIRATION_STRING": `"1/30"`, "TIMESTAMP": `"2026-01-02T03:04:05+02:00"`, "DOUBLE": `0.10`,
	} {
		once, _ := builtinTypes[name].canonical(jsontext.Value(in))
		twice, rule := builtinTypes[name].canonical(jsontext.Value(once))
		if rule != "" || string(once) != string(twice) {
			t.Errorf("%s: %s became %s (%s)", name, once, twice, rule)
		}
	}
}

func TestMasks(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tc := range [][4]string{
		{"EMAIL", "mask", "john@gmail.com", `"j**********@gmail.com"`},
		{"SSN", "mask", "123-45-4357", `"***-**-4357"`},
		{"PHONE_NUMBER", "mask", "+12125552795", `"***-****-2795"`},
		{"CC_NUMBER", "mask", "4111111111111111", `"************1111"`},
		{"BAN", "mask", "1234", `"****"`},
		{"ZIP_CODE_US", "mask", "12345-6789", `"123**"`},
		{"NAME", "mask", "Jane Doe", `"J*** D**"`},
		{"DATE", "mask", "1990-05-01", `"1990-**-**"`},
		{"GENDER", "mask", "female", `"****"`},
		{"CC_CVV", "mask", "123", `"****"`},
		{"DATE_OF_BIRTH", "age", "1990-11-22", `35`},
		{"DATE_OF_BIRTH", "age", "1990-11-21", `36`},
		{"DATE_OF_BIRTH", "age", "2030-01-01", `0`},
		{"DATE_OF_BIRTH", "age_frac", "2026-05-22", `0.5`},
	} {
		if got := builtinTypes[tc[0]].transforms[tc[1]](tc[2], now); string(got) != tc[3] {
			t.Errorf("%s.%s of %s: got %s, want %s", tc[0], tc[1], tc[2], got, tc[3])
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"abc", "ABC", true}, {"abc", "abcd", false}, {"*abc", "xxabc", true}, {"abc*", "abcxx", true}, {"a?cde*", "aXcde", true},
		{"*abc*def*", "xxabcyydefzz", true}, {"*abc*def*", "xxdefyyabc", false}, {"ÄÖÜ*", "äöüß", true}, {"*abc", "abcabd", false},
	} {
		g, rule := compileGlob(tc.pattern)
		if rule != "" {
			t.Errorf("%s: %s", tc.pattern, rule)
			continue
		}
		if got := g.match(fold(tc.text)); got != tc.want {
			t.Errorf("%s on %s: got %v", tc.pattern, tc.text, got)
		}
	}
	for _, bad := range []string{"", "*", "ab", "a*b*c", "\xff"} {
		if _, rule := compileGlob(bad); rule == "" {
			t.Errorf("%q is accepted", bad)
		}
	}
}
