package jwks

// RememberedKids returns how many kids a fetching source remembers as unknown.
func RememberedKids(s Source) int {
	r := s.(*remote)
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.unknown)
}
