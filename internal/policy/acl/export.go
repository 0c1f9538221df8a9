package acl

// Resultant is the merged rules of a caller in the shape that the web page and
// clients of the Vault door read.
type Resultant struct {
	Root       bool                     `json:"root"`
	ExactPaths map[string]ResultantRule `json:"exact_paths"`
	GlobPaths  map[string]ResultantRule `json:"glob_paths"`
}

// ResultantRule is what one path text grants.
type ResultantRule struct {
	Capabilities []string `json:"capabilities"`
}

// Resultant exports the merged rules. A pattern that only ends in "*" stands
// under GlobPaths without it; one with "+" stands there as written.
func (a *ACL) Resultant() Resultant {
	out := Resultant{Root: a.Root(), ExactPaths: map[string]ResultantRule{}, GlobPaths: map[string]ResultantRule{}}
	if a == nil {
		return out
	}
	for _, m := range a.rules {
		r := ResultantRule{Capabilities: m.caps.names()}
		switch {
		case m.pat.exact:
			out.ExactPaths[m.pat.text] = r
		case m.pat.plus == 0:
			out.GlobPaths[m.pat.head] = r
		default:
			out.GlobPaths[m.pat.text] = r
		}
	}
	return out
}
