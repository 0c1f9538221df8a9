package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/cli"
)

const (
	defaultAddr   = "http://localhost:8123"
	defaultToken  = "pvaultauth" // the documented key of a development server
	defaultReason = "Maintenance"
	base          = "/api/pvlt/1.0"
)

var netHints = cli.NetHints{
	AddrSetting: "--addr or PVAULT_ADDR",
	CASetting:   "--ca-cert or PVAULT_CACERT",
	Start:       "start a server (\"make run\" or \"jotgate server -dev\")",
}

// call is one request below the API's base.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	typ          string // content type of the body
	anonymous    bool   // without the credential
}

// answer is a 200.
type answer struct {
	body   []byte
	header http.Header
}

// apiError is the API's error shape.
type apiError struct {
	Code    string
	Status  int
	Message string
	Context map[string]any
	At      time.Time
}

// Error prints the error as the reference client logs it.
func (e *apiError) Error() string {
	return fmt.Sprintf("%s Error code: %s, Status code: %d, Message: %s, Context: %v",
		e.At.Format("2006/01/02 15:04:05"), cli.Visible(e.Code), e.Status, cli.Visible(e.Message), contextText(e.Context))
}

func contextText(c map[string]any) map[string]string {
	out := make(map[string]string, len(c))
	for k, v := range c {
		out[k] = cli.Visible(fmt.Sprint(v))
	}
	return out
}

// token returns the credential and checks that it can travel in a header.
func (a *app) token() (string, error) {
	v := either(a.set.token, a.env, "PVAULT_AUTH_TOKEN")
	if v == "" {
		return defaultToken, nil
	}
	if strings.HasPrefix(v, "@") || v == "-" {
		var err error
		if v, err = a.env.Indirect(v); err != nil {
			return "", err
		}
	}
	v = strings.TrimSpace(v)
	if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", cli.WithHint(cli.Usagef("--authtoken is empty or holds characters that no API key or JWT has"), "give the key or the JWT alone, without \"Bearer\"")
	}
	return v, nil
}

func (a *app) baseURL() (*url.URL, error) {
	if a.set.addr != "" {
		return cli.ParseAddr(a.set.addr, "--addr")
	}
	if v, name := a.env.Get("PVAULT_ADDR"); v != "" {
		return cli.ParseAddr(v, name)
	}
	return cli.ParseAddr(defaultAddr, "default address")
}

// reasonQuery adds what every call on data must say.
func (a *app) reasonQuery(q url.Values) {
	reason := either(a.set.reason, a.env, "PVAULT_ACCESS_REASON")
	if reason == "" {
		reason = defaultReason
	}
	q.Set("reason", reason)
	if a.set.adhocReason != "" {
		q.Set("adhoc_reason", a.set.adhocReason)
	}
}

// do sends a call; every status but 200 is an error.
func (a *app) do(ctx context.Context, c call) (*answer, error) {
	server, err := a.baseURL()
	if err != nil {
		return nil, err
	}
	req, err := a.request(ctx, server, c)
	if err != nil {
		return nil, err
	}
	client, err := cli.NewHTTPClient(cli.HTTPConfig{CACert: either(a.set.caCert, a.env, "PVAULT_CACERT"), SkipVerify: a.set.insecure})
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, cli.NetError(err, server, netHints)
	}
	defer func() { _ = resp.Body.Close() }()
	if a.loud() {
		a.env.Warnf("%s %s %d", c.method, req.URL.EscapedPath(), resp.StatusCode)
	}
	body, err := cli.ReadAnswer(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, a.refusal(resp, body, req.Header.Get("Authorization"))
	}
	return &answer{body: body, header: resp.Header}, nil
}

func (a *app) loud() bool {
	return a.set.verbose || either(a.set.logLevel, a.env, "PVAULT_LOG_LEVEL") == "debug"
}

func (a *app) request(ctx context.Context, server *url.URL, c call) (*http.Request, error) {
	if c.query == nil {
		c.query = url.Values{}
	}
	if a.set.customAudit != "" {
		c.query.Set("custom_audit", a.set.customAudit)
	}
	u := *server
	u.RawPath = u.EscapedPath() + base + c.path
	var err error
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, cli.Usagef("not a path: %q", c.path)
	}
	u.RawQuery = c.query.Encode()
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), body)
	if err != nil {
		return nil, cli.Usagef("not a path: %q", c.path)
	}
	for k, v := range c.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "pvault/"+cli.Version())
	if c.body != nil {
		req.Header.Set("Content-Type", c.typ)
	}
	if a.set.tenants != "" {
		req.Header.Set("X-Tenant-Id", a.set.tenants)
	}
	if c.anonymous {
		return req, nil
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		a.env.Warnf("WARNING! The credential travels to %s unencrypted: use https.", u.Host)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// refusal turns an answer that is no success into an error: status 1, the only
// one that the reference client has.
func (a *app) refusal(resp *http.Response, body []byte, authorization string) error {
	var shape struct {
		Code    string         `json:"error_code"`
		Message string         `json:"message"`
		Context map[string]any `json:"context"`
	}
	e := &apiError{Status: resp.StatusCode, At: time.Now()}
	if cli.Decode(body, &shape) == nil && shape.Code != "" {
		e.Code, e.Message, e.Context = shape.Code, shape.Message, shape.Context
	} else {
		e.Code, e.Message = "none", fmt.Sprintf("the answer is not of the pvault API (%s)", http.StatusText(resp.StatusCode))
	}
	err := &cli.Error{Status: cli.StatusLocal, Cause: e}
	if a.set.explain {
		a.env.Warnf("%s", explain(e, strings.TrimPrefix(authorization, "Bearer ")))
	} else if hint := refusalHint(e); hint != "" {
		return cli.WithHint(err, hint)
	}
	return err
}

// errorOf returns the API's error in err's chain.
func errorOf(err error) (*apiError, bool) {
	var e *apiError
	ok := errors.As(err, &e)
	return e, ok
}

// decode reads a JSON answer.
func (r *answer) decode() (any, error) {
	if len(bytes.TrimSpace(r.body)) == 0 {
		return nil, nil
	}
	var v any
	if err := cli.Decode(r.body, &v); err != nil {
		return nil, cli.Fail(err, "the server's answer is not the expected JSON")
	}
	return v, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
