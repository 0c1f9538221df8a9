package session

import (
	"net/netip"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

const maxCIDRs = 256

// ParseCIDRs checks addresses and networks that a token is to be bound to and
// returns them in their shortest spelling: a single address without a length.
// Host bits of a network are refused, as they hide a mistake.
func ParseCIDRs(list []string) ([]string, error) {
	if len(list) > maxCIDRs {
		return nil, fault.Newf(fault.Invalid, "more than %d bound CIDRs", maxCIDRs)
	}
	var out []string
	for _, s := range list {
		s = strings.TrimSpace(s)
		p, ok := parseCIDR(s) // "" is no address: a bound that was left empty must not be no bound
		if !ok {
			return nil, fault.Newf(fault.Invalid, "error parsing address %q: it must be an IP address or a network in CIDR notation", clip(s))
		}
		if p != p.Masked() {
			return nil, fault.Newf(fault.Invalid, "error parsing address %q: the network has host bits set, %s is meant?", clip(s), p.Masked())
		}
		if p.IsSingleIP() {
			out = append(out, p.Addr().String())
		} else {
			out = append(out, p.String())
		}
	}
	return out, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

func parseCIDR(s string) (netip.Prefix, bool) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return netip.Prefix{}, false
		}
		if a := p.Addr(); a.Is4In6() {
			if p.Bits() < 96 {
				return netip.Prefix{}, false
			}
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return p, true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), true
}

// Admits reports whether a caller at remote may use something bound to these
// networks. An empty list admits everybody; an unknown address, or a list that
// cannot be read, admits nobody.
func Admits(bound []string, remote netip.Addr) bool { return admits(bound, remote) }

func admits(bound []string, remote netip.Addr) bool {
	if len(bound) == 0 {
		return true
	}
	if !remote.IsValid() {
		return false
	}
	remote = remote.Unmap().WithZone("")
	for _, s := range bound {
		if p, ok := parseCIDR(s); ok && p.Contains(remote) {
			return true
		}
	}
	return false
}
