// Package ambient finds the JWT that the surrounding platform gives a program:
// a GitHub Actions job, a GitLab job, a Kubernetes pod. The command line and
// the Go client use it, so that both look in the same places in the same order.
//
// It stands on the standard library alone. Its errors name where a token was
// looked for, never the token, nor the credential that it was asked for with.
package ambient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// PodToken is where Kubernetes puts a pod's service account token.
const PodToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // a path, not a credential

// MaxToken bounds what is read as a token.
const MaxToken = 64 << 10

// Variables of the platforms. GitLab's documentation uses both names.
const (
	githubURL    = "ACTIONS_ID_TOKEN_REQUEST_URL"
	githubBearer = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" //nolint:gosec // a name, not a credential
)

var gitlabTokens = []string{"VAULT_ID_TOKEN", "GITLAB_OIDC_TOKEN"}

// ErrNone says that none of the platforms was recognised.
var ErrNone = errors.New("this is no GitHub Actions job with \"id-token: write\", no GitLab job with id_tokens, and no Kubernetes pod")

// UnreachableError says that the platform's endpoint did not answer.
type UnreachableError struct {
	Setting string // the variable that holds its address
	URL     *url.URL
	Err     error
}

// Error names the variable and the host, and no query: that is the platform's.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s: cannot reach %s: %v", e.Setting, e.URL.Host, e.Err)
}

// Unwrap returns what went wrong on the network.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Finder looks for the platform's JWT. The zero value looks at the process's
// own environment.
type Finder struct {
	Audience string                           // asked of GitHub Actions; "" = its default. The others choose it where the job or pod is described
	Lookup   func(name string) (string, bool) // nil = os.LookupEnv
	PodToken string                           // "" = PodToken
	HTTP     *http.Client                     // nil = one that needs TLS 1.2, follows no redirect and waits 30 s
}

// Find returns the JWT of the first platform that is recognised: GitHub
// Actions, GitLab, Kubernetes. Errors: ErrNone, *UnreachableError, *fs.PathError
// of a token file that cannot be read, and others that say what is missing.
func (f Finder) Find(ctx context.Context) (string, error) {
	if endpoint := f.get(githubURL); endpoint != "" {
		return f.github(ctx, endpoint)
	}
	if f.get("GITLAB_CI") != "" {
		for _, name := range gitlabTokens {
			if v := strings.TrimSpace(f.get(name)); v != "" {
				return v, nil
			}
		}
	}
	path := f.PodToken
	if path == "" {
		path = PodToken
	}
	token, err := ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", ErrNone
	}
	return token, err
}

func (f Finder) get(name string) string {
	lookup := f.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	v, _ := lookup(name)
	return v
}

// ReadFile returns the token that a file holds, without the white space around
// it. An empty file, and one that is too long for a token, is an error.
func ReadFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, MaxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(raw))
	switch {
	case len(raw) > MaxToken:
		return "", fmt.Errorf("%s holds more than %d bytes: that is no JWT", path, MaxToken)
	case token == "":
		return "", fmt.Errorf("%s is empty", path)
	}
	return token, nil
}

// github asks the runner for an ID token. The runner's own credential goes to
// that address only, and only by https or to loopback.
func (f Finder) github(ctx context.Context, endpoint string) (string, error) {
	bearer := f.get(githubBearer)
	if bearer == "" {
		return "", fmt.Errorf("%s is set and %s is not", githubURL, githubBearer)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && (u.Scheme != "http" || !loopback(u))) {
		return "", fmt.Errorf("%s is not an https address", githubURL)
	}
	if f.Audience != "" {
		q := u.Query()
		q.Set("audience", f.Audience)
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("%s is not an https address", githubURL)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	client := f.HTTP
	if client == nil {
		client = defaultClient()
		defer client.CloseIdleConnections()
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", unreachable(u, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return githubAnswer(u, resp)
}

func githubAnswer(u *url.URL, resp *http.Response) (string, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 2*MaxToken))
	if err != nil {
		return "", unreachable(u, err)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(body, &answer) != nil || strings.TrimSpace(answer.Value) == "" {
		return "", fmt.Errorf("GitHub Actions gave no ID token (status %d): the job needs \"permissions: id-token: write\"", resp.StatusCode)
	}
	return strings.TrimSpace(answer.Value), nil
}

// unreachable takes the address out of the client's error: its query is not
// ours to show.
func unreachable(u *url.URL, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return &UnreachableError{Setting: githubURL, URL: u, Err: err}
}

func defaultClient() *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func loopback(u *url.URL) bool {
	h := strings.ToLower(u.Hostname())
	return h == "127.0.0.1" || h == "::1" || h == "localhost"
}
