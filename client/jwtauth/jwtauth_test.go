package jwtauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/ambient"
)

// TestMain takes the tests out of any platform that they run on, and the
// settings of a real vault out of the environment.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		for _, prefix := range []string{"VAULT_", "GITLAB_", "ACTIONS_ID_TOKEN_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	os.Exit(m.Run())
}

// vaultThat returns a client of a server that keeps what it is sent and
// answers with this text.
func vaultThat(t *testing.T, status int, answer string) (*api.Client, *[]string) {
	t.Helper()
	seen := &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		*seen = append(*seen, fmt.Sprint(r.URL.Path, " ", body))
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	conf := api.DefaultConfig()
	conf.Address, conf.MaxRetries = s.URL, 0
	c, err := api.NewClient(conf)
	if err != nil {
		t.Fatal(err)
	}
	return c, seen
}

const loggedIn = `{"auth":{"client_token":"s.x"}}`

func TestEachSourceReachesTheLogin(t *testing.T) {
	file := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(file, []byte("eyJ.file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MY_JWT", " eyJ.env\n")
	t.Setenv("GITLAB_CI", "true")
	t.Setenv("VAULT_ID_TOKEN", "eyJ.gitlab")
	for name, c := range map[string]struct {
		role    string
		options []Option
		want    string
	}{
		"text":        {"demo", []Option{FromToken("eyJ.text\n")}, "/v1/auth/jwt/login map[jwt:eyJ.text role:demo]"},
		"file":        {"demo", []Option{FromFile(file), WithMount("/auth/ci/github/")}, "/v1/auth/ci/github/login map[jwt:eyJ.file role:demo]"},
		"environment": {"", []Option{FromEnv("MY_JWT"), WithMount("kubernetes")}, "/v1/auth/kubernetes/login map[jwt:eyJ.env]"},
		"platform":    {"demo", []Option{FromPlatform("vault")}, "/v1/auth/jwt/login map[jwt:eyJ.gitlab role:demo]"},
		"none named":  {"demo", nil, "/v1/auth/jwt/login map[jwt:eyJ.gitlab role:demo]"},
	} {
		method, err := New(c.role, c.options...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		client, seen := vaultThat(t, 200, loggedIn)
		if _, err := client.Auth().Login(t.Context(), method); err != nil || client.Token() != "s.x" {
			t.Errorf("%s: token %q, %v", name, client.Token(), err)
		}
		if len(*seen) != 1 || (*seen)[0] != c.want {
			t.Errorf("%s: sent %q, want %q", name, *seen, c.want)
		}
	}
}

func TestWhatHoldsNoTokenSendsNothing(t *testing.T) {
	sources := map[string]Option{"empty text": FromToken(" \n"), "unset variable": FromEnv("NOT_SET_ANYWHERE")}
	if _, err := os.Stat(ambient.PodToken); err != nil { // else the test itself runs in a pod
		sources["no platform"] = FromPlatform("")
	}
	for name, o := range sources {
		method, err := New("demo", o)
		if err != nil {
			t.Fatal(err)
		}
		client, seen := vaultThat(t, 200, loggedIn)
		if _, err := method.Login(t.Context(), client); !errors.Is(err, ErrNoToken) || len(*seen) != 0 {
			t.Errorf("%s: %v, sent %q", name, err, *seen)
		}
	}
	method, err := New("demo", FromFile(filepath.Join(t.TempDir(), "none")))
	if err != nil {
		t.Fatal(err)
	}
	client, seen := vaultThat(t, 200, loggedIn)
	if _, err := method.Login(t.Context(), client); !errors.Is(err, os.ErrNotExist) || len(*seen) != 0 {
		t.Errorf("no file: %v, sent %q", err, *seen)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	for name, o := range map[string][]Option{
		"two sources": {FromToken("a"), FromEnv("B")}, "no mount": {WithMount("")}, "auth alone": {WithMount("auth/")},
		"a way up": {WithMount("jwt/../../sys")}, "a query": {WithMount("jwt?x=")}, "an escape": {WithMount("a%2e")}, "an empty part": {WithMount("a//b")},
	} {
		if m, err := New("demo", o...); err == nil || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
}

func TestTheZeroValueAndNoClientAreRefused(t *testing.T) {
	client, seen := vaultThat(t, 200, loggedIn)
	if _, err := new(Auth).Login(t.Context(), client); err == nil || len(*seen) != 0 {
		t.Errorf("the zero value: %v, sent %q", err, *seen)
	}
	method, err := New("demo", FromToken("eyJ"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := method.Login(t.Context(), nil); err == nil {
		t.Error("no client")
	}
}

func TestNothingShowsTheToken(t *testing.T) {
	method, err := New("demo", FromToken("eyJ.s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	client, _ := vaultThat(t, 400, `{"errors":["error validating token"]}`)
	_, refused := method.Login(t.Context(), client)
	empty, _ := vaultThat(t, 200, `{"data":{}}`)
	_, without := method.Login(t.Context(), empty)
	var re *api.ResponseError
	if !errors.As(refused, &re) || re.StatusCode != 400 || without == nil {
		t.Errorf("%v; %v", refused, without)
	}
	if text := fmt.Sprintf("%v %+v %#v %v %v", method, *method, method, refused, without); strings.Contains(text, "s3cret") {
		t.Errorf("shown: %s", text)
	}
}
