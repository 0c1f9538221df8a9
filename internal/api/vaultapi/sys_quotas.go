package vaultapi

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/quota"
)

// inheritableField is settled by the path, as there is one namespace.
var inheritableField = Field{Name: "inheritable", Type: Bool, Help: "Must be true, or left out, for a rule that holds everywhere, and false for others."}

var rateLimitFields = []Field{
	{Name: "name", Help: "Name of the rule."},
	{Name: "type", Help: "Must be \"rate-limit\" or empty."},
	{Name: "path", Help: "Where it holds: empty for everywhere, a mount, a path, or a prefix that ends in *."},
	{Name: "rate", Type: Any, Help: "Requests per interval and client address."},
	{Name: "interval", Type: Seconds, Default: 1, Help: "Length of the interval."},
	{Name: "block_interval", Type: Seconds, Help: "How long an address that went over is refused altogether."},
	inheritableField,
	{Name: "role", Help: "Must be empty: telling roles apart would mean reading the body first."},
	{Name: "group_by", Help: "Must be \"ip\" or empty."},
}

var quotaConfigFields = []Field{
	{Name: "enable_rate_limit_response_headers", Type: Bool, Help: "Answers say how much is left."},
	{Name: "enable_rate_limit_audit_logging", Type: Bool, Help: "Accepted: refusals are always recorded."},
	{Name: "rate_limit_exempt_paths", Type: CommaList, Help: "Paths that no rule bounds; a final * stands for any rest."},
	{Name: "absolute_rate_limit_exempt_paths", Type: CommaList, Help: "Further such paths."},
}

// sysQuotaRows are the endpoints about rates.
var sysQuotaRows = []Row{
	{Verbs: []string{Read}, Pattern: "quotas/config", Auth: route.Authenticated, Action: "rate-limit-quotas-read-configuration", Help: "Read what holds for all rules.",
		Handler: Action{Do: readQuotaConfig}},
	{Verbs: []string{Update}, Pattern: "quotas/config", Auth: route.Authenticated, Action: "rate-limit-quotas-configure", Body: SmallBody, Help: "Set what holds for all rules.",
		Handler: Action{Do: writeQuotaConfig, Fields: quotaConfigFields}},
	{Verbs: []string{List}, Pattern: "quotas/rate-limit", Auth: route.Authenticated, Action: "rate-limit-quotas-list", Help: "List the rules.",
		Handler: Action{Do: listQuotas}},
	{Verbs: []string{Read}, Pattern: "quotas/rate-limit/{name}", Auth: route.Authenticated, Action: "rate-limit-quotas-read", Help: "Read a rule.",
		Handler: Action{Do: readQuota}},
	{Verbs: []string{Update}, Pattern: "quotas/rate-limit/{name}", Auth: route.Authenticated, Action: "rate-limit-quotas-write", Body: SmallBody, Help: "Write a rule.",
		Handler: Action{Do: writeQuota, Fields: rateLimitFields}},
	{Verbs: []string{Delete}, Pattern: "quotas/rate-limit/{name}", Auth: route.Authenticated, Action: "rate-limit-quotas-delete", Help: "Delete a rule.",
		Handler: Action{Do: deleteQuota}},
}

func (c *Call) quotas() (*quota.Store, error) {
	if c.Runtime.Quotas == nil {
		return nil, fault.New(fault.NotImplemented, "this server keeps no quotas")
	}
	return c.Runtime.Quotas, nil
}

func readQuotaConfig(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	cfg := q.Config()
	exempt := cfg.Exempt
	if exempt == nil {
		exempt = []string{}
	}
	return &Reply{Data: map[string]any{
		"enable_rate_limit_response_headers": cfg.Headers, "enable_rate_limit_audit_logging": true,
		"rate_limit_exempt_paths": exempt, "absolute_rate_limit_exempt_paths": []string{},
	}}, nil
}

func writeQuotaConfig(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	cfg := q.Config()
	if c.Has("enable_rate_limit_response_headers") {
		cfg.Headers = c.Bool("enable_rate_limit_response_headers")
	}
	if c.Has("rate_limit_exempt_paths") || c.Has("absolute_rate_limit_exempt_paths") {
		cfg.Exempt = append(append([]string{}, c.List("rate_limit_exempt_paths")...), c.List("absolute_rate_limit_exempt_paths")...)
	}
	return nil, q.SetConfig(ctx, cfg)
}

func listQuotas(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	return listed(q.List(), nil)
}

func readQuota(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	r, ok := q.Get(c.Param("name"))
	if !ok {
		return nil, errNotFound
	}
	return &Reply{Data: map[string]any{
		"name": r.Name, "type": "rate-limit", "path": r.Path, "role": "", "rate": r.Rate, "inheritable": r.Path == "",
		"interval": r.Interval, "block_interval": r.Block, "group_by": "ip",
	}}, nil
}

// quotaPath returns where a rule is to hold. That rules which hold everywhere
// are inheritable, and only they, is what clients read back.
func (c *Call) quotaPath() (string, error) {
	path := strings.TrimPrefix(c.String("path"), "/")
	switch {
	case !c.Has("inheritable"):
	case path == "" && !c.Bool("inheritable"):
		return "", fault.New(fault.Invalid, "all global quotas must be inheritable")
	case path != "" && c.Bool("inheritable"):
		return "", fault.New(fault.Invalid, "only namespace quotas can be configured as inheritable")
	}
	if path == "" {
		return "", nil
	}
	mounts := c.Runtime.Mounts.Table()
	if e, ok := mounts.Get(path); ok {
		path = e.Logical() // "auth/jwt" is the mount
	}
	if !covers(mounts, path) {
		return "", fault.Newf(fault.Invalid, "invalid mount path %q", clip(path))
	}
	return path, nil
}

// covers reports whether a quota path leads to a mount. One that leads nowhere
// would limit nothing.
func covers(t *mount.Table, path string) bool {
	if _, _, ok := t.Route(path); ok {
		return true
	}
	prefix, ok := strings.CutSuffix(path, "*")
	return ok && slices.ContainsFunc(append(t.Auth(), t.Secrets()...), func(e *mount.Entry) bool {
		return strings.HasPrefix(e.Logical(), prefix)
	})
}

func writeQuota(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	switch {
	case c.String("role") != "":
		return nil, fault.New(fault.Invalid, "quotas by role are not offered: the role stands in the body, which is read after the quota")
	case c.String("type") != "" && c.String("type") != "rate-limit":
		return nil, fault.New(fault.Invalid, "'type' must be \"rate-limit\"")
	case c.String("group_by") != "" && c.String("group_by") != "ip":
		return nil, fault.New(fault.Invalid, "'group_by' must be \"ip\"")
	}
	path, err := c.quotaPath()
	if err != nil {
		return nil, err
	}
	rate, err := toFloat(c.Any("rate"))
	if err != nil {
		return nil, fault.New(fault.Invalid, "'rate' is invalid: it must be a number greater than 0")
	}
	return nil, q.Put(ctx, quota.Rule{
		Name: c.Param("name"), Path: path, Rate: rate,
		Interval: Secs(c.Duration("interval")), Block: Secs(c.Duration("block_interval")),
	})
}

func toFloat(v any) (float64, error) {
	switch v := v.(type) {
	case json.Number:
		return v.Float64()
	case string:
		return strconv.ParseFloat(v, 64)
	}
	return 0, wrongType("number", v)
}

func deleteQuota(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	q, err := c.quotas()
	if err != nil {
		return nil, err
	}
	return nil, q.Delete(ctx, c.Param("name"))
}

// withinRate counts the request against the rates, before anything else of it is
// looked at.
func (c *Call) withinRate(path string) error {
	q := c.Runtime.Quotas
	if q == nil {
		return nil
	}
	v := q.Allow(trimSlash(path), c.Request.Remote.Addr())
	if v.Headers && v.Limit > 0 {
		h := c.w.Header()
		h.Set("X-Ratelimit-Limit", strconv.FormatInt(v.Limit, 10))
		h.Set("X-Ratelimit-Remaining", strconv.FormatInt(v.Remaining, 10))
		h.Set("X-Ratelimit-Reset", wholeSeconds(v.Wait))
	}
	if v.OK {
		return nil
	}
	c.w.Header().Set("Retry-After", wholeSeconds(v.Wait))
	return fault.Newf(fault.TooMany, "request path %q: rate limit quota exceeded", clip(path)).WithReason("rate_limit")
}

// wholeSeconds rounds up, so that a client that waits so long gets through.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
