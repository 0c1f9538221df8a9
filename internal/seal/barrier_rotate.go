package seal

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

// Random nonces must not repeat under one key, so a data key seals at most
// 2³² values (NIST SP 800-38D §8.3). Each node adds what it sealed to a shared
// count now and then, and whoever sees it reach half of that rotates.
const (
	countEvery  = 1 << 22
	rotateAfter = 1 << 31
)

var (
	sealPrefix = []byte("\x00seal/")
	countAt    = []byte("\x00seal/count/")
)

// Rotate adds a data key, which seals every value written from now on. The
// older ones stay and open what they sealed.
func (b *Barrier) Rotate(ctx context.Context) (KeyInfo, error) {
	s := b.ring.state.Load()
	if s == nil {
		return KeyInfo{}, ErrSealed
	}
	var f ringFile
	err := b.inner.Update(ctx, func(tx storage.Tx) error {
		envelope, err := sealRecord(tx, keyringAt, "the keyring's")
		if err != nil {
			return err
		}
		if f, err = openRing(s.root, envelope); err != nil {
			return err
		}
		f = f.next(b.now())
		if envelope, err = sealRing(s.root, f); err != nil {
			return err
		}
		return tx.Put(keyringAt, envelope, time.Time{})
	})
	if err != nil {
		return KeyInfo{}, err
	}
	if b.Sealed() { // by somebody else, in the meantime: the new key waits in the store
		return KeyInfo{}, ErrSealed
	}
	if err := b.ring.use(f, s.root); err != nil {
		return KeyInfo{}, err
	}
	return b.ring.Info(), nil
}

// changed follows what another node did to the seal.
func (b *Barrier) changed() {
	b.background.run(func(ctx context.Context) {
		if err := b.refresh(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("reading the keyring again failed; the old data key stays in use", "error", err)
		}
	})
}

func (b *Barrier) refresh(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config = nil
	if b.Sealed() {
		return nil
	}
	return b.inner.View(ctx, func(tx storage.ReadTx) error {
		envelope, err := tx.Get(keyringAt)
		if err != nil {
			return err
		}
		return b.ring.learn(envelope)
	})
}

// countIfDue adds this node's seals to the shared count in the background.
func (b *Barrier) countIfDue() {
	s := b.ring.state.Load()
	if s == nil || s.seals.Load()-s.counted.Load() < countEvery || !b.counting.CompareAndSwap(false, true) {
		return
	}
	b.background.run(func(ctx context.Context) {
		defer b.counting.Store(false)
		if err := b.count(ctx, s); err != nil && ctx.Err() == nil {
			b.log.Warn("counting sealed values failed", "error", err)
		}
	})
}

func (b *Barrier) count(ctx context.Context, s *ringState) error {
	seals := s.seals.Load()
	at := binary.BigEndian.AppendUint32(countAt[:len(countAt):len(countAt)], s.active)
	var total uint64
	err := b.inner.Update(ctx, func(tx storage.Tx) error {
		total = seals - s.counted.Load()
		old, err := tx.Get(at)
		switch {
		case err == nil && len(old) == 8:
			total += binary.BigEndian.Uint64(old)
		case err != nil && !errors.Is(err, storage.ErrNotFound):
			return err
		}
		return tx.Put(at, binary.BigEndian.AppendUint64(nil, total), time.Time{})
	})
	if err != nil {
		return err
	}
	s.counted.Store(seals)
	if total < rotateAfter || b.ring.Info().Term != s.active {
		return nil
	}
	b.log.Info("rotating the data key: it has sealed its share of values", "term", s.active)
	_, err = b.Rotate(ctx)
	return err
}

// background runs work that outlives the call that asked for it, but not the
// barrier.
type background struct {
	mu      sync.Mutex
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func (g *background) start() { g.ctx, g.cancel = context.WithCancel(context.Background()) }

// run starts work unless stop was called.
func (g *background) run(work func(context.Context)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil {
		return
	}
	g.running.Go(func() {
		ctx, cancel := context.WithTimeout(g.ctx, backgroundTime)
		defer cancel()
		work(ctx)
	})
}

// stop ends what runs and waits for it.
func (g *background) stop() {
	g.mu.Lock()
	g.cancel()
	g.mu.Unlock()
	g.running.Wait()
}

// backgroundTime bounds one piece of background work.
const backgroundTime = 30 * time.Second
