package authjwt

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// maxPolicyName bounds what a template may come to, in bytes.
const maxPolicyName = 512

// policyTemplates parses token_policies as Go text templates over the claims.
func policyTemplates(texts []string) ([]*template.Template, error) {
	out := make([]*template.Template, len(texts))
	for i, text := range texts {
		t, err := template.New("policy").Option("missingkey=error").Parse(text)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "'token_policies' "+strconv.Quote(clip(text))+" is not a template: "+clip(err.Error()))
		}
		if len(t.Templates()) > 1 || t.Tree != nil && includes(t.Root) {
			// One that includes itself would not end.
			return nil, invalid("'token_policies' %q must not define or include templates", clip(text))
		}
		out[i] = t
	}
	return out, nil
}

// includes reports whether a template includes another, or itself.
func includes(n parse.Node) bool {
	var branch *parse.BranchNode
	switch n := n.(type) {
	case *parse.TemplateNode:
		return true
	case *parse.ListNode:
		return n != nil && slices.ContainsFunc(n.Nodes, includes)
	case *parse.IfNode:
		branch = &n.BranchNode
	case *parse.RangeNode:
		branch = &n.BranchNode
	case *parse.WithNode:
		branch = &n.BranchNode
	default:
		return false
	}
	return includes(branch.List) || includes(branch.ElseList)
}

// fill writes each template with the claims. Those that come to nothing are
// left out. A claim that a template names must be there, so that a token
// without it gets no other policy than one with it.
func fill(templates []*template.Template, claims map[string]any) ([]string, error) {
	out := make([]string, 0, len(templates))
	for _, t := range templates {
		var b bounded
		err := t.Execute(&b, claims)
		if err == nil && strings.Contains(b.String(), noValue) {
			err = errNull
		}
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "error in 'token_policies': a template cannot be filled in from the token's claims").
				WithReason(trust.ReasonClaimMissing)
		}
		if name := strings.TrimSpace(b.String()); name != "" {
			out = append(out, name)
		}
	}
	return out, session.CheckLoginPolicies(out)
}

// bounded is a text that stays short.
type bounded struct{ strings.Builder }

// noValue is what the library writes for null.
const noValue = "<no value>"

var errNull = errors.New("a claim of a policy's name is null")

var errLong = errors.New("the name of a policy is too long")

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPolicyName {
		return 0, errLong
	}
	return b.Builder.Write(p)
}

// admitted is a token that a role lets in, and what for.
type admitted struct {
	trust.Grant
	policies []string
}

// accept judges a genuine token by the role and settles its policies.
func (r *compiledRole) accept(v *jwt.Verified, now time.Time) (a admitted, checks []policy.Check, err error) {
	g, d := r.rule.Admit(v, now)
	if !d.Allowed {
		return admitted{}, d.Checks, r.rule.Refusal(d)
	}
	a = admitted{Grant: g, policies: r.Policies}
	if r.templates != nil {
		if a.policies, err = fill(r.templates, v.Claims().Map()); err != nil {
			return admitted{}, append(d.Checks, policy.Check{Name: "token_policies", Reason: fault.ReasonOf(err), Note: fault.PublicText(err)}), err
		}
	}
	return a, d.Checks, nil
}
