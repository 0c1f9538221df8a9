package authjwt

import "maps"

// merging are the parameters of a merge patch (RFC 7396). Where one is an
// object, its members replace those of the role's map, null takes one away, and
// the others stay: who adds a bound on a claim must not lose those on others.
type merging struct {
	Params
	old Role
}

// KV returns the merged map of texts.
func (m merging) KV(name string) map[string]string {
	return merge(m, name, map[string]map[string]string{
		"claim_mappings": m.old.ClaimMappings, "alias_metadata": m.old.AliasMetadata, "groups_map": m.old.GroupsMap,
	}[name], m.Params.KV(name))
}

// Object returns the merged bound claims.
func (m merging) Object(name string) map[string]any {
	old, _ := m.old.claims() // what cannot be read is refused where it is checked
	return merge(m, name, old, m.Params.Object(name))
}

// merge puts what is given over what is there. What is no object replaces it.
func merge[V any](m merging, name string, old, given map[string]V) map[string]V {
	sent, ok := m.Given(name).(map[string]any)
	if !ok {
		return given
	}
	out := maps.Clone(old)
	if out == nil {
		out = map[string]V{}
	}
	for k, v := range sent {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = given[k]
		}
	}
	return out
}
