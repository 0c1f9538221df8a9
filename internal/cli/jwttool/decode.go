package jwttool

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

func (t *tool) newDecode() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "decode [flags] TOKEN",
		Short: "Show what a JWT says, without checking it",
		Long: `Shows the header and the claims of a JWT. Nothing is checked: anyone can write
such a token. TOKEN is its text, @file, or - for standard input.`,
		Example: "  jotgate jwt decode @token.jwt\n  echo \"$JWT\" | jotgate jwt decode -\n  jotgate jwt decode -format=json @token.jwt",
		Args:    cli.NArgs(1, 1, "a token"),
		RunE: func(_ *cobra.Command, args []string) error {
			token, err := t.readToken(args[0])
			if err != nil {
				return err
			}
			return t.decode(token, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	return cmd
}

func (t *tool) decode(token, format string) error {
	header, claims, err := split(token)
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return t.decodeJSON(header, claims)
	case "table", "":
	default:
		return cli.Usagef("Invalid output format: %s", format)
	}
	t.env.Printf("Header\n%s\n\nClaims\n%s\n", header.indent(), claims.indent())
	if rows := t.timeRows(claims); len(rows) > 0 {
		t.env.Printf("\nTimes\n%s", cli.Columns(rows))
	}
	t.env.Printf("\nNOT verified: neither the signature nor any claim was checked.\n")
	if note := strictNote(token); note != "" {
		t.env.Printf("The server would refuse this spelling: %s.\n", note)
	}
	return nil
}

func (t *tool) decodeJSON(header, claims object) error {
	h, err := header.compact()
	if err != nil {
		return cli.Fail(err, "cannot print the header")
	}
	c, err := claims.compact()
	if err != nil {
		return cli.Fail(err, "cannot print the claims")
	}
	out := object{{"header", h}, {"claims", c}, {"verified", jsontext.Value("false")}}
	t.env.Println(out.indent())
	return nil
}

// split reads the two readable parts of a token, leniently.
func split(token string) (header, claims object, err error) {
	if len(token) > jwt.LoginLimits.MaxBytes {
		return nil, nil, cli.Usagef("the token is longer than %d KiB", jwt.LoginLimits.MaxBytes>>10)
	}
	parts := strings.Split(token, ".")
	switch {
	case len(parts) == 5:
		return nil, nil, cli.Usagef("this is an encrypted token (JWE, five parts): its claims cannot be read without the key")
	case len(parts) != 3:
		return nil, nil, cli.Usagef("this is not a JWT: three parts with dots between them are expected, and it has %d", len(parts))
	}
	if header, err = decodePart("header", parts[0]); err != nil {
		return nil, nil, err
	}
	if claims, err = decodePart("claims", parts[1]); err != nil {
		return nil, nil, err
	}
	return header, claims, nil
}

func decodePart(what, part string) (object, error) {
	raw, err := decodeSegment(part)
	if err != nil {
		return nil, cli.Usagef("the %s part is not base64url", what)
	}
	o, err := parseObject(raw)
	if err != nil {
		return nil, cli.Usagef("the %s part is not one unambiguous JSON object", what)
	}
	return o, nil
}

var timeClaims = []string{"iat", "nbf", "exp", "auth_time", "updated_at"}

func (t *tool) timeRows(claims object) [][]string {
	var rows [][]string
	for _, name := range timeClaims {
		v, ok := claims.get(name)
		if !ok {
			continue
		}
		secs, err := strconv.ParseFloat(string(v), 64)
		if err != nil || secs < -62135596800 || secs > 253402300799 {
			continue
		}
		at := time.Unix(int64(secs), 0)
		rows = append(rows, []string{name, humanTime(at, t.now())})
	}
	return rows
}

// strictNote says why the strict parser refuses a token that could be shown.
// The words stay clear of any judgement on the token as a whole.
func strictNote(token string) string {
	_, err := jwt.Parse(token, jwt.LoginLimits)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, jwt.ErrClaims):
		return "a registered claim has the wrong type or form"
	}
	return strings.TrimSuffix(fault.PublicText(err), ".")
}
