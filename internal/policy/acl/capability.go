package acl

import "math/bits"

// Operation is what a request does to a path. Its text is the one that audit
// entries use. An unknown operation is denied.
type Operation string

// The operations of a request.
const (
	Create   Operation = "create"
	Read     Operation = "read"
	Update   Operation = "update"
	Patch    Operation = "patch"
	Delete   Operation = "delete"
	List     Operation = "list"
	Scan     Operation = "scan"
	Help     Operation = "help"     // always allowed
	Renew    Operation = "renew"    // counts as update
	Revoke   Operation = "revoke"   // counts as update
	Rollback Operation = "rollback" // counts as update
)

// caps is a set of capabilities.
type caps uint16

const (
	capCreate caps = 1 << iota
	capRead
	capUpdate
	capPatch
	capDelete
	capList
	capScan
	capSudo
	capRecover   // granted and shown, used by no operation here
	capSubscribe // granted and shown, used by no operation here
	capDeny
)

const numCaps = 11

// capNames is sorted as Capabilities returns it: by name.
var capNames = []struct {
	name string
	bit  caps
}{
	{"create", capCreate},
	{"delete", capDelete},
	{"deny", capDeny},
	{"list", capList},
	{"patch", capPatch},
	{"read", capRead},
	{"recover", capRecover},
	{"scan", capScan},
	{"subscribe", capSubscribe},
	{"sudo", capSudo},
	{"update", capUpdate},
}

// capByName returns the bit of a capability, or 0.
func capByName(name string) caps {
	for _, c := range capNames {
		if c.name == name {
			return c.bit
		}
	}
	return 0
}

// oldPolicy returns what a `policy = "…"` key of the first policy language
// grants, or 0.
func oldPolicy(name string) caps {
	const read = capRead | capList
	const write = read | capCreate | capUpdate | capDelete
	switch name {
	case "deny":
		return capDeny
	case "read":
		return read
	case "write":
		return write
	case "sudo":
		return write | capSudo
	}
	return 0
}

// needed returns the capability that op needs, or 0 for an unknown operation.
func needed(op Operation) caps {
	switch op {
	case Read:
		return capRead
	case Create:
		return capCreate
	case Update, Renew, Revoke, Rollback:
		return capUpdate
	case Patch:
		return capPatch
	case Delete:
		return capDelete
	case List:
		return capList
	case Scan:
		return capScan
	}
	return 0
}

// names returns the set's names, sorted; "deny" for the empty set.
func (c caps) names() []string {
	if c == 0 || c&capDeny != 0 {
		return []string{"deny"}
	}
	out := make([]string, 0, bits.OnesCount16(uint16(c)))
	for _, n := range capNames {
		if c&n.bit != 0 {
			out = append(out, n.name)
		}
	}
	return out
}
