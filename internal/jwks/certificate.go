package jwks

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
)

// apply puts our own check of the certificate in the place of the library's,
// where the operator asks for one that the library does not know.
func (t TLSConfig) apply(c *tls.Config) {
	if len(t.ServerNames) == 0 && len(t.CriticalExtensions) == 0 {
		return
	}
	t.ServerNames, t.CriticalExtensions = slices.Clone(t.ServerNames), slices.Clone(t.CriticalExtensions)
	roots := c.RootCAs
	c.InsecureSkipVerify = true //nolint:gosec // VerifyConnection verifies, on every connection
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if err := t.verify(s, roots); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
}

// verify does what crypto/tls does by itself: the chain leads to a root, each
// certificate is valid now and made for servers. Only whose name the leaf must
// carry is another question.
func (t TLSConfig) verify(s tls.ConnectionState, roots *x509.CertPool) error {
	leaf := t.tolerant(s.PeerCertificates[0]) // crypto/tls insists on one
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(t.tolerant(c))
	}
	if _, err := leaf.Verify(o); err != nil {
		return err //nolint:wrapcheck // explain words it
	}
	names := t.ServerNames
	switch {
	case len(names) > 0:
	case s.ServerName == "":
		return errNoServerName
	default:
		names = []string{s.ServerName}
	}
	var err error
	for _, name := range names {
		if err = leaf.VerifyHostname(name); err == nil {
			return nil
		}
	}
	return err //nolint:wrapcheck // the same
}

// errNoServerName: crypto/tls does not tell which address was dialled.
var errNoServerName = errors.New("the endpoint is addressed by number: say which server name its certificate must carry")

// tolerant returns a certificate without the extensions that the operator knows
// of. It is another one: crypto/tls shares what it parsed between connections,
// and another mount may tolerate nothing.
func (t TLSConfig) tolerant(c *x509.Certificate) *x509.Certificate {
	out := *c
	out.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), func(id asn1.ObjectIdentifier) bool {
		return slices.Contains(t.CriticalExtensions, id.String())
	})
	return &out
}
