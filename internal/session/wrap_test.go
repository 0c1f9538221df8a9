package session

import (
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

const wrapGone = "wrapping token is not valid or does not exist"

func (w *world) wrapped() Wrapped {
	w.Helper()
	wr, err := w.Wrap(w.Context(), WrapOptions{TTL: time.Minute, Path: "auth/jwt/login", Body: []byte(`{"n":1.0}`), WrappedAccessor: "acc"})
	if err != nil {
		w.Fatal(err)
	}
	return wr
}

func TestWrappedResponseComesBackOnceAndVerbatim(t *testing.T) {
	w := newWorld(t)
	wr := w.wrapped()
	look, err := w.LookupWrapped(t.Context(), wr.Token)
	if err != nil || look.TTL != time.Minute || look.Path != "auth/jwt/login" || !look.Created.Equal(wr.Created) {
		t.Fatal(look, err)
	}
	body, err := w.Unwrap(t.Context(), wr.Token)
	if err != nil || string(body) != `{"n":1.0}` {
		t.Fatal(string(body), err)
	}
	_, err = w.Unwrap(t.Context(), wr.Token)
	refused(t, err, fault.Invalid, wrapGone)
	_, err = w.LookupWrapped(t.Context(), wr.Token)
	refused(t, err, fault.Invalid, wrapGone)
}

func TestWrappingTokenUnwrapsItself(t *testing.T) {
	w := newWorld(t)
	wr := w.wrapped()
	p, err := w.Authenticate(t.Context(), wr.Token, here)
	if err != nil || len(p.Policies()) != 1 || p.Policies()[0] != "response-wrapping" {
		t.Fatal(err, p.Policies())
	}
	_, err = w.Unwrap(t.Context(), wr.Token)
	refused(t, err, fault.Invalid, wrapGone) // its only use is taken
	id, _ := ParseID(p.Attrs().TokenID)
	body, err := w.UnwrapSelf(t.Context(), id)
	if err != nil || string(body) != `{"n":1.0}` {
		t.Fatal(string(body), err)
	}
	_, err = w.UnwrapSelf(t.Context(), id)
	refused(t, err, fault.Invalid, wrapGone)
}

func TestOnlyWrappingTokensUnwrap(t *testing.T) {
	w := newWorld(t)
	is := w.issue(login())
	for _, tok := range []string{is.ClientToken, "", "x", "hvb.x"} {
		_, err := w.Unwrap(t.Context(), tok)
		refused(t, err, fault.Invalid, wrapGone)
		_, err = w.Rewrap(t.Context(), tok)
		refused(t, err, fault.Invalid, wrapGone)
	}
	_, err := w.UnwrapSelf(t.Context(), is.Token.ID)
	refused(t, err, fault.Invalid, wrapGone)
	w.mustWork(is)
}

func TestRewrapMovesTheResponse(t *testing.T) {
	w := newWorld(t)
	wr := w.wrapped()
	w.clock.Add(50 * time.Second)
	again, err := w.Rewrap(t.Context(), wr.Token)
	if err != nil || again.Path != wr.Path || again.TTL != time.Minute || again.WrappedAccessor != "acc" || again.Token == wr.Token {
		t.Fatal(again, err)
	}
	_, err = w.Unwrap(t.Context(), wr.Token)
	refused(t, err, fault.Invalid, wrapGone)
	w.clock.Add(50 * time.Second)
	if body, err := w.Unwrap(t.Context(), again.Token); err != nil || string(body) != `{"n":1.0}` {
		t.Fatal(string(body), err)
	}
}

func TestWrappedResponseEnds(t *testing.T) {
	w := newWorld(t)
	wr := w.wrapped()
	w.clock.Add(time.Minute)
	_, err := w.Unwrap(t.Context(), wr.Token)
	refused(t, err, fault.Invalid, wrapGone)
	_, err = w.Wrap(t.Context(), WrapOptions{})
	refused(t, err, fault.Invalid, "requested wrap ttl must be positive")
	_, err = w.Wrap(t.Context(), WrapOptions{TTL: 1, Body: make([]byte, MaxWrapped+1)})
	if !fault.Is(err, fault.TooLarge) {
		t.Fatal(err)
	}
}

func TestWrappingTokenIsNotRenewed(t *testing.T) {
	w := newWorld(t)
	wr := w.wrapped()
	look, err := w.LookupAccessor(t.Context(), wr.Accessor)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Renew(t.Context(), look.ID, 0, w.TokenLimits(Limits{}))
	refused(t, err, fault.Invalid, "lease is not renewable")
}
