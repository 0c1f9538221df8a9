package vaultapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

var hashFields = []Field{
	{Name: "input", Help: "Data in base64."},
	{Name: "algorithm", Default: "sha2-256", Help: "sha2-224, -256, -384, -512 or sha3-224, -256, -384, -512."},
	{Name: "urlalgorithm", Help: "The same, in the path."},
	{Name: "format", Default: "hex", Help: "\"hex\" or \"base64\"."},
}

var randomFields = []Field{
	{Name: "bytes", Type: Int, Default: 32, Help: "How many bytes."},
	{Name: "urlbytes", Help: "The same, in the path."},
	{Name: "source", Help: "\"platform\", \"seal\" or \"all\"; the operating system's generator is the source."},
	{Name: "format", Default: "base64", Help: "\"hex\" or \"base64\"."},
}

// sysToolRows are small helpers and what tells about the installation.
var sysToolRows = []Row{
	{Verbs: []string{Update}, Pattern: "tools/hash", Auth: route.Authenticated, Action: "generate-hash", Body: 4 << 20, Help: "Hash data.",
		Handler: Action{Do: toolHash, Fields: hashFields}},
	{Verbs: []string{Update}, Pattern: "tools/hash/{urlalgorithm}", Auth: route.Authenticated, Action: "generate-hash-with-algorithm", Body: 4 << 20, Help: "Hash data.",
		Handler: Action{Do: toolHash, Fields: hashFields}},
	{Verbs: []string{Update}, Pattern: "tools/random", Auth: route.Authenticated, Action: "generate-random", Body: SmallBody, Help: "Make random bytes.",
		Handler: Action{Do: toolRandom, Fields: randomFields}},
	{Verbs: []string{Update}, Pattern: "tools/random/{urlbytes}", Auth: route.Authenticated, Action: "generate-random-with-bytes", Body: SmallBody, Help: "Make random bytes.",
		Handler: Action{Do: toolRandom, Fields: randomFields}},
	{Verbs: []string{Update}, Pattern: "tools/random/{source}/{urlbytes}", Auth: route.Authenticated, Action: "generate-random-with-source-and-bytes", Body: SmallBody, Help: "Make random bytes.",
		Handler: Action{Do: toolRandom, Fields: randomFields}},
	{Verbs: []string{Read}, Pattern: "key-status", Auth: route.Authenticated, Action: "encryption-key-status", Help: "Read which data key seals new values.",
		Handler: Action{Do: keyStatus}},
	{Verbs: []string{Update}, Pattern: "rotate", Auth: route.Authenticated, Sudo: true, Action: "encryption-key-rotate", Body: SmallBody, Help: "Seal new values with a new data key.",
		Handler: Action{Do: rotate}},
	{Verbs: []string{List}, Pattern: "version-history", Auth: route.Authenticated, Action: "version-history", Help: "List the versions of this installation.",
		Handler: Action{Do: versionHistory}},
	{Verbs: []string{Read}, Pattern: "internal/specs/openapi", Auth: route.Authenticated, Action: "internal-generate-open-api-document", Help: "Describe every mounted path as an OpenAPI document.",
		Handler: Action{Do: wholeOpenAPI}},
}

var hashes = map[string]func() hash.Hash{
	"sha2-224": sha256.New224, "sha2-256": sha256.New, "sha2-384": sha512.New384, "sha2-512": sha512.New,
	"sha3-224": func() hash.Hash { return sha3.New224() }, "sha3-256": func() hash.Hash { return sha3.New256() },
	"sha3-384": func() hash.Hash { return sha3.New384() }, "sha3-512": func() hash.Hash { return sha3.New512() },
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// format spells bytes in hex or base64.
func format(b []byte, how string) (string, error) {
	switch how {
	case "hex":
		return hex.EncodeToString(b), nil
	case "base64":
		return base64.StdEncoding.EncodeToString(b), nil
	}
	return "", fault.New(fault.Invalid, "unsupported encoding format; must be \"hex\" or \"base64\"")
}

func toolHash(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	in, err := base64.StdEncoding.DecodeString(c.String("input"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "unable to decode input as base64")
	}
	name := firstOf(c.String("urlalgorithm"), c.String("algorithm"), "sha2-256")
	newHash := hashes[name]
	if newHash == nil {
		return nil, fault.Newf(fault.Invalid, "unsupported algorithm %q", clip(name))
	}
	h := newHash()
	h.Write(in)
	sum, err := format(h.Sum(nil), firstOf(c.String("format"), "hex"))
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{"sum": sum}}, nil
}

// knownSource reports whether the reference knows a source of random bytes.
// They are all one here: the operating system's generator.
func knownSource(name string) bool {
	switch name {
	case "", "platform", "seal", "all":
		return true
	}
	return false
}

// maxRandom is how many random bytes one call gives.
const maxRandom = 128 << 10

func toolRandom(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	n, u, source := c.Int("bytes"), c.String("urlbytes"), c.String("source")
	if source == "" && knownSource(u) {
		u, source = "", u // tools/random/platform
	}
	if !knownSource(source) {
		return nil, fault.New(fault.Invalid, `unsupported entropy source; must be "platform" or "seal", or "all"`)
	}
	if u != "" {
		var err error
		if n, err = strconv.ParseInt(u, 10, 32); err != nil {
			return nil, fault.New(fault.Invalid, "error parsing url-set byte count: not a number")
		}
	} else if !c.Has("bytes") {
		n = 32
	}
	switch {
	case n < 1:
		return nil, fault.New(fault.Invalid, `"bytes" cannot be less than 1`)
	case n > maxRandom:
		return nil, fault.Newf(fault.Invalid, `"bytes" should be less than %d`, maxRandom)
	}
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	text, err := format(b, firstOf(c.String("format"), "base64"))
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{"random_bytes": text}}, nil
}

func keyStatus(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if c.Runtime.KeyInfo == nil {
		return nil, fault.New(fault.NotImplemented, "this server has no keyring to ask")
	}
	k := c.Runtime.KeyInfo()
	return &Reply{Doubled: true, Data: map[string]any{
		"term": k.Term, "install_time": k.Created.UTC().Format(time.RFC3339Nano), "encryptions": k.Seals,
	}}, nil
}

func rotate(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if c.Runtime.Rotate == nil {
		return nil, fault.New(fault.NotImplemented, "this server has no keyring to rotate")
	}
	_, err := c.Runtime.Rotate(ctx)
	return nil, err
}

// versionHistory knows this version only, and not since when it runs here: ""
// rather than null, which clients print as they find it.
func versionHistory(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	v := c.Door.info.wireVersion()
	return &Reply{Data: map[string]any{
		"keys": []string{v},
		"key_info": map[string]any{v: map[string]any{
			"build_date": c.Door.info.BuildDate, "previous_version": nil, "timestamp_installed": "",
		}},
	}}, nil
}

// wholeOpenAPI describes every mount in one document.
func wholeOpenAPI(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	paths, schemas := map[string]any{}, map[string]any{}
	t := c.Runtime.Mounts.Table()
	for _, e := range append(t.Auth(), t.Secrets()...) {
		if b := c.Door.rows(e); b != nil {
			describeRows("/"+e.Logical(), tag(e), b.table.Rows(), paths, schemas)
		}
	}
	body, err := appendJSON(nil, openAPI(c, paths, schemas))
	if err != nil {
		return nil, err
	}
	return &Reply{Raw: append(body, '\n')}, nil
}
