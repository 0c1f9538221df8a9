// Package objects keeps personal data: collections of typed properties, the
// objects in them, data tokens that stand for them, and encryption as a
// service.
//
// What it is for: every value has a type that validates and normalises it;
// every object passes three checks before a caller sees or changes it — the
// role's policies vote on each property, the narrowing claims of the caller's
// JWT must match the object, and the tenant header must name its tenant. An
// operation is one storage transaction; bulk operations are all or nothing.
//
// What it refuses: a method call without a gate.Pass for exactly this
// operation on exactly this path; a narrowing claim on a property that the
// collection does not have; personal data in a storage key. Values that must
// be found are found through blind indexes: HMACs of the normalised value,
// bound to collection and property, so that equal values of two properties
// look different.
package objects
