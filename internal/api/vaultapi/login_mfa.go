package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// errNoMFA refuses what would ask for a second factor at each login. Taking it
// and not asking would be worse than to refuse.
var errNoMFA = fault.New(fault.Invalid, "login MFA is not supported: the issuer of the JWT asks for the second factor; "+
	`require its claim in the role, such as bound_claims={"amr":"mfa"}`)

// identityMFARows answer clients that look for methods and enforcements of
// login MFA: there are none, and none can be made.
var identityMFARows = []Row{
	{Verbs: []string{List}, Pattern: "mfa/method", Auth: route.Authenticated, Action: "mfa-list-methods", Help: "List the methods of login MFA: none.",
		Handler: Action{Do: noMFA}},
	{Verbs: []string{List}, Pattern: "mfa/method/{type}", Auth: route.Authenticated, Action: "mfa-list-methods-of-type", Help: "List the methods of login MFA of one type: none.",
		Handler: Action{Do: noMFA}},
	{Verbs: []string{Update}, Pattern: "mfa/method/{type}", Auth: route.Authenticated, Action: "mfa-create-method", Body: SmallBody, Help: "Refused: the issuer of the JWT asks for the second factor.",
		Handler: Action{Do: refuseMFA, Free: true}},
	{Verbs: []string{Read}, Pattern: "mfa/method/{type}/{id}", Auth: route.Authenticated, Action: "mfa-read-method", Help: "Read a method of login MFA: there is none.",
		Handler: Action{Do: noMFA}},
	{Verbs: []string{Update}, Pattern: "mfa/method/{type}/{id}", Auth: route.Authenticated, Action: "mfa-update-method", Body: SmallBody, Help: "Refused: the issuer of the JWT asks for the second factor.",
		Handler: Action{Do: refuseMFA, Free: true}},
	{Verbs: []string{List}, Pattern: "mfa/login-enforcement", Auth: route.Authenticated, Action: "mfa-list-login-enforcements", Help: "List the rules of where login MFA is asked for: none.",
		Handler: Action{Do: noMFA}},
	{Verbs: []string{Read}, Pattern: "mfa/login-enforcement/{name}", Auth: route.Authenticated, Action: "mfa-read-login-enforcement", Help: "Read a rule of where login MFA is asked for: there is none.",
		Handler: Action{Do: noMFA}},
	{Verbs: []string{Update}, Pattern: "mfa/login-enforcement/{name}", Auth: route.Authenticated, Action: "mfa-write-login-enforcement", Body: SmallBody, Help: "Refused: the issuer of the JWT asks for the second factor.",
		Handler: Action{Do: refuseMFA, Free: true}},
}

// sysMFARows is the second step of a login with MFA, which no login here asks for.
var sysMFARows = []Row{
	{Verbs: []string{Update}, Pattern: "mfa/validate", Auth: route.Public, Action: "mfa-validate", Body: SmallBody, Help: "Finish a login with MFA: there is none to finish.",
		Handler: Action{Do: validateMFA, Fields: []Field{
			{Name: "mfa_request_id", Help: "Id that a login's mfa_requirement gave."},
			{Name: "mfa_payload", Type: Object, Help: "Passcodes by the id of their method."},
		}}},
}

func noMFA(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, errNotFound }

func refuseMFA(context.Context, *Call, gate.Pass) (*Reply, error) { return nil, errNoMFA }

func validateMFA(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	switch {
	case c.String("mfa_request_id") == "":
		return nil, fault.New(fault.Invalid, "missing request ID")
	case !c.Has("mfa_payload"):
		return nil, fault.New(fault.Invalid, "missing mfa payload")
	}
	return nil, fault.New(fault.Invalid, "invalid request ID")
}
