// Package spec plays the scripts beside it against a whole server, so that what
// they show is what the server does.
//
// A script is text. "#" begins a comment. "> METHOD PATH as WHO" sends a
// request; further lines that begin with ">" hold headers ("> Name: value") or,
// after "> ", the body. The lines that follow, up to the next blank line, are
// the status and the body of the answer. In them "…" stands for any text, and
// "<name>" for any text without quotes, which "$name" repeats later.
package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/servertest"
)

// people are the callers of the scripts, by name: role and further claims.
var people = map[string]struct {
	role string
	more map[string]any
}{
	"operator": {"VaultAdminRole", nil},
	"nobody":   {"Nobody", nil},
	"support":  {"Support", nil},
	"alice":    {"VaultAdminRole", map[string]any{"https://app.piiano.io/prop/user_id": "alice"}},
	"late":     {"VaultAdminRole", map[string]any{"exp": time.Now().Unix() - 3600}},
	"stranger": {"VaultAdminRole", map[string]any{"iss": "https://elsewhere.test/"}},
	"two":      {"VaultAdminRole", map[string]any{"roles": []string{"VaultAdminRole", "Nobody"}}},
}

func configuration(t *testing.T, key *idptest.Key) string {
	return iam.DefaultText + `
[roles.Nobody]
capabilities = []
[roles.Support]
capabilities = ["CapDataReader"]
policies = ["PolSeeMasks"]
[policies.PolSeeMasks]
policy_type = "allow"
operations = ["read"]
reasons = ["AccountManagement"]
resources = ["*/types/EMAIL.mask", "*/properties/id"]
[idps.app]
type = "direct-jwt"
[idps.app.conf]
iss = "https://idp.test/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`
}

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range scripts {
		t.Run(name, func(t *testing.T) {
			key := idptest.NewKey(t, "k1", jwt.Algorithm("EdDSA"))
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, s: servertest.Start(t, servertest.Options{IAM: configuration(t, key)}), key: key, vars: map[string]string{}}
			p.play(name, string(text))
		})
	}
}

type player struct {
	t    *testing.T
	s    *servertest.Server
	key  *idptest.Key
	vars map[string]string
}

// step is one request with the answer that it must get.
type step struct {
	line    int
	request string
	headers []string
	body    []string
	answer  []string
}

func parse(text string) []step {
	var out []step
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "> ") && (len(out) == 0 || len(out[len(out)-1].answer) > 0):
			out = append(out, step{line: n + 1, request: line[2:]})
		case strings.HasPrefix(line, "> "):
			s := &out[len(out)-1]
			if name, value, ok := strings.Cut(line[2:], ": "); ok && header.MatchString(name) && len(s.body) == 0 {
				s.headers = append(s.headers, name, value)
			} else {
				s.body = append(s.body, line[2:])
			}
		default:
			out[len(out)-1].answer = append(out[len(out)-1].answer, line)
		}
	}
	return out
}

var (
	header   = regexp.MustCompile(`^[A-Z][A-Za-z-]+$`)
	variable = regexp.MustCompile(`\$[a-z]+`)
	capture  = regexp.MustCompile(`<[a-z]+>|…`)
)

func (p *player) play(name, text string) {
	for _, st := range parse(text) {
		code, body := p.send(st)
		want := p.fill(strings.Join(st.answer, "\n"))
		got := strings.TrimRight(fmt.Sprintf("%d\n%s", code, body), "\n")
		if !p.fits(want, got) {
			p.t.Errorf("%s:%d: %s\n got: %s\nwant: %s", name, st.line, st.request, got, want)
		}
	}
}

func (p *player) send(st step) (int, string) {
	request, who, _ := strings.Cut(p.fill(st.request), " as ")
	method, path, _ := strings.Cut(request, " ")
	headers := st.headers
	switch who {
	case "":
	case "admin":
		headers = append(headers, "Authorization", "Bearer "+servertest.AdminKey)
	default:
		headers = append(headers, "Authorization", "Bearer "+p.token(who))
	}
	return p.s.Do(method, path, p.fill(strings.Join(st.body, "\n")), headers...)
}

func (p *player) token(who string) string {
	person, ok := people[who]
	if !ok {
		p.t.Fatalf("there is no one called %q", who)
	}
	c := map[string]any{"iss": "https://idp.test/", "aud": "vault", "sub": who, "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{person.role}}
	for k, v := range person.more {
		c[k] = v
	}
	return p.key.Token(p.t, c)
}

func (p *player) fill(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if value, ok := p.vars[v[1:]]; ok {
			return value
		}
		return v
	})
}

// fits compares an answer to what the script says and remembers its variables.
func (p *player) fits(want, got string) bool {
	var pattern strings.Builder
	var names []string
	rest := want
	for {
		at := capture.FindStringIndex(rest)
		if at == nil {
			break
		}
		pattern.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		if word := rest[at[0]:at[1]]; word == "…" {
			pattern.WriteString(`(?s:.*?)`)
		} else {
			names = append(names, strings.Trim(word, "<>"))
			pattern.WriteString(`([^"]*)`)
		}
		rest = rest[at[1]:]
	}
	m := regexp.MustCompile(`^` + pattern.String() + regexp.QuoteMeta(rest) + `$`).FindStringSubmatch(got)
	for i, n := range names {
		if m != nil {
			p.vars[n] = m[i+1]
		}
	}
	return m != nil
}
