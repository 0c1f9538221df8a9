package pvaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
)

func gcRows() []row {
	return []row{{
		Verbs: []string{post}, Pattern: "system/admin/lifecycle/gc", Auth: route.Authenticated, Action: "garbage-collection", Body: smallBody,
		Help: "Remove archived data whose retention is over.",
		Handler: endpoint{do: collectGarbage, data: true, query: with(dataCall,
			queryParam{name: "filter", enum: []string{"objects_only", "tokens_only", "transaction_ids_only"}},
			queryParam{name: "dry_run", kind: boolean})},
	}}
}

// collectGarbage has nothing left to do: every key carries the end of its
// retention, is absent from then on, and is removed by the storage itself.
func collectGarbage(context.Context, *call) (reply, error) { return jsonReply(`[]`), nil }
