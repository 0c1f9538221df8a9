package vaultapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/passpolicy"
)

// sysPasswordRows are the endpoints about rules for passwords.
var sysPasswordRows = []Row{
	{Verbs: []string{List}, Pattern: "policies/password", Auth: route.Authenticated, Action: "policies-list-password-policies", Help: "List the password policies.",
		Handler: Action{Do: listPasswords}},
	{Verbs: []string{Read}, Pattern: "policies/password/{name...}", Auth: route.Authenticated, Action: "policies-read-password-policy", Help: "Read a password policy, or with /generate get a password that it makes.",
		Handler: Action{Do: readOrGenerate}},
	{Verbs: []string{Update}, Pattern: "policies/password/{name...}", Auth: route.Authenticated, Action: "policies-write-password-policy", Body: SmallBody, Help: "Write a password policy.",
		Handler: Action{Do: writePassword, Fields: []Field{
			{Name: "policy", Help: "length and rules in HCL or JSON, plain or in base64."},
			{Name: "entropy_source", Help: "\"platform\", \"seal\" or empty; the operating system's generator is the source."},
		}, ClearKeys: []string{"policy", "entropy_source"}}},
	{Verbs: []string{Delete}, Pattern: "policies/password/{name...}", Auth: route.Authenticated, Action: "policies-delete-password-policy", Help: "Delete a password policy.",
		Handler: Action{Do: deletePassword}},
}

// generateSuffix makes the path of a policy that of a password.
const generateSuffix = "/generate"

func (c *Call) passwords() (*passpolicy.Store, error) {
	if c.Runtime.Passwords == nil {
		return nil, fault.New(fault.NotImplemented, "this server keeps no password policies")
	}
	return c.Runtime.Passwords, nil
}

func listPasswords(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.passwords()
	if err != nil {
		return nil, err
	}
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errNotFound
	}
	return &Reply{Data: map[string]any{"keys": names}}, nil
}

func readOrGenerate(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.passwords()
	if err != nil {
		return nil, err
	}
	name, generate := strings.CutSuffix(c.Param("name"), generateSuffix)
	stored, ok, err := s.Get(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fault.New(fault.NotFound, "policy does not exist")
	case generate:
		return makePassword(stored.Text)
	}
	data := map[string]any{"policy": stored.Text}
	if stored.EntropySource != "" {
		data["entropy_source"] = stored.EntropySource
	}
	return &Reply{Data: data}, nil
}

func makePassword(policy string) (*Reply, error) {
	p, err := passpolicy.Parse(policy)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "")
	}
	password, err := p.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{"password": password}}, nil
}

func writePassword(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.passwords()
	if err != nil {
		return nil, err
	}
	name, text := c.Param("name"), c.String("policy")
	if strings.HasSuffix(name, generateSuffix) {
		return nil, errUnsupported
	}
	if text == "" {
		return nil, fault.New(fault.Invalid, "missing policy")
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && utf8.Valid(b) {
		text = string(b)
	}
	source := c.String("entropy_source")
	if source != "" && source != "seal" && source != "platform" {
		return nil, fault.New(fault.Invalid, "unsupported entropy source: it is \"platform\", \"seal\" or empty")
	}
	return nil, s.Put(ctx, name, passpolicy.Stored{Text: text, EntropySource: source})
}

func deletePassword(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.passwords()
	if err != nil {
		return nil, err
	}
	return nil, s.Delete(ctx, c.Param("name"))
}
