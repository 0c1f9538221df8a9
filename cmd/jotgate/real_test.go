package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jotgate/jotgate/internal/servertest"
)

// TestScriptsOnARealServer plays each script against a fresh server that waits
// for shares. Beside the usual commands a script may say:
//
//	grab NAME REGEXP    set the variable to the group in what was printed last
//	stop                end the server
//	restart DIR         start a server on the store in DIR
func TestScriptsOnARealServer(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/real",
		Setup: func(e *testscript.Env) error {
			tb, _ := e.T().(testing.TB)
			s := servertest.Start(tb, servertest.Options{Dir: e.WorkDir, Shamir: true})
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("VAULT_ADDR", s.URL)
			e.Values[serverKey{}] = s
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"grab": func(ts *testscript.TestScript, _ bool, args []string) {
				m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
				if len(m) != 2 {
					ts.Fatalf("%s is not in what was printed:\n%s", args[1], ts.ReadFile("stdout"))
				}
				ts.Setenv(args[0], strings.TrimSpace(m[1]))
			},
			"stop": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Value(serverKey{}).(*servertest.Server).Stop()
			},
			"restart": func(ts *testscript.TestScript, _ bool, args []string) {
				s := servertest.Start(t, servertest.Options{Dir: ts.MkAbs(args[0]), Shamir: true})
				ts.Setenv("VAULT_ADDR", s.URL)
			},
		},
	})
}

type serverKey struct{}
