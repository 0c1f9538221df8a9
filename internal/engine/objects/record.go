package objects

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"time"
)

// object is one object. Times are milliseconds since 1970; 0 means never.
type object struct {
	id           id
	created      int64
	modified     int64
	expires      int64 // as asked for this object
	ownerExpires int64 // as asked for its owner
	ownerKey     [8]byte
	owner        id
	ownerMade    int64   // when the owner was added: its id may be given again
	ownerName    string  // owner's collection; "" = no owner
	tenant       string  // "" = no tenant
	fields       []field // sorted by num
}

// field is a value: the canonical JSON of a property.
type field struct {
	num uint16
	raw []byte
}

// recordVersion is the first byte of every stored object.
const recordVersion = 1

var errRecord = errors.New("objects: stored object is damaged")

// encode packs the object without its id, which is in the key.
func (o *object) encode() []byte {
	size := 64 + len(o.tenant) + len(o.ownerName)
	for _, f := range o.fields {
		size += len(f.raw) + 8
	}
	b := append(make([]byte, 0, size), recordVersion)
	for _, t := range []int64{o.created, o.modified, o.expires, o.ownerExpires} {
		b = binary.AppendVarint(b, t)
	}
	b = appendBytes(b, []byte(o.tenant))
	b = appendBytes(b, []byte(o.ownerName))
	if o.ownerName != "" {
		b = binary.AppendVarint(append(append(b, o.ownerKey[:]...), o.owner[:]...), o.ownerMade)
	}
	b = binary.AppendUvarint(b, uint64(len(o.fields)))
	for _, f := range o.fields {
		b = appendBytes(binary.AppendUvarint(b, uint64(f.num)), f.raw)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// reader takes packed values off a record; the first failure sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte { return r.take(r.uvarint()) }

// decodeObject unpacks a record. The fields share b.
func decodeObject(key id, b []byte) (*object, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return nil, errRecord
	}
	r := &reader{b: b[1:]}
	o := &object{id: key, created: r.varint(), modified: r.varint(), expires: r.varint(), ownerExpires: r.varint()}
	o.tenant = string(r.bytes())
	if o.ownerName = string(r.bytes()); o.ownerName != "" {
		copy(o.ownerKey[:], r.take(8))
		copy(o.owner[:], r.take(16))
		o.ownerMade = r.varint()
	}
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		return nil, errRecord
	}
	o.fields = make([]field, n)
	for i := range o.fields {
		o.fields[i] = field{num: uint16(r.uvarint()), raw: r.bytes()} //nolint:gosec // written by encode
	}
	if r.bad || len(r.b) > 0 {
		return nil, errRecord
	}
	return o, nil
}

// end is when the object is archived: its own or its owner's expiry; 0 = never.
func (o *object) end() int64 {
	switch {
	case o.expires == 0:
		return o.ownerExpires
	case o.ownerExpires == 0:
		return o.expires
	}
	return min(o.expires, o.ownerExpires)
}

// archived reports whether the object has expired at now.
func (o *object) archived(now time.Time) bool {
	e := o.end()
	return e != 0 && now.UnixMilli() >= e
}

// raw returns the canonical JSON of a property, or nil if it has no value.
func (o *object) raw(p *property) []byte {
	if p.num >= firstProp {
		i, ok := slices.BinarySearchFunc(o.fields, p.num, func(f field, n uint16) int { return int(f.num) - int(n) })
		if !ok {
			return nil
		}
		return o.fields[i].raw
	}
	switch p.num {
	case numID:
		return o.id.quote()
	case numOwner:
		if o.ownerName != "" {
			return o.owner.quote()
		}
	case numOwnerColl:
		return quotedOrNil(o.ownerName)
	case numTenant:
		return quotedOrNil(o.tenant)
	case numCreated:
		return quotedTime(o.created)
	case numModified:
		return quotedTime(o.modified)
	case numExpiration:
		return quotedTime(o.end())
	}
	return nil
}

func (b id) quote() []byte {
	return append(b.append(append(make([]byte, 0, 38), '"')), '"')
}

func quotedOrNil(s string) []byte {
	if s == "" {
		return nil
	}
	return quoted(s)
}

func quotedTime(ms int64) []byte {
	if ms == 0 {
		return nil
	}
	return strconv.AppendQuote(nil, time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
}

// set gives a user property a value; nil removes it.
func (o *object) set(num uint16, raw []byte) {
	i, ok := slices.BinarySearchFunc(o.fields, num, func(f field, n uint16) int { return int(f.num) - int(n) })
	switch {
	case ok && raw == nil:
		o.fields = slices.Delete(o.fields, i, i+1)
	case ok:
		o.fields[i].raw = raw
	case raw != nil:
		o.fields = slices.Insert(o.fields, i, field{num, raw})
	}
}

// clone returns a copy whose fields may be set.
func (o *object) clone() *object {
	c := *o
	c.fields = slices.Clone(o.fields)
	return &c
}
