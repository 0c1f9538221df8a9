package session

import (
	"fmt"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// SystemTTL is both the default and the greatest life of a token when neither
// mount nor role says otherwise (the reference's system default).
const SystemTTL = 768 * time.Hour

// Limits are the current values of role and mount that bound a token's life.
// Zero means that the role or mount says nothing.
type Limits struct {
	TTL          time.Duration // of the role
	MaxTTL       time.Duration // of the role
	Period       time.Duration // of the role; makes the token periodic
	MountDefault time.Duration // of the mount; 0 = SystemTTL
	MountMax     time.Duration // of the mount; 0 = SystemTTL
}

func smaller(a, b time.Duration) time.Duration {
	if b > 0 && b < a {
		return b
	}
	return a
}

// errPastMax is returned when nothing of a token's life is left to give.
var errPastMax = fault.New(fault.Invalid, "past the max TTL, cannot renew")

// lifetime returns how long a token that was issued at start lives from now,
// by the reference's rules. wish is the caller's increment or requested ttl; 0
// means none. explicitMax bounds the whole life and never changes.
func (l Limits) lifetime(start, now time.Time, wish, explicitMax time.Duration) (ttl time.Duration, warnings []string, err error) {
	most := SystemTTL
	if l.MountMax > 0 {
		most = l.MountMax
	}
	most = smaller(smaller(most, l.MaxTTL), explicitMax)

	if l.Period > 0 {
		ttl = l.Period
		if ttl > most {
			warnings = append(warnings, fmt.Sprintf("period of %q exceeded the effective max_ttl of %q; period value is capped accordingly",
				human(ttl), human(most)))
			ttl = most
		}
		if explicitMax == 0 {
			return ttl, warnings, nil
		}
		left := start.Add(explicitMax).Sub(now)
		if left <= 0 {
			return 0, nil, errPastMax
		}
		return min(ttl, left), warnings, nil
	}

	ttl = SystemTTL
	for _, d := range []time.Duration{wish, l.TTL, l.MountDefault} {
		if d > 0 {
			ttl = d
			break
		}
	}
	left := start.Add(most).Sub(now)
	if left <= 0 {
		return 0, nil, errPastMax
	}
	if ttl > roundUp(left) { // less than a second is not worth a warning
		warnings = append(warnings, fmt.Sprintf("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly",
			human(ttl), human(roundUp(left))))
	}
	return min(ttl, left), warnings, nil
}

// roundUp returns d in whole seconds, never less than d.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// human writes a duration without the zero units at its end: 768h, 1h30m.
func human(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
