package main

// secret is the envelope of an answer. Its field order is the order in which
// -format=json prints it, which scripts have come to know.
type secret struct {
	RequestID     string    `json:"request_id"`
	LeaseID       string    `json:"lease_id"`
	LeaseDuration int64     `json:"lease_duration"`
	Renewable     bool      `json:"renewable"`
	Data          any       `json:"data"`
	Warnings      []string  `json:"warnings"`
	Auth          *auth     `json:"auth,omitzero"`
	WrapInfo      *wrapInfo `json:"wrap_info,omitzero"`

	raw []byte // the answer as it came
}

// auth is what a login or a new token gives.
type auth struct {
	ClientToken      string            `json:"client_token"`
	Accessor         string            `json:"accessor"`
	Policies         []string          `json:"policies"`
	TokenPolicies    []string          `json:"token_policies"`
	IdentityPolicies []string          `json:"identity_policies"`
	Metadata         map[string]string `json:"metadata"`
	Orphan           bool              `json:"orphan"`
	EntityID         string            `json:"entity_id"`
	LeaseDuration    int64             `json:"lease_duration"`
	Renewable        bool              `json:"renewable"`
	MFARequirement   any               `json:"mfa_requirement"`
}

// wrapInfo names the one-time token that holds the real answer.
type wrapInfo struct {
	Token           string `json:"token"`
	Accessor        string `json:"accessor"`
	TTL             int64  `json:"ttl"`
	CreationTime    string `json:"creation_time"`
	CreationPath    string `json:"creation_path"`
	WrappedAccessor string `json:"wrapped_accessor"`
}

// data returns the answer's data when it is an object, else nil.
func (s *secret) data() map[string]any {
	if s == nil {
		return nil
	}
	m, _ := s.Data.(map[string]any)
	return m
}

// text returns a text field of the data, or "".
func (s *secret) text(name string) string {
	v, _ := s.data()[name].(string)
	return v
}

// empty reports an answer with nothing to show.
func (s *secret) empty() bool {
	return s == nil || (s.Data == nil && s.Auth == nil && s.WrapInfo == nil)
}

// field returns a value by the name that -field takes.
func (s *secret) field(name string) (any, bool) {
	if s.Auth != nil {
		if v, ok := s.Auth.field(name); ok {
			return v, true
		}
	}
	if s.WrapInfo != nil {
		if v, ok := s.WrapInfo.field(name); ok {
			return v, true
		}
	}
	switch name {
	case "lease_duration", "refresh_interval":
		return s.LeaseDuration, s.LeaseDuration != 0
	case "lease_id":
		return s.LeaseID, s.LeaseID != ""
	case "lease_renewable":
		return s.Renewable, s.LeaseID != ""
	}
	if v, ok := s.data()[name]; ok {
		return v, true
	}
	return s.Data, name == "data" && s.Data != nil
}

func (a *auth) field(name string) (any, bool) {
	switch name {
	case "token":
		return a.ClientToken, true
	case "token_accessor":
		return a.Accessor, true
	case "token_duration":
		return a.LeaseDuration, true
	case "token_renewable":
		return a.Renewable, true
	case "token_policies":
		return a.TokenPolicies, true
	case "identity_policies":
		return a.IdentityPolicies, true
	case "policies":
		return a.Policies, true
	case "entity_id":
		return a.EntityID, true
	}
	if v, ok := a.Metadata[trimMeta(name)]; ok && trimMeta(name) != name {
		return v, true
	}
	return nil, false
}

const metaPrefix = "token_meta_"

func trimMeta(name string) string {
	if len(name) > len(metaPrefix) && name[:len(metaPrefix)] == metaPrefix {
		return name[len(metaPrefix):]
	}
	return name
}

func (w *wrapInfo) field(name string) (any, bool) {
	switch name {
	case "wrapping_token":
		return w.Token, true
	case "wrapping_accessor":
		return w.Accessor, true
	case "wrapping_token_ttl":
		return w.TTL, true
	case "wrapping_token_creation_time":
		return w.CreationTime, true
	case "wrapping_token_creation_path":
		return w.CreationPath, true
	case "wrapped_accessor":
		return w.WrappedAccessor, true
	}
	return nil, false
}
