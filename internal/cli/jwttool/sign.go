package jwttool

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the algorithms name
	_ "crypto/sha512"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// signFlags are those of "jwt sign".
type signFlags struct {
	key, alg, kid, typ       string
	iss, sub, exp, nbf, iat  string
	ttl                      string
	aud, claims, stringClaim []string
}

func (t *tool) newSign() *cobra.Command {
	var f signFlags
	cmd := &cobra.Command{
		Use:   "sign [flags] [CLAIMS]",
		Short: "Sign claims with a private key",
		Long: `Signs claims and prints the JWT. CLAIMS is a JSON object: @file, - for standard
input, or its text; flags add to it or replace single claims. The order of the
claims is kept.`,
		Example: `  jotgate jwt sign -key=pvault_jwt_private_key.pem -kid=abc @claims.json
  jotgate jwt sign -key=key.pem -kid=abc -iss=https://jwt.io/ -aud=vault1 -sub=VaultAdmin -ttl=1h -claim='roles=["VaultAdminRole"]'`,
		Args: cli.NArgs(0, 1, "at most one JSON object"),
		RunE: func(_ *cobra.Command, args []string) error { return t.sign(f, args) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.key, "key", "", "PEM file of the private key")
	fl.StringVar(&f.alg, "alg", "", "algorithm (default: RS256, ES256/384/512 or EdDSA, by the key)")
	fl.StringVar(&f.kid, "kid", "", "key id in the header (default: none)")
	fl.StringVar(&f.typ, "typ", "JWT", "type in the header")
	fl.StringVar(&f.iss, "iss", "", "issuer")
	fl.StringVar(&f.sub, "sub", "", "subject")
	fl.StringArrayVar(&f.aud, "aud", nil, "audience; may be repeated")
	fl.StringVar(&f.ttl, "ttl", "", "life from now on: sets iat and exp")
	fl.StringVar(&f.exp, "exp", "", "expiry: seconds since 1970, or RFC 3339")
	fl.StringVar(&f.nbf, "nbf", "", "not before: seconds since 1970, RFC 3339, or now")
	fl.StringVar(&f.iat, "iat", "", "issued at: seconds since 1970, RFC 3339, or now")
	fl.StringArrayVar(&f.claims, "claim", nil, "name=value, where value is JSON, else text; may be repeated")
	fl.StringArrayVar(&f.stringClaim, "claim-string", nil, "name=text; may be repeated")
	return cmd
}

func (t *tool) sign(f signFlags, args []string) error {
	if f.key == "" {
		return cli.WithHint(cli.Usagef("-key is required"), "make a key with \"jotgate jwt keygen\"")
	}
	claims, err := t.signedClaims(f, args)
	if err != nil {
		return err
	}
	signer, err := t.signerFromFile(f.key)
	if err != nil {
		return err
	}
	alg, err := chooseAlgorithm(signer.Public(), f.alg)
	if err != nil {
		return err
	}
	header := object{{"alg", quote(string(alg))}}
	if f.typ != "" {
		header = header.set("typ", quote(f.typ))
	}
	if f.kid != "" {
		header = header.set("kid", quote(f.kid))
	}
	token, err := signToken(signer, alg, header, claims)
	if err != nil {
		return err
	}
	if _, err := jwt.Parse(token, jwt.LoginLimits); err != nil {
		t.env.Warnf("WARNING! The server will refuse this token: %s.", fault.PublicText(err))
	} else if _, ok := claims.get("exp"); !ok {
		t.env.Warnf("WARNING! This token has no exp: it never expires, and most issuers' rules refuse it. Use -ttl.")
	}
	t.env.Println(token)
	return nil
}

// signedClaims merges the claims of the argument and of the flags.
func (t *tool) signedClaims(f signFlags, args []string) (object, error) {
	var claims object
	if len(args) == 1 {
		text, err := t.env.Indirect(args[0])
		if err != nil {
			return nil, err
		}
		if claims, err = parseObject([]byte(text)); err != nil {
			return nil, cli.Usagef("the claims must be one JSON object: %v", err)
		}
	}
	for _, c := range [][2]string{{"iss", f.iss}, {"sub", f.sub}} {
		if c[1] != "" {
			claims = claims.set(c[0], quote(c[1]))
		}
	}
	if len(f.aud) > 0 {
		claims = claims.set("aud", audience(f.aud))
	}
	claims, err := t.setTimes(claims, f)
	if err != nil {
		return nil, err
	}
	if claims, err = setExtra(claims, f); err != nil {
		return nil, err
	}
	if len(claims) == 0 {
		return nil, cli.Usagef("there is nothing to sign: give @claims.json, or flags such as -iss, -sub and -ttl")
	}
	return claims, nil
}

func audience(list []string) jsontext.Value {
	if len(list) == 1 {
		return quote(list[0])
	}
	out := jsontext.Value{'['}
	for i, a := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, quote(a)...)
	}
	return append(out, ']')
}

func (t *tool) setTimes(claims object, f signFlags) (object, error) {
	if f.ttl != "" {
		if f.exp != "" {
			return nil, cli.Usagef("-ttl and -exp cannot be used together")
		}
		d, err := cli.ParseDuration(f.ttl)
		if err != nil {
			return nil, cli.Usagef("-ttl: %v", err)
		}
		claims = claims.set("iat", unix(t.now())).set("exp", unix(t.now().Add(d)))
	}
	for _, c := range [][2]string{{"iat", f.iat}, {"nbf", f.nbf}, {"exp", f.exp}} {
		if c[1] == "" {
			continue
		}
		at, err := t.instant(c[1])
		if err != nil {
			return nil, cli.Usagef("-%s: %v", c[0], err)
		}
		claims = claims.set(c[0], at)
	}
	return claims, nil
}

func unix(at time.Time) jsontext.Value { return jsontext.Value(strconv.FormatInt(at.Unix(), 10)) }

func (t *tool) instant(s string) (jsontext.Value, error) {
	if s == "now" {
		return unix(t.now()), nil
	}
	if n, ok := jwt.ParseNumber(s); ok {
		return jsontext.Value(n.Text()), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, cli.Usagef("%q is neither seconds since 1970 nor RFC 3339 (2029-12-31T23:59:59Z) nor now", s)
	}
	return unix(at), nil
}

func setExtra(claims object, f signFlags) (object, error) {
	for _, c := range f.claims {
		name, value, ok := strings.Cut(c, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("-claim: not name=value")
		}
		v := jsontext.Value(value)
		if !v.IsValid() {
			v = quote(value)
		}
		claims = claims.set(name, v)
	}
	for _, c := range f.stringClaim {
		name, value, ok := strings.Cut(c, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("-claim-string: not name=text")
		}
		claims = claims.set(name, quote(value))
	}
	return claims, nil
}

// chooseAlgorithm returns the algorithm of that name, or the key's first one.
// It must go with the key.
func chooseAlgorithm(pub crypto.PublicKey, name string) (jwt.Algorithm, error) {
	if name == "" {
		name = defaultAlgorithm(pub)
	}
	alg := jwt.Algorithm(name)
	if !alg.Known() || alg.Symmetric() {
		return "", cli.Usagef("-alg: %q is not an algorithm for a key pair", name)
	}
	key, err := jwt.NewKey(pub, "", "")
	if err != nil {
		return "", keyProblem("the key", err)
	}
	if !slices.Contains(key.Algorithms(), alg) && (alg != jwt.Ed25519 || key.Type() != jwt.KeyOKP) {
		return "", cli.Usagef("-alg: %s does not go with this key, which signs %v", alg, key.Algorithms())
	}
	return alg, nil
}

// signToken writes the compact serialization (RFC 7515 section 7.1).
func signToken(signer crypto.Signer, alg jwt.Algorithm, header, claims object) (string, error) {
	h, err := header.compact()
	if err != nil {
		return "", cli.Fail(err, "cannot write the header")
	}
	c, err := claims.compact()
	if err != nil {
		return "", cli.Fail(err, "cannot write the claims")
	}
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sig, err := rawSignature(signer, alg, []byte(text))
	if err != nil {
		return "", cli.Fail(err, "cannot sign")
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

func rawSignature(signer crypto.Signer, alg jwt.Algorithm, text []byte) ([]byte, error) {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[string(alg[2:])]
	if alg == jwt.EdDSA || alg == jwt.Ed25519 {
		return signer.Sign(nil, text, crypto.Hash(0))
	}
	h := hash.New()
	h.Write(text)
	digest := h.Sum(nil)
	switch key := signer.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			return nil, err
		}
		size := (key.Params().BitSize + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out, nil
	case *rsa.PrivateKey:
		if strings.HasPrefix(string(alg), "PS") {
			return rsa.SignPSS(rand.Reader, key, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
		}
		return rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
	}
	return nil, cli.Failf("this kind of key does not sign JWTs")
}
