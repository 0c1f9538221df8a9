package main

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the output of the examples into docs/cli.md")

// TestExamplesInTheDocumentationRun plays every console block of docs/cli.md
// against a real server, in order, and compares what is printed. Tokens, times
// and the like are compared by their kind.
func TestExamplesInTheDocumentationRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both programs and starts a server")
	}
	const doc = "../../docs/cli.md"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	shell := newDocShell(t)
	var out bytes.Buffer
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i] + "\n")
		if lines[i] != "```console" {
			continue
		}
		end := i + 1
		for lines[end] != "```" {
			end++
		}
		got := shell.block(t, lines[i+1:end])
		if want := strings.Join(lines[i+1:end], "\n") + "\n"; !*update && normal(got) != normal(want) {
			t.Errorf("docs/cli.md:%d: printed\n%s\nthe document says\n%s", i+1, normal(got), normal(want))
		}
		out.WriteString(got)
		i = end - 1
	}
	if *update {
		if err := os.WriteFile(doc, bytes.TrimSuffix(out.Bytes(), []byte("\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// docShell runs commands in an empty directory beside a fresh server.
type docShell struct {
	dir  string
	addr string
	env  []string
}

func newDocShell(t *testing.T) *docShell {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", ".", "../pvault") // the version shown is that of no commit
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	server := exec.Command(filepath.Join(bin, "jotgate"), "server", "-dev", "-dev-root-token-id=root", "-dev-listen-address=127.0.0.1:0", "-dev-dir="+filepath.Join(dir, "data"))
	var log bytes.Buffer
	server.Stderr = &log
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	// The greeting names the port that the system chose, and comes when it answers.
	greeting := bufio.NewReader(out)
	first, err := greeting.ReadString('\n')
	if err != nil {
		_ = server.Wait()
		t.Fatalf("the server did not start: %v\n%s", err, log.String())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, greeting)
	}()
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		<-drained
		_ = server.Wait()
	})
	_, addr, ok := strings.Cut(strings.TrimSpace(first), "listens on http://")
	if !ok {
		t.Fatalf("the greeting names no address: %q", first)
	}
	return &docShell{dir: work, addr: addr, env: []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + work,
		"VAULT_ADDR=http://" + addr, "PVAULT_ADDR=http://" + addr}}
}

// block runs the "$ " lines of one block, each with its "> " lines, and returns
// the block as it should read. Variables that are exported stay.
func (s *docShell) block(t *testing.T, lines []string) string {
	t.Helper()
	var out strings.Builder
	for i := 0; i < len(lines); i++ {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			continue
		}
		out.WriteString(lines[i] + "\n")
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "> ") {
			i++
			out.WriteString(lines[i] + "\n")
			command += "\n" + lines[i][2:]
		}
		out.WriteString(s.run(t, command))
	}
	return out.String()
}

func (s *docShell) run(t *testing.T, command string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command+"\nenv > .env.out")
	cmd.Dir, cmd.Env = s.dir, s.env
	b, _ := cmd.CombinedOutput() // what a refusal prints is part of the document
	if f, err := os.Open(filepath.Join(s.dir, ".env.out")); err == nil {
		s.env = nil
		for sc := bufio.NewScanner(f); sc.Scan(); {
			s.env = append(s.env, sc.Text())
		}
		_ = f.Close()
	}
	text := strings.ReplaceAll(string(b), s.addr, "127.0.0.1:8200")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

var volatile = []*regexp.Regexp{
	regexp.MustCompile(`"n": "[A-Za-z0-9_-]+"|n\\":\\"[A-Za-z0-9_-]+`), // first: any of the others may fit a part of a key
	regexp.MustCompile(`hvs\.[A-Za-z0-9_-]+`),
	regexp.MustCompile(`\b[A-Za-z0-9]{24}\b`),
	regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[^ |]*`),
	regexp.MustCompile(`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d UTC`),
	regexp.MustCompile(`_[0-9a-f]{8}\b`),
	regexp.MustCompile(`\(in [^)]*\)|\([^)]* ago\)`),
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`),
	regexp.MustCompile(`\b\d+m\d+s\b|\b\d{10,}\b`),
	regexp.MustCompile(`v?\d+\.\d+\.\d+[-+.0-9A-Za-z]*`),
	regexp.MustCompile(`[ -]+`), // columns are as wide as what stands in them
}

// normal replaces what differs from run to run.
func normal(s string) string {
	for _, re := range volatile {
		s = re.ReplaceAllString(s, "~")
	}
	return s
}
