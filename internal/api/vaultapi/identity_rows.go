package vaultapi

import "github.com/jotgate/jotgate/internal/api/route"

var entityFields = []Field{
	{Name: "id", Help: "Id of the entity to change."},
	{Name: "name", Help: "Name of the entity."},
	{Name: "metadata", Type: KVPairs, Help: "Metadata for policies and people."},
	{Name: "policies", Type: CommaList, Help: "Policies of the entity's tokens, beyond their own."},
	{Name: "disabled", Type: Bool, Help: "Whether tokens of the entity are refused."},
}

var entityAliasFields = []Field{
	{Name: "id", Help: "Id of the alias to change."},
	{Name: "name", Help: "Name by which the mount knows the entity."},
	{Name: "canonical_id", Help: "Entity that the alias belongs to."},
	{Name: "entity_id", Deprecated: true, Help: "Use canonical_id."},
	{Name: "mount_accessor", Help: "Accessor of the mount."},
	{Name: "custom_metadata", Type: KVPairs, Help: "Metadata that logins do not touch."},
}

var groupFields = []Field{
	{Name: "id", Help: "Id of the group to change."},
	{Name: "name", Help: "Name of the group."},
	{Name: "type", Default: "internal", Help: "\"internal\" or \"external\"."},
	{Name: "metadata", Type: KVPairs, Help: "Metadata for policies and people."},
	{Name: "policies", Type: CommaList, Help: "Policies of the members' tokens, beyond their own."},
	{Name: "member_entity_ids", Type: CommaList, Help: "Entities that are members."},
	{Name: "member_group_ids", Type: CommaList, Help: "Groups that are members."},
}

var groupAliasFields = []Field{
	{Name: "id", Help: "Id of the alias to change."},
	{Name: "name", Help: "Name by which the identity provider knows the group."},
	{Name: "mount_accessor", Help: "Accessor of the mount."},
	{Name: "canonical_id", Help: "External group that the alias belongs to."},
}

var lookupFields = []Field{
	{Name: "id", Help: "Id to look for."},
	{Name: "name", Help: "Name to look for."},
	{Name: "alias_id", Help: "Id of an alias to look for."},
	{Name: "alias_name", Help: "Name of an alias to look for; needs alias_mount_accessor."},
	{Name: "alias_mount_accessor", Help: "Accessor of the alias' mount."},
}

var identityPageFields = []Field{
	{Name: "after", Help: "List entries after this id."},
	{Name: "limit", Type: Int, Help: "How many entries to list; 0 = all."},
}

var mergeFields = []Field{
	{Name: "from_entity_ids", Type: CommaList, Help: "Entities to merge and delete."},
	{Name: "to_entity_id", Help: "Entity to merge into."},
	{Name: "force", Type: Bool, Help: "Accepted; there are no MFA secrets to overwrite."},
	{Name: "conflicting_alias_ids_to_keep", Type: CommaList, Help: "Aliases to keep where both sides have one on a mount."},
}

// identityRows are the endpoints of the identity store.
var identityRows = []Row{
	{Verbs: []string{Update}, Pattern: "entity", Auth: route.Authenticated, Action: "entity-create", Body: SmallBody, Help: "Make or change an entity.",
		Handler: Action{Do: entityWrite, Fields: entityFields}},
	{Verbs: []string{List}, Pattern: "entity/id", Auth: route.Authenticated, Action: "entity-list-by-id", Help: "List the ids of entities.",
		Handler: Action{Do: entityList(true), Fields: identityPageFields}},
	{Verbs: []string{Read}, Pattern: "entity/id/{id}", Auth: route.Authenticated, Action: "entity-read-by-id", Help: "Read an entity.",
		Handler: Action{Do: entityRead}},
	{Verbs: []string{Update}, Pattern: "entity/id/{id}", Auth: route.Authenticated, Action: "entity-update-by-id", Body: SmallBody, Help: "Change an entity.",
		Handler: Action{Do: entityWrite, Fields: entityFields}},
	{Verbs: []string{Delete}, Pattern: "entity/id/{id}", Auth: route.Authenticated, Action: "entity-delete-by-id", Help: "Delete an entity.",
		Handler: Action{Do: entityDelete}},
	{Verbs: []string{List}, Pattern: "entity/name", Auth: route.Authenticated, Action: "entity-list-by-name", Help: "List the names of entities.",
		Handler: Action{Do: entityList(false), Fields: identityPageFields}},
	{Verbs: []string{Read}, Pattern: "entity/name/{name...}", Auth: route.Authenticated, Action: "entity-read-by-name", Help: "Read an entity.",
		Handler: Action{Do: entityReadName}},
	{Verbs: []string{Update}, Pattern: "entity/name/{name...}", Auth: route.Authenticated, Action: "entity-update-by-name", Body: SmallBody, Help: "Make or change an entity.",
		Handler: Action{Do: entityWrite, Fields: entityFields}},
	{Verbs: []string{Delete}, Pattern: "entity/name/{name...}", Auth: route.Authenticated, Action: "entity-delete-by-name", Help: "Delete an entity.",
		Handler: Action{Do: entityDeleteName}},
	{Verbs: []string{Update}, Pattern: "entity/batch-delete", Auth: route.Authenticated, Action: "entity-batch-delete", Body: 1 << 20, Help: "Delete many entities.",
		Handler: Action{Do: entityBatchDelete, Fields: []Field{{Name: "entity_ids", Type: CommaList, Help: "Entities to delete."}}}},
	{Verbs: []string{Update}, Pattern: "entity/merge", Auth: route.Authenticated, Action: "entity-merge", Body: SmallBody, Help: "Merge entities into one.",
		Handler: Action{Do: entityMerge, Fields: mergeFields}},

	{Verbs: []string{Update}, Pattern: "entity-alias", Auth: route.Authenticated, Action: "entity-create-alias", Body: SmallBody, Help: "Make or change an alias.",
		Handler: Action{Do: aliasWrite, Fields: entityAliasFields}},
	{Verbs: []string{List}, Pattern: "entity-alias/id", Auth: route.Authenticated, Action: "entity-list-aliases-by-id", Help: "List the ids of aliases.",
		Handler: Action{Do: aliasList, Fields: identityPageFields}},
	{Verbs: []string{Read}, Pattern: "entity-alias/id/{id}", Auth: route.Authenticated, Action: "entity-read-alias-by-id", Help: "Read an alias.",
		Handler: Action{Do: aliasRead}},
	{Verbs: []string{Update}, Pattern: "entity-alias/id/{id}", Auth: route.Authenticated, Action: "entity-update-alias-by-id", Body: SmallBody, Help: "Change an alias.",
		Handler: Action{Do: aliasWrite, Fields: entityAliasFields}},
	{Verbs: []string{Delete}, Pattern: "entity-alias/id/{id}", Auth: route.Authenticated, Action: "entity-delete-alias-by-id", Help: "Delete an alias.",
		Handler: Action{Do: aliasDelete}},

	{Verbs: []string{Update}, Pattern: "group", Auth: route.Authenticated, Action: "group-create", Body: 4 << 20, Help: "Make or change a group.",
		Handler: Action{Do: groupWrite, Fields: groupFields}},
	{Verbs: []string{List}, Pattern: "group/id", Auth: route.Authenticated, Action: "group-list-by-id", Help: "List the ids of groups.",
		Handler: Action{Do: groupList(true)}},
	{Verbs: []string{Read}, Pattern: "group/id/{id}", Auth: route.Authenticated, Action: "group-read-by-id", Help: "Read a group.",
		Handler: Action{Do: groupRead}},
	{Verbs: []string{Update}, Pattern: "group/id/{id}", Auth: route.Authenticated, Action: "group-update-by-id", Body: 4 << 20, Help: "Change a group.",
		Handler: Action{Do: groupWrite, Fields: groupFields}},
	{Verbs: []string{Delete}, Pattern: "group/id/{id}", Auth: route.Authenticated, Action: "group-delete-by-id", Help: "Delete a group.",
		Handler: Action{Do: groupDelete}},
	{Verbs: []string{List}, Pattern: "group/name", Auth: route.Authenticated, Action: "group-list-by-name", Help: "List the names of groups.",
		Handler: Action{Do: groupList(false)}},
	{Verbs: []string{Read}, Pattern: "group/name/{name...}", Auth: route.Authenticated, Action: "group-read-by-name", Help: "Read a group.",
		Handler: Action{Do: groupReadName}},
	{Verbs: []string{Update}, Pattern: "group/name/{name...}", Auth: route.Authenticated, Action: "group-update-by-name", Body: 4 << 20, Help: "Make or change a group.",
		Handler: Action{Do: groupWrite, Fields: groupFields}},
	{Verbs: []string{Delete}, Pattern: "group/name/{name...}", Auth: route.Authenticated, Action: "group-delete-by-name", Help: "Delete a group.",
		Handler: Action{Do: groupDeleteName}},

	{Verbs: []string{Update}, Pattern: "group-alias", Auth: route.Authenticated, Action: "group-create-alias", Body: SmallBody, Help: "Make or change the alias of an external group.",
		Handler: Action{Do: groupAliasWrite, Fields: groupAliasFields}},
	{Verbs: []string{List}, Pattern: "group-alias/id", Auth: route.Authenticated, Action: "group-list-aliases-by-id", Help: "List the ids of group aliases.",
		Handler: Action{Do: groupAliasList}},
	{Verbs: []string{Read}, Pattern: "group-alias/id/{id}", Auth: route.Authenticated, Action: "group-read-alias-by-id", Help: "Read a group alias.",
		Handler: Action{Do: groupAliasRead}},
	{Verbs: []string{Update}, Pattern: "group-alias/id/{id}", Auth: route.Authenticated, Action: "group-update-alias-by-id", Body: SmallBody, Help: "Change a group alias.",
		Handler: Action{Do: groupAliasWrite, Fields: groupAliasFields}},
	{Verbs: []string{Delete}, Pattern: "group-alias/id/{id}", Auth: route.Authenticated, Action: "group-delete-alias-by-id", Help: "Delete a group alias.",
		Handler: Action{Do: groupAliasDelete}},

	{Verbs: []string{Update}, Pattern: "lookup/entity", Auth: route.Authenticated, Action: "entity-look-up", Body: SmallBody, Help: "Look for an entity.",
		Handler: Action{Do: entityLookup, Fields: lookupFields}},
	{Verbs: []string{Update}, Pattern: "lookup/group", Auth: route.Authenticated, Action: "group-look-up", Body: SmallBody, Help: "Look for a group.",
		Handler: Action{Do: groupLookup, Fields: lookupFields}},
}
