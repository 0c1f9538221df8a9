package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

const rootAttempt = "sys/generate-root/attempt"

// generateOTP prints a one-time password as long as the server's root tokens.
func (a *app) generateOTP(cmd *cobra.Command) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var p progress
	if err := c.plain(cmd.Context(), request{method: http.MethodGet, path: rootAttempt}, &p); err != nil {
		return failed(err, "Error during generate-root")
	}
	if p.OTPLength < 1 || p.OTPLength > maxOTP {
		return errors.New("the server does not say how long its root tokens are")
	}
	a.env.Println(randomText(p.OTPLength))
	return nil
}

// maxOTP bounds what a server can make this program print.
const maxOTP = 1024

// randomText returns n random letters and digits, each equally likely.
func randomText(n int) string {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, n)
	for b := make([]byte, 1); len(out) < n; {
		_, _ = rand.Read(b) // never fails: it ends the process instead
		if i := int(b[0] & 63); i < len(letters) {
			out = append(out, letters[i])
		}
	}
	return string(out)
}

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
