package pvaultapi

import (
	"bytes"
	"context"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/engine/objects"
)

// wantsSchema says whether the answer is PVSchema: the parameter format wins
// over the Accept header.
func (c *call) wantsSchema() bool {
	if f := c.query.get("format"); f != "" {
		return f == "pvschema"
	}
	return strings.Contains(c.http.Header.Get("Accept"), mediaSchema)
}

// collectionBody reads a collection in either form. changes says which
// attributes of each property a JSON body names; PVSchema names all.
func (c *call) collectionBody() (in objects.Collection, changes []objects.PropertyChange, err error) {
	m, err := c.mediaType()
	if err != nil {
		return in, nil, err
	}
	b, err := c.body()
	if err != nil {
		return in, nil, err
	}
	schema := m == mediaSchema
	if c.query.get("format") == "pvschema" && !looksLikeObject(b) {
		schema = true
	}
	if !schema {
		if err := decodeJSON(b, &in); err != nil {
			return in, nil, err
		}
		var named struct {
			Properties []objects.PropertyChange `json:"properties"`
		}
		err = json.Unmarshal(b, &named) // the strict decoder has passed it
		return in, named.Properties, err
	}
	if m == mediaJSON { // a client that wraps the text in a JSON string
		var text string
		if err := decodeJSON(b, &text); err != nil {
			return in, nil, err
		}
		b = []byte(text)
	}
	in, err = objects.ParseSchema(b)
	return in, nil, err
}

// looksLikeObject reports whether a body is a JSON object: the parameter format
// may speak of the answer only.
func looksLikeObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}

// showCollections answers in the form that the caller wants.
func (c *call) showCollections(one bool, cs ...objects.Collection) (reply, error) {
	if c.wantsSchema() {
		return reply{media: mediaSchema, body: objects.FormatSchema(cs...)}, nil
	}
	if one {
		return encode(cs[0])
	}
	if cs == nil {
		cs = []objects.Collection{}
	}
	return encode(cs)
}

func listCollections(ctx context.Context, c *call) (reply, error) {
	cs, err := c.door.o.Objects.Collections(ctx, c.pass, c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	return c.showCollections(false, cs...)
}

func getCollection(ctx context.Context, c *call) (reply, error) {
	out, err := c.door.o.Objects.Collection(ctx, c.pass, c.params.Get("collection"), c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	return c.showCollections(true, out)
}

func addCollection(ctx context.Context, c *call) (reply, error) {
	in, _, err := c.collectionBody()
	if err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.AddCollection(ctx, c.pass, in, c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	return c.showCollections(true, out)
}

func updateCollection(ctx context.Context, c *call) (reply, error) {
	in, changes, err := c.collectionBody()
	if err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.UpdateCollection(ctx, c.pass, c.params.Get("collection"), in, changes, c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	return c.showCollections(true, out)
}

func deleteCollection(ctx context.Context, c *call) (reply, error) {
	return reply{}, c.door.o.Objects.DeleteCollection(ctx, c.pass, c.params.Get("collection"))
}

func listProperties(ctx context.Context, c *call) (reply, error) {
	out, err := c.door.o.Objects.Properties(ctx, c.pass, c.params.Get("collection"), c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func getProperty(ctx context.Context, c *call) (reply, error) {
	out, err := c.door.o.Objects.Property(ctx, c.pass, c.params.Get("collection"), c.params.Get("property"))
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func addProperty(ctx context.Context, c *call) (reply, error) {
	var in objects.Property
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.AddProperty(ctx, c.pass, c.params.Get("collection"), c.params.Get("property"), in)
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func updateProperty(ctx context.Context, c *call) (reply, error) {
	var in objects.PropertyChange
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.UpdateProperty(ctx, c.pass, c.params.Get("collection"), c.params.Get("property"), in)
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func deleteProperty(ctx context.Context, c *call) (reply, error) {
	return reply{}, c.door.o.Objects.DeleteProperty(ctx, c.pass, c.params.Get("collection"), c.params.Get("property"))
}

func listTypes(ctx context.Context, c *call) (reply, error) {
	out, err := c.door.o.Objects.Types(ctx, c.pass, c.query.option("show_builtins"))
	if err != nil {
		return reply{}, err
	}
	if c.query.get("bundle") != "" {
		out = []objects.DataType{} // there are no bundles
	}
	return encode(out)
}

func getType(ctx context.Context, c *call) (reply, error) {
	out, err := c.door.o.Objects.Type(ctx, c.pass, c.params.Get("type"))
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func addType(ctx context.Context, c *call) (reply, error) {
	var in struct {
		objects.DataType
		Validator  string `json:"validator,omitzero"`
		Normalizer string `json:"normalizer,omitzero"`
		Default    string `json:"default_transformer,omitzero"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Validator != "" || in.Normalizer != "" || in.Default != "" || len(in.Transformers) > 0 {
		return reply{}, notOffered("Functions of a data type need custom JavaScript, which is not implemented.")
	}
	out, err := c.door.o.Objects.AddType(ctx, c.pass, in.DataType)
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func deleteType(ctx context.Context, c *call) (reply, error) {
	return reply{}, c.door.o.Objects.DeleteType(ctx, c.pass, c.params.Get("type"))
}
