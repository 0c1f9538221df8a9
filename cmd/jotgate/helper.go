package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/jotgate/jotgate/internal/cli"
)

// token returns the caller's token: the environment's, else the helper's, else "".
func (a *app) token() (string, error) {
	if v, source := variable(a.env, "TOKEN"); v != "" {
		return checkToken(v, source)
	}
	if h, err := a.externalHelper(); err != nil || h != "" {
		return a.helped(h, err)
	}
	path, err := a.tokenPath()
	if err != nil {
		return "", nil //nolint:nilerr // without a home directory there is no stored token
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", cli.FileError("read", path, err)
	}
	return checkToken(string(raw), path)
}

// checkToken refuses what could not travel in a header. It names where the
// token came from and never shows it.
func checkToken(token, source string) (string, error) {
	token = strings.TrimSpace(token)
	for _, r := range token {
		if r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' {
			return "", cli.Usagef("the token in %s holds characters that no token has", source)
		}
	}
	return token, nil
}

// tokenPath is where the token helper keeps the token.
func (a *app) tokenPath() (string, error) {
	if v, _ := variable(a.env, "TOKEN_PATH"); v != "" {
		return a.env.ExpandHome(v)
	}
	home, err := a.env.Home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".vault-token"), nil
}

// storeToken keeps the token for later commands, readable by its owner only.
func (a *app) storeToken(token string) error {
	if h, err := a.externalHelper(); err != nil || h != "" {
		if err == nil {
			_, err = a.runHelper(h, "store", token)
		}
		return err
	}
	path, err := a.tokenPath()
	if err != nil {
		return cli.Fail(err, "cannot store the token")
	}
	if err := cli.Replace(path, []byte(token), 0o600); err != nil {
		return cli.Fail(err, "cannot store the token")
	}
	return nil
}
