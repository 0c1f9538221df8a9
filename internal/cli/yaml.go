package cli

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// PrintYAML writes v as YAML block text. v is first made into JSON, so that
// both formats always show the same names and values.
func (e *Env) PrintYAML(v any) error {
	raw, err := EncodeJSON(v)
	if err != nil {
		return Fail(err, "cannot print the answer as YAML")
	}
	var plain any
	if err := Decode(raw, &plain); err != nil {
		return Fail(err, "cannot print the answer as YAML")
	}
	var out bytes.Buffer
	writeYAML(&out, plain, "", false)
	_, err = e.Stdout.Write(out.Bytes())
	return err
}

// writeYAML writes one value that begins on the current line. inList says that
// the line already holds "- ", so a map's first name needs no indent.
func writeYAML(out *bytes.Buffer, v any, indent string, inList bool) {
	switch v := v.(type) {
	case map[string]any:
		writeYAMLMap(out, v, indent, inList)
	case []any:
		writeYAMLList(out, v, indent, inList)
	default:
		out.WriteString(yamlScalar(v))
		out.WriteByte('\n')
	}
}

func writeYAMLMap(out *bytes.Buffer, m map[string]any, indent string, inList bool) {
	if len(m) == 0 {
		out.WriteString("{}\n")
		return
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 || !inList {
			out.WriteString(indent)
		}
		out.WriteString(yamlString(name))
		out.WriteByte(':')
		writeYAMLChild(out, m[name], indent)
	}
}

func writeYAMLChild(out *bytes.Buffer, v any, indent string) {
	switch c := v.(type) {
	case map[string]any:
		if len(c) > 0 {
			out.WriteByte('\n')
			writeYAMLMap(out, c, indent+"  ", false)
			return
		}
	case []any:
		if len(c) > 0 {
			out.WriteByte('\n')
			writeYAMLList(out, c, indent, false)
			return
		}
	}
	out.WriteByte(' ')
	writeYAML(out, v, indent, false)
}

func writeYAMLList(out *bytes.Buffer, list []any, indent string, inList bool) {
	if len(list) == 0 {
		out.WriteString("[]\n")
		return
	}
	for i, item := range list {
		if i > 0 || !inList {
			out.WriteString(indent)
		}
		out.WriteString("- ")
		writeYAML(out, item, indent+"  ", true)
	}
}

func yamlScalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return yamlString(v)
	default:
		return fmt.Sprint(v)
	}
}

var plainYAML = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*$`)

// yamlString writes text plainly only where no YAML reader can take it for
// something else; otherwise as a double-quoted JSON string, which is YAML too.
func yamlString(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
	default:
		if plainYAML.MatchString(s) && !strings.HasPrefix(s, "-") {
			return s
		}
	}
	quoted, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return fmt.Sprintf("%q", s)
	}
	return string(quoted)
}
