package jwttool

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// keygenFlags are those of "jwt keygen".
type keygenFlags struct {
	typ, curve, kid, alg, out string
	bits                      int
}

func (t *tool) newKeygen() *cobra.Command {
	var f keygenFlags
	cmd := &cobra.Command{
		Use:   "keygen [flags]",
		Short: "Make a key pair for signing",
		Long: `Makes a key pair. The private key goes to NAME_private_key.pem (mode 0600), the
public one to NAME_public_key.pem and, as JWK, to NAME_public_key.jwk.json. An
existing file is never overwritten.`,
		Example: `  jotgate jwt keygen -out=pvault_jwt -kid=abc
  jotgate jwt keygen -type=ec -curve=P-384 -out=ci
  jotgate jwt keygen -type=ed25519`,
		Args: cli.NArgs(0, 0, "flags only"),
		RunE: func(*cobra.Command, []string) error { return t.keygen(f) },
	}
	cmd.Flags().StringVar(&f.typ, "type", "rsa", "rsa, ec or ed25519")
	cmd.Flags().IntVar(&f.bits, "bits", 2048, "length of an RSA key, 2048 to 8192")
	cmd.Flags().StringVar(&f.curve, "curve", "P-256", "curve of an EC key: P-256, P-384 or P-521")
	cmd.Flags().StringVar(&f.kid, "kid", "", "key id (default: the key's thumbprint, RFC 7638)")
	cmd.Flags().StringVar(&f.alg, "alg", "", "algorithm that the JWK names (default: RS256, ES256/384/512 or EdDSA)")
	cmd.Flags().StringVar(&f.out, "out", "jwt", "first part of the files' names")
	return cmd
}

func (t *tool) keygen(f keygenFlags) error {
	private, public, jwk := f.out+"_private_key.pem", f.out+"_public_key.pem", f.out+"_public_key.jwk.json"
	for _, path := range []string{private, public, jwk} {
		if _, err := os.Lstat(path); err == nil {
			return cli.WithHint(cli.Usagef("%s exists already: nothing was written", path), "choose another -out, or move the file away")
		}
	}
	signer, err := generate(f)
	if err != nil {
		return err
	}
	doc, err := publicJWK(signer.Public(), f.kid, f.alg)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return cli.Fail(err, "cannot encode the private key")
	}
	pub, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return cli.Fail(err, "cannot encode the public key")
	}
	files := []struct {
		path string
		data []byte
		mode os.FileMode
	}{
		{private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600},
		{public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}), 0o644},
		{jwk, append(doc, '\n'), 0o644},
	}
	for _, file := range files {
		if err := cli.WriteNew(file.path, file.data, file.mode); err != nil {
			return err
		}
	}
	t.env.Printf("Private key: %s (keep it secret)\nPublic key:  %s\nPublic JWK:  %s\n", private, public, jwk)
	return nil
}

func generate(f keygenFlags) (crypto.Signer, error) {
	switch strings.ToLower(f.typ) {
	case "rsa":
		if f.bits < 2048 || f.bits > 8192 {
			return nil, cli.Usagef("-bits must be 2048 to 8192, got %d", f.bits)
		}
		return rsa.GenerateKey(rand.Reader, f.bits)
	case "ec", "ecdsa":
		curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[strings.ToUpper(f.curve)]
		if !ok {
			return nil, cli.Usagef("-curve must be P-256, P-384 or P-521, got %q", f.curve)
		}
		return ecdsa.GenerateKey(curve, rand.Reader)
	case "ed25519", "okp":
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, cli.Usagef("-type must be rsa, ec or ed25519, got %q", f.typ)
}

// publicJWK writes a public key as an indented JWK with use, alg and kid.
func publicJWK(pub crypto.PublicKey, kid, name string) ([]byte, error) {
	alg, err := chooseAlgorithm(pub, name)
	if err != nil {
		return nil, err
	}
	key, err := jwt.NewKey(pub, kid, alg)
	if err != nil {
		return nil, keyProblem("the key", err)
	}
	if kid == "" {
		if key, err = jwt.NewKey(pub, key.Thumbprint(), alg); err != nil {
			return nil, keyProblem("the key", err)
		}
	}
	members, err := cli.DecodeObject(key.JWK())
	if err != nil {
		return nil, cli.Fail(err, "cannot write the JWK")
	}
	return cli.EncodeIndented(members)
}

// keyProblem shows why a key cannot be used.
func keyProblem(what string, err error) error {
	return cli.Usagef("%s cannot be used: %s", what, fault.PublicText(err))
}

func defaultAlgorithm(pub crypto.PublicKey) string {
	switch p := pub.(type) {
	case *rsa.PublicKey:
		return string(jwt.RS256)
	case *ecdsa.PublicKey:
		return map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[p.Params().Name]
	case ed25519.PublicKey:
		return string(jwt.EdDSA)
	}
	return ""
}

func (t *tool) newJWK() *cobra.Command {
	var kid, alg string
	var set, quoted bool
	cmd := &cobra.Command{
		Use:   "jwk [flags] FILE",
		Short: "Turn a PEM key into a JWK",
		Long: `Prints the public key of a PEM file as JSON Web Key with use, alg and kid. FILE
may hold a public key, a certificate or a private key, of which only the public
part is shown; - reads standard input.`,
		Example: `  jotgate jwt jwk -kid=abc pvault_jwt_public_key.pem
  jotgate jwt jwk -kid=abc -set pvault_jwt_public_key.pem > jwks.json
  jotgate jwt jwk -kid=abc -quoted pvault_jwt_public_key.pem`,
		Args: cli.NArgs(1, 1, "a PEM file"),
		RunE: func(_ *cobra.Command, args []string) error {
			pub, err := t.publicFromFile(args[0])
			if err != nil {
				return err
			}
			doc, err := publicJWK(pub, kid, alg)
			if err != nil {
				return err
			}
			return t.printJWK(doc, set, quoted)
		},
	}
	cmd.Flags().StringVar(&kid, "kid", "", "key id (default: the key's thumbprint, RFC 7638)")
	cmd.Flags().StringVar(&alg, "alg", "", "algorithm (default: RS256, ES256/384/512 or EdDSA)")
	cmd.Flags().BoolVar(&set, "set", false, "print a JWK Set: {\"keys\":[…]}")
	cmd.Flags().BoolVar(&quoted, "quoted", false, "print it as one quoted string, ready for keys = in an IAM TOML file")
	return cmd
}

func (t *tool) printJWK(doc []byte, set, quoted bool) error {
	members, err := cli.DecodeObject(doc)
	if err != nil {
		return cli.Fail(err, "cannot write the JWK")
	}
	var out any = members
	if set {
		out = map[string]any{"keys": []any{members}}
	}
	if !quoted {
		return t.env.PrintJSON(out)
	}
	compact, err := cli.EncodeJSON(out)
	if err != nil {
		return cli.Fail(err, "cannot write the JWK")
	}
	t.env.Println(string(quote(string(compact))))
	return nil
}

func (t *tool) readKeyFile(arg string) (data []byte, name string, err error) {
	if arg == "-" {
		data, err = t.env.ReadStdin()
		return data, "standard input", err
	}
	name = strings.TrimPrefix(arg, "@")
	data, err = t.env.ReadFile(name)
	return data, name, err
}

func (t *tool) publicFromFile(arg string) (crypto.PublicKey, error) {
	data, name, err := t.readKeyFile(arg)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, cli.Usagef("%s must hold exactly one PEM block", name)
	}
	switch block.Type {
	case "PUBLIC KEY":
		pub, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, cli.Usagef("%s: not a readable public key", name)
		}
		return pub, nil
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, cli.Usagef("%s: not a readable certificate", name)
		}
		return cert.PublicKey, nil
	}
	signer, err := parsePrivate(block, name)
	if err != nil {
		return nil, err
	}
	return signer.Public(), nil
}

// parsePrivate reads a private key in PKCS #8, PKCS #1 or SEC 1.
func parsePrivate(block *pem.Block, name string) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, cli.WithHint(cli.Usagef("%s is encrypted with a passphrase", name), "decrypt it to a file of mode 0600: openssl pkey -in FILE -out PLAIN")
	default:
		return nil, cli.Usagef("%s: a PEM block of type %q is no key for signing", name, block.Type)
	}
	if err != nil {
		return nil, cli.Usagef("%s: not a readable private key", name)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, cli.Usagef("%s: this kind of key does not sign", name)
	}
	return signer, nil
}

// signerFromFile reads a private key and refuses a weak one by the rules by
// which the server would refuse its public half.
func (t *tool) signerFromFile(arg string) (crypto.Signer, error) {
	data, name, err := t.readKeyFile(arg)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, cli.Usagef("%s must hold exactly one PEM block", name)
	}
	if block.Type == "PUBLIC KEY" || block.Type == "CERTIFICATE" {
		return nil, cli.Usagef("%s holds a public key; signing needs the private one", name)
	}
	signer, err := parsePrivate(block, name)
	if err != nil {
		return nil, err
	}
	if _, err := jwt.NewKey(signer.Public(), "", ""); err != nil {
		return nil, keyProblem(name, err)
	}
	if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 != 0 {
		t.env.Warnf("WARNING! Other users can read %s (mode %04o): chmod 600 it.", name, info.Mode().Perm())
	}
	return signer, nil
}
