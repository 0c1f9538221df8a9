package jwks

import (
	"fmt"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// Bounds of a key document.
const (
	maxDocument = 1 << 20
	maxKeys     = 256
	maxDepth    = 16
)

// ErrSet says that a document is not a key set. Kind Invalid, reason "invalid_key_set".
var ErrSet = fault.New(fault.Invalid, "the document is not a JSON Web Key or a JSON Web Key Set").WithReason("invalid_key_set")

// Skipped is a key of a set that cannot be used, and why.
type Skipped struct {
	Index  int    `json:"index"`            // position in the set, from 0; -1 when the reason lies in the set as a whole
	KeyID  string `json:"key_id,omitempty"` // its kid, if it has a sensible one
	Reason string `json:"reason"`
}

// ParseSet reads a published key document: a key set {"keys":[…]} or one bare
// key. A key that cannot be used is skipped and reported (RFC 7517 section 5);
// private and symmetric ones are among these. It fails with ErrSet when the
// document is neither, is larger than 1 MiB or has more than 256 keys. A set
// in which no key is usable is not an error.
func ParseSet(doc []byte) (keys []*jwt.Key, skipped []Skipped, err error) {
	return parseSet(doc, jwt.ParseJWK)
}

// ParseInlineSet is ParseSet for a document that the operator wrote into the
// configuration itself, where symmetric keys are admitted. As a person wrote
// it, it is held to more: keys that share a kid are skipped, and so are
// symmetric keys beside public ones, as a set that holds a public key looks
// like one that is published.
func ParseInlineSet(doc []byte) (keys []*jwt.Key, skipped []Skipped, err error) {
	keys, skipped, err = parseSet(doc, jwt.ParseInlineJWK)
	public := slices.ContainsFunc(keys, func(k *jwt.Key) bool { return !k.Symmetric() })
	seen := map[string]int{}
	for _, k := range keys {
		if k.HasID() {
			seen[k.ID()]++
		}
	}
	keys = slices.DeleteFunc(keys, func(k *jwt.Key) bool {
		switch {
		case k.Symmetric() && public:
			skipped = append(skipped, Skipped{Index: -1, Reason: "a symmetric key must not stand beside a public one"})
		case seen[k.ID()] > 1:
			skipped = append(skipped, Skipped{Index: -1, Reason: "two keys of the set have the same kid"})
		default:
			return false
		}
		return true
	})
	return keys, skipped, err
}

func parseSet(doc []byte, parse func([]byte) (*jwt.Key, error)) (keys []*jwt.Key, skipped []Skipped, err error) {
	if len(doc) > maxDocument {
		return nil, nil, setError("the key document is larger than 1 MiB")
	}
	root, err := jwt.ParseValue(doc, maxDepth)
	if err != nil || root.Kind() != jwt.KindObject {
		return nil, nil, setError("the key document is not one unambiguous JSON object")
	}
	list, ok := root.Member("keys").List()
	switch {
	case ok:
	case root.Member("keys").Kind() == jwt.KindAbsent && root.Member("kty").Kind() != jwt.KindAbsent:
		list = []jwt.Value{root}
	default:
		return nil, nil, setError(`the key document has neither a list "keys" nor a "kty"`)
	}
	if len(list) > maxKeys {
		return nil, nil, setError(fmt.Sprintf("the key document has more than %d keys", maxKeys))
	}
	for i, v := range list {
		k, err := parse(v.JSON())
		if err != nil {
			skipped = append(skipped, Skipped{Index: i, KeyID: printableID(v), Reason: fault.PublicText(err)})
			continue
		}
		keys = append(keys, k)
	}
	return keys, skipped, nil
}

func setError(text string) error {
	return fault.Wrap(ErrSet.Kind(), ErrSet, text).WithReason(ErrSet.Reason())
}

// printableID returns the kid of a key for a report, or "" when it is none
// that a person would write.
func printableID(v jwt.Value) string {
	s, _ := v.Member("kid").Text()
	if len(s) > 128 {
		return ""
	}
	for _, c := range s {
		if c < 0x20 || c > 0x7e {
			return ""
		}
	}
	return s
}
