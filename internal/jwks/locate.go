package jwks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// locator gets the current key document of one issuer. It is used by one fetch
// at a time.
type locator interface {
	locate(ctx context.Context, etag string) (document, error)
}

type urlLocator struct {
	f   *fetcher
	url string
}

func (l *urlLocator) locate(ctx context.Context, etag string) (document, error) {
	d, err := l.f.get(ctx, l.url, etag)
	if err != nil {
		return d, fmt.Errorf("fetching the key set: %w", err)
	}
	return d, nil
}

// discoveryAge is how long the place of the key set is believed; it is asked
// for anew at once when the key set fails.
const discoveryAge = time.Hour

type discoveryLocator struct {
	f      *fetcher
	issuer string
	check  func(string) error
	now    func() time.Time

	jwksURI string
	asked   time.Time
}

func (l *discoveryLocator) locate(ctx context.Context, etag string) (document, error) {
	if now := l.now(); l.jwksURI == "" || now.Sub(l.asked) >= discoveryAge || now.Before(l.asked) {
		uri, err := l.discover(ctx)
		if err != nil {
			return document{}, err
		}
		if uri != l.jwksURI {
			etag = "" // another document's
		}
		l.jwksURI, l.asked = uri, now
	}
	d, err := l.f.get(ctx, l.jwksURI, etag)
	if err != nil {
		l.asked = time.Time{}
		return d, fmt.Errorf("fetching the key set that the discovery document names: %w", err)
	}
	return d, nil
}

// discover reads the issuer's document (OpenID Connect Discovery 1.0
// section 4) and returns its jwks_uri. While there is no document to be had,
// the place that the last one named is still good.
func (l *discoveryLocator) discover(ctx context.Context) (string, error) {
	d, err := l.f.get(ctx, strings.TrimSuffix(l.issuer, "/")+"/.well-known/openid-configuration", "")
	switch {
	case err == nil:
		return l.read(d)
	case l.jwksURI != "":
		return l.jwksURI, nil
	}
	return "", fmt.Errorf("fetching the discovery document: %w", err)
}

func (l *discoveryLocator) read(d document) (string, error) {
	root, err := jwt.ParseValue(d.body, 2*maxDepth)
	if err != nil || root.Kind() != jwt.KindObject {
		return "", errors.New("the discovery document is not one unambiguous JSON object")
	}
	if issuer, ok := root.Member("issuer").Text(); !ok || issuer != l.issuer {
		return "", errors.New("the discovery document is for another issuer: the configured one must equal its \"issuer\" byte for byte, a trailing slash included")
	}
	uri, ok := root.Member("jwks_uri").Text()
	if !ok {
		return "", errors.New("the discovery document names no jwks_uri")
	}
	if err := l.check(uri); err != nil {
		return "", errors.New("the discovery document's jwks_uri is refused: " + fault.PublicText(err))
	}
	if strings.HasPrefix(l.issuer, "https:") && !strings.HasPrefix(uri, "https:") {
		return "", errors.New("the discovery document's jwks_uri is not https")
	}
	return uri, nil
}
