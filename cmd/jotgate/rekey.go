package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// quorum is an operation that takes several shares: rekey or generate-root.
type quorum struct {
	name, short, example string
	start, update        string // API paths
	begin                func() (map[string]any, error)
	// other returns the paths that the flags choose instead; nil: never any.
	other func(init bool) (start, update string)
	// instead does what other flags ask for; false: they ask for nothing.
	instead func(cmd *cobra.Command) (bool, error)
}

// progress is what such an operation answers after each share.
type progress struct {
	Nonce        string   `json:"nonce"`
	Started      bool     `json:"started"`
	Progress     int      `json:"progress"`
	Required     int      `json:"required,omitzero"`
	Threshold    int      `json:"t,omitzero"` // of the new shares
	Complete     bool     `json:"complete"`
	Keys         []string `json:"keys_base64,omitempty"`
	Verify       bool     `json:"verification_required,omitzero"`
	VerifyNonce  string   `json:"verification_nonce,omitzero"`
	EncodedToken string   `json:"encoded_token,omitzero"`
	EncodedRoot  string   `json:"encoded_root_token,omitzero"`
	OTP          string   `json:"otp,omitzero"`
	OTPLength    int      `json:"otp_length,omitzero"`
	Fingerprints []string `json:"pgp_fingerprints,omitempty"`
	Fingerprint  string   `json:"pgp_fingerprint,omitzero"`
	Backup       bool     `json:"backup,omitzero"`
}

func (a *app) newRekey() *cobra.Command {
	var shares, threshold int
	var verify, backup, retrieve, remove bool
	var pgpFiles []string
	cmd := a.newQuorum(quorum{
		name: "rekey", short: "Replace the shares of the root key by new ones",
		example: "  jotgate operator rekey -init -key-shares=3 -key-threshold=2\n  jotgate operator rekey -nonce=NONCE\n" +
			"  jotgate operator rekey -init -key-shares=3 -key-threshold=2 -verify\n  jotgate operator rekey -verify -nonce=VERIFICATION-NONCE\n" +
			"  jotgate operator rekey -init -key-shares=2 -key-threshold=2 -pgp-keys=anna.asc,ben.asc -backup\n  jotgate operator rekey -backup-retrieve",
		start: "sys/rekey/init", update: "sys/rekey/update",
		begin: func() (map[string]any, error) {
			body := map[string]any{"secret_shares": shares, "secret_threshold": threshold}
			if verify {
				body["require_verification"] = true
			}
			keys, err := a.pgpKeys("pgp-keys", pgpFiles)
			if keys != nil {
				body["pgp_keys"], body["backup"] = keys, backup
			} else if backup && err == nil {
				err = cli.Usagef("-backup keeps encrypted shares only: name the holders' keys with -pgp-keys")
			}
			return body, err
		},
		instead: func(cmd *cobra.Command) (bool, error) {
			switch {
			case retrieve:
				return true, a.rekeyBackup(cmd)
			case remove:
				if err := a.do(cmd, http.MethodDelete, "sys/rekey/backup", nil); err != nil {
					return true, failed(err, "Error deleting the kept shares")
				}
				return true, a.done("Success! Deleted the kept shares (if there were any)")
			}
			return false, nil
		},
		other: func(init bool) (start, update string) {
			if !verify || init {
				return "sys/rekey/init", "sys/rekey/update"
			}
			return "sys/rekey/verify", "sys/rekey/verify"
		},
	})
	cmd.Flags().IntVar(&shares, "key-shares", 5, "number of new shares")
	cmd.Flags().IntVar(&threshold, "key-threshold", 3, "number of new shares needed to unseal")
	cmd.Flags().StringSliceVar(&pgpFiles, "pgp-keys", nil, "with -init: files of PGP public keys, one for each new share")
	cmd.Flags().BoolVar(&backup, "backup", false, "with -init and -pgp-keys: the server keeps the encrypted shares")
	cmd.Flags().BoolVar(&retrieve, "backup-retrieve", false, "show the kept shares, still encrypted")
	cmd.Flags().BoolVar(&remove, "backup-delete", false, "delete the kept shares")
	cmd.Flags().BoolVar(&verify, "verify", false, "with -init: the new shares count once they were given back;\notherwise: give, look at or forget those given back")
	return cmd
}

// rekeyBackup shows the shares that the server keeps, which only the holders of
// their keys can read.
func (a *app) rekeyBackup(cmd *cobra.Command) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var kept struct {
		Data struct {
			Nonce string              `json:"nonce"`
			Hex   map[string][]string `json:"keys"`
			Keys  map[string][]string `json:"keys_base64"`
		} `json:"data"`
	}
	if err := c.plain(cmd.Context(), request{method: http.MethodGet, path: "sys/rekey/backup"}, &kept); err != nil {
		return failed(err, "Error retrieving the kept shares")
	}
	if done, err := a.printData(kept.Data); done {
		return err
	}
	rows := [][]string{{"Rekey Nonce", kept.Data.Nonce}}
	for _, fingerprint := range slices.Sorted(maps.Keys(kept.Data.Keys)) {
		for _, k := range kept.Data.Keys[fingerprint] {
			rows = append(rows, []string{"Key for " + fingerprint, k})
		}
	}
	a.printPairs(rows)
	return nil
}

func (a *app) newGenerateRoot() *cobra.Command {
	var pgpFile, decode, otp string
	var makeOTP bool
	cmd := a.newQuorum(quorum{
		name: "generate-root", short: "Make a new root token with a quorum of shares",
		example: "  jotgate operator generate-root -init\n  jotgate operator generate-root -nonce=NONCE\n  jotgate operator generate-root -decode=ENCODED -otp=OTP",
		start:   rootAttempt, update: "sys/generate-root/update",
		begin: func() (map[string]any, error) {
			body := map[string]any{}
			key, err := a.pgpKey("pgp-key", pgpFile)
			if key != "" {
				body["pgp_key"] = key
			}
			if otp != "" {
				body["otp"] = otp
			}
			return body, err
		},
		instead: func(cmd *cobra.Command) (bool, error) {
			switch {
			case decode != "":
				return true, a.decodeRoot(decode, otp)
			case makeOTP:
				return true, a.generateOTP(cmd)
			}
			return false, nil
		},
	})
	cmd.Flags().StringVar(&pgpFile, "pgp-key", "", "with -init: file of the PGP public key that encrypts the token, instead of a one-time password")
	cmd.Flags().StringVar(&decode, "decode", "", "the encoded token to decode with -otp")
	cmd.Flags().StringVar(&otp, "otp", "", "the one-time password that -init printed;\nwith -init: one to use instead of a new one")
	cmd.Flags().BoolVar(&makeOTP, "generate-otp", false, "print a one-time password for -init")
	return cmd
}

func (a *app) newQuorum(q quorum) *cobra.Command {
	var init, cancel, status bool
	var nonce string
	cmd := &cobra.Command{
		Use: q.name + " [flags] [SHARE]", Short: q.short, Example: q.example, Args: cli.NArgs(0, 1, "at most one share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.instead != nil {
				if done, err := q.instead(cmd); done {
					return err
				}
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			q := q
			if q.other != nil {
				q.start, q.update = q.other(init)
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
	return cmd
}

// needed is how many shares the step takes: a verification says it as the new
// threshold.
func (p *progress) needed() int {
	if p.Required == 0 {
		return p.Threshold
	}
	return p.Required
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
	rows := [][]string{{"Nonce", p.Nonce}, {"Started", valueText(p.Started)}, {"Progress", count(p.Progress) + "/" + count(p.needed())}, {"Complete", valueText(p.Complete)}}
	if p.VerifyNonce != "" {
		rows = append(rows, []string{"Verification Nonce", p.VerifyNonce})
	}
	if p.Fingerprint != "" {
		p.Fingerprints = []string{p.Fingerprint}
	}
	if len(p.Fingerprints) > 0 {
		rows = append(rows, []string{"PGP Fingerprints", strings.Join(p.Fingerprints, ", ")})
	}
	if p.OTP != "" && p.Fingerprint == "" {
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
	switch {
	case len(p.Keys) > 0 && p.VerifyNonce != "":
		a.env.Printf(`
The new shares count once enough of them were given back with -verify and the
verification nonce. Until then the old ones unseal.
`)
	case len(p.Keys) > 0:
		a.env.Printf(`
The old shares do not unseal any more. Give each new share to another person now:
they are not shown again, and without them the data cannot be read by anyone.
`)
	}
	return nil
}
