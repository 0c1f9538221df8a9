// Package metrics counts what the server does, in the Prometheus text format.
//
// It refuses to let anything of a request become a label: labels are names
// that stand in the program or in the operator's configuration, and their
// number is bounded. No token, path, user or address is among them.
package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/jwks"
)

// Options of New.
type Options struct {
	Version string
	Sealed  func() bool        // is asked at each Text
	Audit   func() audit.Stats // is asked at each Text
	Keys    func() jwks.Stats  // is asked at each Text
}

// Metrics are the counters of one server. They live as long as it does, over
// seals and unseals. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	fetches  *prometheus.CounterVec
	issuers  bounded
	reasons  bounded
}

// Bounds of label values that do not stand in the program.
const (
	maxIssuers = 100
	maxReasons = 200
	maxLabel   = 128 // bytes
)

// New returns counters that stand at zero.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jotgate_requests_total", Help: "Requests that reached the gate, by door, operation and class of the answer's status.",
		}, []string{"door", "operation", "status"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jotgate_refusals_total", Help: "Callers that were refused, by door, issuer (auth mount or identity provider) and reason.",
		}, []string{"door", "issuer", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jotgate_request_seconds", Help: "Time from the request's arrival at the gate to its audited answer.",
			Buckets: []float64{.00001, .00003, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
		}, []string{"door"}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jotgate_key_fetches_total", Help: "Fetches of the public keys of issuers, by result.",
		}, []string{"result"}),
		issuers: bounded{limit: maxIssuers}, reasons: bounded{limit: maxReasons},
	}
	m.fetches.WithLabelValues("ok")
	m.fetches.WithLabelValues("failed")
	m.registry.MustRegister(
		m.requests, m.refusals, m.seconds, m.fetches,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "jotgate_build_info", Help: "Always 1; the version is the label.", ConstLabels: prometheus.Labels{"version": o.Version},
		}, func() float64 { return 1 }),
	)
	if o.Sealed != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "jotgate_sealed", Help: "1 while this node is sealed."},
			func() float64 {
				if o.Sealed() {
					return 1
				}
				return 0
			}))
	}
	if o.Audit != nil {
		m.registerAudit(o.Audit)
	}
	if o.Keys != nil {
		m.registerKeys(o.Keys)
	}
	return m
}

func (m *Metrics) registerKeys(stats func() jwks.Stats) {
	for _, g := range []struct {
		name, help string
		value      func(jwks.Stats) float64
	}{
		{"jotgate_key_sources", "Sources of public keys that are fetched: key set URLs and discovery issuers of both doors.", func(s jwks.Stats) float64 { return float64(s.Sources) }},
		{"jotgate_key_sources_failing", "Those of them whose last fetch failed.", func(s jwks.Stats) float64 { return float64(s.Failing) }},
		{"jotgate_key_sources_without_keys", "Those of them that were asked and have no key set that may be used.", func(s jwks.Stats) float64 { return float64(s.Without) }},
		{"jotgate_key_set_oldest_seconds", "Time since the oldest key set in use was fetched; at an hour it is forgotten.", func(s jwks.Stats) float64 { return s.Oldest.Seconds() }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return g.value(stats()) }))
	}
}

func (m *Metrics) registerAudit(stats func() audit.Stats) {
	for _, c := range []struct {
		name, help string
		value      func(audit.Stats) uint64
	}{
		{"jotgate_audit_entries_total", "Entries for the audit devices since the last unseal.", func(s audit.Stats) uint64 { return s.Entries }},
		{"jotgate_audit_refused_total", "Entries that no device took since the last unseal: each of them failed a request.", func(s audit.Stats) uint64 { return s.Refused }},
		{"jotgate_audit_device_failures_total", "Failures of single devices since the last unseal.", func(s audit.Stats) uint64 { return s.Failures }},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help},
			func() float64 { return float64(c.value(stats())) }))
	}
}

// Observe counts one request. It is what gate.Gate.Observe takes.
func (m *Metrics) Observe(o gate.Outcome) {
	op := string(o.Operation)
	if op == "" {
		op = "none"
	}
	m.requests.WithLabelValues(o.Door, op, class(o.Failure)).Inc()
	m.seconds.WithLabelValues(o.Door).Observe(o.Took.Seconds())
	if refusal(o) {
		reason := fault.ReasonOf(o.Failure)
		if reason == "" {
			reason = fault.Of(o.Failure).String()
		}
		m.refusals.WithLabelValues(o.Door, m.issuers.name(o.Issuer), m.reasons.name(reason)).Inc()
	}
}

// refusal reports whether a caller was turned away, rather than a request that
// makes no sense. At a login the two are one: the reference answers both with
// 400.
func refusal(o gate.Outcome) bool {
	switch fault.Of(o.Failure) {
	case fault.Denied, fault.Unauthenticated:
		return o.Failure != nil
	case fault.Invalid:
		return o.Failure != nil && o.Issuer != "" && fault.ReasonOf(o.Failure) != ""
	}
	return false
}

// class is the class of the status that both doors give to such an end.
func class(failure error) string {
	if failure == nil {
		return "2xx"
	}
	switch fault.Of(failure) {
	case fault.Internal, fault.Unavailable, fault.NotImplemented:
		return "5xx"
	}
	return "4xx"
}

// KeysFetched counts one fetch of an issuer's keys.
func (m *Metrics) KeysFetched(err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.fetches.WithLabelValues(result).Inc()
}

// Text returns all counters in the Prometheus text format, version 0.0.4.
func (m *Metrics) Text() ([]byte, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return b.Bytes(), nil
}

// bounded lets so many different names through; all further ones are "other".
type bounded struct {
	limit int
	mu    sync.RWMutex
	seen  map[string]struct{}
}

func (b *bounded) name(s string) string {
	b.mu.RLock()
	_, ok := b.seen[s]
	b.mu.RUnlock()
	if ok {
		return s
	}
	if len(s) > maxLabel || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return "other"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.seen[s]; !ok {
		if len(b.seen) >= b.limit {
			return "other"
		}
		if b.seen == nil {
			b.seen = map[string]struct{}{}
		}
		b.seen[s] = struct{}{}
	}
	return s
}
