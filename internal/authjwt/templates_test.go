package authjwt

import (
	"strings"
	"testing"
	"time"
)

// FuzzPolicyTemplates: whatever a role's writer makes a template of, filling it
// in ends soon and gives short names.
func FuzzPolicyTemplates(f *testing.F) {
	for _, text := range []string{
		"team-{{.team}}", `{{range .groups}}{{if eq . "ops"}}ops{{end}}{{end}}`, "{{range $i, $g := .groups}}{{$i}}{{break}}{{end}}", "{{range 1000000000}}{{end}}",
		"{{with $x := 1000000000}}{{range $x}}{{continue}}{{end}}{{end}}", `{{printf "%99s%-.2f" .team .n}}`, "{{$x := .team}}{{$x = print $x $x}}{{html (js $x)}}",
		`{{.team | lowercase | replace "t" "tt" | truncate 20}}{{if glob "a*" .team}}x{{end}}`, "{{truncate_sha256 12 .team}}{{sha256 .team | hex | decode_hex}}{{base64 .team | decode_base64}}",
		"{{range .groups}}{{range $.groups}}{{else}}{{end}}{{else}}none{{end}}", "{{slice .team 0 1}}{{index .groups 0}}{{len .team}}{{call .team}}", "{{template \"policy\"}}",
	} {
		f.Add(text)
	}
	claims := map[string]any{"team": strings.Repeat("t", 2000), "groups": make([]any, 300), "n": 7.5, "deep": map[string]any{"a": []any{"b"}}}
	f.Fuzz(func(t *testing.T, text string) {
		templates, err := policyTemplates([]string{text})
		if err != nil {
			return
		}
		start := time.Now()
		names, err := fill(templates, claims)
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
		for _, n := range names {
			if err == nil && len(n) > maxPolicyName {
				t.Errorf("a name of %d bytes", len(n))
			}
		}
	})
}

// TestFunctionsOfPolicyTemplates: those that the reference has, with its values.
func TestFunctionsOfPolicyTemplates(t *testing.T) {
	claims := map[string]any{"team": "Ops-West", "branch": "release/1", "b": "b3Bz", "h": "6f7073", "long": strings.Repeat("l", maxMade)}
	for text, want := range map[string]string{
		"{{.team | lowercase}}":                        "ops-west",
		"{{.team | uppercase}}":                        "OPS-WEST",
		`{{.team | replace "-" "_"}}`:                  "Ops_West",
		"{{truncate 3 .team}}":                         "Ops",
		"{{truncate 99 .team}}":                        "Ops-West",
		"{{truncate_sha256 12 .team}}":                 "Ops-West",
		"{{truncate_sha256 12 (print .team .branch)}}": "Ops-07fd6cdf",
		"{{truncate 8 (sha256 .team)}}":                "2e53d7d5",
		"{{base64 .team}}":                             "T3BzLVdlc3Q=",
		"{{hex .b}}":                                   "6233427a",
		"{{decode_base64 .b}}":                         "ops",
		"{{decode_hex .h}}":                            "ops",
		`{{if glob "release/*" .branch}}r{{end}}`:      "r",
		`{{if glob "main" .branch}}m{{else}}o{{end}}`:  "o",
		"{{decode_base64 .team}}":                      "", // and all below: refused
		"{{decode_hex .team}}":                         "",
		"{{truncate 0 .team}}":                         "",
		"{{truncate_sha256 8 .team}}":                  "",
		`{{replace "" .long .long}}`:                   "",
		`{{replace "l" "ll" .long}}`:                   "",
		"{{lowercase (print .long .team)}}":            "",
		`{{if glob .long .long}}x{{end}}`:              "",
	} {
		templates, err := policyTemplates([]string{text})
		if err != nil {
			t.Fatal(text, err)
		}
		names, err := fill(templates, claims)
		if want == "" && err == nil || want != "" && (err != nil || len(names) != 1 || names[0] != want) {
			t.Errorf("%s comes to %q, %v; want %q", text, names, err, want)
		}
	}
	for _, text := range []string{"{{random 5}}", "{{uuid}}", "{{unix_time}}", "{{unix_time_millis}}", `{{timestamp "2006"}}`} {
		if _, err := policyTemplates([]string{text}); err == nil {
			t.Errorf("%s names another policy at each login", text)
		}
	}
}
