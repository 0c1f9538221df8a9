package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// sysMetricRows tell how much of what the server does.
var sysMetricRows = []Row{
	{Verbs: []string{Read}, Pattern: "metrics", Auth: route.Authenticated, Action: "metrics", Help: "Read the server's counters.",
		Handler: Action{Do: readMetrics, Fields: []Field{{Name: "format", Default: "prometheus", Help: "\"prometheus\", which is the only one."}}}},
}

func readMetrics(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	m := c.Runtime.Metrics
	if m == nil {
		return nil, fault.New(fault.NotImplemented, "this server does not count")
	}
	if f := c.String("format"); f != "" && f != "prometheus" {
		return nil, fault.New(fault.Invalid, "'format' must be \"prometheus\" or left out")
	}
	text, err := m.Text()
	if err != nil {
		return nil, err
	}
	return &Reply{Raw: text, ContentType: metricsType}, nil
}

// metricsType is the Prometheus text format.
const metricsType = "text/plain; version=0.0.4; charset=utf-8"
