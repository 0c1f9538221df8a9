package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newLease() *cobra.Command {
	return group("lease", "Look up, renew and revoke leases", "  jotgate lease revoke -prefix auth/jwt/login",
		a.newLeaseLookup(), a.newLeaseRenew(), a.newLeaseRevoke())
}

func (a *app) newLeaseLookup() *cobra.Command {
	return &cobra.Command{
		Use: "lookup [flags] LEASE-ID", Short: "Show a lease",
		Example: "  jotgate lease lookup auth/jwt/login/h1a2b3",
		Args:    cli.NArgs(1, 1, "a lease id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := request{method: http.MethodPut, path: "sys/leases/lookup", body: map[string]any{"lease_id": args[0]}}
			return a.tokenCall(cmd, r, "error looking up lease id "+args[0])
		},
	}
}

func (a *app) newLeaseRenew() *cobra.Command {
	var increment string
	cmd := &cobra.Command{
		Use: "renew [flags] LEASE-ID", Short: "Extend a lease",
		Example: "  jotgate lease renew -increment=1h auth/jwt/login/h1a2b3",
		Args:    cli.NArgs(1, 1, "a lease id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			inc, err := flagSeconds("increment", increment)
			if err != nil {
				return err
			}
			r := request{method: http.MethodPut, path: "sys/leases/renew", body: map[string]any{"lease_id": args[0], "increment": inc}}
			return a.tokenCall(cmd, r, "Error renewing "+args[0])
		},
	}
	cmd.Flags().StringVarP(&increment, "increment", "i", "", "wished life from now on (default: the server decides)")
	return cmd
}

func (a *app) newLeaseRevoke() *cobra.Command {
	var force, prefix, sync bool
	cmd := &cobra.Command{
		Use: "revoke [flags] LEASE-ID", Short: "End a lease",
		Example: "  jotgate lease revoke auth/jwt/login/h1a2b3\n  jotgate lease revoke -prefix auth/jwt/login",
		Args:    cli.NArgs(1, 1, "a lease id or a prefix"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id := cleanPath(args[0])
			r := request{method: http.MethodPut, path: "sys/leases/revoke", body: map[string]any{"lease_id": id, "sync": sync}}
			switch {
			case force && !prefix:
				return cli.Usagef("-force needs -prefix")
			case force:
				r.path, r.body = "sys/leases/revoke-force/"+id, nil
			case prefix:
				r.path, r.body = "sys/leases/revoke-prefix/"+id, map[string]any{"sync": sync}
			}
			if err := a.do(cmd, r.method, r.path, r.body); err != nil {
				return failed(err, "Error revoking lease %s", id)
			}
			switch {
			case force || sync:
				return a.done("Success! Revoked any leases with prefix or id: %s", id)
			default:
				return a.done("All revocation operations queued successfully!")
			}
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "forget the leases even when the engine fails to revoke them (with -prefix)")
	cmd.Flags().BoolVar(&prefix, "prefix", false, "revoke every lease below the argument")
	cmd.Flags().BoolVar(&sync, "sync", false, "wait until it is done")
	return cmd
}
