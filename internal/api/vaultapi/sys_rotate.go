package vaultapi

import (
	"bytes"
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/gate"
)

// sysRotateRows are rotate and rekey under the names that OpenBao's client
// uses. They work on the same attempt as sys/rekey, with the same rights.
var sysRotateRows = []Row{
	{Verbs: []string{Update}, Pattern: "rotate/keyring", Auth: route.Authenticated, Sudo: true, Action: "keyring-rotate", Body: SmallBody, Help: "Seal new values with a new data key.",
		Handler: Action{Do: rotate}},
	{Verbs: []string{Read}, Pattern: "rotate/root/init", Auth: route.Authenticated, Action: "root-rotation-read-progress", Help: "Read how far a change of the shares is.",
		Handler: Action{Do: inData(readRekey)}},
	{Verbs: []string{Update}, Pattern: "rotate/root/init", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-initialize", Body: keysBody, Help: "Start a change of the shares.",
		Handler: Action{Do: inData(startRekey), Fields: rekeyFields}},
	{Verbs: []string{Delete}, Pattern: "rotate/root/init", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-cancel", Help: "Cancel a change of the shares.",
		Handler: Action{Do: cancel((*Call).rekeyer), Fields: []Field{nonceField}}},
	{Verbs: []string{Update}, Pattern: "rotate/root/update", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-update", Body: SmallBody, Help: "Give one of the present shares.",
		Handler: Action{Do: inData(give((*Call).rekeyer, Rekeyer.Give, rekeyReply)), Fields: shareFields}},
	{Verbs: []string{Read}, Pattern: "rotate/root/backup", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-read-backup", Help: "Read the encrypted shares that the last change with a backup made.",
		Handler: Action{Do: readBackup}},
	{Verbs: []string{Delete}, Pattern: "rotate/root/backup", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-delete-backup", Help: "Delete the encrypted shares that are kept.",
		Handler: Action{Do: deleteBackup}},
	{Verbs: []string{Read}, Pattern: "rotate/root/verify", Auth: route.Authenticated, Action: "root-rotation-verification-read-progress", Help: "Read how many of the new shares were given.",
		Handler: Action{Do: inData(readVerify)}},
	{Verbs: []string{Update}, Pattern: "rotate/root/verify", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-verification-update", Body: SmallBody, Help: "Give one of the new shares.",
		Handler: Action{Do: inData(give((*Call).rekeyer, Rekeyer.Verify, verifyReply)), Fields: shareFields}},
	{Verbs: []string{Delete}, Pattern: "rotate/root/verify", Auth: route.Authenticated, Sudo: true, Action: "root-rotation-verification-cancel", Help: "Forget the new shares given so far.",
		Handler: Action{Do: inData(restartVerify), Fields: []Field{nonceField}}},
}

// inData puts a bare answer below "data", where OpenBao's client looks for it.
// It stays a raw body, which the audit log does not show: it may hold shares.
func inData(do Handler) Handler {
	return func(ctx context.Context, c *Call, p gate.Pass) (*Reply, error) {
		r, err := do(ctx, c, p)
		if err != nil || r == nil {
			return r, err
		}
		r.Raw = append(append([]byte(`{"data":`), bytes.TrimSuffix(r.Raw, []byte("\n"))...), "}\n"...)
		return r, nil
	}
}
