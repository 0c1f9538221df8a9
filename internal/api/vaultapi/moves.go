package vaultapi

import "sync"

// maxMoves bounds what the door remembers of finished moves.
const maxMoves = 256

// moves remembers the last finished moves of mounts, for clients that ask how
// one went. The zero value is ready.
type moves struct {
	mu   sync.Mutex
	ids  []string
	done map[string]move
}

type move struct{ from, to string }

func (m *moves) add(id, from, to string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done == nil {
		m.done = map[string]move{}
	}
	if len(m.ids) >= maxMoves {
		delete(m.done, m.ids[0])
		m.ids = m.ids[1:]
	}
	m.ids = append(m.ids, id)
	m.done[id] = move{from, to}
}

func (m *moves) get(id string) (move, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.done[id]
	return v, ok
}
