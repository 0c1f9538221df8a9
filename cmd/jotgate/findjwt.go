package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/jotgate/jotgate/internal/ambient"
	"github.com/jotgate/jotgate/internal/cli"
)

// findJWT returns the JWT to log in with: the one that was given, else the one
// that the surrounding platform offers. Messages name its source only.
func (a *app) findJWT(ctx context.Context, f loginFlags) (string, error) {
	if f.jwt != "" {
		return a.env.Indirect(f.jwt)
	}
	if v, _ := a.env.Get("JOTGATE_JWT"); v != "" {
		return a.env.Indirect(v)
	}
	hc, err := cli.NewHTTPClient(cli.HTTPConfig{})
	if err != nil {
		return "", err
	}
	jwt, err := ambient.Finder{Audience: f.audience, Lookup: a.env.Lookup, HTTP: hc}.Find(ctx)
	if err != nil {
		return "", notFound(err)
	}
	return jwt, nil
}

// notFound puts what kept the JWT from being found into the client's words.
func notFound(err error) error {
	var far *ambient.UnreachableError
	var file *fs.PathError
	switch {
	case errors.Is(err, ambient.ErrNone):
		return cli.WithHint(cli.Usagef("no JWT was given and none was found"),
			"give jwt=@file or set JOTGATE_JWT; in GitHub Actions grant \"id-token: write\", in GitLab declare id_tokens: VAULT_ID_TOKEN")
	case errors.As(err, &far):
		return cli.NetError(far.Err, far.URL, cli.NetHints{AddrSetting: far.Setting, CASetting: "the system's store", Start: "check the runner"})
	case errors.As(err, &file):
		return cli.FileError("read", file.Path, err)
	}
	return cli.Usagef("%v", err)
}
