package mount

import "github.com/jotgate/jotgate/internal/storage"

// builtin are the mounts that the server cannot do without.
var builtin = []Entry{
	{Auth: true, Path: "token/", Type: TypeToken, Description: "token based credentials"},
	{Path: "cubbyhole/", Type: TypeCubbyhole, Local: true, Description: "per-token private secret storage"},
	{Path: "identity/", Type: TypeIdentity, Description: "identity store"},
	{Path: "sys/", Type: TypeSystem, SealWrap: true, Description: "system endpoints used for control, policy and debugging"},
}

// ensureBuiltin adds the server's own mounts that the stored table lacks.
func ensureBuiltin(t *Table, tx storage.Tx) error {
	for i := range builtin {
		e := builtin[i].clone()
		if _, ok := t.Get(e.Logical()); ok {
			continue
		}
		e.UUID, e.Accessor = newUUID(), newAccessor(e)
		if err := put(tx, e); err != nil {
			return err
		}
	}
	return nil
}
