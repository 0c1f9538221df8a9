package objects

import (
	"encoding/binary"
	"slices"
)

// Storage keys. Names of collections are configuration and stand in clear;
// values never do.
//
//	obj/v/<collection name>                          id and version of the definition
//	obj/c/<collection name>                          definition
//	obj/y/<type name>                                data type
//	obj/d/<collection><object>                       object
//	obj/u/<collection><property><hash>               object that holds a unique value
//	obj/i/<collection><property><hash><object>       objects that hold a value
//	obj/s/<collection><property><hash><object>       objects whose value holds a trigram
//	obj/o/<collection><object><collection><object>   owner, then what it owns
func schemaKey(name string) []byte  { return []byte("obj/c/" + name) }
func versionKey(name string) []byte { return []byte("obj/v/" + name) }
func typeKey(name string) []byte    { return []byte("obj/y/" + name) }

const (
	hashSize   = 16
	schemaRoot = "obj/c/"
	typeRoot   = "obj/y/"
)

func putUint64(b []byte, v uint64) { binary.BigEndian.PutUint64(b, v) }

func (c *collection) keyOf(kind string, room int) []byte {
	b := make([]byte, 0, len(kind)+len(c.key)+room)
	return append(append(b, kind...), c.key[:]...)
}

func (c *collection) objectKey(o id) []byte { return append(c.keyOf("obj/d/", 16), o[:]...) }

// blind returns the key prefix under which a value of a property is found.
// kind is obj/u/, obj/i/ or obj/s/. The hash covers collection and property,
// so that equal values elsewhere look different.
func (e *Engine) blind(c *collection, kind string, num uint16, value []byte) []byte {
	msg := make([]byte, 0, 64)
	msg = append(msg, kind...)
	msg = append(msg, c.key[:]...)
	msg = binary.BigEndian.AppendUint16(msg, num)
	msg = append(msg, value...)
	b := c.keyOf(kind, 2+32+16)
	b = binary.BigEndian.AppendUint16(b, num)
	n := len(b)
	return e.o.Keyring.AppendHMAC(b, "objects/index", msg)[:n+hashSize]
}

func (c *collection) ownedPrefix(o id) []byte {
	return append(c.keyOf("obj/o/", 16+8+16), o[:]...)
}

func (c *collection) ownedKey(o *object) []byte {
	b := append(make([]byte, 0, 64), "obj/o/"...)
	b = append(append(b, o.ownerKey[:]...), o.owner[:]...)
	return append(append(b, c.key[:]...), o.id[:]...)
}

// propertyPrefix covers all keys of one property under kind.
func (c *collection) propertyPrefix(kind string, num uint16) []byte {
	return binary.BigEndian.AppendUint16(c.keyOf(kind, 2), num)
}

// before returns the greatest key suffix that is smaller than x, so that a
// scan strictly after it starts at x; nil means the very start.
func before(prefix []byte, x id) []byte {
	for i := len(x) - 1; i >= 0; i-- {
		x[i]--
		if x[i] != 0xff {
			return slices.Concat(prefix, x[:])
		}
	}
	return nil
}
