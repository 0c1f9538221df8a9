package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/bearer"
	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

func TestEveryReasonOfTheServerHasAMeaning(t *testing.T) {
	reasons := []string{
		trust.ReasonExpired, trust.ReasonNotYetValid, trust.ReasonIssuedInFuture, trust.ReasonTooOld, trust.ReasonNoTimes,
		trust.ReasonNoExpiration, trust.ReasonNoIssuedAt, trust.ReasonIssuer, trust.ReasonAudience, trust.ReasonAudienceUnbound,
		trust.ReasonSubject, trust.ReasonAlgorithm, trust.ReasonUser, trust.ReasonGroups, trust.ReasonMetadata,
		trust.ReasonClaimMissing, trust.ReasonClaimMismatch, trust.ReasonRoleMissing, trust.ReasonRoleAmbiguous,
		trust.ReasonRoleUnmapped, trust.ReasonRoleUnknown, trust.ReasonRoleNotAllowed, trust.ReasonRoleReserved,
		trust.ReasonNamespaceClaim, bearer.ReasonAmbiguous,
	}
	for _, err := range []error{jwt.ErrMalformed, jwt.ErrTooLarge, jwt.ErrType, jwt.ErrAlgorithm, jwt.ErrUnknownKey, jwt.ErrSignature, jwt.ErrClaims} {
		reasons = append(reasons, fault.ReasonOf(err))
	}
	for _, r := range reasons {
		if meaning(r) == "" {
			t.Errorf("the reason %q has no meaning", r)
		}
	}
	if meaning("something_else") != "" {
		t.Error("an unknown reason must have no meaning")
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	env := cli.System("pvault")
	root := newRoot(env)
	cli.Prepare(env, root)
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: a command needs a short text and an example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(root)
}

func TestEveryOperationsPlaceholdersAreFilled(t *testing.T) {
	var walk func(g opGroup)
	walk = func(g opGroup) {
		for _, o := range g.ops {
			v := values{app: &app{env: cli.System("pvault")}, texts: map[string]string{}, lists: map[string][]string{}, bools: map[string]bool{}, set: map[string]bool{}}
			for _, p := range o.params {
				v.set[p.flag] = p.in == inPath
				v.texts[p.flag] = "x"
			}
			if o.shape != nil {
				o.shape = nil
			}
			if _, err := buildCall(o, v); err != nil {
				t.Errorf("%s %s: %v", g.use, o.use, err)
			}
		}
		for _, sub := range g.groups {
			walk(sub)
		}
	}
	for _, g := range groups {
		walk(g)
	}
	walk(opGroup{use: "iam", ops: iamOps})
}
