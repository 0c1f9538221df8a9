package cli

import (
	"bytes"
	"testing"
)

func TestColumns(t *testing.T) {
	got := Columns(Underlined([]string{"Key", "Value"}, [][]string{{"ünï", "1"}, {"long_name", ""}, {"", "x"}}))
	want := "Key          Value\n---          -----\nünï          1\nlong_name    n/a\nn/a          x\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Columns(nil) != "" {
		t.Error("no rows, no text")
	}
}

func TestHeadings(t *testing.T) {
	for _, c := range []struct {
		title string
		width int
		want  string
	}{
		{"Secret Path", 15, "= Secret Path ="},
		{"Secret Path", 13, "== Secret Path =="},
		{"Secret Path", 10, "== Secret Path =="},
		{"Metadata", 24, "======= Metadata ======="},
		{"Data", 13, "==== Data ===="},
		{"Long", 0, "== Long =="},
	} {
		if got := Heading(c.title, c.width); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestTableHasTheGuidesShape(t *testing.T) {
	e, out, _ := testEnv(nil, "")
	e.PrintTable([]string{"vault_id", "cli"}, [][]string{{"384662711408558080", "v1"}, {"a\x1b[31mb", "é"}})
	want := "+--------------------+-----+\n" +
		"| vault_id           | cli |\n" +
		"+--------------------+-----+\n" +
		"| 384662711408558080 | v1  |\n" +
		"| a\\x1b[31mb         | é   |\n" +
		"+--------------------+-----+\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestControlCharactersAreMadeVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünï\n\ttext": "plain ünï\n\ttext", "\x1b]0;x\a": `\x1b]0;x\x07`, "a\u202eb": `a\u202eb`, "\u009b": `\x9b`, "a\rb": `a\x0db`,
	} {
		if got := Visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestYAMLCannotBeMistaken(t *testing.T) {
	e, out, _ := testEnv(nil, "")
	v := map[string]any{
		"yes": "no", "num": "12", "n": Number("12345678901234567890"), "f": Number("1.50"), "nil": nil, "t": true,
		"colon": "a: b", "url": "https://x/y", "dash": "-", "multi": "a\nb", "empty": "", "e": map[string]any{}, "l": []any{},
		"nested": []any{map[string]any{"a": []any{Number("1"), "x"}, "b": "c"}, []any{"y", Number("2")}, "# no comment"},
	}
	if err := e.PrintYAML(v); err != nil {
		t.Fatal(err)
	}
	want := `colon: "a: b"
dash: "-"
e: {}
empty: ""
f: 1.50
l: []
multi: "a\nb"
"n": 12345678901234567890
nested:
- a:
  - 1
  - x
  b: c
- - "y"
  - 2
- "# no comment"
nil: null
num: "12"
t: true
url: https://x/y
"yes": "no"
`
	if !bytes.Equal(out.Bytes(), []byte(want)) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestJSONKeepsNumbers(t *testing.T) {
	var v any
	in := `{"a":[123456789012345678901234567890,1.10,-0,1e400],"b":"<&>"}`
	if err := Decode([]byte(in), &v); err != nil {
		t.Fatal(err)
	}
	got, err := EncodeJSON(v)
	if err != nil || string(got) != in {
		t.Errorf("got %s, %v", got, err)
	}
}
