package main

import (
	"strings"

	"github.com/jotgate/jotgate/internal/cli"
)

// queryShape builds the body of a search: at least one condition.
func queryShape(v values) (any, error) {
	body := map[string]any{}
	for _, name := range []string{"match", "like"} {
		if !v.set[name] {
			continue
		}
		conditions, err := cli.Pairs("--"+name, v.lists[name])
		if err != nil {
			return nil, err
		}
		body[name] = conditions
	}
	if v.set["in"] {
		in, err := v.json("in")
		if err != nil {
			return nil, err
		}
		body["in"] = in
	}
	if len(body) == 0 {
		return nil, cli.Usagef("give at least one of --match, --like and --in")
	}
	return body, nil
}

// inputShape builds the one-element batch of tokenise, encrypt and hash.
func inputShape(v values) (any, error) {
	object := map[string]any{}
	switch {
	case v.set["object-id"] == v.set["fields"]:
		return nil, cli.Usagef("give exactly one of --object-id and --fields")
	case v.set["object-id"]:
		object["id"] = v.texts["object-id"]
	default:
		fields, err := v.json("fields")
		if err != nil {
			return nil, err
		}
		object["fields"] = fields
	}
	item := map[string]any{"object": object}
	for flag, name := range map[string]string{"type": "type", "scope": "scope", "fptemplate": "fptemplate"} {
		if v.set[flag] {
			item[name] = v.texts[flag]
		}
	}
	for flag, name := range map[string]string{"props": "props", "tag": "tags", "fpprops": "fpprops"} {
		if v.set[flag] {
			item[name] = v.lists[flag]
		}
	}
	if v.set["store-object"] {
		item["store_object"] = v.bools["store-object"]
	}
	return []any{item}, nil
}

func (v values) encrypted() (map[string]any, error) {
	ciphertext, err := v.app.env.Indirect(v.texts["ciphertext"])
	if err != nil {
		return nil, err
	}
	out := map[string]any{"ciphertext": strings.TrimSpace(ciphertext)}
	if v.set["scope"] {
		out["scope"] = v.texts["scope"]
	}
	return out, nil
}

func decryptShape(v values) (any, error) {
	encrypted, err := v.encrypted()
	if err != nil {
		return nil, err
	}
	item := map[string]any{"encrypted_object": encrypted}
	if v.set["props"] {
		item["props"] = v.lists["props"]
	}
	return []any{item}, nil
}

func updateShape(v values) (any, error) {
	encrypted, err := v.encrypted()
	if err != nil {
		return nil, err
	}
	if !v.set["fields"] {
		return nil, cli.Usagef("--fields is required")
	}
	fields, err := v.json("fields")
	if err != nil {
		return nil, err
	}
	item := map[string]any{"encrypted_object": encrypted, "fields": fields}
	if v.set["type"] {
		item["type"] = v.texts["type"]
	}
	if v.set["props"] {
		item["props"] = v.lists["props"]
	}
	return []any{item}, nil
}

// keyShape reads a secret from @file or -, without the line end.
func keyShape(v values) (any, error) {
	key, err := v.app.env.Indirect(v.texts["key"])
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": strings.TrimSpace(key)}, nil
}

// viewProperties shows a collection as the table of its properties.
func viewProperties(v any) any {
	if c, ok := v.(map[string]any); ok {
		if list, ok := c["properties"].([]any); ok {
			return list
		}
	}
	return v
}

// viewCollections shows the properties of each collection by their names.
func viewCollections(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	for _, item := range list {
		c, _ := item.(map[string]any)
		props, _ := c["properties"].([]any)
		var names []string
		for _, p := range props {
			if m, ok := p.(map[string]any); ok {
				names = append(names, cellText(m["name"]))
			}
		}
		if c != nil {
			c["properties"] = strings.Join(names, ", ")
		}
	}
	return list
}

func viewRotated(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	rows := []any{}
	for _, old := range sortedKeys(m) {
		rows = append(rows, map[string]any{"token_id": old, "new_token_id": m[old]})
	}
	return rows
}

// viewTransformations lists each transformation with its data type.
func viewTransformations(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	rows := []any{}
	for _, item := range list {
		t, _ := item.(map[string]any)
		names, _ := t["transformers"].([]any)
		for _, n := range names {
			rows = append(rows, map[string]any{"data_type_name": t["name"], "transformation": n})
		}
	}
	return rows
}
