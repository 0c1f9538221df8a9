// Command bench measures a jotgate server the way its users meet it: over
// HTTP, with logins, lookups, secret reads and writes and direct JWTs, at a
// chosen concurrency.
//
// It starts the server binary on a free loopback port with an empty directory,
// sets it up through the public API, and prints for each path requests per
// second, latency percentiles and the server's CPU time per request. Because
// wall-clock figures on a shared machine say little, it measures two limits in
// the same run and gives ratios to them: a bare net/http echo (what any Go
// server must pay) and one RSA-2048 signature verification (what any check of
// an RS256 token must pay).
//
// With -postgres it runs the server on a PostgreSQL database instead, whose own
// CPU time is not counted.
//
// It sends traffic only to the loopback processes that it started itself, each
// run is bounded in time, and it leaves nothing running.
package main
