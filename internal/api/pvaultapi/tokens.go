package pvaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/engine/objects"
)

// Query parameters of token and crypto operations.
var (
	qObjectIDs   = queryParam{name: "object_ids", kind: list}
	qTokenIDs    = queryParam{name: "token_ids", kind: list}
	qTags        = queryParam{name: "tags", kind: list}
	qTransaction = queryParam{name: "transaction_id"}
)

func tokenRows() []row {
	data := func(do doFunc, readOnly bool, q ...queryParam) endpoint {
		return endpoint{do: do, query: with(dataCall, q...), data: true, readOnly: readOnly, tenants: true}
	}
	const c = "data/collections/{collection}/"
	a := route.Authenticated
	qMeta := queryParam{name: "options", kind: list, enum: []string{"include_metadata", "include_aggregated_data", "archived"}}
	qDecrypt := queryParam{name: "options", kind: list, enum: []string{"archived", "include_metadata"}}
	return []row{
		{Verbs: []string{post}, Pattern: c + "tokens", Auth: a, Action: "tokenize", Body: bulkBody, Help: "Make data tokens.",
			Handler: data(tokenize, false, qExpiry, qTransaction)},
		{Verbs: []string{get}, Pattern: c + "tokens", Auth: a, Action: "detokenize", Help: "Read the values behind data tokens.",
			Handler: data(detokenize, true, qObjectIDs, qTokenIDs, qTags, qProps, qMeta)},
		{Verbs: []string{patch}, Pattern: c + "tokens", Auth: a, Action: "update-tokens", Body: smallBody, Help: "Change tags and end of data tokens.",
			Handler: data(updateTokens, false, qObjectIDs, qTokenIDs, qTags, qExpiry, qArchived)},
		{Verbs: []string{del}, Pattern: c + "tokens", Auth: a, Action: "delete-tokens", Body: smallBody, Help: "Delete data tokens.",
			Handler: data(deleteTokens, false, qObjectIDs, qTokenIDs, qTags, qArchived, queryParam{name: "tenant_id"})},
		{Verbs: []string{post}, Pattern: c + "rotate/tokens", Auth: a, Action: "rotate-tokens", Body: smallBody, Help: "Give data tokens new ids.",
			Handler: data(rotateTokens, false, qTokenIDs)},
		{Verbs: []string{post}, Pattern: c + "query/tokens", Auth: a, Action: "search-tokens", Body: objectBody, Help: "What is known of data tokens.",
			Handler: data(searchTokens, true, qArchived)},
		{Verbs: []string{get}, Pattern: c + "count/tokens", Auth: a, Action: "get-tokens-count", Help: "How many data tokens there are.",
			Handler: data(countTokens, true)},
		{Verbs: []string{get}, Pattern: c + "transaction_id/{id}", Auth: a, Action: "get-by-transaction-id", Help: "The data tokens of a transaction.",
			Handler: data(getTransaction, true)},
		{Verbs: []string{post}, Pattern: c + "encrypt/objects", Auth: a, Action: "encrypt", Body: bulkBody, Help: "Encrypt values.",
			Handler: data(encrypt, true, qExpiry)},
		{Verbs: []string{patch}, Pattern: c + "encrypt/objects", Auth: a, Action: "update-encrypted", Body: bulkBody, Help: "Change values inside ciphertexts.",
			Handler: data(updateEncrypted, true, qExpiry, qArchived)},
		{Verbs: []string{post}, Pattern: c + "decrypt/objects", Auth: a, Action: "decrypt", Body: bulkBody, Help: "Decrypt values.",
			Handler: data(decrypt, true, qDecrypt)},
		{Verbs: []string{post}, Pattern: c + "hash/objects", Auth: a, Action: "hash-objects", Body: bulkBody, Help: "Hash values.",
			Handler: data(hashObjects, true)},
	}
}

// filter reads which tokens an operation is about.
func (c *call) filter() objects.TokenFilter {
	return objects.TokenFilter{
		ObjectIDs: c.query.list("object_ids"), TokenIDs: c.query.list("token_ids"), Tags: c.query.list("tags"),
		Archived: c.query.option("archived"),
	}
}

// decodeData reads the body and gathers what every data operation takes.
func (c *call) decodeData(v any) (objects.Call, error) {
	if err := c.decode(v); err != nil {
		return objects.Call{}, err
	}
	return c.dataCall()
}

func tokenize(ctx context.Context, c *call) (reply, error) {
	var in []objects.TokenizeRequest
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.Tokenize(ctx, dc, in, c.query.get("transaction_id"), c.expiry())
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func detokenize(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	show := objects.Metadata{Uses: c.query.option("include_metadata"), Aggregated: c.query.option("include_aggregated_data")}
	return jsonBytes(c.door.o.Objects.Detokenize(ctx, dc, c.filter(), c.query.list("props"), show))
}

func updateTokens(ctx context.Context, c *call) (reply, error) {
	var in objects.TokenChange
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	return reply{}, c.door.o.Objects.UpdateTokens(ctx, dc, c.filter(), in, c.expiry())
}

func deleteTokens(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	f := c.filter()
	f.Tenant = c.query.get("tenant_id")
	return reply{}, c.door.o.Objects.DeleteTokens(ctx, dc, f)
}

func rotateTokens(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	out, err := c.door.o.Objects.RotateTokens(ctx, dc, c.query.list("token_ids"))
	if err != nil {
		return reply{}, err
	}
	return encode(out)
}

func searchTokens(ctx context.Context, c *call) (reply, error) {
	var in struct {
		ObjectIDs []string `json:"object_ids"`
		TokenIDs  []string `json:"token_ids"`
		Tags      []string `json:"tags"`
	}
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	f := objects.TokenFilter{ObjectIDs: in.ObjectIDs, TokenIDs: in.TokenIDs, Tags: in.Tags, Archived: c.query.option("archived")}
	return jsonBytes(c.door.o.Objects.SearchTokens(ctx, dc, f))
}

func countTokens(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	n, err := c.door.o.Objects.CountTokens(ctx, dc)
	return jsonBytes(n.JSON(), err)
}

func getTransaction(ctx context.Context, c *call) (reply, error) {
	dc, err := c.dataCall()
	if err != nil {
		return reply{}, err
	}
	ids, err := c.door.o.Objects.Transaction(ctx, dc, c.params.Get("id"))
	if err != nil {
		return reply{}, err
	}
	return encode(struct {
		IDs []string `json:"ref_ids"`
	}{ids})
}

type ciphertext struct {
	Text string `json:"ciphertext"`
}

func ciphertexts(texts []string, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	out := make([]ciphertext, len(texts))
	for i, t := range texts {
		out[i] = ciphertext{t}
	}
	return encode(out)
}

func encrypt(ctx context.Context, c *call) (reply, error) {
	var in []objects.EncryptRequest
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	return ciphertexts(c.door.o.Objects.Encrypt(ctx, dc, in, c.expiry()))
}

func updateEncrypted(ctx context.Context, c *call) (reply, error) {
	var in []objects.UpdateEncryptedRequest
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	return ciphertexts(c.door.o.Objects.UpdateEncrypted(ctx, dc, in, c.expiry(), c.query.option("archived")))
}

func decrypt(ctx context.Context, c *call) (reply, error) {
	var in []objects.DecryptRequest
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	return jsonBytes(c.door.o.Objects.Decrypt(ctx, dc, in, c.query.option("archived"), c.query.option("include_metadata")))
}

func hashObjects(ctx context.Context, c *call) (reply, error) {
	var in []objects.HashRequest
	dc, err := c.decodeData(&in)
	if err != nil {
		return reply{}, err
	}
	ids, err := c.door.o.Objects.Hash(ctx, dc, in)
	if err != nil {
		return reply{}, err
	}
	out := make([]objects.TokenValue, len(ids))
	for i, t := range ids {
		out[i] = objects.TokenValue{TokenID: t}
	}
	return encode(out)
}
