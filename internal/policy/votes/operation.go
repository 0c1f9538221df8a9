package votes

import (
	"maps"
	"slices"
)

// need is what an operation of the API asks of a role: one of any (unless it
// is empty) and every one of all.
type need struct {
	any capSet
	all capSet
}

// Sets that several operations share. A writer may do whatever a creator, an
// updater or a deleter may.
var (
	readObject   = setOf(CapDataReader, CapObjectsReader, CapObjectsLister)
	listObjects  = setOf(CapDataReader, CapObjectsLister)
	addObject    = setOf(CapDataWriter, CapDataCreator, CapObjectsWriter, CapObjectsCreator)
	updateObject = setOf(CapDataWriter, CapDataUpdater, CapObjectsWriter, CapObjectsUpdater)
	deleteObject = setOf(CapDataWriter, CapDataDeleter, CapObjectsWriter, CapObjectsDeleter)
)

func one(c Capability) need { return need{any: setOf(c)} }

// needs is the operation table (reference 2.3 and 2.4), by operation id. What
// is missing here nobody may call.
var needs = map[string]need{
	"get-vault-version": {}, // any credential will do

	"list-objects":        {any: listObjects},
	"get-object-by-id":    {any: readObject},
	"add-object":          {any: addObject},
	"add-objects":         {any: addObject},
	"update-object-by-id": {any: updateObject},
	"update-objects":      {any: updateObject},
	"delete-object-by-id": {any: deleteObject},
	"delete-objects":      {any: deleteObject},
	"search-objects":      one(CapDataSearcher),
	"get-objects-count":   {any: listObjects},

	"tokenize":              one(CapTokensWriter),
	"detokenize":            one(CapTokensDetokenizer),
	"update-tokens":         one(CapTokensWriter),
	"delete-tokens":         one(CapTokensWriter),
	"rotate-tokens":         one(CapTokensWriter),
	"search-tokens":         one(CapTokensReader),
	"export-tokens":         one(CapTokensExporter),
	"import-tokens":         one(CapTokensImporter),
	"get-tokens-count":      {any: setOf(CapDataReader, CapTokensReader)},
	"get-by-transaction-id": {any: setOf(CapTransactionIDReader, CapDataReader)},

	"encrypt":          one(CapCryptoEncrypter),
	"encrypt-blob":     one(CapCryptoEncrypter),
	"decrypt":          one(CapCryptoDecrypter),
	"decrypt-blob":     one(CapCryptoDecrypter),
	"update-encrypted": {all: setOf(CapCryptoEncrypter, CapCryptoDecrypter)},
	"hash-objects":     one(CapCryptoHasher),

	"list-actions":  one(CapActionsReader),
	"get-action":    one(CapActionsReader),
	"add-action":    one(CapActionsWriter),
	"delete-action": one(CapActionsWriter),
	"invoke-action": one(CapActionsInvoker),
	"http-call":     one(CapActionsInvoker),

	"get-iam-conf":              one(CapIAMReader),
	"set-iam-conf":              one(CapIAMWriter),
	"get-user":                  one(CapIAMReader),
	"regenerate-user-api-key":   one(CapIAMWriter),
	"update-api-key-expiration": one(CapIAMWriter),
	"set-admin-api-key":         one(CapSystem),

	"list-bundles":  one(CapCodeReader),
	"get-bundle":    one(CapCodeReader),
	"add-bundle":    one(CapCodeWriter),
	"update-bundle": one(CapCodeWriter),
	"delete-bundle": one(CapCodeWriter),

	"list-data-types":  one(CapTypesReader),
	"get-data-type":    one(CapTypesReader),
	"add-data-type":    one(CapTypesWriter),
	"update-data-type": one(CapTypesWriter),
	"delete-data-type": one(CapTypesWriter),

	"list-collections":           one(CapCollectionsReader),
	"get-collection":             one(CapCollectionsReader),
	"list-collection-properties": one(CapCollectionsReader),
	"get-collection-property":    one(CapCollectionsReader),
	"add-collection":             one(CapCollectionsWriter),
	"update-collection":          one(CapCollectionsWriter),
	"delete-collection":          one(CapCollectionsWriter),
	"add-collection-property":    one(CapCollectionsWriter),
	"update-collection-property": one(CapCollectionsWriter),
	"delete-collection-property": one(CapCollectionsWriter),

	"garbage-collection":  one(CapSystemGCRunner),
	"get-conf-var":        one(CapConfvarReader),
	"set-conf-var":        one(CapConfvarWriter),
	"clear-all-conf-vars": one(CapConfvarWriter),
	"get-kms":             one(CapKMSReader),
	"rotate-keys":         one(CapKMSWriter),
	"get-export-key":      one(CapExportKeyReader),
	"get-cluster-info":    one(CapClusterInfoReader),
	"get-configuration":   one(CapInfoReader),
	"get-license":         one(CapInfoReader),
	"set-license":         one(CapSystem),
	"trigger-error":       one(CapErrorWriter),
}

// APIOperations returns the operation ids that some role may call, sorted.
func APIOperations() []string { return slices.Sorted(maps.Keys(needs)) }

// Operations that policies vote on, and the access reasons, each in the
// reference's order. "*" stands for all of them.
var (
	operationNames = []string{
		"read", "write", "delete", "search", "tokenize", "detokenize", "invalidate_token",
		"encrypt", "decrypt", "hash", "invoke", "stats",
	}
	reasonNames = []string{
		"AppFunctionality", "Analytics", "Notifications", "Marketing", "ThirdPartyMarketing",
		"FraudPreventionSecurityAndCompliance", "AccountManagement", "Maintenance", "DataSubjectRequest", "Other",
	}
)

// Operations returns the operations that policies vote on.
func Operations() []string { return slices.Clone(operationNames) }

// Reasons returns the access reasons.
func Reasons() []string { return slices.Clone(reasonNames) }

// bits is a set of operations or of reasons. anyBit also takes the empty
// reason, which a server may be told to accept.
type bits uint32

const (
	anyBit  bits = 1 << 31
	allBits      = ^bits(0)
)

// bitOf returns the bit of name, or 0.
func bitOf(names []string, name string) bits {
	for i, n := range names {
		if n == name {
			return 1 << i
		}
	}
	return 0
}
