package vaultapi

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

var (
	kvDataFields = []Field{
		{Name: "path", Help: "Path of the secret."},
		{Name: "data", Type: Object, Help: "The value, a JSON object."},
		{Name: "options", Type: Object, Help: "cas: the version that must be the newest one, 0 for none."},
		{Name: "version", Type: Int, Help: "Version to read; 0 = the newest."},
	}
	kvVersionsFields = []Field{
		{Name: "path", Help: "Path of the secret."},
		{Name: "versions", Type: CommaList, Help: "Numbers of the versions."},
	}
	kvMetadataFields = []Field{
		{Name: "path", Help: "Path of the secret."},
		{Name: "max_versions", Type: Int, Help: "How many versions to keep; 0 = as the mount says."},
		{Name: "cas_required", Type: Bool, Help: "Every write must name the version that it replaces."},
		{Name: "delete_version_after", Type: Seconds, Help: "Versions delete themselves after this time; 0 = as the mount says."},
		{Name: "custom_metadata", Type: KVPairs, Help: "Names and texts for people and programs."},
	}
	kvConfigFields = []Field{
		{Name: "max_versions", Type: Int, Help: "How many versions of each secret to keep; 0 = 10."},
		{Name: "cas_required", Type: Bool, Help: "Every write must name the version that it replaces."},
		{Name: "delete_version_after", Type: Seconds, Help: "Versions delete themselves after this time; 0 = never."},
	}
	kvSubkeyFields = []Field{
		{Name: "path", Help: "Path of the secret."},
		{Name: "version", Type: Int, Help: "Version to read; 0 = the newest."},
		{Name: "depth", Type: Int, Help: "How many levels to show; 0 = all."},
	}
	pageFields = []Field{
		{Name: "path", Help: "The folder."},
		{Name: "after", Help: "Show names behind this one."},
		{Name: "limit", Type: Int, Help: "Show at most this many; 0 = all."},
	}
)

// kv2Rows are the endpoints of a versioned key-value store.
var kv2Rows = []Row{
	{Verbs: []string{Read}, Pattern: "data/{path...}", Auth: route.Authenticated, Action: "kv-v2-read", Help: "Read a version of a secret.",
		Handler: Action{Do: readKV2, Fields: kvDataFields}},
	{Verbs: []string{Update}, Pattern: "data/{path...}", Auth: route.Authenticated, Action: "kv-v2-write", Body: LargeBody, Help: "Write a new version of a secret.",
		Handler: Action{Do: writeKV2, Fields: kvDataFields, Exists: kvExists}},
	{Verbs: []string{Patch}, Pattern: "data/{path...}", Auth: route.Authenticated, Action: "kv-v2-patch", Body: LargeBody, Help: "Merge changes into the newest version and write the result as a new one.",
		Handler: Action{Do: patchKV2, Fields: kvDataFields}},
	{Verbs: []string{Delete}, Pattern: "data/{path...}", Auth: route.Authenticated, Action: "kv-v2-delete", Help: "Soft-delete the newest version of a secret.",
		Handler: Action{Do: deleteKV2, Fields: kvDataFields}},
	{Verbs: []string{Update}, Pattern: "delete/{path...}", Auth: route.Authenticated, Action: "kv-v2-delete-versions", Body: SmallBody, Help: "Soft-delete versions of a secret.",
		Handler: Action{Do: versionsKV2((*kv.Engine).DeleteVersions), Fields: kvVersionsFields}},
	{Verbs: []string{Update}, Pattern: "undelete/{path...}", Auth: route.Authenticated, Action: "kv-v2-undelete-versions", Body: SmallBody, Help: "Make soft-deleted versions readable again.",
		Handler: Action{Do: versionsKV2((*kv.Engine).Undelete), Fields: kvVersionsFields}},
	{Verbs: []string{Update}, Pattern: "destroy/{path...}", Auth: route.Authenticated, Action: "kv-v2-destroy-versions", Body: SmallBody, Help: "Remove the values of versions for good.",
		Handler: Action{Do: versionsKV2((*kv.Engine).Destroy), Fields: kvVersionsFields}},
	{Verbs: []string{Read}, Pattern: "subkeys/{path...}", Auth: route.Authenticated, Action: "kv-v2-read-subkeys", Help: "Read the shape of a secret without its values.",
		Handler: Action{Do: subkeysKV2, Fields: kvSubkeyFields}},

	{Verbs: []string{List}, Pattern: "metadata", Auth: route.Authenticated, Action: "kv-v2-list-root", Help: "List the secrets at the top.",
		Handler: Action{Do: listKV2, Fields: pageFields}},
	{Verbs: []string{List}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-list", Help: "List the secrets in a folder.",
		Handler: Action{Do: listKV2, Fields: pageFields}},
	{Verbs: []string{Scan}, Pattern: "metadata", Auth: route.Authenticated, Action: "kv-v2-scan-root", Help: "List all secrets.",
		Handler: Action{Do: scanKV2, Fields: pageFields}},
	{Verbs: []string{Scan}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-scan", Help: "List the secrets in a folder and below.",
		Handler: Action{Do: scanKV2, Fields: pageFields}},
	{Verbs: []string{List}, Pattern: "detailed-metadata", Auth: route.Authenticated, Action: "kv-v2-list-detailed-root", Help: "List the secrets at the top with their metadata.",
		Handler: Action{Do: listDetailedKV2, Fields: pageFields}},
	{Verbs: []string{List}, Pattern: "detailed-metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-list-detailed", Help: "List the secrets in a folder with their metadata.",
		Handler: Action{Do: listDetailedKV2, Fields: pageFields}},
	{Verbs: []string{Read}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-read-metadata", Help: "Read what is known of a secret apart from its values.",
		Handler: Action{Do: readMetadataKV2, Fields: kvMetadataFields}},
	{Verbs: []string{Update}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-write-metadata", Body: SmallBody, Help: "Change the settings and custom metadata of a secret.",
		Handler: Action{Do: writeMetadataKV2, Fields: kvMetadataFields, Exists: kvExists}},
	{Verbs: []string{Patch}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-patch-metadata", Body: SmallBody, Help: "Merge changes into the settings and custom metadata of a secret.",
		Handler: Action{Do: patchMetadataKV2, Fields: kvPatchFields()}},
	{Verbs: []string{Delete}, Pattern: "metadata/{path...}", Auth: route.Authenticated, Action: "kv-v2-delete-metadata", Help: "Remove a secret with all versions for good.",
		Handler: Action{Do: deleteMetadataKV2, Fields: kvMetadataFields}},

	{Verbs: []string{Read}, Pattern: "config", Auth: route.Authenticated, Action: "kv-v2-read-configuration", Help: "Read the settings of the mount.",
		Handler: Action{Do: readConfigKV2}},
	{Verbs: []string{Update}, Pattern: "config", Auth: route.Authenticated, Action: "kv-v2-configure", Body: SmallBody, Help: "Change the settings of the mount.",
		Handler: Action{Do: writeConfigKV2, Fields: kvConfigFields}},

	{Verbs: []string{Read, List, Scan, Update, Delete}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v2-wrong-path", Body: LargeBody, Help: "Paths as in version 1 are not served.",
		Handler: Action{Do: wrongPathKV2, Free: true}},
	{Verbs: []string{List}, Pattern: "", Auth: route.Authenticated, Action: "kv-v2-wrong-root", Help: "Paths as in version 1 are not served.",
		Handler: Action{Do: wrongPathKV2, Free: true}},
}

// kvPatchFields are the metadata fields with the pairs left as they came,
// since null means something there.
func kvPatchFields() []Field {
	out := append([]Field(nil), kvMetadataFields...)
	for i := range out {
		if out[i].Name == "custom_metadata" {
			out[i].Type = Any
		}
	}
	return out
}

// secretAt is the secret that a call is about.
func secretAt(c *Call) kv.Address {
	return kv.Address{Mount: c.Mount.Logical(), UUID: c.Mount.UUID, Path: c.Param("path")}
}

func kvExists(ctx context.Context, c *Call) (bool, error) {
	return c.Runtime.KV.Exists(ctx, secretAt(c))
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// customView is custom metadata as it is read back: null when there is none.
func customView(m map[string]string) any {
	if m == nil {
		return nil
	}
	return m
}

func versionView(v *kv.Version) map[string]any {
	return map[string]any{
		"version": v.Number, "created_time": timeText(v.Created), "deletion_time": timeText(v.Deleted),
		"destroyed": v.Destroyed, "custom_metadata": customView(v.Custom),
	}
}

// valueReply is a version under the given name beside its metadata. A version
// that is gone is 404 with the metadata, as in the reference.
func valueReply(name string, v *kv.Version) *Reply {
	r := &Reply{Data: map[string]any{name: nil, "metadata": versionView(v)}}
	if v.Gone() {
		r.Status = 404
	} else {
		r.Data[name] = v.Data
	}
	return r
}

// versionParam is the version to read; one that cannot be is not found.
func versionParam(c *Call) (uint64, error) {
	n := c.Int("version")
	if n < 0 {
		return 0, errNotFound
	}
	return uint64(n), nil
}

func readKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	n, err := versionParam(c)
	if err != nil {
		return nil, err
	}
	v, err := c.Runtime.KV.Read(ctx, pass, secretAt(c), n)
	if err != nil {
		return nil, err
	}
	return valueReply("data", v), nil
}

func subkeysKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	n, err := versionParam(c)
	if err != nil {
		return nil, err
	}
	v, err := c.Runtime.KV.Subkeys(ctx, pass, secretAt(c), n, int(max(0, min(c.Int("depth"), drawer.MaxDepth))))
	if err != nil {
		return nil, err
	}
	return valueReply("subkeys", v), nil
}

// valueOf is the data parameter as it was sent, so that numbers keep their
// digits.
func valueOf(c *Call) (jsontext.Value, error) {
	if raw, ok := c.Data.Raw("data"); ok && raw.Kind() == '{' {
		return raw, nil
	}
	m := c.Object("data")
	if m == nil {
		return nil, drawer.ErrNoData
	}
	return marshal(m)
}

func marshal(m map[string]any) (jsontext.Value, error) {
	raw, err := json.Marshal(m, jsonOptions)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, drawer.ErrBadJSON.Public())
	}
	return raw, nil
}

// casOf is the version that the writer expects, nil for none.
func casOf(c *Call) (*kv.CAS, error) {
	raw, ok := c.Object("options")["cas"]
	if !ok {
		return nil, nil
	}
	n, err := toInt(raw)
	if err != nil || n < 0 {
		return nil, fault.New(fault.Invalid, "error parsing check-and-set parameter")
	}
	cas := kv.CAS(n)
	return &cas, nil
}

func writeKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return putKV2(ctx, c, pass, c.Runtime.KV.Write)
}

func patchKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return putKV2(ctx, c, pass, c.Runtime.KV.Patch)
}

type putFunc func(context.Context, gate.Pass, kv.Address, jsontext.Value, *kv.CAS) (*kv.Version, error)

func putKV2(ctx context.Context, c *Call, pass gate.Pass, put putFunc) (*Reply, error) {
	data, err := valueOf(c)
	if err != nil {
		return nil, err
	}
	cas, err := casOf(c)
	if err != nil {
		return nil, err
	}
	v, err := put(ctx, pass, secretAt(c), data, cas)
	if fault.Is(err, fault.NotFound) && v != nil {
		return valueReply("data", v), nil // a patch of a version that is gone
	}
	if err != nil {
		return nil, err
	}
	return &Reply{Data: versionView(v)}, nil
}

func deleteKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return nil, c.Runtime.KV.Delete(ctx, pass, secretAt(c))
}

// versionsKV2 is an endpoint that does something to several versions.
func versionsKV2(do func(*kv.Engine, context.Context, gate.Pass, kv.Address, []uint64) error) Handler {
	return func(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
		var numbers []uint64
		for _, s := range c.List("versions") {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return nil, c.fieldError("versions", errors.New("not a list of whole numbers"))
			}
			numbers = append(numbers, uint64(max(n, 0))) // there is no version 0
		}
		return nil, do(c.Runtime.KV, ctx, pass, secretAt(c), numbers)
	}
}

// page is what the caller wants of a list.
func page(c *Call) drawer.Page {
	return drawer.Page{After: c.String("after"), Limit: int(max(0, min(c.Int("limit"), 1<<30)))}
}

func keysReply(names []string, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{"keys": names}}, nil
}

func listKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return keysReply(c.Runtime.KV.List(ctx, pass, secretAt(c), page(c)))
}

// scanPage is page, bounded: what lies below a folder has no natural end.
func scanPage(c *Call) drawer.Page {
	p := page(c)
	if p.Limit == 0 || p.Limit > maxListed {
		p.Limit = maxListed
	}
	return p
}

func scanReply(names []string, err error) (*Reply, error) {
	r, err := keysReply(names, err)
	if err == nil {
		r.Warnings = cutWarning(len(names))
	}
	return r, err
}

func scanKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return scanReply(c.Runtime.KV.Scan(ctx, pass, secretAt(c), scanPage(c)))
}

func listDetailedKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	list, err := c.Runtime.KV.ListDetailed(ctx, pass, secretAt(c), page(c))
	if err != nil {
		return nil, err
	}
	keys, info := make([]string, len(list)), make(map[string]any, len(list))
	for i, d := range list {
		keys[i] = d.Name
		if d.Metadata != nil {
			info[d.Name] = metadataView(d.Metadata)
		}
	}
	return &Reply{Data: map[string]any{"keys": keys, "key_info": info}}, nil
}

func metadataView(m *kv.Metadata) map[string]any {
	versions := make(map[string]any, len(m.Versions))
	for i := range m.Versions {
		v := &m.Versions[i]
		versions[strconv.FormatUint(v.Number, 10)] = map[string]any{
			"created_time": timeText(v.Created), "deletion_time": timeText(v.Deleted), "destroyed": v.Destroyed,
		}
	}
	return map[string]any{
		"versions": versions, "current_version": m.Current, "oldest_version": m.Oldest,
		"created_time": timeText(m.Created), "updated_time": timeText(m.Updated), "max_versions": m.MaxVersions,
		"cas_required": m.CASRequired, "delete_version_after": m.DeleteAfter.String(), "custom_metadata": customView(m.Custom),
		"current_metadata_version": 0, "metadata_cas_required": false,
	}
}

func readMetadataKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	m, err := c.Runtime.KV.Metadata(ctx, pass, secretAt(c))
	if err != nil {
		return nil, err
	}
	return &Reply{Data: metadataView(m)}, nil
}

// limitParam is max_versions, if it was given.
func limitParam(c *Call) (*uint64, error) {
	if !c.Has("max_versions") {
		return nil, nil
	}
	n := c.Int("max_versions")
	if n < 0 {
		return nil, fault.New(fault.Invalid, "max_versions must not be negative")
	}
	v := uint64(n)
	return &v, nil
}

func given[T any](c *Call, name string, v T) *T {
	if !c.Has(name) {
		return nil
	}
	return &v
}

func metadataChange(c *Call) (kv.MetadataChange, error) {
	limit, err := limitParam(c)
	return kv.MetadataChange{
		MaxVersions: limit, CASRequired: given(c, "cas_required", c.Bool("cas_required")),
		DeleteAfter: given(c, "delete_version_after", c.Duration("delete_version_after")), Custom: c.KV("custom_metadata"),
	}, err
}

func writeMetadataKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	ch, err := metadataChange(c)
	if err != nil {
		return nil, err
	}
	return nil, c.Runtime.KV.SetMetadata(ctx, pass, secretAt(c), ch)
}

// patchMetadataKV2 takes null for "back to the default".
func patchMetadataKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	ch, err := metadataChange(c)
	if err != nil {
		return nil, err
	}
	for name, v := range c.Data.Map() {
		switch {
		case name == "max_versions" && v == nil:
			ch.MaxVersions = new(uint64)
		case name == "cas_required" && v == nil:
			ch.CASRequired = new(bool)
		case name == "delete_version_after" && v == nil:
			ch.DeleteAfter = new(time.Duration)
		case name == "custom_metadata" && v == nil:
			ch.ClearCustom = true
		case name == "custom_metadata":
			if ch.CustomPatch, err = customPatch(v); err != nil {
				return nil, c.fieldError(name, err)
			}
		}
	}
	return nil, c.Runtime.KV.PatchMetadata(ctx, pass, secretAt(c), ch)
}

func customPatch(v any) (map[string]*string, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType("map", v)
	}
	out := make(map[string]*string, len(m))
	for k, v := range m {
		switch v := v.(type) {
		case nil:
			out[k] = nil
		case string:
			out[k] = &v
		case stdjson.Number:
			s := v.String()
			out[k] = &s
		case bool:
			s := strconv.FormatBool(v)
			out[k] = &s
		default:
			return nil, wrongType("string", v)
		}
	}
	return out, nil
}

func deleteMetadataKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return nil, c.Runtime.KV.DeleteMetadata(ctx, pass, secretAt(c))
}

func readConfigKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	cfg, err := c.Runtime.KV.Config(ctx, pass, secretAt(c))
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{
		"max_versions": cfg.MaxVersions, "cas_required": cfg.CASRequired, "delete_version_after": cfg.DeleteAfter.String(),
	}}, nil
}

func writeConfigKV2(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	limit, err := limitParam(c)
	if err != nil {
		return nil, err
	}
	return nil, c.Runtime.KV.Configure(ctx, pass, secretAt(c), kv.ConfigChange{
		MaxVersions: limit, CASRequired: given(c, "cas_required", c.Bool("cas_required")),
		DeleteAfter: given(c, "delete_version_after", c.Duration("delete_version_after")),
	})
}

// wrongPathKV2 tells callers that use version 1 paths what is wrong.
func wrongPathKV2(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r := &Reply{Status: 404}
	switch c.Rel {
	case "metadata", "data", "delete", "undelete", "destroy":
		r.Warn("Non-listing operations on the root of a K/V v2 mount are not supported.")
		return r, nil
	}
	command := map[string]string{Create: "put", Update: "put", Read: "get", List: "list", Scan: "list", Delete: "delete"}[c.Op]
	r.Warn("Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. "+
		"If using the Vault CLI, use 'vault kv %s' for this operation.", command)
	return r, nil
}
