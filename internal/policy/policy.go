// Package policy is what every decision looks like: an answer and the checks
// that led to it. The languages that make decisions live below it: acl for the
// Vault door's path policies, votes for the pvault door's capabilities and
// policies.
//
// A decision is a pure function of its inputs. Nothing here reads a clock, a
// file or the network, and the zero Decision denies.
package policy

import "fmt"

// Check is one rule that was looked at, and what came of it. None of its
// fields ever holds a secret or a token. Received may hold what a claim says,
// so checks are for the operator's eyes and the caller gets the reason only.
type Check struct {
	Name     string `json:"check"`              // stable name, such as "audience" or "capability"
	OK       bool   `json:"ok"`                 // whether it passed
	Reason   string `json:"reason,omitempty"`   // stable code when it did not pass, such as "expired"
	Expected string `json:"expected,omitempty"` // what the rule wants
	Received string `json:"received,omitempty"` // what the request had
	Note     string `json:"note,omitempty"`     // one sentence for a person
}

// String writes the check for the operator's log.
func (c Check) String() string {
	if c.OK {
		return c.Name + " ok"
	}
	s := c.Name + " failed"
	if c.Expected != "" || c.Received != "" {
		s += fmt.Sprintf(" (expected %q, received %q)", c.Expected, c.Received)
	}
	return s
}

// Decision is the answer to one question. The zero value denies.
type Decision struct {
	Allowed bool
	// Rule names the rule that decided, such as `path "secret/data/+" in policy
	// "webapps"`. It is empty when nothing matched.
	Rule string
	// Granting lists the policies that grant the request, sorted.
	Granting []string
	// Checks lists everything that was looked at, in order.
	Checks []Check
}

// Deny returns a refusal that says which check failed.
func Deny(c Check) Decision { return Decision{Checks: []Check{c}} }

// Failed returns the first check that did not pass, or false.
func (d Decision) Failed() (Check, bool) {
	for _, c := range d.Checks {
		if !c.OK {
			return c, true
		}
	}
	return Check{}, false
}
