package audit

import "strings"

// hidden stands for a credential in a text that is no place for one.
const hidden = "(hidden)"

// minToken is how many characters must follow the prefix of a client token
// before a text counts as one.
const minToken = 20

// HideTokens replaces what looks like a client token or a JWT in a path or a
// message. Callers that put one into a URL by mistake, as clients of long ago
// had to, would otherwise leave a key in every log. Texts without one come back
// as they are.
func HideTokens(s string) string {
	if !strings.Contains(s, "hv") && !strings.Contains(s, "eyJ") {
		return s
	}
	var out strings.Builder
	for rest := s; ; {
		from, to := findToken(rest)
		if from < 0 {
			if out.Len() == 0 {
				return s
			}
			out.WriteString(rest)
			return out.String()
		}
		out.WriteString(rest[:from])
		out.WriteString(hidden)
		rest = rest[to:]
	}
}

// findToken returns where the secret part of the first token in s begins and
// ends, or -1.
func findToken(s string) (from, to int) {
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "hvs."), strings.HasPrefix(s[i:], "hvb."), strings.HasPrefix(s[i:], "hvr."):
			from = i + len("hvs.")
			if to = from + run(s[from:]); to-from >= minToken {
				return from, to
			}
		case strings.HasPrefix(s[i:], "eyJ"):
			// Three parts: what is signed may be read by anybody, the
			// signature makes it a key.
			payload := i + run(s[i:])
			if payload >= len(s) || s[payload] != '.' || !strings.HasPrefix(s[payload+1:], "eyJ") {
				continue
			}
			dot := payload + 1 + run(s[payload+1:])
			if dot < len(s) && s[dot] == '.' && run(s[dot+1:]) >= minToken {
				return i, dot + 1 + run(s[dot+1:])
			}
		}
	}
	return -1, -1
}

// run counts the characters of the base64url alphabet that s begins with.
func run(s string) int {
	n := strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	})
	if n < 0 {
		return len(s)
	}
	return n
}
