package cli

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// ReadSecret asks for a secret without showing it. Without a terminal it reads
// one line from standard input, so that a secret can be piped in.
func (e *Env) ReadSecret(prompt string) (string, error) {
	f, ok := e.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		b, err := e.ReadStdin()
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(b), "\n")
		return strings.TrimSpace(line), nil
	}
	_, _ = fmt.Fprint(e.Stderr, prompt)
	b, err := term.ReadPassword(int(f.Fd()))
	_, _ = fmt.Fprintln(e.Stderr)
	if err != nil {
		return "", Fail(err, "cannot read from the terminal")
	}
	return strings.TrimSpace(string(b)), nil
}
