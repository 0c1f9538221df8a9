// Package pvaultapi is the pvault door: the Piiano-Vault-compatible REST API
// under /api/pvlt/1.0/. It turns HTTP into questions to the gate and answers
// into JSON; it decides nothing itself.
//
// What it is for: reading one credential from a request, strict parameters and
// bodies, the access reason, and the one table that turns failures into
// PV codes.
//
// What it refuses: two Authorization headers, a credential anywhere but in its
// header, query parameters that the operation does not know, bodies beyond the
// operation's limit, and data calls without an access reason. Every request,
// also one for a path that does not exist, passes the gate and leaves an audit
// entry; only a browser's preflight question, which asks for nothing, does not.
package pvaultapi
