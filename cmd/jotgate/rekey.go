package main

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// quorum is an operation that takes several shares: rekey or generate-root.
type quorum struct {
	name, short, example string
	start, update        string // API paths
	begin                func() (map[string]any, error)
}

// progress is what such an operation answers after each share.
type progress struct {
	Nonce        string   `json:"nonce"`
	Started      bool     `json:"started"`
	Progress     int      `json:"progress"`
	Required     int      `json:"required"`
	Complete     bool     `json:"complete"`
	Keys         []string `json:"keys_base64,omitempty"`
	EncodedToken string   `json:"encoded_token,omitzero"`
	EncodedRoot  string   `json:"encoded_root_token,omitzero"`
	OTP          string   `json:"otp,omitzero"`
	OTPLength    int      `json:"otp_length,omitzero"`
}

func (a *app) newRekey() *cobra.Command {
	var shares, threshold int
	cmd := a.newQuorum(quorum{
		name: "rekey", short: "Split a new root key into new shares",
		example: "  jotgate operator rekey -init -key-shares=3 -key-threshold=2\n  jotgate operator rekey -nonce=NONCE",
		start:   "sys/rekey/init", update: "sys/rekey/update",
		begin: func() (map[string]any, error) {
			return map[string]any{"secret_shares": shares, "secret_threshold": threshold}, nil
		},
	})
	cmd.Flags().IntVar(&shares, "key-shares", 5, "number of new shares")
	cmd.Flags().IntVar(&threshold, "key-threshold", 3, "number of new shares needed to unseal")
	return cmd
}

func (a *app) newGenerateRoot() *cobra.Command {
	return a.newQuorum(quorum{
		name: "generate-root", short: "Make a new root token with a quorum of shares",
		example: "  jotgate operator generate-root -init\n  jotgate operator generate-root -nonce=NONCE\n  jotgate operator generate-root -decode=ENCODED -otp=OTP",
		start:   "sys/generate-root/attempt", update: "sys/generate-root/update",
		begin: func() (map[string]any, error) { return map[string]any{}, nil },
	})
}

func (a *app) newQuorum(q quorum) *cobra.Command {
	var init, cancel, status bool
	var nonce, decode, otp string
	cmd := &cobra.Command{
		Use: q.name + " [flags] [SHARE]", Short: q.short, Example: q.example, Args: cli.NArgs(0, 1, "at most one share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if decode != "" {
				return a.decodeRoot(decode, otp)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			r := request{method: http.MethodGet, path: q.start}
			switch {
			case cancel:
				if err := a.do(cmd, http.MethodDelete, q.start, nil); err != nil {
					return failed(err, "Error canceling %s", q.name)
				}
				return a.done("Success! Canceled %s (if it was started)", q.name)
			case init:
				r.method = http.MethodPut
				if r.body, err = q.begin(); err != nil {
					return err
				}
			case !status:
				if r, err = a.shareRequest(cmd.Context(), c, q, nonce, args); err != nil {
					return err
				}
			}
			var p progress
			if err := c.plain(cmd.Context(), r, &p); err != nil {
				return failed(err, "Error during %s", q.name)
			}
			return a.printProgress(&p)
		},
	}
	cmd.Flags().BoolVar(&init, "init", false, "start the operation")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "forget the operation")
	cmd.Flags().BoolVar(&status, "status", false, "show how far it is")
	cmd.Flags().StringVar(&nonce, "nonce", "", "the operation's nonce, from -init")
	if q.name == "generate-root" {
		cmd.Flags().StringVar(&decode, "decode", "", "the encoded token to decode with -otp")
		cmd.Flags().StringVar(&otp, "otp", "", "the one-time password that -init printed")
	}
	return cmd
}

// shareRequest sends one share; the nonce comes from the flag or the server.
func (a *app) shareRequest(ctx context.Context, c *client, q quorum, nonce string, args []string) (request, error) {
	if nonce == "" {
		var p progress
		if err := c.plain(ctx, request{method: http.MethodGet, path: q.start}, &p); err != nil {
			return request{}, failed(err, "Error reading the state of %s", q.name)
		}
		if !p.Started {
			return request{}, cli.WithHint(cli.Usagef("no %s is in progress", q.name), "start one with \"jotgate operator "+q.name+" -init\"")
		}
		nonce = p.Nonce
	}
	share, err := a.share(args)
	if err != nil {
		return request{}, err
	}
	return request{method: http.MethodPut, path: q.update, body: map[string]any{"key": share, "nonce": nonce}}, nil
}

func (a *app) printProgress(p *progress) error {
	if done, err := a.printData(p); done {
		return err
	}
	rows := [][]string{{"Nonce", p.Nonce}, {"Started", valueText(p.Started)}, {"Progress", count(p.Progress) + "/" + count(p.Required)}, {"Complete", valueText(p.Complete)}}
	if p.OTP != "" {
		rows = append(rows, []string{"OTP", p.OTP}, []string{"OTP Length", count(p.OTPLength)})
	}
	if p.EncodedToken == "" {
		p.EncodedToken = p.EncodedRoot
	}
	if p.EncodedToken != "" {
		rows = append(rows, []string{"Encoded Token", p.EncodedToken})
	}
	a.printPairs(rows)
	for i, k := range p.Keys {
		a.env.Printf("Key %d: %s\n", i+1, k)
	}
	return nil
}
