package jwt

import "github.com/jotgate/jotgate/internal/fault"

// The ways in which a token or a key can fail. Every error of this package has
// exactly one of them in its chain (errors.Is) and carries the same kind and
// reason. None of them, and none of the texts, ever holds any part of a token.
var (
	// ErrMalformed: the text is not one well-formed signed JWT in its only
	// accepted spelling. Reason "malformed".
	ErrMalformed = fault.New(fault.Unauthenticated, "the token is malformed").WithReason("malformed")
	// ErrTooLarge: the token is longer than the limit of the place where it
	// was presented. Reason "token_too_large".
	ErrTooLarge = fault.New(fault.TooLarge, "the token is too large").WithReason("token_too_large")
	// ErrType: the header says that this is a token of another kind, such as a
	// logout token or a proof of possession. Reason "wrong_token_type".
	ErrType = fault.New(fault.Unauthenticated, "the token was made for another purpose").WithReason("wrong_token_type")
	// ErrAlgorithm: unknown algorithm, or one that is not allowed here. Reason
	// "algorithm_not_allowed".
	ErrAlgorithm = fault.New(fault.Unauthenticated, "the token's signature algorithm is not allowed").WithReason("algorithm_not_allowed")
	// ErrUnknownKey: none of the issuer's keys fits the token's kid and
	// algorithm. Reason "unknown_key".
	ErrUnknownKey = fault.New(fault.Unauthenticated, "none of the issuer's keys fits the token").WithReason("unknown_key")
	// ErrSignature: a key fits and the signature is not by it. Reason
	// "bad_signature".
	ErrSignature = fault.New(fault.Unauthenticated, "the token's signature is not valid").WithReason("bad_signature")
	// ErrClaims: the payload breaks a rule for registered claims. Reason
	// "invalid_claims".
	ErrClaims = fault.New(fault.Unauthenticated, "the token's claims are not valid").WithReason("invalid_claims")
	// ErrKey: a key cannot be used to verify tokens. Kind Invalid, reason
	// "unusable_key".
	ErrKey = fault.New(fault.Invalid, "the key cannot be used").WithReason("unusable_key")
)

// refuse returns sentinel with a text that says what exactly is wrong.
func refuse(sentinel *fault.Error, public string) error {
	return fault.Wrap(sentinel.Kind(), sentinel, public).WithReason(sentinel.Reason())
}
