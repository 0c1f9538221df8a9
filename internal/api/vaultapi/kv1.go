package vaultapi

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// kv1Rows are the endpoints of a plain key-value store. Their parameters are
// the secret itself.
var kv1Rows = []Row{
	{Verbs: []string{Read}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v1-read", Help: "Read a secret.",
		Handler: Action{Do: readKV1, Free: true}},
	{Verbs: []string{Update}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v1-write", Body: LargeBody, Help: "Write a secret.",
		Handler: Action{Do: writeKV1, Free: true, Exists: kvExists}},
	{Verbs: []string{Delete}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v1-delete", Help: "Delete a secret.",
		Handler: Action{Do: deleteKV1, Free: true}},
	{Verbs: []string{List}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v1-list", Help: "List the secrets in a folder.",
		Handler: Action{Do: listKV1, Fields: pageFields}},
	{Verbs: []string{List}, Pattern: "", Auth: route.Authenticated, Action: "kv-v1-list-root", Help: "List the secrets at the top.",
		Handler: Action{Do: listKV1, Fields: pageFields}},
	{Verbs: []string{Scan}, Pattern: "{path...}", Auth: route.Authenticated, Action: "kv-v1-scan", Help: "List the secrets in a folder and below.",
		Handler: Action{Do: scanKV1, Fields: pageFields}},
	{Verbs: []string{Scan}, Pattern: "", Auth: route.Authenticated, Action: "kv-v1-scan-root", Help: "List all secrets.",
		Handler: Action{Do: scanKV1, Fields: pageFields}},
}

// bodyOf is the whole body as the value to keep.
func bodyOf(c *Call) (jsontext.Value, error) {
	if len(c.Data.Map()) == 0 {
		return nil, fault.New(fault.Invalid, "missing data fields")
	}
	if raw := c.Data.Body(); len(raw) > 0 {
		return raw, nil
	}
	return marshal(c.Data.Map())
}

// fieldsReply has the members of a value as its data.
func fieldsReply(v jsontext.Value) (*Reply, error) {
	var m map[string]jsontext.Value
	if err := json.Unmarshal(v, &m); err != nil {
		return nil, err
	}
	data := make(map[string]any, len(m))
	for k, v := range m {
		data[k] = v
	}
	return &Reply{Data: data}, nil
}

func readKV1(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	v, err := c.Runtime.KV.Get(ctx, pass, secretAt(c))
	if err != nil {
		return nil, err
	}
	r, err := fieldsReply(v)
	if err != nil {
		return nil, err
	}
	r.LeaseDuration = c.Mount.DefaultTTL()
	if d, ok := refreshInterval(v); ok {
		r.LeaseDuration = d
	}
	return r, nil
}

// refreshInterval is the ttl, or the older lease, that the secret itself names.
func refreshInterval(v jsontext.Value) (time.Duration, bool) {
	f := kv.Fields(v, "ttl", "lease")
	text := f["ttl"]
	if text == "" {
		text = f["lease"]
	}
	d, err := parseDuration(text)
	return d, text != "" && err == nil && d >= 0
}

func writeKV1(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	v, err := bodyOf(c)
	if err != nil {
		return nil, err
	}
	return nil, c.Runtime.KV.Put(ctx, pass, secretAt(c), v)
}

func deleteKV1(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return nil, c.Runtime.KV.Remove(ctx, pass, secretAt(c))
}

func listKV1(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return keysReply(c.Runtime.KV.ListV1(ctx, pass, secretAt(c), page(c)))
}

func scanKV1(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return scanReply(c.Runtime.KV.ScanV1(ctx, pass, secretAt(c), scanPage(c)))
}

// cubbyholeRows are the endpoints of each token's own drawer.
var cubbyholeRows = []Row{
	{Verbs: []string{Read}, Pattern: "{path...}", Auth: route.Authenticated, Action: "cubbyhole-read", Help: "Read a value of the calling token.",
		Handler: Action{Do: readCubby, Free: true}},
	{Verbs: []string{Update}, Pattern: "{path...}", Auth: route.Authenticated, Action: "cubbyhole-write", Body: LargeBody, Help: "Write a value that only the calling token sees.",
		Handler: Action{Do: writeCubby, Free: true, Exists: cubbyExists}},
	{Verbs: []string{Delete}, Pattern: "{path...}", Auth: route.Authenticated, Action: "cubbyhole-delete", Help: "Delete a value of the calling token.",
		Handler: Action{Do: deleteCubby, Free: true}},
	{Verbs: []string{List}, Pattern: "{path...}", Auth: route.Authenticated, Action: "cubbyhole-list", Help: "List the values of the calling token in a folder.",
		Handler: Action{Do: listCubby, Fields: pageFields}},
	{Verbs: []string{List}, Pattern: "", Auth: route.Authenticated, Action: "cubbyhole-list-root", Help: "List the values of the calling token at the top.",
		Handler: Action{Do: listCubby, Fields: pageFields}},
}

func cubbyExists(ctx context.Context, c *Call) (bool, error) {
	return c.Runtime.Cubbyhole.Exists(ctx, c.caller, c.Param("path"))
}

func readCubby(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	v, err := c.Runtime.Cubbyhole.Read(ctx, pass, c.Mount.Logical(), c.Param("path"))
	if err != nil {
		return nil, err
	}
	return fieldsReply(v)
}

func writeCubby(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	v, err := bodyOf(c)
	if err != nil {
		return nil, err
	}
	return nil, c.Runtime.Cubbyhole.Write(ctx, pass, c.Mount.Logical(), c.Param("path"), v)
}

func deleteCubby(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return nil, c.Runtime.Cubbyhole.Delete(ctx, pass, c.Mount.Logical(), c.Param("path"))
}

func listCubby(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
	return keysReply(c.Runtime.Cubbyhole.List(ctx, pass, c.Mount.Logical(), c.Param("path"), page(c)))
}
