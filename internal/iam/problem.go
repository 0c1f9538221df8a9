package iam

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// Problem is one thing that is wrong in an IAM file.
type Problem struct {
	File string // as the caller of Compile named it
	Line int    // from 1; 0 when the problem is not on a line
	Path string // key, such as "users.WebApp.role"; "" for the whole file
	Text string // what is wrong and what to do, never a secret
}

// String returns "file:line: path: text".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is the error of a file that does not compile: every problem, in the
// order of the file.
type Problems []Problem

// Error returns one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// maxShown bounds how many problems the public text lists.
const maxShown = 100

// fault returns the problems as an error of kind Invalid whose public text
// lists them, with the Problems as its cause; nil if there are none.
func (p Problems) fault() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	text := p[:min(len(p), maxShown)].Error()
	if more := len(p) - maxShown; more > 0 {
		text += fmt.Sprintf("\n… and %d more", more)
	}
	return fault.Wrap(fault.Invalid, p, text).WithReason("iam_config")
}

// nearest returns a hint such as `; did you mean "roles"?`, or "" if nothing
// is close.
func nearest(got string, known []string) string {
	best, at := "", 3
	for _, k := range known {
		if d := distance(got, k, at); d < at {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is how many letters differ between two words, at most limit. Case
// counts for nothing: it is the commonest slip.
func distance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if max(len(a), len(b)) > 64 || max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
