package pvaultapi

import (
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// reasons are the access reasons of the reference.
var reasons = []string{
	"AppFunctionality", "Analytics", "Notifications", "Marketing", "ThirdPartyMarketing",
	"FraudPreventionSecurityAndCompliance", "AccountManagement", "Maintenance", "DataSubjectRequest", "Other",
}

// checkReason reads why a data call is made. force is whether a reason must be
// given at all.
func checkReason(q query, force bool) (reason string, err error) {
	reason = q.get("reason")
	switch {
	case reason == "" && !force:
		return "", nil
	case reason == "":
		return "", fault.New(fault.Invalid, "The access reason is missing: add the query parameter reason, one of "+strings.Join(reasons, ", ")+".").
			WithReason("reason_missing").WithDetail("reason", "")
	case !slices.Contains(reasons, reason):
		return "", fault.New(fault.Invalid, "The access reason is not valid: it must be one of "+strings.Join(reasons, ", ")+".").
			WithReason("reason_invalid").WithDetail("parameter", "reason")
	case reason == "Other" && strings.TrimSpace(q.get("adhoc_reason")) == "":
		return "", fault.New(fault.Invalid, "The access reason Other needs the query parameter adhoc_reason.").
			WithReason("reason_invalid").WithDetail("parameter", "adhoc_reason")
	}
	return reason, nil
}
