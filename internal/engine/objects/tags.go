package objects

import (
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
)

// addTags appends the tags that are new.
func addTags(have, more []string) []string {
	out := slices.Clone(have)
	for _, t := range more {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// checkUniqueTags wants the tags that must be unique among the tags.
func checkUniqueTags(tags, unique []string) error {
	for _, t := range unique {
		if !slices.Contains(tags, t) {
			return fault.New(fault.Invalid, "ensure_unique_tenant_tags must be a subset of tags.").WithDetail("field", "ensure_unique_tenant_tags")
		}
	}
	return nil
}

// uniqueTags refuses a use whose tags another use of the same tenant has.
func (r *resolver) uniqueTags(tags []string, tokenID string, use ref) error {
	for _, tag := range tags {
		h := r.engine.nameHash(r.c, "tag", tag)
		prefix := slices.Concat(r.c.keyOf("obj/tt/", 32), h[:])
		items, err := r.tx.Scan(prefix, nil, maxTokens+1)
		if err != nil {
			return err
		}
		taken := fault.New(fault.Conflict, "Another token of the tenant has a tag that must be unique.").WithDetail("field", "ensure_unique_tenant_tags")
		if len(items) > maxTokens {
			return taken
		}
		for _, it := range items {
			t, err := loadToken(r.tx, r.c, id(it.Key[len(prefix):]))
			if err != nil {
				return err
			}
			if t == nil {
				continue
			}
			for _, o := range t.Refs {
				same := t.ID == tokenID && o.Object == use.Object
				if !same && o.Tenant == use.Tenant && slices.Contains(o.Tags, tag) && !o.archived(r.tx.Now()) {
					return taken
				}
			}
		}
	}
	return nil
}
