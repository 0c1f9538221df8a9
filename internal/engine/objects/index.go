package objects

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// entry is one index key of an object.
type entry struct {
	key    []byte
	unique *property // the key belongs to one object only
}

// entries lists the index keys that an object has.
func (e *Engine) entries(c *collection, o *object) []entry {
	var out []entry
	for _, p := range c.all {
		if !p.IsUnique && !p.IsIndex && !p.IsSubstringIndex || p.num == numID {
			continue
		}
		raw := o.raw(p)
		if raw == nil {
			continue
		}
		if p.IsUnique {
			out = append(out, entry{e.blind(c, "obj/u/", p.num, raw), p})
		} else if p.IsIndex {
			out = append(out, entry{append(e.blind(c, "obj/i/", p.num, raw), o.id[:]...), nil})
		}
		if p.IsSubstringIndex {
			for _, t := range trigrams(fold(unquote(raw))) {
				out = append(out, entry{append(e.blind(c, "obj/s/", p.num, []byte(t)), o.id[:]...), nil})
			}
		}
	}
	if o.ownerName != "" {
		out = append(out, entry{c.ownedKey(o), nil})
	}
	slices.SortFunc(out, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
	return out
}

// store writes an object with its index keys; old is what it replaces, or nil.
func (e *Engine) store(tx storage.Tx, c *collection, old, o *object) error {
	var gone []entry
	if old != nil {
		gone = e.entries(c, old)
	}
	expires := e.keepUntil(o)
	sameEnd := old != nil && old.end() == o.end()
	for _, n := range e.entries(c, o) {
		i, had := slices.BinarySearchFunc(gone, n.key, func(a entry, k []byte) int { return bytes.Compare(a.key, k) })
		if had {
			gone = slices.Delete(gone, i, i+1)
			if sameEnd {
				continue
			}
		}
		if n.unique == nil {
			if err := tx.Put(n.key, nil, expires); err != nil {
				return err
			}
			continue
		}
		if err := claim(tx, n, o.id, expires); err != nil {
			return err
		}
	}
	for _, g := range gone {
		if err := tx.Delete(g.key); err != nil {
			return err
		}
	}
	return tx.Put(c.objectKey(o.id), o.encode(), expires)
}

// claim takes a unique value for an object.
func claim(tx storage.Tx, n entry, o id, expires time.Time) error {
	held, err := tx.Get(n.key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return err
	case !bytes.Equal(held, o[:]):
		return fault.Newf(fault.Conflict, "Another object has the same value of the unique property %s.", n.unique.Name).
			WithReason("not_unique").WithDetail("property", n.unique.Name)
	}
	return tx.Put(n.key, o[:], expires)
}

// remove deletes an object with its index keys.
func (e *Engine) remove(tx storage.Tx, c *collection, o *object) error {
	for _, n := range e.entries(c, o) {
		if err := tx.Delete(n.key); err != nil {
			return err
		}
	}
	return tx.Delete(c.objectKey(o.id))
}

// keepUntil is when storage may drop an object: the retention period after its
// expiry. Zero keeps it.
func (e *Engine) keepUntil(o *object) time.Time {
	end := o.end()
	if end == 0 {
		return time.Time{}
	}
	return time.UnixMilli(end).Add(e.o.Retention)
}

// fetch reads one object.
func fetch(tx storage.ReadTx, c *collection, key id) (*object, error) {
	b, err := tx.Get(c.objectKey(key))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, noObject(key)
	}
	if err != nil {
		return nil, err
	}
	return decodeObject(key, b)
}

func noObject(keys ...id) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	list := strings.Join(names, ",")
	return fault.Newf(fault.NotFound, "One or more Objects is not found: %s. For more details, view the logs.", list).
		WithReason("object_missing").WithDetail("ids", list)
}

// fold is how text is compared by like.
func fold(s string) string { return strings.ToLower(s) }

// maxTrigrams bounds the index keys of one value.
const maxTrigrams = 512

// trigrams returns the different runs of three characters, sorted.
func trigrams(s string) []string {
	r := []rune(s)
	if len(r) < 3 {
		return nil
	}
	out := make([]string, 0, len(r)-2)
	for i := 0; i+3 <= len(r); i++ {
		out = append(out, string(r[i:i+3]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkSubstring refuses a value too long for a substring index.
func checkSubstring(p *property, raw []byte) error {
	if p.IsSubstringIndex && len(trigrams(fold(unquote(raw)))) > maxTrigrams {
		return badValue(p.Name, "is too long for a substring index: at most "+strconv.Itoa(maxTrigrams)+" different runs of three characters")
	}
	return nil
}

// badValue refuses a value by property and rule; the value is never shown.
func badValue(property, rule string) error {
	return fault.Newf(fault.Invalid, "The value of the property %s %s.", strconv.Quote(clip(property)), rule).
		WithReason("value_invalid").WithDetail("property", clip(property)).WithDetail("rule", rule)
}
