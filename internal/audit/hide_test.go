package audit

import (
	"strings"
	"testing"
)

func TestTokensInPathsAndMessagesAreHidden(t *testing.T) {
	secret := strings.Repeat("aB3_-", 12)
	token := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0." + secret
	for in, want := range map[string]string{
		"":                                     "",
		"secret/data/app":                      "secret/data/app",
		"secret/hvac":                          "secret/hvac",
		"secret/hvs.short":                     "secret/hvs.short",
		"eyJ":                                  "eyJ",
		"eyJhbGci.eyJzdWIi":                    "eyJhbGci.eyJzdWIi",
		"eyJhbGci.eyJzdWIi.x":                  "eyJhbGci.eyJzdWIi.x",
		"eyJhbGci.zdWIi." + secret:             "eyJhbGci.zdWIi." + secret,
		"auth/token/lookup/hvs." + secret:      "auth/token/lookup/hvs.(hidden)",
		"hvb." + secret + "/a/hvs." + secret:   "hvb.(hidden)/a/hvs.(hidden)",
		"hvr." + secret[:20]:                   "hvr.(hidden)",
		"hvs." + secret[:19]:                   "hvs." + secret[:19],
		"eyJhbGci.eyJzdWIi." + secret[:20]:     "(hidden)",
		"hvs." + secret + "é":                  "hvs.(hidden)é",
		"a/" + token + "/b":                    "a/(hidden)/b",
		`no handler for route "` + token + `"`: `no handler for route "(hidden)"`,
	} {
		if got := HideTokens(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestHidingCostsNothingWhereThereIsNothingToHide(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { HideTokens("secret/data/team/hvac/eyJ") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
