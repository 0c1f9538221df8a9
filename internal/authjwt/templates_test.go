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
