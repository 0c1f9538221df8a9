package objects

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
)

// DataType is a data type in the reference's wire form.
type DataType struct {
	Name         string    `json:"name"`
	BaseType     string    `json:"base_type_name"`
	Description  string    `json:"description"`
	IsBuiltin    bool      `json:"is_builtin"`
	Transformers []string  `json:"transformers"`
	Created      time.Time `json:"creation_time,omitzero"`
}

func (t *dataType) wire() DataType {
	out := DataType{Name: t.name, BaseType: t.baseName(), Description: t.about, IsBuiltin: true, Transformers: []string{}}
	out.Transformers = append(out.Transformers, sortedNames(t.transforms)...)
	return out
}

func (t *dataType) baseName() string {
	switch t.base {
	case baseLongText:
		return "LONG_TEXT"
	case baseJSON:
		return "JSON"
	case baseInteger:
		return "INTEGER"
	case baseBoolean:
		return "BOOLEAN"
	case baseDouble:
		return "DOUBLE"
	default:
		return "STRING"
	}
}

// typeBases maps every data type to the built-in one behind it.
func (e *Engine) typeBases(tx storage.ReadTx) (map[string]string, error) {
	out := make(map[string]string, len(builtinTypes))
	for n := range builtinTypes {
		out[n] = n
	}
	custom, err := customTypes(tx)
	for _, t := range custom {
		out[t.Name] = t.BaseType
	}
	return out, err
}

const maxTypes = 1000

func customTypes(tx storage.ReadTx) ([]DataType, error) {
	items, err := tx.Scan([]byte(typeRoot), nil, maxTypes+1)
	if err != nil {
		return nil, err
	}
	out := make([]DataType, len(items))
	for i, it := range items {
		if err := json.Unmarshal(it.Value, &out[i]); err != nil {
			return nil, errors.Join(errRecord, err)
		}
	}
	return out, nil
}

const typesPath = ctlPath + "types"

// Types lists the data types; the built-in ones only when asked.
func (e *Engine) Types(ctx context.Context, pass gate.Pass, builtins bool) ([]DataType, error) {
	if err := pass.Check("list-data-types", typesPath); err != nil {
		return nil, err
	}
	var custom []DataType
	err := e.o.Store.View(ctx, func(tx storage.ReadTx) (err error) {
		custom, err = customTypes(tx)
		return err
	})
	if err != nil {
		return nil, storageFault(err)
	}
	out := []DataType{}
	if builtins {
		for _, n := range sortedNames(builtinTypes) {
			out = append(out, builtinTypes[n].wire())
		}
	}
	return append(out, custom...), nil
}

// Type returns one data type.
func (e *Engine) Type(ctx context.Context, pass gate.Pass, name string) (DataType, error) {
	if err := pass.Check("get-data-type", typesPath+"/"+name); err != nil {
		return DataType{}, err
	}
	if t := builtinTypes[name]; t != nil {
		return t.wire(), nil
	}
	var out DataType
	err := e.o.Store.View(ctx, func(tx storage.ReadTx) error {
		if len(name) > maxTypeName {
			return noType(name)
		}
		b, err := tx.Get(typeKey(name))
		if errors.Is(err, storage.ErrNotFound) {
			return noType(name)
		}
		if err != nil {
			return err
		}
		out = DataType{}
		return json.Unmarshal(b, &out)
	})
	return out, storageFault(err)
}

func noType(name string) error {
	return fault.New(fault.NotFound, "The data type is not found.").WithDetail("name", clip(name))
}

// AddType makes a data type that behaves as its base type under a name of its
// own, so that policies can speak of it.
func (e *Engine) AddType(ctx context.Context, pass gate.Pass, in DataType) (DataType, error) {
	if err := pass.Check("add-data-type", typesPath); err != nil {
		return DataType{}, err
	}
	if err := checkName("data type", in.Name, maxTypeName); err != nil {
		return DataType{}, err
	}
	base := builtinTypes[in.BaseType]
	if base == nil {
		return DataType{}, fault.New(fault.Invalid, "The base type must be a built-in data type.").WithDetail("field", "base_type_name")
	}
	if len(in.Description) > maxDescription {
		return DataType{}, fault.Newf(fault.Invalid, "The description must be at most %d bytes long.", maxDescription).WithDetail("field", "description")
	}
	in.IsBuiltin, in.Transformers = false, append([]string{}, sortedNames(base.transforms)...)
	err := e.o.Store.Update(ctx, func(tx storage.Tx) error {
		types, err := e.typeBases(tx)
		if err != nil {
			return err
		}
		for n := range types {
			if strings.EqualFold(n, in.Name) {
				return fault.New(fault.Conflict, "A data type with this name exists; names may not differ only in case.").WithDetail("name", in.Name)
			}
		}
		if len(types) >= maxTypes {
			return fault.Newf(fault.Conflict, "There can be at most %d data types.", maxTypes)
		}
		in.Created = tx.Now().UTC().Truncate(time.Millisecond)
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		return tx.Put(typeKey(in.Name), b, time.Time{})
	})
	return in, storageFault(err)
}

// DeleteType removes a data type that no property has.
func (e *Engine) DeleteType(ctx context.Context, pass gate.Pass, name string) error {
	if err := pass.Check("delete-data-type", typesPath+"/"+name); err != nil {
		return err
	}
	if builtinTypes[name] != nil {
		return fault.New(fault.Invalid, "A built-in data type cannot be deleted.").WithDetail("name", name)
	}
	return storageFault(e.o.Store.Update(ctx, func(tx storage.Tx) error {
		if len(name) > maxTypeName {
			return noType(name)
		}
		if _, err := tx.Get(typeKey(name)); errors.Is(err, storage.ErrNotFound) {
			return noType(name)
		} else if err != nil {
			return err
		}
		all, err := e.collectionsByKey(tx)
		if err != nil {
			return err
		}
		for _, c := range all {
			if slices.ContainsFunc(c.user, func(p *property) bool { return p.DataType == name }) {
				return fault.New(fault.Conflict, "The data type is in use.").WithDetail("collection", c.def.Name)
			}
		}
		return tx.Delete(typeKey(name))
	}))
}
