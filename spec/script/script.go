// Package script plays text scripts against a whole server, so that what they
// show is what the server does.
//
// A script is text. "#" begins a comment. "> METHOD PATH as WHO" sends a
// request; further lines that begin with ">" hold headers ("> Name: value") or,
// after "> ", the body. The lines that follow, up to the next blank line, are
// the status and the body of the answer. In them "…" stands for any text, and
// "<name>" for any text without quotes, which "$name" repeats later.
package script

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// World is what a script is played in.
type World struct {
	// Do sends a request and returns the status and the body of the answer.
	Do func(method, path, body string, header ...string) (int, string)
	// As returns the headers, name and value in turn, by which WHO proves itself.
	As func(who string) []string
	// Vars are the variables that are there from the start.
	Vars map[string]string
}

// Each plays every script of the current directory in a world of its own.
func Each(t *testing.T, world func(t *testing.T) World) {
	scripts, err := filepath.Glob("*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, name := range scripts {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, World: world(t), vars: map[string]string{}}
			maps.Copy(p.vars, p.Vars)
			p.play(name, string(text))
		})
	}
}

type player struct {
	World
	t    *testing.T
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
	if who != "" {
		headers = append(headers, p.As(who)...)
	}
	return p.Do(method, path, p.fill(strings.Join(st.body, "\n")), headers...)
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
