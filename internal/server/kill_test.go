package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

type process struct {
	cmd *exec.Cmd
	url string
}

func spawn(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childEnv+"="+dir)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server process did not come up: %v", err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) do(method, path, body string) (int, string, error) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Vault-Token", "root")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestKillingTheProcessLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]string{}
	for round := range 4 {
		p := spawn(t, dir)
		for key, want := range acked {
			status, body, err := p.do("GET", "/v1/secret/data/"+key, "")
			if err != nil || status != 200 || !strings.Contains(body, want) {
				t.Fatalf("round %d: %s was acknowledged as %s and reads %d %s %v", round, key, want, status, body, err)
			}
		}
		writeUntilKilled(t, p, round, acked)
	}
	if len(acked) < 40 {
		t.Fatalf("only %d writes were acknowledged: the test shows nothing", len(acked))
	}
}

// writeUntilKilled writes with eight clients, kills the process once enough is
// acknowledged while more is under way, and adds what was acknowledged.
func writeUntilKilled(t *testing.T, p *process, round int, acked map[string]string) {
	t.Helper()
	const writers, enough = 8, 60
	var mu sync.Mutex
	count := 0
	reached := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				key, value := fmt.Sprintf("r%d-w%d-%d", round, w, i), fmt.Sprintf("value-%d-%d-%d", round, w, i)
				status, body, err := p.do("POST", "/v1/secret/data/"+key, `{"data":{"v":"`+value+`"}}`)
				if err != nil {
					return // the process is gone
				}
				if status != 200 {
					t.Errorf("write: %d %s", status, body)
					return
				}
				mu.Lock()
				acked[key] = value
				if count++; count == enough {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-reached:
	case <-time.After(time.Minute):
		t.Error("the writers did not get far enough in a minute")
	}
	p.kill()
	wg.Wait()
}
