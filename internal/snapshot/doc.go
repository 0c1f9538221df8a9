// Package snapshot is the form in which a copy of the store leaves the server:
// a gzipped tar archive that says by itself whether it is whole.
//
//	meta.json          where and when it was taken, and how large the data is
//	jotgate.db         the data file; everything in it is sealed
//	SHA256SUMS         sums of both, as sha256sum reads them
//	SHA256SUMS.sealed  the same list under a key of the store
//
// The members stand in this order, each once. The last one is what clients of
// the reference look for to know that nothing is missing; it is only written
// when everything before it was. Read refuses an archive with any difference.
package snapshot
