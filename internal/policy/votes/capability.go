package votes

import (
	"slices"
	"strings"
)

// Capability is the right to call some operations of the pvault API. The zero
// Capability is no right.
type Capability uint8

// The capabilities of the reference. CapSystem stands for all of them.
const (
	capNone Capability = iota
	CapSystem
	CapDataReader
	CapDataWriter
	CapDataCreator
	CapDataUpdater
	CapDataDeleter
	CapDataSearcher
	CapObjectsReader
	CapObjectsLister
	CapObjectsWriter
	CapObjectsCreator
	CapObjectsUpdater
	CapObjectsDeleter
	CapTokensReader
	CapTokensWriter
	CapTokensDetokenizer
	CapTokensExporter
	CapTokensImporter
	CapTransactionIDReader
	CapCryptoEncrypter
	CapCryptoDecrypter
	CapCryptoHasher
	CapActionsReader
	CapActionsWriter
	CapActionsInvoker
	CapIAMReader
	CapIAMWriter
	CapCodeReader
	CapCodeWriter
	CapTypesReader
	CapTypesWriter
	CapCollectionsReader
	CapCollectionsWriter
	CapSystemGCRunner
	CapConfvarReader
	CapConfvarWriter
	CapKMSReader
	CapKMSWriter
	CapExportKeyReader
	CapClusterInfoReader
	CapInfoReader
	CapErrorWriter
	numCapabilities
)

// capabilityNames holds the name that we print, by capability.
var capabilityNames = [numCapabilities]string{
	"", "CapSystem",
	"CapDataReader", "CapDataWriter", "CapDataCreator", "CapDataUpdater", "CapDataDeleter", "CapDataSearcher",
	"CapObjectsReader", "CapObjectsLister", "CapObjectsWriter", "CapObjectsCreator", "CapObjectsUpdater", "CapObjectsDeleter",
	"CapTokensReader", "CapTokensWriter", "CapTokensDetokenizer", "CapTokensExporter", "CapTokensImporter",
	"CapTransactionIdReader",
	"CapCryptoEncrypter", "CapCryptoDecrypter", "CapCryptoHasher",
	"CapActionsReader", "CapActionsWriter", "CapActionsInvoker",
	"CapIAMReader", "CapIAMWriter", "CapCodeReader", "CapCodeWriter", "CapTypesReader", "CapTypesWriter",
	"CapCollectionsReader", "CapCollectionsWriter",
	"CapSystemGCRunner", "CapConfvarReader", "CapConfvarWriter", "CapKMSReader", "CapKMSWriter",
	"CapExportKeyReader", "CapClusterInfoReader", "CapInfoReader", "CapErrorWriter",
}

// otherSpellings are names that the reference's own pages also use.
var otherSpellings = map[string]Capability{
	"CapOjectsReader":  CapObjectsReader,
	"CapActionReader":  CapActionsReader,
	"CapActionWriter":  CapActionsWriter,
	"CapActionInvoker": CapActionsInvoker,
}

var capabilityByName = func() map[string]Capability {
	m := make(map[string]Capability, 2*numCapabilities)
	for c := capNone + 1; c < numCapabilities; c++ {
		m[capabilityNames[c]] = c
	}
	for name, c := range otherSpellings {
		m[name] = c
	}
	return m
}()

// ParseCapability returns the capability with this exact name, in any of the
// reference's spellings.
func ParseCapability(name string) (Capability, bool) {
	c, ok := capabilityByName[name]
	return c, ok
}

// CapabilityNames returns the names of all capabilities, sorted.
func CapabilityNames() []string {
	names := slices.Clone(capabilityNames[1:])
	slices.Sort(names)
	return names
}

// String returns the capability's name.
func (c Capability) String() string {
	if c > capNone && c < numCapabilities {
		return capabilityNames[c]
	}
	return "CapNone"
}

// capSet is a set of capabilities.
type capSet uint64

func setOf(list ...Capability) capSet {
	var s capSet
	for _, c := range list {
		s |= 1 << c
	}
	return s
}

func (s capSet) has(c Capability) bool { return c > capNone && c < numCapabilities && s>>c&1 == 1 }

// names returns the names in the set, sorted.
func (s capSet) names() []string {
	var names []string
	for c := capNone + 1; c < numCapabilities; c++ {
		if s.has(c) {
			names = append(names, capabilityNames[c])
		}
	}
	slices.Sort(names)
	return names
}

// String lists the names, separated by " or ".
func (s capSet) String() string { return strings.Join(s.names(), " or ") }
