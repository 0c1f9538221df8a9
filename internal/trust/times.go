package trust

import "time"

// validity makes the time checks. Comparison is exact and strict, so that the
// boundary instant itself is admitted.
func (e *evaluation) validity() {
	exp, hasExp := e.claims.ExpiresAt().Time()
	nbf, hasNbf := e.claims.NotBefore().Time()
	iat, hasIat := e.claims.IssuedAt().Time()
	t := e.rule.times
	switch {
	case !hasExp && !hasNbf && !hasIat && e.rule.style == Login:
		e.fail(checkTimes, ReasonNoTimes, "", "",
			"error validating token: no issued at (iat), not before (nbf), or expiration time (exp) claims in token")
		return
	case !hasExp && (e.rule.style == Bearer || t.RequireExpiration):
		e.fail(checkTimes, ReasonNoExpiration, "exp", "", e.text(
			"error validating token: no expiration time (exp) claim in token",
			"the token has no expiration time (exp)"))
		return
	case !hasExp:
		exp = later(iat, nbf).Add(t.ExpirationLeeway)
	}
	if !hasNbf && e.rule.style == Login {
		// The reference derives nbf here. It also derives one from exp alone,
		// which would refuse every token that lives longer than 210 s and says
		// nothing but exp; that one is left out unless the rule asks for it.
		nbf, hasNbf = iat, hasIat
		if !hasIat && t.DeriveNotBefore {
			nbf, hasNbf = exp.Add(-t.NotBeforeLeeway), true
		}
	}
	e.notBefore(nbf, hasNbf)
	e.expiration(exp)
	e.issuedAt(iat, hasIat)
	e.lifetime(iat, hasIat, exp)
	e.age(iat, hasIat, exp)
}

// later returns the later of two instants; an absent one is the zero instant.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (e *evaluation) notBefore(nbf time.Time, has bool) {
	if has && e.now.Add(e.rule.times.ClockSkew).Before(nbf) {
		e.fail(checkNotBefore, ReasonNotYetValid, notBefore(nbf), e.nowText(), e.text(
			"error validating token: invalid not before (nbf) claim: token not yet valid",
			"the token is not valid yet"))
		return
	}
	e.pass(checkNotBefore, "", "")
}

func (e *evaluation) expiration(exp time.Time) {
	if e.now.Add(-e.rule.times.ClockSkew).After(exp) {
		e.fail(checkExpiration, ReasonExpired, notAfter(exp), e.nowText(), e.text(
			"error validating token: invalid expiration time (exp) claim: token is expired",
			"the token is expired"))
		return
	}
	if !e.terse {
		e.pass(checkExpiration, notAfter(exp), e.nowText())
	}
}

func (e *evaluation) issuedAt(iat time.Time, has bool) {
	if has && e.now.Add(e.rule.times.ClockSkew).Before(iat) {
		e.fail(checkIssuedAt, ReasonIssuedInFuture, notBefore(iat), e.nowText(), e.text(
			"error validating token: invalid issued at (iat) claim: token issued in the future",
			"the token was issued in the future"))
		return
	}
	e.pass(checkIssuedAt, "", "")
}

// lifetime refuses tokens that were made for longer than the rule admits.
func (e *evaluation) lifetime(iat time.Time, has bool, exp time.Time) {
	most := e.rule.times.MaxLifetime
	switch {
	case most <= 0:
	case !has:
		e.fail(checkLifetime, ReasonNoIssuedAt, "iat", "", e.text(
			"error validating token: no issued at (iat) claim in token, so its lifetime is unknown",
			"the token has no issue time (iat), so its lifetime is unknown"))
	case exp.After(iat.Add(most)):
		e.fail(checkLifetime, ReasonLongLived, notAfter(iat.Add(most)), "exp "+stamp(exp), e.text(
			"error validating token: invalid expiration time (exp) claim: token lives too long",
			"the token lives too long"))
	case !e.terse:
		e.pass(checkLifetime, notAfter(iat.Add(most)), "exp "+stamp(exp))
	}
}

// age applies the greatest age and settles when the token ends.
func (e *evaluation) age(iat time.Time, has bool, exp time.Time) {
	t, most := e.rule.times, e.maxAge()
	e.grant.Expires = exp.Add(t.ClockSkew)
	if most <= 0 {
		return
	}
	if !has {
		e.fail(checkMaxAge, ReasonNoIssuedAt, "iat", "", e.text(
			"error validating token: no issued at (iat) claim in token, so its age is unknown",
			"the token has no issue time (iat), so its age is unknown"))
		return
	}
	end := iat.Add(most)
	if e.now.Add(-t.ClockSkew).After(end) {
		e.fail(checkMaxAge, ReasonTooOld, notAfter(end), e.nowText(), e.text(
			"error validating token: invalid issued at (iat) claim: token is too old",
			"the token is too old"))
		return
	}
	if !e.terse {
		e.pass(checkMaxAge, notAfter(end), e.nowText())
	}
	if end.Before(exp) {
		e.grant.Expires = end.Add(t.ClockSkew)
	}
}

// What a check expected and received is told apart in words: two bare times do
// not say which of them is the present one.
func notBefore(t time.Time) string { return "not before " + stamp(t) }

func notAfter(t time.Time) string { return "not after " + stamp(t) }

func (e *evaluation) nowText() string { return "now " + stamp(e.now) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
