package cli

import (
	"strings"
	"unicode/utf8"
)

// columnGap stands between two columns.
const columnGap = "    "

// Columns lays rows out as the Vault-style clients do: left-aligned columns
// with four spaces between them, an empty cell as "n/a", no space at the end
// of a line. Line ends inside a cell stay as they are.
func Columns(rows [][]string) string {
	widths := columnWidths(rows)
	var out strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			cell = orNA(cell)
			out.WriteString(cell)
			if i == len(row)-1 {
				break
			}
			out.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
			out.WriteString(columnGap)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// Underlined puts a row of dashes under the header.
func Underlined(header []string, rows [][]string) [][]string {
	dashes := make([]string, len(header))
	for i, h := range header {
		dashes[i] = strings.Repeat("-", len(h))
	}
	return append([][]string{header, dashes}, rows...)
}

func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(orNA(cell)))
		}
	}
	return widths
}

func orNA(s string) string {
	if s == "" {
		return "n/a"
	}
	return s
}

// Heading returns a title between equals signs, as wide as the block below it,
// or with two signs on each side of a title that is wider: "== Title ==".
func Heading(title string, width int) string {
	signs := width - len(title) - 2
	if signs <= 0 {
		signs = 4
	}
	side := strings.Repeat("=", (signs+1)/2)
	return side + " " + title + " " + side
}

// PrintColumns writes rows under an underlined header.
func (e *Env) PrintColumns(header []string, rows [][]string) {
	e.Printf("%s", Columns(Underlined(header, rows)))
}
