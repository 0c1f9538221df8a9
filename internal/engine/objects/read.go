package objects

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Projection says which properties of an object to show.
type Projection struct {
	Props    []string // names, or transformations such as "email.mask"
	Unsafe   bool     // all properties instead of Props
	Builtins bool     // with Unsafe: the built-in ones too
	Archived bool     // archived objects instead of active ones
}

// shown resolves a projection.
func (c *collection) shown(p Projection) ([]*view, error) {
	switch {
	case p.Builtins && !p.Unsafe:
		return nil, fault.New(fault.Invalid, "The option show_builtins needs the option unsafe; otherwise name the properties in the parameter props.").WithDetail("parameter", "options")
	case p.Unsafe && len(p.Props) > 0:
		return nil, fault.New(fault.Invalid, "The parameters props and options=unsafe exclude each other.").WithDetail("parameter", "props")
	case p.Unsafe:
		out := append([]*view{c.props[propID].views[""]}, views(c.user)...)
		if p.Builtins {
			out = views(c.all)
		}
		return out, nil
	case len(p.Props) == 0:
		return nil, fault.New(fault.Invalid, "Name the properties to show in the parameter props, or ask for all with options=unsafe.").WithDetail("parameter", "props")
	}
	var out []*view
	for _, name := range p.Props {
		v, err := c.lookup(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

// mayRead resolves a projection and lets the policies vote on it.
func (call Call) mayRead(c *collection, p Projection) ([]*view, error) {
	vs, err := c.shown(p)
	if err != nil {
		return nil, err
	}
	return vs, call.ask("read", p.Archived, vs...)
}

// render appends an object as JSON.
func (o *object) render(b []byte, vs []*view, now time.Time) []byte {
	b = append(b, '{')
	for _, v := range vs {
		raw := o.raw(v.prop)
		if raw == nil {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, v.label...)
		if v.apply == nil {
			b = append(b, raw...)
		} else {
			b = append(b, v.apply(unquote(raw), now)...)
		}
	}
	return append(b, '}')
}

// Get returns one object as JSON.
func (e *Engine) Get(ctx context.Context, call Call, name string, p Projection) ([]byte, error) {
	if err := call.check("get-object-by-id", "/objects/"+name); err != nil {
		return nil, err
	}
	key, ok := parseID(name)
	if !ok {
		return nil, badValue(propID, "must be a UUID")
	}
	var out []byte
	err := e.view(ctx, call.Collection, func(tx storage.ReadTx, c *collection) error {
		vs, err := call.mayRead(c, p)
		if err != nil {
			return err
		}
		o, err := e.readable(tx, call, c, key, p.Archived)
		if err != nil {
			return err
		}
		out = o.render(make([]byte, 0, 512), vs, tx.Now())
		return nil
	})
	if err != nil {
		return nil, err
	}
	call.Pass.NoteObject(name)
	return out, nil
}

// readable fetches an object by id and refuses one that the caller may not
// touch.
func (e *Engine) readable(tx storage.ReadTx, call Call, c *collection, key id, archived bool) (*object, error) {
	a, err := call.access(c, tx.Now())
	if err != nil {
		return nil, err
	}
	o, err := fetch(tx, c, key)
	if err != nil {
		return nil, err
	}
	if o.archived(tx.Now()) != archived {
		return nil, noObject(key)
	}
	return o, a.admit(o)
}

// Counts says how many objects or tokens there are.
type Counts struct {
	Active   int64
	Archived int64
}

// JSON returns the reference's form.
func (n Counts) JSON() []byte {
	b := strconv.AppendInt([]byte(`{"active":`), n.Active, 10)
	b = strconv.AppendInt(append(b, `,"archived":`...), n.Archived, 10)
	b = strconv.AppendInt(append(b, `,"total":`...), n.Active+n.Archived, 10)
	return append(b, '}')
}
