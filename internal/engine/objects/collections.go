package objects

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/storage"
)

const maxCollections = 1000

// schemaPath is where the operations on collections stand.
const schemaPath = ctlPath + "collections"

func collectionNames(tx storage.ReadTx) ([]string, error) {
	items, err := tx.Scan([]byte(schemaRoot), nil, maxCollections+1)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = string(it.Key[len(schemaRoot):])
	}
	return out, nil
}

// saveDefinition writes a changed definition under a new version. Versions are
// random, so that a definition which was rolled back is never taken for one
// that was committed.
func saveDefinition(tx storage.Tx, def *definition) error {
	var v [8]byte
	_, _ = rand.Read(v[:]) // never fails
	def.Version = binary.BigEndian.Uint64(v[:])
	def.Modified = tx.Now().UTC().Truncate(time.Millisecond)
	b, err := json.Marshal(def)
	if err != nil {
		return err
	}
	var stamp [16]byte
	binary.BigEndian.PutUint64(stamp[:], def.ID)
	binary.BigEndian.PutUint64(stamp[8:], def.Version)
	if err := tx.Put(versionKey(def.Name), stamp[:], time.Time{}); err != nil {
		return err
	}
	return tx.Put(schemaKey(def.Name), b, time.Time{})
}

// Collections lists all collections, by name.
func (e *Engine) Collections(ctx context.Context, pass gate.Pass, builtins bool) ([]Collection, error) {
	if err := pass.Check("list-collections", schemaPath); err != nil {
		return nil, err
	}
	out := []Collection{}
	err := e.o.Store.View(ctx, func(tx storage.ReadTx) error {
		names, err := collectionNames(tx)
		if err != nil {
			return err
		}
		out = make([]Collection, 0, len(names))
		for _, n := range names {
			c, err := e.collection(tx, n)
			if err != nil {
				return err
			}
			out = append(out, c.wire(builtins))
		}
		return nil
	})
	return out, storageFault(err)
}

// Collection returns one collection.
func (e *Engine) Collection(ctx context.Context, pass gate.Pass, name string, builtins bool) (Collection, error) {
	if err := pass.Check("get-collection", schemaPath+"/"+name); err != nil {
		return Collection{}, err
	}
	return e.readCollection(ctx, name, builtins)
}

func (e *Engine) readCollection(ctx context.Context, name string, builtins bool) (Collection, error) {
	var out Collection
	err := e.view(ctx, name, func(_ storage.ReadTx, c *collection) error {
		out = c.wire(builtins)
		return nil
	})
	return out, err
}

// AddCollection makes a new collection.
func (e *Engine) AddCollection(ctx context.Context, pass gate.Pass, in Collection, builtins bool) (Collection, error) {
	if err := pass.Check("add-collection", schemaPath); err != nil {
		return Collection{}, err
	}
	if err := checkName("collection", in.Name, maxName); err != nil {
		return Collection{}, err
	}
	if in.Type != "PERSONS" && in.Type != "DATA" {
		return Collection{}, fault.New(fault.Invalid, "The type of a collection must be PERSONS or DATA.").WithDetail("field", "type")
	}
	var number [8]byte
	_, _ = rand.Read(number[:]) // never fails
	var out Collection
	err := e.o.Store.Update(ctx, func(tx storage.Tx) error {
		names, err := collectionNames(tx)
		if err != nil {
			return err
		}
		if len(names) >= maxCollections {
			return fault.Newf(fault.Conflict, "There can be at most %d collections.", maxCollections)
		}
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, in.Name) }) {
			return fault.New(fault.Conflict, "A collection with this name exists; names may not differ only in case.").WithDetail("collection", in.Name)
		}
		now := tx.Now().UTC().Truncate(time.Millisecond)
		def := definition{ID: binary.BigEndian.Uint64(number[:]), NextProp: firstProp, Name: in.Name, Type: in.Type, Created: now}
		if err := e.extend(tx, &def, in.Properties); err != nil {
			return err
		}
		if err := saveDefinition(tx, &def); err != nil {
			return err
		}
		out = compile(def).wire(builtins)
		return nil
	})
	return out, storageFault(err)
}

// extend adds new properties to a definition.
func (e *Engine) extend(tx storage.ReadTx, def *definition, ps []Property) error {
	types, err := e.typeBases(tx)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if p.IsBuiltin && isBuiltin(p.Name) {
			continue // every collection has them; they come along when one is copied
		}
		base, err := checkProperty(&p, types)
		if err != nil {
			return err
		}
		now := tx.Now().UTC().Truncate(time.Millisecond)
		p.Created, p.Modified = now, now
		def.Props = append(def.Props, propDef{Property: p, Num: def.NextProp, Base: base})
		def.NextProp++
	}
	if len(def.Props) > maxProperties || def.NextProp > 60000 {
		return fault.Newf(fault.Invalid, "A collection can have at most %d properties.", maxProperties)
	}
	names := make([]string, 0, len(def.Props))
	for _, p := range def.Props {
		names = append(names, p.Name)
	}
	if n, twice := foldedNames(names); twice {
		return fault.New(fault.Conflict, "The collection has two properties whose names are equal or differ only in case.").WithDetail("property", n)
	}
	return nil
}

// UpdateCollection adds the properties that are new and changes those that are
// there; what the request does not name stays. changes says, property by
// property, what the request names; nil means that it names everything.
func (e *Engine) UpdateCollection(ctx context.Context, pass gate.Pass, name string, in Collection, changes []PropertyChange, builtins bool) (Collection, error) {
	if err := pass.Check("update-collection", schemaPath+"/"+name); err != nil {
		return Collection{}, err
	}
	var out Collection
	err := e.update(ctx, name, func(tx storage.Tx, c *collection) error {
		if in.Name != "" && in.Name != name || in.Type != "" && in.Type != c.def.Type {
			return fault.New(fault.Invalid, "The name and the type of a collection cannot be changed.").WithDetail("collection", name)
		}
		def := c.def.clone()
		var fresh []Property
		for n, p := range in.Properties {
			i := def.find(p.Name)
			if i < 0 {
				fresh = append(fresh, p)
				continue
			}
			if p.DataType != "" && p.DataType != def.Props[i].DataType {
				return fault.Newf(fault.Invalid, "The data type of the property %s cannot be changed.", p.Name).WithDetail("property", p.Name)
			}
			ch := PropertyChange{Description: &p.Description, IsIndex: &p.IsIndex, IsSubstringIndex: &p.IsSubstringIndex, IsNullable: &p.IsNullable, IsUnique: &p.IsUnique}
			if n < len(changes) {
				ch = changes[n]
			}
			if err := e.changeProperty(ctx, tx, c, &def, i, ch); err != nil {
				return err
			}
		}
		if err := e.addToExisting(tx, c, &def, fresh); err != nil {
			return err
		}
		if err := saveDefinition(tx, &def); err != nil {
			return err
		}
		out = compile(def).wire(builtins)
		return nil
	})
	return out, err
}

func (d definition) clone() definition {
	d.Props = slices.Clone(d.Props)
	return d
}

func (d *definition) find(name string) int {
	return slices.IndexFunc(d.Props, func(p propDef) bool { return p.Name == name })
}

// addToExisting is extend for a collection that may hold objects: these have
// no value for the new property, so it must be nullable then.
func (e *Engine) addToExisting(tx storage.Tx, c *collection, def *definition, ps []Property) error {
	items, err := tx.Scan(c.keyOf("obj/d/", 0), nil, 1)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if len(items) > 0 && !p.IsNullable && !p.IsBuiltin {
			return fault.Newf(fault.Conflict, "The property %s must be nullable, because the collection holds objects.", p.Name).WithDetail("property", clip(p.Name))
		}
	}
	return e.extend(tx, def, ps)
}

// unnarrowed refuses a caller whose claims narrow to change the data of
// everyone.
func unnarrowed(pass gate.Pass) error {
	if len(pass.Principal().Narrowing()) == 0 {
		return nil
	}
	return refuse(policy.Check{Name: "narrowing", Expected: "a token without restrictions", Note: "the operation concerns the objects of everyone"})
}

// DeleteCollection removes a collection with everything in it.
func (e *Engine) DeleteCollection(ctx context.Context, pass gate.Pass, name string) error {
	if err := pass.Check("delete-collection", schemaPath+"/"+name); err != nil {
		return err
	}
	if err := unnarrowed(pass); err != nil {
		return err
	}
	var gone *collection
	err := e.update(ctx, name, func(tx storage.Tx, c *collection) error {
		gone = c
		if err := tx.Delete(versionKey(name)); err != nil {
			return err
		}
		return tx.Delete(schemaKey(name))
	})
	if err != nil {
		return err
	}
	e.compiled.Delete(name)
	for _, kind := range dataKinds {
		if err := e.wipe(ctx, gone.keyOf(kind, 0)); err != nil {
			return err
		}
	}
	return nil
}

// dataKinds are the kinds of keys that begin with the collection they belong to.
var dataKinds = []string{"obj/d/", "obj/u/", "obj/i/", "obj/s/", "obj/o/", "obj/t/", "obj/tv/", "obj/to/", "obj/tt/", "obj/tx/"}

// Sweep removes what is left of collections that are gone: a removal that was
// interrupted. It takes no Pass and reveals nothing: nobody can reach what it
// removes.
func (e *Engine) Sweep(ctx context.Context) error {
	var known map[string]*collection
	alive := func(tx storage.ReadTx, owner []byte) (ok bool, err error) {
		if known[string(owner)] == nil { // one that is known may be gone: it is for the next time then
			known, err = e.collectionsByKey(tx)
		}
		return known[string(owner)] != nil, err
	}
	for _, kind := range dataKinds {
		err := storage.Sweep(ctx, e.o.Store, []byte(kind), func(rest []byte) int { return min(8, len(rest)) }, alive)
		if err != nil {
			return storageFault(err)
		}
	}
	return nil
}

// wipe deletes every key with the prefix, in transactions of bounded size.
// What it deletes can no longer be reached, so that a crash in between leaves
// only waste.
func (e *Engine) wipe(ctx context.Context, prefix []byte) error {
	for {
		n := 0
		err := e.o.Store.Update(ctx, func(tx storage.Tx) error {
			items, err := tx.Scan(prefix, nil, 500)
			if err != nil {
				return err
			}
			n = len(items)
			for _, it := range items {
				if err := tx.Delete(it.Key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return storageFault(err)
		}
		if n == 0 {
			return nil
		}
	}
}
