package main

import (
	"strings"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/pgp"
)

// pgpKeys reads the public keys that a flag names, as the API takes them. Keys
// are judged here, before anybody is asked for a share.
func (a *app) pgpKeys(flag string, files []string) ([]string, error) {
	var keys []string
	for _, file := range files {
		file = strings.TrimPrefix(strings.TrimSpace(file), "@")
		if strings.HasPrefix(file, "keybase:") {
			return nil, cli.WithHint(cli.Usagef("-%s: %s: keys are not fetched from keybase", flag, file), "fetch the key yourself, make sure whose it is, and name its file")
		}
		content, err := a.env.ReadFile(file)
		if err != nil {
			return nil, err
		}
		key, err := pgp.FromFile(content)
		if err != nil {
			return nil, cli.Fail(err, "-%s: %s", flag, file)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// pgpKey reads the one key that a flag names; "" without the flag.
func (a *app) pgpKey(flag, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	keys, err := a.pgpKeys(flag, []string{file})
	if err != nil {
		return "", err
	}
	return keys[0], nil
}
