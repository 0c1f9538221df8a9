package cli

import (
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// PrintTable writes the boxed table of the pvault client: +---+ lines and the
// header as given, in lower case.
func (e *Env) PrintTable(header []string, rows [][]string) {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	w.AppendHeader(tableRow(header))
	for _, r := range rows {
		w.AppendRow(tableRow(r))
	}
	e.Println(w.Render())
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		row[i] = Visible(c)
	}
	return row
}

// Visible replaces control characters by their escapes: a stored value must
// not be able to move the cursor or to recolour the terminal of its reader.
func Visible(s string) string {
	clean := true
	for _, r := range s {
		if isControl(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if isControl(r) {
			out = append(out, []rune(escapeRune(r))...)
			continue
		}
		out = append(out, r)
	}
	return string(out)
}

func isControl(r rune) bool {
	return (r < 0x20 && r != '\n' && r != '\t') || (r >= 0x7f && r < 0xa0) ||
		r == 0x202e || r == 0x202d || (r >= 0x2066 && r <= 0x2069)
}

const hexDigits = "0123456789abcdef"

func escapeRune(r rune) string {
	if r < 0x100 {
		return `\x` + string(hexDigits[r>>4]) + string(hexDigits[r&15])
	}
	return `\u` + string(hexDigits[r>>12&15]) + string(hexDigits[r>>8&15]) + string(hexDigits[r>>4&15]) + string(hexDigits[r&15])
}
