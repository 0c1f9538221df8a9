package vaultapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/pgp"
	"github.com/jotgate/jotgate/internal/seal"
)

// CompatVersion is the release of the reference whose features clients may
// expect; they compare it with thresholds, so it must parse as a semantic
// version. Our own version follows as build metadata.
const CompatVersion = "1.18.5"

// Info is what the status endpoints say about this server.
type Info struct {
	Version     string // of jotgate, such as "0.1.0"
	BuildDate   string // RFC 3339, or ""
	StorageType string // such as "embedded" or "postgres"
}

// wireVersion is the version as clients read it.
func (i Info) wireVersion() string {
	if i.Version == "" {
		return CompatVersion + "+jotgate"
	}
	return CompatVersion + "+jotgate." + i.Version
}

// SealStatus is where the seal stands.
type SealStatus struct {
	Type        string // "shamir", or the kind of unattended seal
	Initialized bool
	Sealed      bool
	Threshold   int
	Shares      int
	Progress    int
	Nonce       string // of the attempt that is under way
}

// InitRequest asks for a new root key.
type InitRequest struct {
	Shares    int
	Threshold int
	// Recovery is set when recovery keys are asked for, which a seal that is
	// opened with shares does not have.
	Recovery bool
	// PGPKeys, one for each share, and RootKey encrypt what is handed out. None
	// and the zero Key leave it readable.
	PGPKeys []pgp.Key
	RootKey pgp.Key
}

// InitResult is handed out once. What was encrypted stands there as OpenPGP
// messages: the share's text in hex inside; the root token's message in base64.
type InitResult struct {
	Shares    [][]byte
	RootToken string
}

// Sealer operates the seal. Errors are *fault.Error; a share that is wrong, or
// numbers that cannot be, are Invalid.
type Sealer interface {
	Status(ctx context.Context) (SealStatus, error)
	Init(ctx context.Context, r InitRequest) (InitResult, error)
	// Unseal adds one share. At the threshold it opens the store and unlocks
	// the door before it returns.
	Unseal(ctx context.Context, share []byte) error
	// ResetUnseal forgets the shares of the attempt that is under way.
	ResetUnseal(ctx context.Context) error
	// Seal locks the door and forgets the keys.
	Seal(ctx context.Context) error
}

// serveStatus answers the endpoints that work while sealed and need no token.
// They hold no secret of a caller, so they do not pass the gate; sys/seal does.
func (d *Door) serveStatus(c *Call, path string) bool {
	var h func(*Call) error
	get := c.http.Method == http.MethodGet || c.http.Method == http.MethodHead
	put := c.http.Method == http.MethodPut || c.http.Method == http.MethodPost
	if asksHelp(c.http) {
		return false
	}
	if get {
		path = trimSlash(path)
	}
	switch path {
	case "sys/health":
		h = d.health
	case "sys/seal-status":
		h = d.sealStatus
	case "sys/leader":
		h = d.leader
	case "sys/init":
		if h = d.initStatus; put {
			h, get = d.init, true
		}
	case "sys/unseal":
		h, get = d.unseal, put
	default:
		return false
	}
	var err error
	if !get {
		err = errUnsupported
	} else {
		err = h(c)
	}
	if err != nil {
		d.fail(c, err)
	}
	return true
}

func (d *Door) seal() (Sealer, error) {
	if d.sealer == nil {
		return nil, fault.New(fault.Unavailable, "this server has no seal to operate")
	}
	return d.sealer, nil
}

func (c *Call) sendJSON(status int, v any) error {
	b, err := appendJSON(nil, v)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if c.http.Method == http.MethodHead {
		b = nil
	}
	send(c.w, status, b)
	return nil
}

// sealFields is the body of seal-status and unseal.
func (d *Door) sealFields(ctx context.Context) (map[string]any, error) {
	s, err := d.seal()
	if err != nil {
		return nil, err
	}
	st, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	f := map[string]any{
		"type": st.Type, "initialized": st.Initialized, "sealed": st.Sealed,
		"t": st.Threshold, "n": st.Shares, "progress": st.Progress, "nonce": st.Nonce,
		"version": d.info.wireVersion(), "build_date": d.info.BuildDate,
		"migration": false, "recovery_seal": false, "storage_type": d.info.StorageType,
	}
	if rt := d.rt.Load(); rt != nil {
		f["cluster_name"], f["cluster_id"] = rt.ClusterName, rt.ClusterID
	}
	return f, nil
}

func (d *Door) sealStatus(c *Call) error {
	f, err := d.sealFields(c.http.Context())
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, f)
}

func (d *Door) leader(c *Call) error {
	rt := d.rt.Load()
	if rt == nil {
		return errSealed
	}
	// Every node is active; none is a leader. Clients read "ha_enabled: false"
	// as: talk to the node that you have.
	return c.sendJSON(http.StatusOK, map[string]any{
		"ha_enabled": false, "is_self": false, "active_time": "0001-01-01T00:00:00Z",
		"leader_address": "", "leader_cluster_address": "",
		"performance_standby": false, "performance_standby_last_remote_wal": 0,
	})
}

// health says by its status whether the node serves. Callers can choose the
// statuses.
func (d *Door) health(c *Call) error {
	ctx := c.http.Context()
	sealed, initialized := d.rt.Load() == nil, true
	if sealed && d.sealer != nil {
		st, err := d.sealer.Status(ctx)
		if err != nil {
			return err
		}
		initialized = st.Initialized
	}
	status, err := healthStatus(c.http, sealed, initialized)
	if err != nil {
		return err
	}
	f := map[string]any{
		"initialized": initialized, "sealed": sealed, "standby": sealed, "performance_standby": false,
		"replication_performance_mode": "disabled", "replication_dr_mode": "disabled",
		"server_time_utc": d.now().Unix(), "version": d.info.wireVersion(),
		"enterprise": false, "echo_duration_ms": 0, "clock_skew_ms": 0, "replication_primary_canary_age_ms": 0,
	}
	if sealed {
		f["replication_performance_mode"], f["replication_dr_mode"] = "unknown", "unknown"
	} else if rt := d.rt.Load(); rt != nil {
		f["cluster_name"], f["cluster_id"] = rt.ClusterName, rt.ClusterID
	}
	return c.sendJSON(status, f)
}

func healthStatus(r *http.Request, sealed, initialized bool) (int, error) {
	name, code := "activecode", http.StatusOK
	switch {
	case !initialized:
		name, code = "uninitcode", http.StatusNotImplemented
	case sealed:
		name, code = "sealedcode", http.StatusServiceUnavailable
	}
	v := r.URL.Query().Get(name)
	if v == "" {
		return code, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 200 || n > 599 {
		return 0, fault.Newf(fault.Invalid, "%s must be an HTTP status from 200 to 599", name)
	}
	return n, nil
}

func (d *Door) initStatus(c *Call) error {
	s, err := d.seal()
	if err != nil {
		return err
	}
	st, err := s.Status(c.http.Context())
	if err != nil {
		return err
	}
	return c.sendJSON(http.StatusOK, map[string]any{"initialized": st.Initialized})
}

var initFields = []Field{
	{Name: "secret_shares", Type: Int}, {Name: "secret_threshold", Type: Int},
	{Name: "pgp_keys", Type: CommaList}, {Name: "root_token_pgp_key"},
	{Name: "recovery_shares", Type: Int}, {Name: "recovery_threshold", Type: Int},
	{Name: "recovery_pgp_keys", Type: CommaList}, {Name: "stored_shares", Type: Int},
}

// bare reads the parameters of an endpoint that has no row.
func (c *Call) bare(fields []Field) (err error) {
	if c.Data, err = readData(c.w, c.http, Update, SmallBody); err != nil {
		return err
	}
	c.row = &Row{Handler: Action{Fields: fields}}
	return c.parseFields()
}

func (d *Door) init(c *Call) error {
	s, err := d.seal()
	if err != nil {
		return err
	}
	st, err := s.Status(c.http.Context())
	if err != nil {
		return err
	}
	if st.Initialized { // before anything that strangers could make expensive
		return seal.ErrInitialized
	}
	if err := c.bare(initFields); err != nil {
		return err
	}
	if len(c.List("recovery_pgp_keys")) > 0 {
		return fault.New(fault.Invalid, "there are no recovery shares: leave recovery_pgp_keys out")
	}
	r := InitRequest{Shares: int(c.Int("secret_shares")), Threshold: int(c.Int("secret_threshold"))}
	r.Recovery = c.Int("recovery_shares") != 0 || c.Int("recovery_threshold") != 0
	if r.PGPKeys, err = pgp.ParseAll(c.List("pgp_keys"), d.now); err != nil {
		return err
	}
	if n := len(r.PGPKeys); n > 0 && n != r.Shares {
		return fault.New(fault.Invalid, "incorrect number of PGP keys: as many are needed as there are shares")
	}
	if text := c.String("root_token_pgp_key"); text != "" {
		if r.RootKey, err = pgp.Parse(text, d.now); err != nil {
			return err
		}
	}
	res, err := s.Init(c.http.Context(), r)
	if err != nil {
		return err
	}
	hexes, b64s := encodeShares(res.Shares)
	return c.sendJSON(http.StatusOK, map[string]any{"keys": hexes, "keys_base64": b64s, "root_token": res.RootToken})
}

var unsealFields = []Field{{Name: "key"}, {Name: "reset", Type: Bool}, {Name: "migrate", Type: Bool}}

func (d *Door) unseal(c *Call) error {
	s, err := d.seal()
	if err != nil {
		return err
	}
	if err := c.bare(unsealFields); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.http.Context(), requestTime)
	defer cancel()
	switch key := c.String("key"); {
	case c.Bool("reset"):
		err = s.ResetUnseal(ctx)
	case c.Bool("migrate"):
		err = fault.New(fault.Invalid, "can't perform a seal migration, no migration seal found")
	case key == "":
		err = fault.New(fault.Invalid, "'key' must be specified in request body as JSON, or 'reset' set to true")
	default:
		var share []byte
		if share, err = decodeShare(key); err == nil {
			err = s.Unseal(ctx, share)
			clear(share)
		}
	}
	if err != nil {
		return err
	}
	return d.sealStatus(c)
}

func decodeShare(key string) ([]byte, error) {
	if b, err := hex.DecodeString(key); err == nil {
		return b, nil
	}
	if b, err := base64.StdEncoding.DecodeString(key); err == nil {
		return b, nil
	}
	return nil, fault.New(fault.Invalid, "'key' must be a valid hex or base64 string")
}
