package jwks

import (
	"errors"
	"net/netip"
	"syscall"
)

// guard decides at the moment of dialling, after names were resolved, whether
// an address may be reached. Checking a name earlier would be open to a name
// server that gives another answer the second time.
type guard struct {
	loopback     bool // addresses of this machine may be reached
	loopbackOnly bool // and no others: for plain http
}

func (o Options) guard(scheme string) guard {
	return guard{loopback: o.AllowLoopbackHTTP, loopbackOnly: scheme == "http"}
}

// metadata are addresses at which clouds hand out credentials and that are not
// link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour   = netip.MustParsePrefix("2002::/16")
)

var (
	errAddressForbidden = errors.New("key sources at link-local, metadata, multicast and unspecified addresses are refused")
	errAddressLoopback  = errors.New("a key source on this machine is refused unless that is allowed by configuration")
	errAddressPlain     = errors.New("plain http is for key sources on this machine only")
)

// check judges one address.
func (g guard) check(a netip.Addr) error {
	a = embedded(a.Unmap().WithZone(""))
	if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || thisNetwork.Contains(a) {
		return errAddressForbidden
	}
	for _, m := range metadata {
		if a == m {
			return errAddressForbidden
		}
	}
	if a.IsLoopback() && !g.loopback {
		return errAddressLoopback
	}
	if !a.IsLoopback() && g.loopbackOnly {
		return errAddressPlain
	}
	return nil
}

// embedded returns the IPv4 address that a translated IPv6 address stands for,
// or the address itself.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// control is the hook of net.Dialer.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return errAddressForbidden
	}
	return g.check(ap.Addr())
}
