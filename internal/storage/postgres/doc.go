// Package postgres is the storage driver for many nodes: any database that
// speaks the PostgreSQL protocol, PostgreSQL itself or one of its distributed
// relatives. Every node is active and none is a leader.
//
// Transactions are SERIALIZABLE and run again when the database refuses to
// serialize them; one that keeps being refused runs alone on its node
// (contention.go). A transaction's writes wait in a buffer and go out in one
// round trip together with BEGIN, where nothing was read before, and COMMIT.
// When the connection breaks during the commit, the driver finds out whether
// it was kept before it answers or tries again, by the number under which the
// transaction reports its changes (changes.go).
//
// Only SQL that the relatives share is used: no LISTEN and NOTIFY, no advisory
// locks, no row locking clauses, no extensions.
//
// The package refuses to put a connection string or the password in it into an
// error, and to judge expiry by the clocks of different machines: all nodes
// follow the database's.
package postgres
