package trust

import (
	"fmt"
	"maps"
	"slices"

	"github.com/jotgate/jotgate/internal/jwt"
)

// groupsRule says which groups of a token count, and by which names.
type groupsRule struct {
	claim    string // "" = none
	path     jwt.Path
	optional bool
	filter   []string // nil: all count
	glob     bool
	mapping  map[string]string // nil: the names stay
	most     int
}

// groups compiles the rule. A filter, a map or a bound without a claim to
// apply it to is refused: the operator would think that something is checked.
func (p *problems) groups(s Spec) groupsRule {
	g := groupsRule{
		claim: s.GroupsClaim, path: jwt.ParsePath(s.GroupsClaim), optional: s.GroupsOptional,
		filter: slices.Clone(s.GroupsFilter), glob: s.GroupsFilterGlob, mapping: maps.Clone(s.GroupsMap), most: s.MaxGroups,
	}
	if g.most == 0 {
		g.most = maxGroups
	}
	switch {
	case g.claim == "" && (len(g.filter) > 0 || len(g.mapping) > 0 || s.MaxGroups != 0):
		p.add("groups_claim", "groups_filter, groups_map and max_groups need a groups_claim")
	case g.most < 0 || g.most > maxGroups:
		p.addf("max_groups", "max_groups must be between 1 and %d", maxGroups)
	case slices.Contains(g.filter, ""):
		p.add("groups_filter", "groups_filter has an empty entry")
	}
	for _, from := range slices.Sorted(maps.Keys(g.mapping)) {
		if from == "" || g.mapping[from] == "" {
			p.add("groups_map", "groups_map has an empty name")
		} else if wrong := unusableName("groups_map: a name", g.mapping[from]); wrong != "" {
			p.add("groups_map", wrong)
		}
	}
	return g
}

// name returns what a group is called here, or "" for one that does not count.
func (g *groupsRule) name(group string) string {
	if g.filter != nil && !slices.ContainsFunc(g.filter, func(f string) bool { return f == group || g.glob && Glob(f, group) }) {
		return ""
	}
	if g.mapping != nil {
		return g.mapping[group]
	}
	return group
}

func (e *evaluation) groupNames() {
	g := &e.rule.groups
	if g.claim == "" {
		return
	}
	v, _ := e.claims.Lookup(g.path)
	values, isList := v.List()
	reason, note := ReasonGroups, ""
	switch v.Kind() {
	case jwt.KindAbsent, jwt.KindNull:
		if g.optional && v.Kind() == jwt.KindAbsent {
			break
		}
		note = fmt.Sprintf("failed to fetch groups: %q claim not found in token", g.claim)
	case jwt.KindObject:
		note = fmt.Sprintf("%q claim could not be converted to string list", g.claim)
	default:
		if !isList {
			values = []jwt.Value{v}
		}
		e.grant.Groups, note = g.names(values)
		if note == "" && len(e.grant.Groups) > g.most {
			reason, note = ReasonManyGroups, fmt.Sprintf("the token has more groups than the role takes (%d)", g.most)
		}
	}
	if note != "" {
		e.fail(checkGroups, reason, g.claim, v.Kind().String(), note)
		return
	}
	received := ""
	if g.filter != nil || g.mapping != nil {
		received = fmt.Sprintf("%d, of which %d count", len(values), len(e.grant.Groups))
	}
	e.pass(checkGroups, g.claim, received)
}

// names returns the groups that count, without repeated ones, or what is wrong
// with the claim. Groups that do not count must be well-formed as well.
func (g *groupsRule) names(values []jwt.Value) (groups []string, note string) {
	if len(values) > maxGroups {
		return nil, fmt.Sprintf("the groups claim has more than %d groups", maxGroups)
	}
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		s, ok := v.Text()
		if !ok {
			return nil, "a value in groups claim could not be parsed as string"
		}
		if note := unusableName("a value in groups claim", s); note != "" {
			return nil, note
		}
		if s = g.name(s); s != "" && !seen[s] {
			seen[s] = true
			groups = append(groups, s)
		}
	}
	return groups, ""
}
