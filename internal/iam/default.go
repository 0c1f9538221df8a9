package iam

import _ "embed"

// DefaultText is the IAM file of a new server. It has no [idps] table, so that
// one can be appended as it stands in a guide.
//
//go:embed default.toml
var DefaultText string
