// Package embedded is the storage driver that needs nothing but a directory:
// one bbolt file inside the server's own process.
//
// bbolt syncs once per transaction, so a lone transaction per request would be
// bound by the disk. Here whoever waits for the write lock joins the
// transaction that is open, and the last in line commits for all. A batch also
// waits a moment, never longer than a sync takes, for as many callers as were
// there last time: those who write without pause share their syncs in full, and
// a lone caller waits for nobody.
// Each caller's writes stay in a buffer until its function has succeeded, so
// one that fails does not undo its neighbours.
//
// The package refuses to acknowledge what is not on disk, to go on after a
// commit whose result is unknown, to wait for a lock that another process
// holds, and to open a file that it did not write.
package embedded
