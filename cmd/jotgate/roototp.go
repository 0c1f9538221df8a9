package main

import (
	"encoding/base64"
	"strings"

	"github.com/jotgate/jotgate/internal/cli"
)

// decodeRoot undoes the one-time pad over a generated root token. Both values
// stay on this machine.
func (a *app) decodeRoot(encoded, otp string) error {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(encoded), "="))
	if err != nil {
		return cli.Usagef("-decode: not base64 text")
	}
	if len(otp) != len(raw) {
		return cli.Usagef("-otp must be %d characters long, got %d", len(raw), len(otp))
	}
	for i := range raw {
		raw[i] ^= otp[i]
	}
	token, err := checkToken(string(raw), "the decoded text")
	if err != nil {
		return cli.Usagef("-otp does not belong to this encoded token")
	}
	a.env.Println(token)
	return nil
}
