package objects

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// Properties returns the properties of a collection.
func (e *Engine) Properties(ctx context.Context, pass gate.Pass, name string, builtins bool) ([]Property, error) {
	if err := pass.Check("list-collection-properties", schemaPath+"/"+name+"/properties"); err != nil {
		return nil, err
	}
	c, err := e.readCollection(ctx, name, builtins)
	return c.Properties, err
}

// Property returns one property of a collection.
func (e *Engine) Property(ctx context.Context, pass gate.Pass, name, prop string) (Property, error) {
	if err := pass.Check("get-collection-property", schemaPath+"/"+name+"/properties/"+prop); err != nil {
		return Property{}, err
	}
	c, err := e.readCollection(ctx, name, true)
	if err != nil {
		return Property{}, err
	}
	i := slices.IndexFunc(c.Properties, func(p Property) bool { return p.Name == prop })
	if i < 0 {
		return Property{}, noProperty(name, prop)
	}
	return c.Properties[i], nil
}

func noProperty(collection, prop string) error {
	return fault.Newf(fault.NotFound, "The property %s does not exist in the collection %s.", strconv.Quote(clip(prop)), collection).
		WithReason("property_missing").WithDetail("property", clip(prop))
}

// AddProperty adds a property to a collection.
func (e *Engine) AddProperty(ctx context.Context, pass gate.Pass, name, prop string, in Property) (Property, error) {
	if err := pass.Check("add-collection-property", schemaPath+"/"+name+"/properties/"+prop); err != nil {
		return Property{}, err
	}
	if in.Name != "" && in.Name != prop {
		return Property{}, fault.New(fault.Invalid, "The name in the body must be the name in the path.").WithDetail("field", "name")
	}
	in.Name = prop
	return e.editProperty(ctx, name, prop, func(tx storage.Tx, c *collection, def *definition) error {
		return e.addToExisting(tx, c, def, []Property{in})
	})
}

// editProperty changes the definition of a collection and returns the property
// as it stands afterwards.
func (e *Engine) editProperty(ctx context.Context, name, prop string, edit func(storage.Tx, *collection, *definition) error) (Property, error) {
	var out Property
	err := e.update(ctx, name, func(tx storage.Tx, c *collection) error {
		def := c.def.clone()
		if err := edit(tx, c, &def); err != nil {
			return err
		}
		if err := saveDefinition(tx, &def); err != nil {
			return err
		}
		if i := def.find(prop); i >= 0 {
			out = def.Props[i].Property
		}
		return nil
	})
	return out, err
}

// PropertyChange is an update of a property; nil leaves a part as it is.
type PropertyChange struct {
	Description      *string `json:"description"`
	IsIndex          *bool   `json:"is_index"`
	IsSubstringIndex *bool   `json:"is_substring_index"`
	IsNullable       *bool   `json:"is_nullable"`
	IsUnique         *bool   `json:"is_unique"`
}

// UpdateProperty changes what the reference lets change: the description and
// the index freely, substring index and uniqueness only off, nullability only
// on.
func (e *Engine) UpdateProperty(ctx context.Context, pass gate.Pass, name, prop string, ch PropertyChange) (Property, error) {
	if err := pass.Check("update-collection-property", schemaPath+"/"+name+"/properties/"+prop); err != nil {
		return Property{}, err
	}
	return e.editProperty(ctx, name, prop, func(tx storage.Tx, c *collection, def *definition) error {
		i := def.find(prop)
		if i < 0 {
			return noProperty(name, prop)
		}
		return e.changeProperty(ctx, tx, c, def, i, ch)
	})
}

func (e *Engine) changeProperty(ctx context.Context, tx storage.Tx, c *collection, def *definition, i int, ch PropertyChange) error {
	d := &def.Props[i]
	bad := func(rule string) error {
		return fault.Newf(fault.Invalid, "The property %s %s.", d.Name, rule).WithDetail("property", d.Name)
	}
	was := d.Property
	set := func(to *bool, from *bool) {
		if from != nil {
			*to = *from
		}
	}
	if ch.Description != nil {
		d.Description = *ch.Description
	}
	set(&d.IsIndex, ch.IsIndex)
	set(&d.IsSubstringIndex, ch.IsSubstringIndex)
	set(&d.IsNullable, ch.IsNullable)
	set(&d.IsUnique, ch.IsUnique)
	switch {
	case len(d.Description) > maxDescription:
		return bad("has a description of more than " + strconv.Itoa(maxDescription) + " bytes")
	case d.IsIndex && !builtinTypes[d.Base].searchable():
		return bad("has a data type that cannot be indexed")
	case d.IsSubstringIndex && !was.IsSubstringIndex:
		return bad("cannot be given a substring index")
	case d.IsUnique && !was.IsUnique:
		return bad("cannot be made unique")
	case !d.IsNullable && was.IsNullable:
		return bad("cannot be made not nullable")
	}
	d.Modified = tx.Now().UTC().Truncate(time.Millisecond)
	if d.IsIndex == was.IsIndex && d.IsSubstringIndex == was.IsSubstringIndex && d.IsUnique == was.IsUnique {
		return nil
	}
	return e.reindex(ctx, tx, c, compile(*def))
}

// DeleteProperty removes a property and its index. Its values can no longer be
// read; each object drops them when it is next written.
func (e *Engine) DeleteProperty(ctx context.Context, pass gate.Pass, name, prop string) error {
	if err := pass.Check("delete-collection-property", schemaPath+"/"+name+"/properties/"+prop); err != nil {
		return err
	}
	if err := unnarrowed(pass); err != nil {
		return err
	}
	var gone *property
	var in *collection
	_, err := e.editProperty(ctx, name, prop, func(_ storage.Tx, c *collection, def *definition) error {
		i := def.find(prop)
		if i < 0 {
			return noProperty(name, prop)
		}
		gone, in = c.props[prop], c
		def.Props = slices.Delete(def.Props, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	for _, kind := range []string{"obj/u/", "obj/i/", "obj/s/"} {
		if err := e.wipe(ctx, in.propertyPrefix(kind, gone.num)); err != nil {
			return err
		}
	}
	return e.purge(ctx, in, gone.num)
}

// purge rewrites the objects that still hold a deleted property, in
// transactions of bounded size.
func (e *Engine) purge(ctx context.Context, c *collection, num uint16) error {
	prefix := c.keyOf("obj/d/", 0)
	var after []byte
	for {
		var last []byte
		n := 0
		err := e.update(ctx, c.def.Name, func(tx storage.Tx, now *collection) error {
			if now.def.ID != c.def.ID {
				return nil
			}
			items, err := tx.Scan(prefix, after, 200)
			if err != nil {
				return err
			}
			if n = len(items); n > 0 {
				last = items[n-1].Key
			}
			for _, it := range items {
				if err := e.dropField(tx, now, it, num); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || n < 200 {
			return ignoreMissing(err)
		}
		after = last
	}
}

func (e *Engine) dropField(tx storage.Tx, c *collection, it storage.Item, num uint16) error {
	o, err := decodeObject(id(it.Key[len(it.Key)-16:]), it.Value)
	if err != nil {
		return err
	}
	had := len(o.fields)
	if o.set(num, nil); len(o.fields) == had {
		return nil
	}
	return tx.Put(c.objectKey(o.id), o.encode(), e.keepUntil(o))
}

func ignoreMissing(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}
