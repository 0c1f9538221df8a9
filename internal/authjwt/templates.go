package authjwt

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/trust"
)

// Bounds of the templates in token_policies, in bytes and steps.
const (
	maxPolicyName   = 512     // what a template may come to
	maxTemplate     = 4 << 10 // the text of one
	maxTemplateStep = 10_000  // writes and turns of loops, over all templates of a role
	maxMade         = 4 << 10 // what one function is given to make a text of
)

// maxTemplateTime bounds all templates of a role. It is a net below the bounds
// above, and far from what an honest template takes.
const maxTemplateTime = time.Second

// policyTemplates parses token_policies as Go text templates over the claims.
func policyTemplates(texts []string) ([]*template.Template, error) {
	out := make([]*template.Template, len(texts))
	for i, text := range texts {
		if len(text) > maxTemplate {
			return nil, invalid("'token_policies' %q is longer than %d bytes", clip(text), maxTemplate)
		}
		t, err := template.New("policy").Option("missingkey=error").Funcs(boundedFuncs).Parse(text)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "'token_policies' "+strconv.Quote(clip(text))+" is not a template: "+clip(err.Error()))
		}
		if len(t.Templates()) > 1 {
			return nil, invalid(includesText, clip(text))
		}
		if t.Tree != nil {
			if wrong := tame(t.Root); wrong != "" {
				return nil, invalid(wrong, clip(text))
			}
		}
		out[i] = t
	}
	return out, nil
}

const (
	includesText = "'token_policies' %q must not define or include templates" // one that includes itself would not end
	numberText   = "'token_policies' %q must not range over a number: range over a list of the token"
)

// tame makes every loop of a template count its turns, and returns what keeps
// the template from being used, or "". A loop counts by writing nothing: the
// writer of fill counts what is written.
func tame(n parse.Node) (wrong string) {
	var branch *parse.BranchNode
	switch n := n.(type) {
	case *parse.TemplateNode:
		return includesText
	case *parse.ListNode:
		if n == nil {
			return ""
		}
		for _, child := range n.Nodes {
			wrong = cmp.Or(wrong, tame(child))
		}
		return wrong
	case *parse.IfNode:
		branch = &n.BranchNode
	case *parse.WithNode:
		branch = &n.BranchNode
	case *parse.RangeNode:
		branch = &n.BranchNode
		if overNumber(n.Pipe) {
			return numberText
		}
		n.List.Nodes = slices.Insert(n.List.Nodes, 0, parse.Node(&parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos}))
	default:
		return ""
	}
	return cmp.Or(tame(branch.List), tame(branch.ElseList))
}

// overNumber reports whether a loop's pipeline is a number for all to see. One
// that comes to a number in another way is ended by the count of its turns.
func overNumber(p *parse.PipeNode) bool {
	last := p.Cmds[len(p.Cmds)-1].Args
	switch first := last[0].(type) {
	case *parse.NumberNode:
		return true
	case *parse.PipeNode:
		return overNumber(first)
	case *parse.IdentifierNode:
		return first.Ident == "len"
	}
	return false
}

// fill writes each template with the claims. Those that come to nothing are
// left out. A claim that a template names must be there, so that a token
// without it gets no other policy than one with it.
func fill(templates []*template.Template, claims map[string]any) ([]string, error) {
	out := make([]string, 0, len(templates))
	steps, end := 0, time.Now().Add(maxTemplateTime)
	for _, t := range templates {
		b := bounded{steps: &steps, end: end}
		err := t.Execute(&b, claims)
		switch {
		case err != nil:
		case strings.Contains(b.String(), noValue):
			err = errNull
		case strings.ContainsFunc(strings.TrimSpace(b.String()), unicode.IsControl) || !utf8.ValidString(b.String()):
			err = errUnprintable
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

// bounded is a text that stays short and takes so many steps only.
type bounded struct {
	strings.Builder
	steps *int
	end   time.Time
}

// noValue is what the library writes for null.
const noValue = "<no value>"

var errNull = errors.New("a claim of a policy's name is null")

var (
	errLong        = errors.New("the name of a policy is too long")
	errSteps       = errors.New("the templates of the policies take too many steps")
	errUnprintable = errors.New("the name of a policy holds what no policy's name can hold")
)

func (b *bounded) Write(p []byte) (int, error) {
	if *b.steps++; *b.steps > maxTemplateStep || time.Now().After(b.end) {
		return 0, errSteps
	}
	if b.Len()+len(p) > maxPolicyName {
		return 0, errLong
	}
	return b.Builder.Write(p)
}

// admitted is a token that a role lets in, and what for.
type admitted struct {
	trust.Grant
	policies []string
	seen     *Seen
}

// accept judges a genuine token by the role and settles its policies.
func (r *compiledRole) accept(v *jwt.Verified, now time.Time) (a admitted, checks []policy.Check, err error) {
	g, d := r.rule.Admit(v, now)
	if !d.Allowed {
		return admitted{}, d.Checks, r.rule.Refusal(d)
	}
	a = admitted{Grant: g, policies: r.Policies, seen: r.see(v.Claims(), true)}
	if r.templates != nil {
		if a.policies, err = fill(r.templates, v.Claims().Map()); err != nil {
			return admitted{}, append(d.Checks, policy.Check{Name: "token_policies", Reason: fault.ReasonOf(err), Note: fault.PublicText(err)}), err
		}
	}
	return a, d.Checks, nil
}
