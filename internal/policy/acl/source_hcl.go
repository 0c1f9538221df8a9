package acl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/token"
)

// errUnreadable replaces a panic of the HCL library, which it uses for text
// that its scanner lets through and that its values do not.
var errUnreadable = errors.New("the text holds a value that cannot be read")

// readHCL parses HCL version 1. A node that is not what the grammar promises
// panics, like the library itself, and comes back as errUnreadable.
func readHCL(text string) (fields []field, err error) {
	defer func() {
		if recover() != nil {
			fields, err = nil, errUnreadable
		}
	}()
	file, err := hcl.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return hclFields(file.Node.(*ast.ObjectList)), nil
}

func hclFields(list *ast.ObjectList) []field {
	out := make([]field, 0, len(list.Items))
	for _, item := range list.Items {
		value := hclValue(item.Val)
		// `path "a" {…}` has two keys: the second names a block in the first.
		for _, k := range reversed(item.Keys[1:]) {
			value = []field{{name: keyText(k), line: k.Pos().Line, value: value}}
		}
		first := item.Keys[0]
		out = append(out, field{name: keyText(first), line: first.Pos().Line, value: value})
	}
	return out
}

func reversed(keys []*ast.ObjectKey) []*ast.ObjectKey {
	out := make([]*ast.ObjectKey, len(keys))
	for i, k := range keys {
		out[len(keys)-1-i] = k
	}
	return out
}

func keyText(k *ast.ObjectKey) string {
	s, _ := k.Token.Value().(string)
	return s
}

func hclValue(n ast.Node) any {
	switch n := n.(type) {
	case *ast.LiteralType:
		return hclLiteral(n.Token)
	case *ast.ListType:
		out := make([]any, len(n.List))
		for i, e := range n.List {
			out[i] = hclValue(e)
		}
		return out
	default:
		return hclFields(n.(*ast.ObjectType).List)
	}
}

func hclLiteral(t token.Token) any {
	// A leading zero means octal or hexadecimal, which the library reads.
	if t.Type == token.NUMBER && !strings.HasPrefix(t.Text, "0") || t.Type == token.FLOAT {
		n, ok := canonicalNumber(t.Text)
		if !ok {
			panic(errUnreadable)
		}
		return n
	}
	v, _ := normal(t.Value())
	return v
}
