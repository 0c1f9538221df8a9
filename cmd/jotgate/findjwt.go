package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/jotgate/jotgate/internal/cli"
)

// podToken is where Kubernetes puts a pod's service account token.
const podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token" //nolint:gosec // a path, not a credential

// gitlabVariables hold a GitLab job's id_token under the names that its
// documentation uses.
var gitlabVariables = []string{"VAULT_ID_TOKEN", "GITLAB_OIDC_TOKEN"}

// findJWT returns the JWT to log in with: the one that was given, else the one
// that the surrounding platform offers. Messages name its source only.
func (a *app) findJWT(ctx context.Context, f loginFlags) (string, error) {
	if f.jwt != "" {
		return a.env.Indirect(f.jwt)
	}
	if v, _ := a.env.Get("JOTGATE_JWT"); v != "" {
		return a.env.Indirect(v)
	}
	if v, _ := a.env.Get("ACTIONS_ID_TOKEN_REQUEST_URL"); v != "" {
		return a.githubJWT(ctx, v, f.audience)
	}
	if in, _ := a.env.Get("GITLAB_CI"); in != "" {
		if v, _ := a.env.Get(gitlabVariables...); v != "" {
			return v, nil
		}
	}
	raw, err := os.ReadFile(podToken)
	if err == nil {
		return string(raw), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", cli.FileError("read", podToken, err)
	}
	return "", cli.WithHint(cli.Usagef("no JWT was given and none was found"),
		"give jwt=@file or set JOTGATE_JWT; in GitHub Actions grant \"id-token: write\", in GitLab declare id_tokens: VAULT_ID_TOKEN")
}

// githubJWT asks the GitHub Actions runner for an ID token. The runner's own
// credential goes to that address only, and only by https or to loopback.
func (a *app) githubJWT(ctx context.Context, endpoint, audience string) (string, error) {
	const source = "ACTIONS_ID_TOKEN_REQUEST_URL"
	bearer, _ := a.env.Get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if bearer == "" {
		return "", cli.Usagef("%s is set and ACTIONS_ID_TOKEN_REQUEST_TOKEN is not", source)
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && !loopback(u)) {
		return "", cli.Usagef("%s is not an https address", source)
	}
	if audience != "" {
		q := u.Query()
		q.Set("audience", audience)
		u.RawQuery = q.Encode()
	}
	hc, err := cli.NewHTTPClient(cli.HTTPConfig{})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", cli.Usagef("%s is not an https address", source)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Accept", "application/json")
	resp, err := hc.Do(req)
	if err != nil {
		return "", cli.NetError(err, u, cli.NetHints{AddrSetting: source, CASetting: "the system's store", Start: "check the runner"})
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := cli.ReadAnswer(resp.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Value string `json:"value"`
	}
	if resp.StatusCode != http.StatusOK || cli.Decode(body, &answer) != nil || answer.Value == "" {
		return "", cli.WithHint(cli.Failf("GitHub Actions gave no ID token (status %d)", resp.StatusCode),
			"the job needs \"permissions: id-token: write\"")
	}
	return answer.Value, nil
}

func loopback(u *url.URL) bool {
	h := strings.ToLower(u.Hostname())
	return h == "127.0.0.1" || h == "::1" || h == "localhost"
}
