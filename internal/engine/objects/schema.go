package objects

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
)

// Property is one property of a collection, in the reference's wire form.
type Property struct {
	Name             string    `json:"name"`
	DataType         string    `json:"data_type_name"`
	Description      string    `json:"description"`
	IsEncrypted      *bool     `json:"is_encrypted,omitzero"` // values are always encrypted at rest
	IsIndex          bool      `json:"is_index"`
	IsSubstringIndex bool      `json:"is_substring_index"`
	IsNullable       bool      `json:"is_nullable"`
	IsUnique         bool      `json:"is_unique"`
	IsBuiltin        bool      `json:"is_builtin"`
	IsReadonly       bool      `json:"is_readonly"`
	Created          time.Time `json:"creation_time,omitzero"`
	Modified         time.Time `json:"modification_time,omitzero"`
}

// Collection is a collection in the reference's wire form.
type Collection struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"` // PERSONS or DATA
	Properties []Property `json:"properties"`
	Created    time.Time  `json:"creation_time,omitzero"`
	Modified   time.Time  `json:"modification_time,omitzero"`
}

// Limits of a schema.
const (
	maxName        = 40
	maxTypeName    = 450
	maxProperties  = 500
	maxDescription = 450
)

var namePattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)

// The properties that every collection has.
const (
	propID         = "id"
	propOwner      = "_owner_id"
	propOwnerColl  = "_owner_collection"
	propTenant     = "_tenant_id"
	propCreated    = "_creation_time"
	propModified   = "_modification_time"
	propExpiration = "_expiration_time"
)

func builtinProperties(created time.Time) []Property {
	yes := true
	mk := func(name, dataType, about string, readOnly bool) Property {
		return Property{
			Name: name, DataType: dataType, Description: about, IsEncrypted: &yes, IsNullable: name != propID && !readOnly,
			IsBuiltin: true, IsReadonly: readOnly, IsUnique: name == propID, IsIndex: name == propID || name == propTenant, Created: created, Modified: created,
		}
	}
	return []Property{
		mk(propID, "OBJECT_ID", "Id of the object.", true),
		mk(propOwner, "OBJECT_ID", "Id of the object that owns it.", false),
		mk(propOwnerColl, "STRING", "Collection of the object that owns it.", false),
		mk(propTenant, "TENANT_ID", "Tenant of the object.", false),
		mk(propCreated, "TIMESTAMP", "When it was added.", true),
		mk(propModified, "TIMESTAMP", "When it was last changed.", true),
		mk(propExpiration, "TIMESTAMP", "When it is archived.", true),
	}
}

func isBuiltin(name string) bool {
	return slices.ContainsFunc(builtinProperties(time.Time{}), func(p Property) bool { return p.Name == name })
}

// definition is how a collection is stored.
type definition struct {
	ID       uint64    `json:"id"`
	Version  uint64    `json:"version"`
	NextProp uint16    `json:"next_prop"`
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	Props    []propDef `json:"props"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
}

// propDef is how a property is stored. Num is never used again after the
// property is deleted, so that old values cannot come back under a new name.
type propDef struct {
	Property
	Num  uint16 `json:"num"`
	Base string `json:"base"` // built-in data type behind DataType
}

// Numbers of the built-in properties; those of users start at firstProp.
const (
	numID uint16 = iota
	numOwner
	numOwnerColl
	numTenant
	numCreated
	numModified
	numExpiration
	firstProp uint16 = 16
)

// collection is a compiled definition. It is immutable.
type collection struct {
	def    definition
	key    [8]byte // id, as it stands in storage keys
	props  map[string]*property
	user   []*property // in the order of definition
	all    []*property // built-ins first
	byNum  map[uint16]*property
	tokens string // resource of the collection's tokens
}

// property is a compiled property. It is immutable.
type property struct {
	Property
	num      uint16
	typ      *dataType
	label    []byte // quoted name with a colon, ready for output
	resource string
	archived string // resource of archived values
	views    map[string]*view
}

// view is a transformation of a property, such as "email.mask".
type view struct {
	name     string
	prop     *property
	apply    transform // nil for the value itself
	label    []byte
	resource string
	archived string
}

func compile(def definition) *collection {
	c := &collection{def: def, props: map[string]*property{}, byNum: map[uint16]*property{}}
	putUint64(c.key[:], def.ID)
	for i, p := range builtinProperties(def.Created) {
		c.add(propDef{Property: p, Num: uint16(i), Base: p.DataType}) //nolint:gosec // seven built-ins
	}
	for _, p := range def.Props {
		c.add(p)
	}
	c.tokens = resource(def.Name, "tokens", "*", "")
	return c
}

func (c *collection) add(d propDef) {
	p := &property{Property: d.Property, num: d.Num, typ: builtinTypes[d.Base], views: map[string]*view{}}
	p.label = append(quoted(p.Name), ':')
	p.resource = resource(c.def.Name, "properties", p.Name, p.DataType)
	p.archived = resource(c.def.Name, "archived/properties", p.Name, p.DataType)
	p.views[""] = &view{name: p.Name, prop: p, label: p.label, resource: p.resource, archived: p.archived}
	for name, f := range p.typ.transforms {
		full := p.Name + "." + name
		p.views[name] = &view{
			name: full, prop: p, apply: f, label: append(quoted(full), ':'),
			resource: resource(c.def.Name, "properties", full, p.DataType+"."+name),
			archived: resource(c.def.Name, "archived/properties", full, p.DataType+"."+name),
		}
	}
	c.props[p.Name], c.byNum[p.num] = p, p
	c.all = append(c.all, p)
	if !p.IsBuiltin {
		c.user = append(c.user, p)
	}
}

// resource spells a question for the policies: collection, kind, name and the
// name's data type.
func resource(collection, kind, name, dataType string) string {
	if dataType == "" {
		return collection + "/" + kind + "/" + name
	}
	return collection + "/" + kind + "/" + name + "/" + dataType
}

func quoted(s string) []byte {
	q, _ := jsontext.AppendQuote(nil, s)
	return q
}

// lookup finds a property or one of its transformations.
func (c *collection) lookup(name string) (*view, error) {
	base, transform, dotted := strings.Cut(name, ".")
	p := c.props[base]
	if p != nil {
		if v := p.views[transform]; v != nil && dotted == (transform != "") {
			return v, nil
		}
	}
	return nil, fault.Newf(fault.NotFound, "The property %s does not exist in the collection %s.", strconv.Quote(clip(name)), c.def.Name).
		WithReason("property_missing").WithDetail("property", clip(name))
}

// wire returns the collection as callers see it.
func (c *collection) wire(builtins bool) Collection {
	out := Collection{Name: c.def.Name, Type: c.def.Type, Created: c.def.Created, Modified: c.def.Modified, Properties: []Property{}}
	for _, p := range c.all {
		if builtins || !p.IsBuiltin {
			out.Properties = append(out.Properties, p.Property)
		}
	}
	return out
}

// checkName refuses a name that breaks the reference's naming rules.
func checkName(what, name string, limit int) error {
	if len(name) > limit || !namePattern.MatchString(name) {
		reason := ""
		if what == "collection" {
			reason = "collection_name"
		}
		return fault.Newf(fault.Invalid, "The name of a %s must start with a letter and hold at most %d letters, digits and underscores.", what, limit).
			WithReason(reason).WithDetail(what, clip(name))
	}
	return nil
}

// checkProperty refuses a property that the collection cannot hold and returns
// the built-in type behind its data type.
func checkProperty(p *Property, types map[string]string) (string, error) {
	if err := checkName("property", p.Name, maxName); err != nil {
		return "", err
	}
	bad := func(rule string) error {
		return fault.Newf(fault.Invalid, "The property %s %s.", p.Name, rule).WithDetail("property", p.Name)
	}
	base, ok := types[p.DataType]
	switch {
	case p.DataType == "BLOB":
		return "", fault.New(fault.NotImplemented, "Blobs are not implemented.")
	case p.Name == propID:
		return "", bad("has the name of a built-in property")
	case !ok:
		return "", bad("has an unknown data type")
	case len(p.Description) > maxDescription:
		return "", bad("has a description of more than " + strconv.Itoa(maxDescription) + " bytes")
	case p.IsBuiltin || p.IsReadonly:
		return "", bad("must not be marked as built-in or read-only")
	}
	t := builtinTypes[base]
	if (p.IsIndex || p.IsUnique) && !t.searchable() {
		return "", bad("has a data type that cannot be unique or indexed")
	}
	if p.IsSubstringIndex && (t.base != baseString) {
		return "", bad("has a data type that cannot have a substring index")
	}
	yes := true
	p.IsEncrypted = &yes // whatever was asked for: nothing lies in clear
	return base, nil
}

// foldedNames refuses two names that differ only in case.
func foldedNames(names []string) (string, bool) {
	folded := make([]string, len(names))
	for i, n := range names {
		folded[i] = strings.ToLower(n)
	}
	slices.Sort(folded)
	for i := 1; i < len(folded); i++ {
		if folded[i] == folded[i-1] {
			return folded[i], true
		}
	}
	return "", false
}

func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
