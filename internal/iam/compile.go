package iam

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/policy/votes"
)

// Options are what Compile needs besides the text. The zero value is fit for
// checking a file.
type Options struct {
	// File names the text in problems; "" means "iam.toml".
	File string
	// Keys makes the sources that fetch keys; nil makes one with the defaults.
	// Nothing is fetched while compiling.
	Keys *jwks.Client
	// DisableFetch refuses identity providers whose keys would be fetched
	// (the reference's features.disable_idp_jwks).
	DisableFetch bool
	// Previous is the snapshot that the new one will replace. Key sources that
	// are configured the same are taken over, with the keys in their memory.
	Previous *Snapshot
}

// Admin is the name of the built-in user and of its role.
const Admin = votes.AdminRole

// User is one user of the file.
type User struct {
	Name     string
	Role     string
	Disabled bool
}

// Snapshot is a compiled IAM file. It is immutable and safe for concurrent
// use. The zero Snapshot, and a nil one, has nobody in it.
type Snapshot struct {
	text      string
	etag      string
	users     map[string]User
	roles     *votes.Roles
	policies  []votes.PolicySpec
	providers []*Provider
	byIssuer  map[string]map[string]*Provider // issuer → audience
}

// Compile reads an IAM file. On failure the error is of kind Invalid, reason
// "iam_config"; its public text, and the Problems in its chain, list everything
// that is wrong.
func Compile(text string, o Options) (*Snapshot, error) {
	if o.File == "" {
		o.File = "iam.toml"
	}
	if o.Keys == nil {
		o.Keys = jwks.NewClient(jwks.Options{})
	}
	r := &reader{file: o.File}
	m, ok := r.parse(text)
	if !ok {
		return nil, r.problems.fault()
	}
	root := table{r: r, m: m}
	root.only("users", "roles", "policies", "idps")
	for _, name := range []string{"users", "roles", "policies"} {
		if !root.has(name) {
			root.addf(name, "the table is missing; add [%s], even if it stays empty", name)
		}
	}
	c := &compiler{r: r, o: o, s: &Snapshot{text: text, etag: ETag(text)}}
	c.policies(root.sub("policies"))
	c.roles(root.sub("roles"))
	c.users(root.sub("users"))
	c.idps(root.sub("idps"))
	if len(r.problems) == 0 {
		c.votes()
	}
	if err := r.problems.fault(); err != nil {
		c.s.CloseExcept(o.Previous)
		return nil, err
	}
	return c.s, nil
}

// ETag returns the entity tag of a text: its SHA-256 in hexadecimal.
func ETag(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// compiler builds a snapshot.
type compiler struct {
	r         *reader
	o         Options
	s         *Snapshot
	roleSpecs []votes.RoleSpec
	roleNames []string
}

// entities calls read for each table below t, after checking its name. what is
// the word for one of them.
func (c *compiler) entities(t table, what string, reserved bool, read func(name string, e table)) {
	seen := map[string]string{}
	for _, name := range t.keys() {
		if problem := nameProblem(name); problem != "" {
			t.addf(name, "%s name %s", what, problem)
		}
		lower := strings.ToLower(name)
		switch {
		case reserved && lower == strings.ToLower(Admin):
			t.addf(name, "%q is built in and cannot be defined; choose another name", Admin)
		case seen[lower] != "":
			t.addf(name, "differs only in case from %q; rename one of them", seen[lower])
		}
		seen[lower] = name
		read(name, t.sub(name))
	}
}

// maxName is the longest name, in characters (reference 2.2).
const maxName = 450

// nameProblem says how a name breaks the naming rules, or "".
func nameProblem(name string) string {
	switch {
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d characters", maxName)
	case name == "" || !letter(name[0]):
		return "must begin with a letter from A to Z or a to z"
	}
	for i := range len(name) {
		if b := name[i]; !letter(b) && b != '_' && (b < '0' || b > '9') {
			return "must consist of the letters A to Z and a to z, digits and \"_\""
		}
	}
	return ""
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

func (c *compiler) policies(t table) {
	c.entities(t, "policy", false, func(name string, e table) {
		e.only("policy_type", "operations", "reasons", "resources")
		p := votes.PolicySpec{Name: name, Type: e.text("policy_type")}
		if !e.has("policy_type") {
			e.addf("policy_type", "is missing; write \"allow\" or \"deny\"")
		} else if err := votes.CheckPolicyType(p.Type); err != nil {
			e.addf("policy_type", "%s", err)
		}
		p.Operations = e.values("operations", votes.CheckOperation)
		p.Reasons = e.values("reasons", votes.CheckReason)
		p.Resources = e.values("resources", votes.CheckResource)
		c.s.policies = append(c.s.policies, p)
	})
}

// values reads a list that must not be empty, and checks each value.
func (t table) values(key string, check func(string) error) []string {
	list := t.list(key)
	if len(list) == 0 {
		t.addf(key, "must name at least one value; write [\"*\"] for all")
	}
	for _, v := range list {
		if err := check(v); err != nil {
			t.addf(key, "%s", err)
		}
	}
	return list
}

func (c *compiler) roles(t table) {
	c.roleNames = t.keys()
	names := make([]string, len(c.s.policies))
	for i, p := range c.s.policies {
		names[i] = p.Name
	}
	c.entities(t, "role", true, func(name string, e table) {
		e.only("capabilities", "policies", "trusted_roles")
		role := votes.RoleSpec{
			Name: name, Capabilities: e.list("capabilities"), Policies: e.list("policies"), TrustedRoles: e.list("trusted_roles"),
		}
		for _, v := range role.Capabilities {
			if _, ok := votes.ParseCapability(v); !ok && v != "*" {
				e.addf("capabilities", "unknown capability %q%s", v, nearest(v, votes.CapabilityNames()))
			}
		}
		for _, v := range role.Policies {
			if !slices.Contains(names, v) && v != "*" {
				e.addf("policies", "policy %q is not defined%s", v, define("policies", v, names))
			}
		}
		for _, v := range role.TrustedRoles {
			c.roleExists(e, "trusted_roles", v)
			if v == name {
				e.addf("trusted_roles", "a role cannot act as itself")
			}
		}
		c.roleSpecs = append(c.roleSpecs, role)
	})
}

// define says how to repair a reference to something that is not there.
func define(where, name string, known []string) string {
	if hint := nearest(name, known); hint != "" {
		return hint
	}
	return fmt.Sprintf("; define [%s] or correct the name", path{where, name})
}

func (c *compiler) roleExists(t table, key, name string) {
	switch {
	case strings.EqualFold(name, Admin):
		t.addf(key, "role %q is built in and belongs to the administrator alone", Admin)
	case !slices.Contains(c.roleNames, name):
		t.addf(key, "role %q is not defined%s", name, define("roles", name, c.roleNames))
	}
}

func (c *compiler) users(t table) {
	c.s.users = make(map[string]User, len(t.m))
	c.entities(t, "user", true, func(name string, e table) {
		e.only("role", "disabled")
		u := User{Name: name, Role: e.text("role"), Disabled: e.flag("disabled")}
		if !e.has("role") {
			e.addf("role", "is missing; every user has exactly one role")
		} else if u.Role != "" || isText(e.m["role"]) {
			c.roleExists(e, "role", u.Role)
		}
		c.s.users[name] = u
	})
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// votes compiles what has been checked. A problem here is one that the checks
// above do not know; it is reported all the same.
func (c *compiler) votes() {
	roles, err := votes.Compile(c.roleSpecs, c.s.policies)
	if err != nil {
		c.r.addf(path{"roles"}, "%s", err)
	}
	c.s.roles = roles
}

// Text returns the file exactly as it was compiled.
func (s *Snapshot) Text() string {
	if s == nil {
		return ""
	}
	return s.text
}

// ETag returns the entity tag of the text.
func (s *Snapshot) ETag() string {
	if s == nil {
		return ""
	}
	return s.etag
}

// User returns a user of the file.
func (s *Snapshot) User(name string) (User, bool) {
	if s == nil {
		return User{}, false
	}
	u, ok := s.users[name]
	return u, ok
}

// Users returns all users of the file, sorted by name.
func (s *Snapshot) Users() []User {
	if s == nil {
		return nil
	}
	out := make([]User, 0, len(s.users))
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		out = append(out, s.users[name])
	}
	return out
}

// Role returns a role of the file, or the built-in one.
func (s *Snapshot) Role(name string) (*votes.Role, bool) {
	if s == nil {
		return nil, false
	}
	return s.roles.Role(name)
}

// RoleNames returns the names of the roles in the file, sorted.
func (s *Snapshot) RoleNames() []string {
	if s == nil {
		return nil
	}
	return s.roles.Names()
}

// Policies returns the policies of the file, sorted by name. Read only.
func (s *Snapshot) Policies() []votes.PolicySpec {
	if s == nil {
		return nil
	}
	return s.policies
}
