package trust_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/trust"
)

const (
	textNotYet  = "error validating token: invalid not before (nbf) claim: token not yet valid"
	textExpired = "error validating token: invalid expiration time (exp) claim: token is expired"
	textFuture  = "error validating token: invalid issued at (iat) claim: token issued in the future"
	textNone    = "error validating token: no issued at (iat), not before (nbf), or expiration time (exp) claims in token"
)

// TestLoginTimeTable is the reference's table, with two differences: a token
// that says nothing but exp is admitted however far exp is, and exp 0 is a
// value.
func TestLoginTimeTable(t *testing.T) {
	at := func(d int64) int64 { return now.Unix() + d }
	seconds := func(x, n, s int) func(*trust.Spec) {
		return func(spec *trust.Spec) {
			spec.Times = trust.Times{ExpirationLeeway: time.Duration(x) * time.Second, NotBeforeLeeway: time.Duration(n) * time.Second, ClockSkew: time.Duration(s) * time.Second}
		}
	}
	derived := func(n int) func(*trust.Spec) {
		return func(spec *trust.Spec) {
			spec.Times = trust.Times{NotBeforeLeeway: time.Duration(n) * time.Second, DeriveNotBefore: true}
		}
	}
	for _, c := range []struct {
		name  string
		spec  func(*trust.Spec)
		times claims
		text  string
	}{
		{"exp at the boundary", nil, claims{"exp": at(-60)}, ""},
		{"exp past the boundary", nil, claims{"exp": at(-61)}, textExpired},
		{"exp a nanosecond past the boundary", nil, claims{"exp": float64(at(-61)) + 0.5}, textExpired},
		{"exp within a wider skew", seconds(0, 0, 120), claims{"exp": at(-61)}, ""},
		{"expiration leeway does not stretch exp", seconds(3600, 0, 0), claims{"exp": at(-61)}, textExpired},
		{"no skew", seconds(0, 0, -1), claims{"exp": at(-1)}, textExpired},
		{"no skew, boundary", seconds(0, 0, -1), claims{"exp": at(0)}, ""},
		{"iat only, in time", nil, claims{"iat": at(-209)}, ""},
		{"iat only, at the boundary", nil, claims{"iat": at(-210)}, ""},
		{"iat only, late", nil, claims{"iat": at(-211)}, textExpired},
		{"iat only, longer leeway", seconds(300, 0, 0), claims{"iat": at(-211)}, ""},
		{"iat only, no leeway", seconds(-1, 0, -1), claims{"iat": at(-1)}, textExpired},
		{"the later of iat and nbf counts", nil, claims{"iat": at(-300), "nbf": at(-50)}, ""},
		{"the later of nbf and iat counts", nil, claims{"nbf": at(-300), "iat": at(-50)}, ""},
		{"nbf at the boundary", nil, claims{"nbf": at(60)}, ""},
		{"nbf past the boundary", nil, claims{"nbf": at(61)}, textNotYet},
		{"exp only, near", nil, claims{"exp": at(200)}, ""},
		{"exp only, far: a derived nbf refuses nothing", nil, claims{"exp": at(3600)}, ""},
		{"exp only, far: a derived nbf refuses where it is asked for", derived(0), claims{"exp": at(3600)}, textNotYet},
		{"exp only, derived nbf at the boundary", derived(0), claims{"exp": at(210)}, ""},
		{"exp only, derived nbf past the boundary", derived(0), claims{"exp": at(211)}, textNotYet},
		{"exp only, longer leeway for a derived nbf", derived(3600), claims{"exp": at(3600)}, ""},
		{"exp only, no leeway for a derived nbf", derived(-1), claims{"exp": at(61)}, textNotYet},
		{"iat goes before a derived nbf", derived(0), claims{"iat": at(0), "exp": at(3600)}, ""},
		{"exp only, very far", nil, claims{"exp": 1e12}, ""},
		{"exp only, past", nil, claims{"exp": at(-3600)}, textExpired},
		{"iat ahead: nbf is tested first", nil, claims{"iat": at(61), "exp": at(600)}, textNotYet},
		{"iat ahead, nbf given", nil, claims{"iat": at(61), "nbf": at(0), "exp": at(600)}, textFuture},
		{"none", nil, claims{}, textNone},
		{"exp 0 is a value", nil, claims{"exp": 0, "iat": at(0)}, textExpired},
		{"nbf 0 is a value", nil, claims{"nbf": 0}, textExpired},
		{"negative exp", nil, claims{"exp": -1}, textExpired},
		{"nbf beyond all bounds does not wrap", nil, claims{"nbf": 1e19, "exp": at(600)}, textNotYet},
		{"iat beyond all bounds does not wrap", nil, claims{"iat": 1e308, "nbf": at(0), "exp": at(600)}, textFuture},
		{"exp beyond all bounds", nil, claims{"exp": 1e308, "iat": at(0)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := base(claims{"iat": nil, "exp": nil})
			for k, v := range c.times {
				all[k] = v
			}
			r := login(t, c.spec)
			if _, _, text := admit(t, r, all); text != c.text {
				t.Errorf("got %q, want %q", text, c.text)
			}
			// The early look judges times in the same way.
			err := r.Precheck(verified(t, all).Token(), now)
			if (err == nil) != (c.text == "") {
				t.Errorf("early look: %v", err)
			}
		})
	}
}

func TestLoginTimesCanBeSetStricter(t *testing.T) {
	at := func(d int64) int64 { return now.Unix() + d }
	strict := login(t, func(s *trust.Spec) { s.Times = trust.Times{RequireExpiration: true, MaxAge: time.Minute} })
	for _, c := range []struct {
		times  claims
		reason string
	}{
		{claims{"exp": nil}, trust.ReasonNoExpiration},
		{claims{"iat": nil}, trust.ReasonNoIssuedAt},
		{claims{"iat": at(-121)}, trust.ReasonTooOld},
		{claims{"iat": at(-120)}, ""},
		{claims{}, ""},
	} {
		if _, reason, _ := admit(t, strict, base(c.times)); reason != c.reason {
			t.Errorf("%v: %q, want %q", c.times, reason, c.reason)
		}
	}
}

func TestBearerRequiresExp(t *testing.T) {
	at := func(d int64) int64 { return now.Unix() + d }
	for _, c := range []struct {
		name   string
		times  claims
		reason string
	}{
		{"ordinary", claims{}, ""},
		{"no exp", claims{"exp": nil}, trust.ReasonNoExpiration},
		{"only exp", claims{"iat": nil}, ""},
		{"no times", claims{"exp": nil, "iat": nil}, trust.ReasonNoExpiration},
		{"expired within the skew", claims{"exp": at(-60)}, ""},
		{"expired", claims{"exp": at(-61)}, trust.ReasonExpired},
		{"nbf ahead", claims{"nbf": at(61)}, trust.ReasonNotYetValid},
		{"iat ahead", claims{"iat": at(61)}, trust.ReasonIssuedInFuture},
	} {
		if _, reason, _ := admit(t, bearer(t, nil), base(c.times)); reason != c.reason {
			t.Errorf("%s: %q, want %q", c.name, reason, c.reason)
		}
	}
}

func TestGrantEndsWhenTheTokenIsNoLongerAdmitted(t *testing.T) {
	for _, c := range []struct {
		times claims
		age   time.Duration
		want  int64
	}{
		{claims{}, 0, 660},
		{claims{"exp": nil}, 0, 150 + 60},
		{claims{}, time.Minute, 60 + 60},
		{claims{}, time.Hour, 660},
	} {
		r := login(t, func(s *trust.Spec) { s.Times.MaxAge = c.age })
		g, reason, _ := admit(t, r, base(c.times))
		if reason != "" || g.Expires.Unix() != now.Unix()+c.want {
			t.Errorf("%v: %q, ends after %d s, want %d", c.times, reason, g.Expires.Unix()-now.Unix(), c.want)
		}
		v := verified(t, base(c.times))
		if _, d := r.Admit(v, g.Expires); !d.Allowed {
			t.Error("the last instant is refused")
		}
		if _, d := r.Admit(v, g.Expires.Add(time.Nanosecond)); d.Allowed {
			t.Error("the token is admitted after its end")
		}
	}
}

// model judges by the text of the reference, in whole seconds and big enough
// integers, with the two differences.
func model(x, s int64, exp, nbf, iat *int64) bool {
	if exp == nil && nbf == nil && iat == nil {
		return false
	}
	end := int64(0)
	switch {
	case exp != nil:
		end = *exp
	case iat == nil || nbf != nil && *nbf > *iat:
		end = *nbf + x
	default:
		end = *iat + x
	}
	begin := nbf
	if begin == nil {
		begin = iat
	}
	t := now.Unix()
	return (begin == nil || t+s >= *begin) && t-s <= end && (iat == nil || t+s >= *iat)
}

func TestLoginTimesAgreeWithTheModel(t *testing.T) {
	effective := func(v, whenZero int64) int64 {
		if v == 0 {
			return whenZero
		}
		return max(v, 0)
	}
	rapid.Check(t, func(rt *rapid.T) {
		leeway := rapid.Int64Range(-2, 400)
		x, n, s := leeway.Draw(rt, "expiration_leeway"), leeway.Draw(rt, "not_before_leeway"), leeway.Draw(rt, "clock_skew_leeway")
		times := claims{"exp": nil, "iat": nil}
		draw := func(name string) *int64 {
			if !rapid.Bool().Draw(rt, "has "+name) {
				return nil
			}
			v := now.Unix() + rapid.Int64Range(-700, 700).Draw(rt, name)
			times[name] = v
			return &v
		}
		exp, nbf, iat := draw("exp"), draw("nbf"), draw("iat")
		r := login(t, func(spec *trust.Spec) {
			spec.Times = trust.Times{ExpirationLeeway: time.Duration(x) * time.Second, NotBeforeLeeway: time.Duration(n) * time.Second, ClockSkew: time.Duration(s) * time.Second}
		})
		_, d := r.Admit(verified(t, base(times)), now)
		if want := model(effective(x, 150), effective(s, 60), exp, nbf, iat); d.Allowed != want {
			rt.Fatalf("X=%d S=%d %v: %v, want %v", x, s, times, d.Allowed, want)
		}
	})
}
