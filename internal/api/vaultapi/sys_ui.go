package vaultapi

import (
	"context"
	"strings"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/uiheaders"
)

// sysUIRows keep the headers of a web interface, which this server has not.
var sysUIRows = []Row{
	{Verbs: []string{List}, Pattern: "config/ui/headers", Auth: route.Authenticated, Sudo: true, Action: "ui-headers-list", Help: "List the headers kept for a web interface.",
		Handler: Action{Do: listUIHeaders}},
	{Verbs: []string{Read}, Pattern: "config/ui/headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "ui-headers-read-configuration", Help: "Read a header kept for a web interface.",
		Handler: Action{Do: readUIHeader, Fields: []Field{{Name: "multivalue", Type: Bool, Help: "Answer with all values."}}}},
	{Verbs: []string{Update}, Pattern: "config/ui/headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "ui-headers-configure", Body: SmallBody, Help: "Keep a header; this server has no web interface that would send it.",
		Handler: Action{Do: writeUIHeader, Fields: []Field{{Name: "values", Type: StringList, Help: "Values of the header."}}}},
	{Verbs: []string{Delete}, Pattern: "config/ui/headers/{header}", Auth: route.Authenticated, Sudo: true, Action: "ui-headers-delete-configuration", Help: "Forget a header kept for a web interface.",
		Handler: Action{Do: deleteUIHeader}},
}

func (c *Call) uiHeaders() (*uiheaders.Store, error) {
	if c.Runtime.UIHeaders == nil {
		return nil, fault.New(fault.NotImplemented, "this server keeps no headers")
	}
	return c.Runtime.UIHeaders, nil
}

func listUIHeaders(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.uiHeaders()
	if err != nil {
		return nil, err
	}
	names, err := s.Names(ctx)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errNotFound
	}
	return &Reply{Data: map[string]any{"keys": names}}, nil
}

func readUIHeader(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.uiHeaders()
	if err != nil {
		return nil, err
	}
	values, err := s.Get(ctx, c.Param("header"))
	switch {
	case err != nil:
		return nil, err
	case len(values) == 0:
		return nil, errNotFound
	case c.Bool("multivalue"):
		return &Reply{Data: map[string]any{"values": values}}, nil
	}
	return &Reply{Data: map[string]any{"value": values[0]}}, nil
}

func writeUIHeader(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.uiHeaders()
	if err != nil {
		return nil, err
	}
	if err := s.Set(ctx, c.Param("header"), c.List("values")); err != nil {
		return nil, err
	}
	r := &Reply{}
	r.Warn("Kept and read back; this server has no web interface that would send it")
	if strings.EqualFold(c.Param("header"), "Content-Security-Policy") {
		r.Warn("overriding default Content-Security-Policy which is secure by default, proceed with caution")
	}
	return r, nil
}

func deleteUIHeader(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.uiHeaders()
	if err != nil {
		return nil, err
	}
	return nil, s.Delete(ctx, c.Param("header"))
}
