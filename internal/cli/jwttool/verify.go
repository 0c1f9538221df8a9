package jwttool

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// verifyFlags are those of "jwt verify".
type verifyFlags struct {
	key, iss, sub, leeway, format string
	aud, alg                      []string
}

func (t *tool) newVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [flags] TOKEN",
		Short: "Check a JWT's signature, times, issuer and audience",
		Long: `Checks a JWT as strictly as the server does: signature, nbf and exp, and, when
given, issuer, audience and subject. Each check is shown with its result. The
exit status is 0 only when all of them hold. The key file may hold a PEM public
key, a certificate, a JWK or a JWK Set. A symmetric key needs -alg=HS256 (or
HS384, HS512).`,
		Example: `  jotgate jwt verify -key=pvault_jwt_public_key.pem @token.jwt
  jotgate jwt verify -key=jwks.json -iss=https://jwt.io/ -aud=vault1 @token.jwt`,
		Args: cli.NArgs(1, 1, "a token"),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := t.readToken(args[0])
			if err != nil {
				return err
			}
			return t.verify(f, token)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.key, "key", "", "file of the public key or key set (PEM, JWK or JWK Set)")
	fl.StringVar(&f.iss, "iss", "", "issuer that the token must have")
	fl.StringVar(&f.sub, "sub", "", "subject that the token must have")
	fl.StringArrayVar(&f.aud, "aud", nil, "audience, one of which the token must have; may be repeated")
	fl.StringArrayVar(&f.alg, "alg", nil, "algorithm that is allowed; may be repeated (default: every one with a public key)")
	fl.StringVar(&f.leeway, "leeway", "0s", "how far clocks may differ")
	fl.StringVar(&f.format, "format", "table", "table or json")
	return cmd
}

// finding is one check and what came of it.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Note  string `json:"note"`
}

func (t *tool) verify(f verifyFlags, token string) error {
	if f.key == "" {
		return cli.Usagef("-key is required: a file with the issuer's public key or key set")
	}
	leeway, err := cli.ParseDuration(f.leeway)
	if err != nil || leeway < 0 {
		return cli.Usagef("-leeway: %q is not a duration such as 60s", f.leeway)
	}
	keys, err := t.verifyKeys(f.key)
	if err != nil {
		return err
	}
	allowed, err := allowList(f.alg)
	if err != nil {
		return err
	}
	return t.report(f.format, check(f, token, keys, allowed, t.now(), leeway))
}

func allowList(names []string) ([]jwt.Algorithm, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var out []jwt.Algorithm
	for _, n := range names {
		if !jwt.Algorithm(n).Known() {
			return nil, cli.Usagef("-alg: unknown algorithm %q", n)
		}
		out = append(out, jwt.Algorithm(n))
	}
	return out, nil
}

func (t *tool) verifyKeys(arg string) ([]*jwt.Key, error) {
	data, name, err := t.readKeyFile(arg)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte("{")) {
		key, err := jwt.ParsePEM(data)
		if err != nil {
			return nil, keyProblem(name, err)
		}
		return []*jwt.Key{key}, nil
	}
	keys, skipped, err := jwks.ParseInlineSet(data)
	if err != nil {
		return nil, keyProblem(name, err)
	}
	if len(keys) == 0 && len(skipped) > 0 {
		return nil, cli.Usagef("%s cannot be used: %s", name, skipped[0].Reason)
	}
	for _, s := range skipped {
		t.env.Warnf("WARNING! Key %d of %s was skipped: %s", s.Index, name, s.Reason)
	}
	if len(keys) == 0 {
		return nil, cli.Usagef("%s holds no key", name)
	}
	return keys, nil
}

// check runs every check that can still be run. After a bad signature nothing
// that the token claims is worth a look.
func check(f verifyFlags, token string, keys []*jwt.Key, allowed []jwt.Algorithm, now time.Time, leeway time.Duration) []finding {
	parsed, err := jwt.Parse(token, jwt.LoginLimits)
	if err != nil {
		return []finding{{"form", false, fault.PublicText(err)}}
	}
	verified, err := parsed.Verify(keys, allowed)
	if err != nil {
		return []finding{{"form", true, string(parsed.Algorithm())}, {"signature", false, fault.PublicText(err)}}
	}
	note := string(parsed.Algorithm())
	if id := verified.Key().ID(); id != "" {
		note += ", key " + id
	}
	c := verified.Claims()
	out := append([]finding{{"signature", true, note}}, timeFindings(c, now, leeway)...)
	if f.iss != "" {
		got, _ := c.Issuer()
		out = append(out, same("issuer", got, f.iss))
	}
	if f.sub != "" {
		got, _ := c.Subject()
		out = append(out, same("subject", got, f.sub))
	}
	if len(f.aud) > 0 {
		out = append(out, audienceFinding(c, f.aud))
	}
	return out
}

func timeFindings(c *jwt.Claims, now time.Time, leeway time.Duration) []finding {
	var out []finding
	if at, ok := c.NotBefore().Time(); ok {
		out = append(out, finding{"not before", !now.Add(leeway).Before(at), humanTime(at, now)})
	}
	if at, ok := c.IssuedAt().Time(); ok {
		out = append(out, finding{"issued at", !now.Add(leeway).Before(at), humanTime(at, now)})
	}
	at, ok := c.ExpiresAt().Time()
	if !ok {
		return append(out, finding{"expiry", false, "the token has no exp: it would never expire"})
	}
	return append(out, finding{"expiry", now.Add(-leeway).Before(at), humanTime(at, now)})
}

func same(what, got, want string) finding {
	if got == want {
		return finding{what, true, got}
	}
	return finding{what, false, quoted(got) + ", expected " + quoted(want)}
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return string(quote(s))
}

func audienceFinding(c *jwt.Claims, want []string) finding {
	got, _ := c.Audience()
	for _, a := range got {
		if slices.Contains(want, a) {
			return finding{"audience", true, a}
		}
	}
	return finding{"audience", false, quoted(strings.Join(got, ", ")) + ", expected " + quoted(strings.Join(want, " or "))}
}

// report prints the findings; any failure ends with status 1.
func (t *tool) report(format string, findings []finding) error {
	failedAt := slices.IndexFunc(findings, func(f finding) bool { return !f.OK })
	switch format {
	case "json":
		if err := t.env.PrintJSON(map[string]any{"verified": failedAt < 0, "checks": findings}); err != nil {
			return err
		}
	case "table", "":
		rows := make([][]string, len(findings))
		for i, f := range findings {
			rows[i] = []string{f.Check, map[bool]string{true: "ok", false: "FAILED"}[f.OK], cli.Visible(f.Note)}
		}
		t.env.PrintColumns([]string{"Check", "Result", "Note"}, rows)
	default:
		return cli.Usagef("Invalid output format: %s", format)
	}
	if failedAt >= 0 {
		return cli.Failf("Not verified: %s: %s", findings[failedAt].Check, cli.Visible(findings[failedAt].Note))
	}
	if format != "json" {
		t.env.Printf("\nVerified.\n")
	}
	return nil
}
