package vaultapi

import "testing"

// Clients that look for login MFA find none, and nobody can believe to have
// switched it on.
func TestThereIsNoLoginMFA(t *testing.T) {
	d := newDoor(t)
	for _, path := range []string{"identity/mfa/method", "identity/mfa/method/totp", "identity/mfa/login-enforcement"} {
		d.do("LIST", path, rootToken, nil).want(404)
	}
	d.do("GET", "identity/mfa/method/totp/some-id", rootToken, nil).want(404)
	d.do("GET", "identity/mfa/login-enforcement/all", rootToken, nil).want(404)
	const why = "login MFA is not supported: the issuer of the JWT asks for the second factor; require its claim in the role, such as bound_claims={\"amr\":\"mfa\"}"
	for _, path := range []string{"identity/mfa/method/totp", "identity/mfa/method/totp/some-id", "identity/mfa/login-enforcement/all"} {
		d.do("POST", path, rootToken, map[string]any{"issuer": "x", "auth_method_types": []string{"jwt"}}).refused(400, why)
	}
	d.do("POST", "identity/mfa/method/totp", "", map[string]any{"issuer": "x"}).refused(403, "permission denied")
}

func TestNoLoginWaitsForASecondFactor(t *testing.T) {
	d := newDoor(t)
	for want, body := range map[string]map[string]any{
		"missing request ID":  {},
		"missing mfa payload": {"mfa_request_id": "some-id"},
		"invalid request ID":  {"mfa_request_id": "some-id", "mfa_payload": map[string]any{"m": []string{"123456"}}},
	} {
		d.do("POST", "sys/mfa/validate", "", body).refused(400, want)
	}
	if auth := withLogin(t, d, nil)("alice", nil).auth(); auth["mfa_requirement"] != nil {
		t.Error(auth["mfa_requirement"])
	}
}
