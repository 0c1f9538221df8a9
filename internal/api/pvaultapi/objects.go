package pvaultapi

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/objects"
	"github.com/jotgate/jotgate/internal/fault"
)

// maxTenants bounds the tenants of the header X-Tenant-Id.
const maxTenants = 100

func notOffered(text string) error { return fault.New(fault.NotImplemented, text) }

// dataCall gathers what every data operation of the engine takes.
func (c *call) dataCall() (objects.Call, error) {
	out := objects.Call{Pass: c.pass, Collection: c.params.Get("collection")}
	if c.query.is("import") || c.query.is("export") || c.query.get("export_key") != "" {
		return out, notOffered("Export and import are not implemented.")
	}
	values, given := c.http.Header["X-Tenant-Id"]
	if !given || !c.row.Handler.tenants {
		return out, nil
	}
	bad := fault.New(fault.Invalid, "The header X-Tenant-Id must hold tenant ids, separated by commas.").WithDetail("header", "X-Tenant-Id")
	if len(values) != 1 { // what a proxy sets must not be widened by what it passes on
		return out, bad
	}
	for _, t := range strings.Split(values[0], ",") {
		if t = strings.TrimSpace(t); t == "" || len(out.Tenants) == maxTenants {
			return out, bad
		}
		out.Tenants = append(out.Tenants, t)
	}
	return out, nil
}

// projection reads which properties to show.
func (c *call) projection() objects.Projection {
	return objects.Projection{
		Props: c.query.list("props"), Unsafe: c.query.option("unsafe"),
		Builtins: c.query.option("show_builtins"), Archived: c.query.option("archived"),
	}
}

// expiry reads expiration_secs: absent says nothing, empty means never.
func (c *call) expiry() objects.Expiry {
	if !c.query.has("expiration_secs") {
		return objects.Expiry{}
	}
	if c.query.get("expiration_secs") == "" {
		return objects.Expiry{Given: true, Never: true}
	}
	return objects.Expiry{Given: true, Secs: c.query.number("expiration_secs", 0)}
}

// pageOf reads which page to return.
func (c *call) pageOf() (objects.Page, error) {
	pg := objects.Page{Cursor: c.query.get("cursor")}
	if c.query.has("page_size") {
		n := c.query.number("page_size", 0)
		if n < 1 || n > 1<<20 {
			return pg, badParam("page_size", "must be a positive number not beyond the server's limit")
		}
		pg.Size = int(n)
	}
	return pg, nil
}

func jsonBytes(b []byte, err error) (reply, error) { return reply{media: mediaJSON, body: b}, err }

func getObject(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	return jsonBytes(c.door.o.Objects.Get(ctx, dc, c.params.Get("id"), c.projection()))
}

func listObjects(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	pg, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	if c.query.has("ids") && len(c.query.list("ids")) == 0 {
		return reply{}, badParam("ids", "must not be empty")
	}
	return jsonBytes(c.door.o.Objects.List(ctx, dc, c.query.list("ids"), c.projection(), pg))
}

func searchObjects(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Match map[string]jsontext.Value   `json:"match"`
		In    map[string][]jsontext.Value `json:"in"`
		Like  map[string]string           `json:"like"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	pg, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	return jsonBytes(c.door.o.Objects.Search(ctx, dc, objects.Query{Match: in.Match, In: in.In, Like: in.Like}, c.projection(), pg))
}

func countObjects(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	n, err := c.door.o.Objects.Count(ctx, dc)
	return jsonBytes(n.JSON(), err)
}

func addObject(ctx context.Context, c *call) (reply, error) {
	var in objects.Fields
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	id, err := c.door.o.Objects.Add(ctx, dc, in, c.expiry())
	if err != nil {
		return reply{}, err
	}
	return jsonReply(`{"id":"` + id + `"}`), nil
}

func updateObject(ctx context.Context, c *call) (reply, error) {
	var in objects.Fields
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if _, ok := in["id"]; ok {
		return reply{}, fault.New(fault.Invalid, "The id of an object cannot be changed.").WithDetail("property", "id")
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	return reply{}, c.door.o.Objects.Update(ctx, dc, objects.Change{ID: c.params.Get("id"), Fields: in}, c.expiry(), c.query.option("archived"))
}

func deleteObject(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	return reply{}, c.door.o.Objects.Delete(ctx, dc, c.params.Get("id"), c.query.option("archived"))
}

func addObjects(ctx context.Context, c *call) (reply, error) {
	var in []objects.Fields
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	if i := slices.IndexFunc(in, func(f objects.Fields) bool { return f == nil }); i >= 0 {
		return reply{}, badItem(i)
	}
	ids, fails, err := c.door.o.Objects.AddAll(ctx, dc, in, c.expiry())
	if err != nil {
		return reply{}, err
	}
	return c.bulk(ids, len(in), fails), nil
}

func updateObjects(ctx context.Context, c *call) (reply, error) {
	var in []objects.Fields
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	chs := make([]objects.Change, len(in))
	ids := make([]string, len(in))
	for i, f := range in {
		if ids[i], err = bulkID(f["id"]); err != nil {
			return reply{}, err
		}
		delete(f, "id")
		chs[i] = objects.Change{ID: ids[i], Fields: f}
	}
	fails, err := c.door.o.Objects.UpdateAll(ctx, dc, chs, c.expiry(), c.query.option("archived"))
	if err != nil {
		return reply{}, err
	}
	return c.bulk(ids, len(in), fails), nil
}

func bulkID(v jsontext.Value) (string, error) {
	if v.Kind() != '"' {
		return "", missing("id")
	}
	b, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return "", missing("id")
	}
	return string(b), nil
}

func deleteObjects(ctx context.Context, c *call) (reply, error) {
	var in []struct {
		ID string `json:"id"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	ids := make([]string, len(in))
	for i := range in {
		ids[i] = in[i].ID
	}
	fails, err := c.door.o.Objects.DeleteAll(ctx, dc, ids, c.query.option("archived"))
	if err != nil {
		return reply{}, err
	}
	return c.bulk(ids, len(in), fails), nil
}

// bulk renders the outcome of a bulk call: all went well, or nothing was
// written and the items that are wrong say why.
func (c *call) bulk(ids []string, n int, fails []objects.Failure) reply {
	ok := len(fails) == 0
	b := []byte(`{"ok":true,"results":[`)
	if !ok {
		b = []byte(`{"ok":false,"results":[`)
	}
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if i < len(ids) && ids[i] != "" {
			b = append(quote(append(b, `"id":`...), ids[i]), ',')
		}
		switch {
		case ok:
			b = append(b, `"ok":true}`...)
		case fails[i] == nil:
			b = append(b, `"ok":false}`...)
		default:
			b = append(b, `"ok":false,"error":`...)
			b = slices.Concat(b, errorBody(fails[i], lookup(fails[i]), c.who.Name()), []byte{'}'})
		}
	}
	return reply{media: mediaJSON, body: append(b, ']', '}')}
}
