package acl

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TemplateData is what templates in paths may name of the caller. The zero
// value resolves nothing, so that every templated rule is dropped.
type TemplateData struct {
	EntityID       string
	EntityName     string
	EntityMetadata map[string]string
	Aliases        map[string]Alias // by mount accessor
	Groups         []Group          // the groups that the entity is a member of
}

// Alias is the caller as one auth mount knows it.
type Alias struct {
	ID             string
	Name           string
	Metadata       map[string]string
	CustomMetadata map[string]string
}

// Group is a group that the caller belongs to.
type Group struct {
	ID       string
	Name     string
	Metadata map[string]string
}

var (
	errOpenTemplate = errors.New("a template \"{{\" is not closed by \"}}\"")
	errUnresolved   = errors.New("the caller has no such value")
	errUnsafe       = errors.New("the caller's value is empty or holds \"*\", \"+\", \"/\", \"..\" or a control character")
)

// checkTemplates refuses templates that can never resolve.
func checkTemplates(path string) error {
	_, err := expand(path, func(name string) (string, error) {
		if !strings.HasPrefix(name, "identity.entity.") && !strings.HasPrefix(name, "identity.groups.") {
			return "", fmt.Errorf("unknown template %q", name)
		}
		return "x", nil
	})
	return err
}

// resolve fills in the templates of a path. It fails, and the rule is dropped,
// if a value is missing or could widen the path. With slashes a value may span
// several segments.
func resolve(path string, d *TemplateData, slashes bool) (string, error) {
	out, err := expand(path, func(name string) (string, error) {
		v, ok := d.lookup(name)
		if !ok || v == "" {
			return "", fmt.Errorf("{{%s}}: %w", name, errUnresolved)
		}
		if !safeValue(v, slashes) {
			return "", fmt.Errorf("{{%s}}: %w", name, errUnsafe)
		}
		return v, nil
	})
	if err != nil {
		return "", err
	}
	// Two harmless values side by side can still spell a parent segment.
	for seg := range strings.SplitSeq(out, "/") {
		if seg == "." || seg == ".." {
			return "", errUnsafe
		}
	}
	return out, nil
}

// fillIn fills in the templates of a path with whatever the values hold. It
// fails if one is missing.
func fillIn(path string, d *TemplateData) (string, error) {
	return expand(path, func(name string) (string, error) {
		v, ok := d.lookup(name)
		if !ok || v == "" {
			return "", fmt.Errorf("{{%s}}: %w", name, errUnresolved)
		}
		return v, nil
	})
}

// safeValue reports whether a value stays inside the one segment that it is
// put into, or with slashes inside whole segments of its own.
func safeValue(v string, slashes bool) bool {
	if slashes && strings.Contains(v, "/") {
		for seg := range strings.SplitSeq(v, "/") {
			if seg == "" || !safeValue(seg, false) {
				return false
			}
		}
		return true
	}
	return v != "." && utf8.ValidString(v) && !strings.Contains(v, "..") &&
		!strings.ContainsAny(v, "*+/\\") && !strings.ContainsFunc(v, unicode.IsControl)
}

// expand replaces each {{name}} once; values are never expanded again.
func expand(path string, value func(name string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(path, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", errOpenTemplate
		}
		v, err := value(strings.TrimSpace(name))
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		path = after
	}
}

// lookup returns the value that a template names.
func (d *TemplateData) lookup(name string) (string, bool) {
	if rest, ok := strings.CutPrefix(name, "identity.entity."); ok {
		return d.entity(rest)
	}
	if rest, ok := strings.CutPrefix(name, "identity.groups.ids."); ok {
		return d.group(rest, func(g *Group) string { return g.ID })
	}
	if rest, ok := strings.CutPrefix(name, "identity.groups.names."); ok {
		return d.group(rest, func(g *Group) string { return g.Name })
	}
	return "", false
}

func (d *TemplateData) entity(name string) (string, bool) {
	switch name {
	case "id":
		return d.EntityID, true
	case "name":
		return d.EntityName, true
	}
	if key, ok := strings.CutPrefix(name, "metadata."); ok {
		v, ok := d.EntityMetadata[key]
		return v, ok
	}
	rest, ok := strings.CutPrefix(name, "aliases.")
	if !ok {
		return "", false
	}
	accessor, what, _ := strings.Cut(rest, ".")
	a, ok := d.Aliases[accessor]
	if !ok {
		return "", false
	}
	switch what {
	case "id":
		return a.ID, true
	case "name":
		return a.Name, true
	}
	if key, ok := strings.CutPrefix(what, "metadata."); ok {
		v, ok := a.Metadata[key]
		return v, ok
	}
	if key, ok := strings.CutPrefix(what, "custom_metadata."); ok {
		v, ok := a.CustomMetadata[key]
		return v, ok
	}
	return "", false
}

// group finds the group by whatever key the template uses. Group names may hold
// dots, so the name is matched against the caller's groups, not split off.
func (d *TemplateData) group(rest string, key func(*Group) string) (string, bool) {
	for i := range d.Groups {
		g := &d.Groups[i]
		what, ok := strings.CutPrefix(rest, key(g)+".")
		if !ok || key(g) == "" {
			continue
		}
		switch what {
		case "id":
			return g.ID, true
		case "name":
			return g.Name, true
		}
		if k, ok := strings.CutPrefix(what, "metadata."); ok {
			if v, ok := g.Metadata[k]; ok {
				return v, true
			}
		}
	}
	return "", false
}
