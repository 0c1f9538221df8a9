package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/cli"
)

var netHints = cli.NetHints{
	AddrSetting: "-address or VAULT_ADDR",
	CASetting:   "-ca-cert or VAULT_CACERT",
	Start:       "start a server (\"make run\" or \"jotgate server -dev\")",
}

// client sends requests to one server.
type client struct {
	app     *app
	base    *url.URL
	http    *http.Client
	headers http.Header
	token   string
	ns      string
	wrap    time.Duration
}

// client builds the client from flags, environment and token helper.
func (a *app) client() (*client, error) {
	if _, err := a.formatName(); err != nil {
		return nil, err
	}
	base, err := a.set.addr(a.env)
	if err != nil {
		return nil, err
	}
	config, err := a.set.httpConfig(a.env)
	if err != nil {
		return nil, err
	}
	hc, err := cli.NewHTTPClient(config)
	if err != nil {
		return nil, err
	}
	headers, err := a.set.extraHeaders(a.env)
	if err != nil {
		return nil, err
	}
	wrap, err := a.set.wrap(a.env)
	if err != nil {
		return nil, err
	}
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	return &client{app: a, base: base, http: hc, headers: headers, token: token,
		ns: either(a.set.namespace, a.env, "NAMESPACE"), wrap: wrap}, nil
}

// request is one call below /v1.
type request struct {
	method string
	path   string
	query  url.Values
	body   any    // nil for none
	typ    string // content type, "" for none as the reference does
}

// apiError is an answer that says no.
type apiError struct {
	Method, URL, Namespace string
	Status                 int
	Errors                 []string
	Raw                    string // the body, when it is not the expected JSON
}

// Error prints the answer as the reference client does.
func (e *apiError) Error() string {
	var b strings.Builder
	b.WriteString("Error making API request.\n\n")
	if e.Namespace != "" {
		fmt.Fprintf(&b, "Namespace: %s\n", e.Namespace)
	}
	fmt.Fprintf(&b, "URL: %s %s\n", e.Method, e.URL)
	if e.Raw != "" {
		fmt.Fprintf(&b, "Code: %d. Raw Message:\n\n%s", e.Status, e.Raw)
		return b.String()
	}
	fmt.Fprintf(&b, "Code: %d. Errors:\n", e.Status)
	for _, msg := range e.Errors {
		fmt.Fprintf(&b, "\n* %s", msg)
	}
	return b.String()
}

// statusOf returns the HTTP status of an API error, or 0.
func statusOf(err error) int {
	var e *apiError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// errPrinted ends a command whose request was printed instead of sent.
var errPrinted = cli.Quiet(cli.StatusOK)

// send does one request and returns the body of a 2xx answer.
func (c *client) send(ctx context.Context, r request) ([]byte, error) {
	resp, req, err := c.open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := cli.ReadAnswer(resp.Body)
	if err != nil {
		return nil, err
	}
	if succeeded(resp) {
		return answer, nil
	}
	return answer, c.refusal(resp, req, answer)
}

func succeeded(resp *http.Response) bool { return resp.StatusCode >= 200 && resp.StatusCode < 300 }

// open does one request and returns its answer, whose body the caller reads
// and closes.
func (c *client) open(ctx context.Context, r request) (*http.Response, *http.Request, error) {
	req, body, err := c.build(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if c.app.set.curl {
		c.printCurl(req, body)
		return nil, nil, errPrinted
	}
	if c.app.set.policy {
		c.printPolicy(r)
		return nil, nil, errPrinted
	}
	resp, err := c.follow(req)
	if err != nil {
		// The reference's status for a server that does not answer is 2.
		err = cli.NetError(err, c.base, netHints)
		return nil, nil, &cli.Error{Status: cli.StatusServer, Hint: cli.HintOf(err), Cause: err}
	}
	return resp, req, nil
}

func (c *client) build(ctx context.Context, r request) (*http.Request, []byte, error) {
	target, err := c.target(r.path, r.query)
	if err != nil {
		return nil, nil, err
	}
	var body []byte
	if r.body != nil {
		if body, err = cli.EncodeRequest(r.body); err != nil {
			return nil, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, cli.Usagef("not a path: %q", r.path)
	}
	for k, v := range c.headers {
		req.Header[k] = v
	}
	req.Header.Set("X-Vault-Request", "true")
	req.Header.Set("User-Agent", "jotgate/"+cli.Version())
	if c.token != "" {
		req.Header.Set("X-Vault-Token", c.token)
	}
	if c.ns != "" {
		req.Header.Set("X-Vault-Namespace", c.ns)
	}
	if c.wrap > 0 {
		req.Header.Set("X-Vault-Wrap-Ttl", c.wrap.String())
	}
	if r.typ != "" {
		req.Header.Set("Content-Type", r.typ)
	}
	return req, body, nil
}

func (c *client) target(path string, query url.Values) (string, error) {
	for _, r := range path {
		if r < 0x20 || r == 0x7f {
			return "", cli.Usagef("the path %q holds a control character", path)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return "", cli.Usagef("the path %q must not hold %q as a segment", path, segment)
		}
	}
	u := *c.base
	u.Path += "/v1/" + path
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// follow sends the request and follows one redirect, such as a standby node
// sends, but never from https to http: the token would travel in the clear.
func (c *client) follow(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil || c.redirectsOff() {
		return resp, err
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return resp, nil
	}
	to, err := resp.Location()
	if err != nil {
		return resp, nil //nolint:nilerr // a redirect to nowhere is shown as the answer that it is
	}
	_ = resp.Body.Close()
	if req.URL.Scheme == "https" && to.Scheme != "https" {
		return nil, cli.Failf("the server redirects from https to %s: refused", to.Scheme)
	}
	again := req.Clone(req.Context())
	again.URL, again.Host = to, to.Host
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.http.Do(again)
}

func (c *client) redirectsOff() bool {
	off, err := c.app.env.Bool(names("DISABLE_REDIRECTS")...)
	return c.app.set.noRedirect || off || err != nil
}

// refusal turns an answer that is no success into an error with status 2.
func (c *client) refusal(resp *http.Response, req *http.Request, body []byte) error {
	e := &apiError{Method: req.Method, URL: req.URL.String(), Namespace: req.Header.Get("X-Vault-Namespace"), Status: resp.StatusCode}
	var shape struct {
		Errors []string `json:"errors"`
	}
	if err := cli.Decode(body, &shape); err != nil {
		e.Raw = cli.Visible(strings.TrimSpace(string(body[:min(len(body), 4096)])))
		if e.Raw == "" {
			e.Raw = http.StatusText(resp.StatusCode)
		}
	}
	for _, msg := range shape.Errors {
		e.Errors = append(e.Errors, cli.Visible(msg))
	}
	return &cli.Error{Status: cli.StatusServer, Cause: e, Hint: c.refusalHint(e, resp.Header.Get(diagnosisHeader))}
}

// diagnosisHeader joins a refusal with its entry in the server's audit log,
// where the checks of a login stand with their results.
const diagnosisHeader = "X-Jotgate-Diagnosis"

// refusalHint helps a person; a script gets the reference's bytes alone.
func (c *client) refusalHint(e *apiError, diagnosis string) string {
	if !cli.IsTerminal(c.app.env.Stderr) {
		return ""
	}
	return hintFor(e, c.token != "", cli.Visible(diagnosis))
}

// hintFor says what to do about a refusal: the caller's own means first, then
// where the server's operator finds it.
func hintFor(e *apiError, hasToken bool, diagnosis string) string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	switch login := strings.HasPrefix(u.Path, "/v1/auth/") && strings.HasSuffix(u.Path, "/login"); {
	case strings.HasPrefix(u.Path, "/v1/v1/"):
		return "the server's address ends in /v1, which every request adds: leave it out"
	case login && diagnosis != "":
		return "the server's audit log has every check of this login, under the id " + diagnosis
	case e.Status == http.StatusForbidden && !hasToken:
		return "no token is set: run \"jotgate login\", or set VAULT_TOKEN"
	case e.Status == http.StatusForbidden:
		hint := "\"jotgate token lookup\" shows the token's policies, \"jotgate token capabilities PATH\" what they allow"
		if diagnosis != "" {
			hint += "; the server's audit log has the refusal under the id " + diagnosis
		}
		return hint
	case e.Status == http.StatusServiceUnavailable:
		return "\"jotgate status\" shows the seal; \"jotgate operator unseal\" opens it"
	case e.Status == http.StatusTooManyRequests:
		return "the server limits the rate: wait a moment and try again"
	}
	return ""
}

// call sends a request and decodes the envelope; nil when the answer is empty.
// Where something is read, a 404 with a body that carries data or warnings is
// an answer too (a deleted version still shows its metadata), and a 404 without
// errors gives nil, nil. A change that is answered with 404 was not made: its
// warnings then say why, in place of errors.
func (c *client) call(ctx context.Context, r request) (*secret, error) {
	body, err := c.send(ctx, r)
	if err == nil {
		return decodeSecret(body)
	}
	var e *apiError
	if !errors.As(err, &e) || e.Status != http.StatusNotFound {
		return nil, err
	}
	s, derr := decodeSecret(body)
	told := derr == nil && s != nil && (s.Data != nil || len(s.Warnings) > 0)
	if r.method != http.MethodGet {
		if e.Raw == "" && len(e.Errors) == 0 {
			e.Errors = reasons(s)
		}
		return nil, err
	}
	switch {
	case told:
		return s, nil
	case e.Raw == "" && len(e.Errors) == 0:
		return nil, nil
	}
	return nil, err
}

// reasons says why a change was not made, for an answer that names no error.
func reasons(s *secret) []string {
	if s == nil || len(s.Warnings) == 0 {
		return []string{"nothing is there"}
	}
	out := make([]string, len(s.Warnings))
	for i, w := range s.Warnings {
		out[i] = cli.Visible(w)
	}
	return out
}

// plain sends a request whose answer has no envelope, and decodes it into out.
func (c *client) plain(ctx context.Context, r request, out any) error {
	body, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return cli.Failf("the server answered with an empty body")
	}
	if err := cli.Decode(body, out); err != nil {
		return cli.Fail(err, "the server's answer is not the expected JSON")
	}
	return nil
}

func decodeSecret(body []byte) (*secret, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	var s secret
	if err := cli.Decode(body, &s); err != nil {
		return nil, cli.WithHint(cli.Fail(err, "the server's answer is not the expected JSON"),
			"is "+netHints.AddrSetting+" the address of a Vault-compatible API?")
	}
	s.raw = body
	if s.RequestID == "" && s.Data == nil && s.Auth == nil && s.WrapInfo == nil {
		// sys/health, sys/seal-status and their like answer without an envelope.
		if object, err := cli.DecodeObject(body); err == nil && !hasEnvelope(object) {
			s.Data = object
		}
	}
	return &s, nil
}

func hasEnvelope(object map[string]any) bool {
	for _, name := range []string{"request_id", "data", "errors"} {
		if _, ok := object[name]; ok {
			return true
		}
	}
	return false
}
