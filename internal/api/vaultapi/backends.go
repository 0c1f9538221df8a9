package vaultapi

import "github.com/jotgate/jotgate/internal/mount"

// Every backend of the door, with the groups of rows that make it up. A new
// group of rows is one more line here.
var (
	systemBackend = NewBackend("system endpoints used for control, policy and debugging",
		sysMountRows,
		sysPolicyRows,
		sysInternalRows,
		sysAuditRows,
		sysLeaseRows,
		sysWrappingRows,
		sysCapabilityRows,
		sysQuotaRows,
		sysLeaseCountRows,
		sysCORSRows,
		sysToolRows,
		sysPluginRows,
		sysCounterRows,
		sysStatusRows,
		sysRotateRows,
		sysOperatorRows,
		sysRaftRows,
		sysMetricRows,
		sysPasswordRows,
		sysUIRows,
		sysLoggerRows,
		sysMFARows,
	)
	tokenBackend     = NewBackend("token based credentials", tokenRows)
	jwtBackend       = NewBackend("login with a JSON Web Token (RFC 7519) of a trusted issuer", jwtRows)
	identityBackend  = NewBackend("identity store", identityRows, identityMFARows)
	kv1Backend       = NewBackend("key-value store", kv1Rows)
	kv2Backend       = NewBackend("versioned key-value store", kv2Rows)
	cubbyholeBackend = NewBackend("per-token private secret storage", cubbyholeRows)
)

// backendOf returns the rows that serve a mount, or nil.
func backendOf(e *mount.Entry) *Backend {
	switch e.Type {
	case mount.TypeSystem:
		return systemBackend
	case mount.TypeToken:
		return tokenBackend
	case mount.TypeJWT, mount.TypeOIDC:
		return jwtBackend
	case mount.TypeIdentity:
		return identityBackend
	case mount.TypeCubbyhole:
		return cubbyholeBackend
	case mount.TypeKV:
		if e.KVVersion() == 2 {
			return kv2Backend
		}
		return kv1Backend
	}
	return nil
}
