package main

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/jotgate/jotgate/internal/cli"
)

// defaultAddress is where "make run" and "jotgate server -dev" listen. It is
// plain HTTP because it is loopback; any other server is named by its address.
const defaultAddress = "http://127.0.0.1:8200"

// settings are the flags that every client command takes.
type settings struct {
	address, namespace, caCert, caPath, clientCert, clientKey, serverName string
	skipVerify, curl, policy, noRedirect, nonInteractive, policyOverride  bool
	wrapTTL, format, field                                                string
	agentAddress, unlockKey                                               string
	headers, mfa                                                          []string
}

func (s *settings) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.address, "address", "", "server address [JOTGATE_ADDR, VAULT_ADDR] (default \""+defaultAddress+"\")")
	f.StringVar(&s.namespace, "namespace", "", "namespace of the request [VAULT_NAMESPACE]")
	f.StringVar(&s.namespace, "ns", "", "same as -namespace")
	f.StringVar(&s.caCert, "ca-cert", "", "PEM file of the certificate authority [VAULT_CACERT]")
	f.StringVar(&s.caPath, "ca-path", "", "directory of PEM files of certificate authorities [VAULT_CAPATH]")
	f.StringVar(&s.clientCert, "client-cert", "", "PEM file of the client's certificate [VAULT_CLIENT_CERT]")
	f.StringVar(&s.clientKey, "client-key", "", "PEM file of the client's key [VAULT_CLIENT_KEY]")
	f.StringVar(&s.serverName, "tls-server-name", "", "name to expect in the server's certificate [VAULT_TLS_SERVER_NAME]")
	f.BoolVar(&s.skipVerify, "tls-skip-verify", false, "accept any server certificate; for tests only [VAULT_SKIP_VERIFY]")
	f.StringVar(&s.wrapTTL, "wrap-ttl", "", "wrap the answer in a one-time token that lives this long [VAULT_WRAP_TTL]")
	f.StringVar(&s.format, "format", "", "table, json, yaml, pretty or raw [VAULT_FORMAT] (default \"table\")")
	f.StringVar(&s.field, "field", "", "print only this field, without a line end unless on a terminal")
	f.StringArrayVar(&s.headers, "header", nil, "one more request header, key=value; may be repeated")
	f.StringArrayVar(&s.mfa, "mfa", nil, "multi-factor credential for the X-Vault-MFA header; may be repeated")
	f.BoolVar(&s.curl, "output-curl-string", false, "print the request as a curl command and send nothing")
	f.BoolVar(&s.policy, "output-policy", false, "print the policy that the request needs and send nothing")
	f.BoolVar(&s.noRedirect, "disable-redirects", false, "follow no redirect [VAULT_DISABLE_REDIRECTS]")
	f.BoolVar(&s.nonInteractive, "non-interactive", false, "never ask on the terminal")
	f.BoolVar(&s.policyOverride, "policy-override", false, "ask to override a soft-mandatory policy")
	f.StringVar(&s.agentAddress, "agent-address", "", "address of a local agent to send requests to instead [VAULT_AGENT_ADDR]")
	f.StringVar(&s.unlockKey, "unlock-key", "", "accepted; there are no locked namespaces")
	_ = f.MarkHidden("unlock-key")
	_ = f.MarkHidden("ns")
	_ = f.MarkHidden("policy-override")
}

// variable returns the first of JOTGATE_name, VAULT_name and BAO_name that is
// set, and the name under which it was found.
func variable(env *cli.Env, name string) (value, source string) {
	return env.Get(names(name)...)
}

func names(name string) []string { return []string{"JOTGATE_" + name, "VAULT_" + name, "BAO_" + name} }

func either(flag string, env *cli.Env, name string) string {
	if flag != "" {
		return flag
	}
	v, _ := variable(env, name)
	return v
}

// addr returns the server's address and checks it. An agent stands before the
// server, unless a flag names the server.
func (s *settings) addr(env *cli.Env) (*url.URL, error) {
	if s.agentAddress != "" {
		return cli.ParseAddr(s.agentAddress, "-agent-address")
	}
	if s.address != "" {
		return cli.ParseAddr(s.address, "-address")
	}
	if v, source := variable(env, "AGENT_ADDR"); v != "" {
		return cli.ParseAddr(v, source)
	}
	if v, source := variable(env, "ADDR"); v != "" {
		return cli.ParseAddr(v, source)
	}
	return cli.ParseAddr(defaultAddress, "default address")
}

func (s *settings) httpConfig(env *cli.Env) (cli.HTTPConfig, error) {
	skip, err := env.Bool(names("SKIP_VERIFY")...)
	if err != nil {
		return cli.HTTPConfig{}, err
	}
	timeout, err := env.Duration(names("CLIENT_TIMEOUT")...)
	if err != nil {
		return cli.HTTPConfig{}, err
	}
	pem, _ := variable(env, "CACERT_BYTES")
	return cli.HTTPConfig{
		Timeout:    timeout,
		CACert:     either(s.caCert, env, "CACERT"),
		CAPath:     either(s.caPath, env, "CAPATH"),
		CAPEM:      pem,
		ClientCert: either(s.clientCert, env, "CLIENT_CERT"),
		ClientKey:  either(s.clientKey, env, "CLIENT_KEY"),
		ServerName: either(s.serverName, env, "TLS_SERVER_NAME"),
		SkipVerify: s.skipVerify || skip,
		Proxy:      either(either("", env, "PROXY_ADDR"), env, "HTTP_PROXY"),
	}, nil
}

// extraHeaders are those of -header, *_HEADERS, -mfa and -policy-override.
func (s *settings) extraHeaders(env *cli.Env) (http.Header, error) {
	pairs, err := envHeaders(env)
	if err != nil {
		return nil, err
	}
	given, err := cli.Pairs("-header", s.headers)
	if err != nil {
		return nil, err
	}
	maps.Copy(pairs, given)
	h := http.Header{}
	for k, v := range pairs {
		if strings.HasPrefix(http.CanonicalHeaderKey(k), "X-Vault-") {
			return nil, cli.Usagef("-header and VAULT_HEADERS: %s is reserved; use the flag of its own", k)
		}
		h.Set(k, v)
	}
	mfa := s.mfa
	if v, _ := variable(env, "MFA"); v != "" && len(mfa) == 0 {
		mfa = []string{v}
	}
	for _, m := range mfa {
		h.Add("X-Vault-MFA", m)
	}
	if s.policyOverride {
		h.Set("X-Vault-Policy-Override", "true")
	}
	return h, nil
}

// envHeaders are the headers of the variable, a JSON object of texts.
func envHeaders(env *cli.Env) (map[string]string, error) {
	out := map[string]string{}
	v, source := variable(env, "HEADERS")
	if v == "" {
		return out, nil
	}
	if err := cli.Decode([]byte(v), &out); err != nil {
		return nil, cli.Usagef("%s must be a JSON object of texts, such as {\"X-Team\":\"a\"}", source)
	}
	return out, nil
}

// wrap returns the wish for response wrapping, zero when there is none.
func (s *settings) wrap(env *cli.Env) (time.Duration, error) {
	if s.wrapTTL == "" {
		return env.Duration(names("WRAP_TTL")...)
	}
	d, err := cli.ParseDuration(s.wrapTTL)
	if err != nil {
		return 0, cli.Usagef("-wrap-ttl: %v", err)
	}
	return d, nil
}

// formats are the values of -format.
var formats = []string{"table", "json", "yaml", "yml", "pretty", "raw"}

// formatName returns the output format after checking it.
func (a *app) formatName() (string, error) {
	f := strings.ToLower(either(a.set.format, a.env, "FORMAT"))
	if f == "" {
		return "table", nil
	}
	for _, known := range formats {
		if f == known {
			if f == "yml" {
				f = "yaml"
			}
			return f, nil
		}
	}
	err := cli.Usagef("Invalid output format: %s", f)
	return "", cli.WithHint(err, "use table, json, yaml, pretty or raw")
}
