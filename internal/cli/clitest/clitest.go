// Package clitest runs the clients' test scripts: it gives a script a server
// that answers from a list and remembers what it was asked, so that a script
// shows a command, the bytes on the wire and the bytes on the screen.
package clitest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jotgate/jotgate/internal/ambient"
)

// Run runs the scripts in dir. A script may say:
//
//	serve FILE    start a server that answers from FILE and set the variable
//	              addr (for example VAULT_ADDR) to its address
//	sent FILE     compare what the server was asked since the last "sent"
//	[pod] …       do it only inside a pod, whose token no script can put away
//
// FILE of serve holds answers, each a line "METHOD PATH STATUS" followed by the
// body and an empty line. An answer may be given once only, in any order, or
// again and again when its line starts with "*". What was asked is written as
// "METHOD PATH" with the headers that matter and the body, if any. A line
// "@NAME" stands for the content of the file NAME.
func Run(t *testing.T, dir, addr string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			return os.MkdirAll(home, 0o700)
		},
		Condition: func(name string) (bool, error) {
			if name != "pod" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			_, err := os.Stat(ambient.PodToken)
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) != 1 {
					ts.Fatalf("usage: serve FILE")
				}
				s := &server{answers: parse(ts, ts.ReadFile(args[0]))}
				h := httptest.NewServer(s)
				ts.Defer(h.Close)
				ts.Setenv(addr, h.URL)
				ts.Setenv("SERVER", h.URL)
				servers.Store(ts, s)
				ts.Defer(func() { servers.Delete(ts) })
			},
			"sent": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) != 1 {
					ts.Fatalf("usage: sent FILE")
				}
				v, ok := servers.Load(ts)
				if !ok {
					ts.Fatalf("no server was started")
				}
				want, got := expand(ts, strings.TrimSpace(ts.ReadFile(args[0]))), v.(*server).take()
				if got != want {
					ts.Fatalf("the server was asked:\n%s\n\nwanted:\n%s", got, want)
				}
			},
		},
	})
}

var servers sync.Map // *testscript.TestScript → *server

// answer is one line of a list with its body.
type answer struct {
	method, path string
	status       int
	body         string
	always       bool
	used         bool
}

// server answers from its list.
type server struct {
	mu      sync.Mutex
	answers []*answer
	asked   strings.Builder
}

func parse(ts *testscript.TestScript, text string) []*answer {
	var out []*answer
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		line, body, _ := strings.Cut(block, "\n")
		a := &answer{body: expand(ts, strings.TrimSpace(body))}
		if line, a.always = strings.CutPrefix(line, "*"); true {
			f := strings.Fields(line)
			if len(f) != 3 {
				ts.Fatalf("not METHOD PATH STATUS: %q", line)
			}
			a.method, a.path = f[0], f[1]
			var err error
			if a.status, err = strconv.Atoi(f[2]); err != nil {
				ts.Fatalf("not a status: %q", line)
			}
		}
		out = append(out, a)
	}
	return out
}

// expand replaces a line "@file" by the file, for bodies with empty lines.
func expand(ts *testscript.TestScript, text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if name, ok := strings.CutPrefix(line, "@"); ok {
			lines[i] = strings.TrimRight(ts.ReadFile(name), "\n")
		}
	}
	return strings.Join(lines, "\n")
}

// shown are the request headers that a script may care about.
var shown = []string{"Authorization", "Content-Type", "X-Vault-Namespace", "X-Vault-Token", "X-Vault-Wrap-Ttl", "X-Tenant-Id"}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.asked, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, h := range shown {
		if v := r.Header.Get(h); v != "" {
			fmt.Fprintf(&s.asked, "%s: %s\n", h, v)
		}
	}
	if len(body) > 0 {
		fmt.Fprintf(&s.asked, "%s\n", strings.TrimRight(string(body), "\n"))
	}
	s.asked.WriteByte('\n')
	w.Header().Set("Content-Type", "application/json")
	for _, a := range s.answers {
		if a.method == r.Method && a.path == r.URL.RequestURI() && (a.always || !a.used) {
			a.used = true
			if strings.HasPrefix(a.body, "[users.") {
				w.Header().Set("Content-Type", "application/toml")
			}
			w.WriteHeader(a.status)
			if w.Header().Get("Content-Type") == "application/toml" {
				a.body = strings.TrimRight(a.body, "\n") + "\n"
			}
			_, _ = io.WriteString(w, a.body)
			return
		}
	}
	w.WriteHeader(http.StatusTeapot)
	_, _ = io.WriteString(w, `{"errors":["the script has no answer for this"]}`)
}

func (s *server) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked.String()
	s.asked.Reset()
	return strings.TrimSpace(out)
}
