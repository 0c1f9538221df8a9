package server

import (
	"crypto/subtle"
	"sync"

	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
)

// ceremony is an operation that several holders of shares agree to, each with
// one request. It lives in this node's memory, from its start until it is
// done, cancelled, or the node is sealed. The zero value is not started.
type ceremony struct {
	nonce  string
	shares seal.Shares
}

func (c *ceremony) started() bool { return c.nonce != "" }

func (c *ceremony) start() { c.end(); c.nonce = seal.NewNonce() }

func (c *ceremony) end() {
	c.shares.Clear()
	c.nonce = ""
}

// check refuses a share for another operation than the one that runs.
func (c *ceremony) check(what, nonce string) error {
	switch {
	case !c.started():
		return fault.Newf(fault.Invalid, "no %s in progress: start one first", what).WithReason("not_started")
	case subtle.ConstantTimeCompare([]byte(nonce), []byte(c.nonce)) == 0:
		return fault.Newf(fault.Invalid, "incorrect nonce: it is not the one of the %s that is in progress", what).WithReason("wrong_nonce")
	}
	return nil
}

// cancel ends the operation. A nonce, if there is one, must be its own, so that
// nobody cancels another operation than the one he looked at.
func (c *ceremony) cancel(what, nonce string) error {
	if nonce != "" && c.started() {
		if err := c.check(what, nonce); err != nil {
			return err
		}
	}
	c.end()
	return nil
}

// progress tells how far the operation is.
func (c *ceremony) progress(needed int) vaultapi.Progress {
	return vaultapi.Progress{Nonce: c.nonce, Started: c.started(), Given: c.shares.Len(), Needed: needed}
}

// errStarted keeps two operators from undoing each other's work unseen.
func errStarted(what string) error {
	return fault.Newf(fault.Invalid, "%s already in progress: finish or cancel it first", what).WithReason("already_started")
}

// ceremonies are the operations of one node between an unseal and the next
// seal.
type ceremonies struct {
	rekey rekeyer
	roots rootMaker
}

func (s *Server) newCeremonies() *ceremonies {
	c := &ceremonies{}
	c.rekey.s, c.roots.s = s, s
	return c
}

// close forgets every share that was given.
func (c *ceremonies) close() {
	for _, m := range []interface {
		sync.Locker
		forget()
	}{&c.rekey, &c.roots} {
		m.Lock()
		m.forget()
		m.Unlock()
	}
}
