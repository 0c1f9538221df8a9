package main

import (
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newOperator() *cobra.Command {
	cmd := group("operator", "Initialise, seal and unseal the server", "  jotgate operator init -key-shares=5 -key-threshold=3\n  jotgate operator unseal",
		a.newInit(), a.newUnseal(),
		a.simple("seal", "Seal the server", http.MethodPut, "sys/seal", "Error sealing", "Success! Vault is sealed."),
		a.simple("step-down", "Give up being the active node", http.MethodPut, "sys/step-down", "Error stepping down", "Success! Stepped down."),
		a.newRotate(), a.newKeyStatus(), a.newRekey(), a.newGenerateRoot(), a.newSnapshot(), a.newRaft())
	cmd.AddCommand(newAbsent("jotgate operator", absentOperator)...)
	return cmd
}

// simple builds a command that sends one request without a body.
func (a *app) simple(name, short, method, path, what, success string) *cobra.Command {
	return &cobra.Command{
		Use: name + " [flags]", Short: short, Example: "  jotgate operator " + name, Args: cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.do(cmd, method, path, nil); err != nil {
				return failed(err, "%s", what)
			}
			return a.done("%s", success)
		},
	}
}

// initFlags are those of "operator init".
type initFlags struct {
	shares, threshold, recoveryShares, recoveryThreshold int
	pgpKeys, recoveryPGPKeys                             []string
	rootPGPKey                                           string
	status                                               bool
}

func (a *app) newInit() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use: "init [flags]", Short: "Initialise a new server",
		Long: "Makes the root key of a new server, splits it into shares and prints them once,\nwith the first root token. Nobody can print them again.",
		Example: `  jotgate operator init -key-shares=5 -key-threshold=3
  jotgate operator init -status
  jotgate operator init -format=json > shares.json`,
		Args: cli.NArgs(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.status {
				return a.initStatus(cmd)
			}
			return a.initialise(cmd, f)
		},
	}
	fl := cmd.Flags()
	fl.IntVar(&f.shares, "key-shares", 5, "number of shares to split the root key into")
	fl.IntVar(&f.shares, "n", 5, "same as -key-shares")
	fl.IntVar(&f.threshold, "key-threshold", 3, "number of shares needed to unseal")
	fl.IntVar(&f.threshold, "t", 3, "same as -key-threshold")
	fl.IntVar(&f.recoveryShares, "recovery-shares", 5, "number of recovery shares (auto-unseal only)")
	fl.IntVar(&f.recoveryThreshold, "recovery-threshold", 3, "number of recovery shares needed (auto-unseal only)")
	fl.StringSliceVar(&f.pgpKeys, "pgp-keys", nil, "files of PGP public keys, one for each share; each share is encrypted to its key")
	fl.StringSliceVar(&f.recoveryPGPKeys, "recovery-pgp-keys", nil, "files of PGP public keys, one for each recovery share")
	fl.StringVar(&f.rootPGPKey, "root-token-pgp-key", "", "file of the PGP public key for the root token")
	fl.BoolVar(&f.status, "status", false, "say whether the server is initialised: status 0 yes, 2 no, 1 error")
	_ = fl.MarkHidden("n")
	_ = fl.MarkHidden("t")
	return cmd
}

func (a *app) initStatus(cmd *cobra.Command) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var out struct {
		Initialized bool `json:"initialized"`
	}
	if err := c.plain(cmd.Context(), request{method: http.MethodGet, path: "sys/init"}, &out); err != nil {
		return asLocal(failed(err, "Error checking init status"))
	}
	if done, err := a.printData(out); done && err != nil {
		return err
	} else if !done {
		a.env.Println(map[bool]string{true: "Vault is initialized", false: "Vault is not initialized"}[out.Initialized])
	}
	if !out.Initialized {
		return cli.Quiet(cli.StatusServer)
	}
	return nil
}

// initAnswer is what sys/init gives.
type initAnswer struct {
	Keys           []string `json:"keys"`
	KeysB64        []string `json:"keys_base64"`
	RecoveryKeys   []string `json:"recovery_keys"`
	RecoveryKeysB6 []string `json:"recovery_keys_base64"`
	RootToken      string   `json:"root_token"`
}

func (a *app) initialise(cmd *cobra.Command, f initFlags) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var st sealStatus
	if err := c.plain(cmd.Context(), request{method: http.MethodGet, path: "sys/seal-status"}, &st); err != nil {
		return failed(err, "Error initializing")
	}
	body, err := f.body(a, st.Type)
	if err != nil {
		return err
	}
	var out initAnswer
	if err := c.plain(cmd.Context(), request{method: http.MethodPut, path: "sys/init", body: body}, &out); err != nil {
		return failed(err, "Error initializing")
	}
	return a.printInit(f, &out, st.Type)
}

func (f initFlags) body(a *app, sealType string) (map[string]any, error) {
	body := map[string]any{
		"pgp_keys": nil, "recovery_pgp_keys": nil, "recovery_shares": 0, "recovery_threshold": 0,
		"root_token_pgp_key": "", "secret_shares": f.shares, "secret_threshold": f.threshold,
	}
	if sealType != "shamir" && sealType != "" {
		body["secret_shares"], body["secret_threshold"] = 0, 0
		body["recovery_shares"], body["recovery_threshold"] = f.recoveryShares, f.recoveryThreshold
	}
	for _, l := range []struct {
		flag, field string
		files       []string
	}{{"pgp-keys", "pgp_keys", f.pgpKeys}, {"recovery-pgp-keys", "recovery_pgp_keys", f.recoveryPGPKeys}} {
		keys, err := a.pgpKeys(l.flag, l.files)
		if err != nil {
			return nil, err
		}
		if keys != nil {
			body[l.field] = keys
		}
	}
	key, err := a.pgpKey("root-token-pgp-key", f.rootPGPKey)
	body["root_token_pgp_key"] = key
	return body, err
}

func (a *app) printInit(f initFlags, out *initAnswer, sealType string) error {
	shaped := struct {
		KeysB64            []string `json:"unseal_keys_b64"`
		KeysHex            []string `json:"unseal_keys_hex"`
		Shares             int      `json:"unseal_shares"`
		Threshold          int      `json:"unseal_threshold"`
		RecoveryB64        []string `json:"recovery_keys_b64"`
		RecoveryHex        []string `json:"recovery_keys_hex"`
		RecoveryShares     int      `json:"recovery_keys_shares"`
		RecoveryThresholds int      `json:"recovery_keys_threshold"`
		RootToken          string   `json:"root_token"`
	}{
		KeysB64: orEmpty(out.KeysB64), KeysHex: orEmpty(out.Keys), Shares: f.shares, Threshold: f.threshold,
		RecoveryB64: orEmpty(out.RecoveryKeysB6), RecoveryHex: orEmpty(out.RecoveryKeys), RootToken: out.RootToken,
	}
	if len(out.RecoveryKeysB6) > 0 {
		shaped.RecoveryShares, shaped.RecoveryThresholds = f.recoveryShares, f.recoveryThreshold
	}
	if done, err := a.printData(shaped); done {
		return err
	}
	for i, k := range out.KeysB64 {
		a.env.Printf("Unseal Key %d: %s\n", i+1, k)
	}
	for i, k := range out.RecoveryKeysB6 {
		a.env.Printf("Recovery Key %d: %s\n", i+1, k)
	}
	a.env.Printf("\nInitial Root Token: %s\n", out.RootToken)
	if len(out.KeysB64) == 0 {
		a.env.Printf("\nSuccess! Vault is initialized. It unseals itself (%s).\n", sealType)
		return nil
	}
	a.env.Printf(`
Vault initialized with %d key shares and a key threshold of %d. Give each share to
another person now: they are not shown again, and after every restart or seal it
takes %d of them to unseal. Without them the data cannot be read by anyone.
`, f.shares, f.threshold, f.threshold)
	return nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (a *app) newUnseal() *cobra.Command {
	var doReset, migrate bool
	cmd := &cobra.Command{
		Use: "unseal [flags] [SHARE]", Short: "Give one share of the root key",
		Long:    "Gives the server one share of the root key. Without SHARE it is asked for and not\nshown; - reads it from standard input.",
		Example: "  jotgate operator unseal\n  jotgate operator unseal -reset",
		Args:    cli.NArgs(0, 1, "at most one share"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			body := map[string]any{"key": "", "migrate": migrate, "reset": doReset}
			if !doReset {
				if body["key"], err = a.share(args); err != nil {
					return err
				}
			}
			var st sealStatus
			if err := c.plain(cmd.Context(), request{method: http.MethodPut, path: "sys/unseal", body: body}, &st); err != nil {
				return failed(err, "Error unsealing")
			}
			if err := c.addLeader(cmd.Context(), &st); err != nil {
				return failed(err, "Error checking leader status")
			}
			return a.printStatus(&st)
		},
	}
	cmd.Flags().BoolVar(&doReset, "reset", false, "forget the shares given so far")
	cmd.Flags().BoolVar(&migrate, "migrate", false, "this share belongs to the seal that is being left")
	return cmd
}

// share returns a share of a key from the arguments, or asks for it.
func (a *app) share(args []string) (string, error) {
	var s string
	var err error
	switch {
	case len(args) == 1:
		s, err = a.env.Indirect(args[0])
	case a.set.nonInteractive:
		return "", cli.Usagef("no share was given")
	default:
		s, err = a.env.ReadSecret("Unseal Key (will be hidden): ")
	}
	if err != nil {
		return "", err
	}
	if s, err = checkToken(s, "the share"); err == nil && s == "" {
		err = cli.Usagef("no share was given")
	}
	return s, err
}

func (a *app) newRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate [flags]", Short: "Make a new data key; old values stay readable",
		Example: "  jotgate operator rotate", Args: cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.do(cmd, http.MethodPut, "sys/rotate", nil); err != nil {
				return failed(err, "Error rotating key")
			}
			if err := a.done("Success! Rotated key\n"); err != nil {
				return err
			}
			return a.keyStatus(cmd)
		},
	}
}

func (a *app) newKeyStatus() *cobra.Command {
	return &cobra.Command{
		Use: "key-status [flags]", Short: "Show the data key's term",
		Example: "  jotgate operator key-status", Args: cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.keyStatus(cmd) },
	}
}

func (a *app) keyStatus(cmd *cobra.Command) error {
	s, err := a.fetch(cmd, "sys/key-status", nil)
	if err != nil {
		return failed(err, "Error reading key status")
	}
	if s.empty() {
		return cli.Serverf("Error reading key status: the server's answer is empty")
	}
	if done, err := a.printData(s.data()); done {
		return err
	}
	d := s.data()
	a.printPairs([][]string{
		{"Key Term", valueText(d["term"])},
		{"Install Time", valueText(d["install_time"])},
		{"Encryption Count", valueText(d["encryptions"])},
	})
	return nil
}

func count(n int) string { return strconv.Itoa(n) }
