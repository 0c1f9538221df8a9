package vaultapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/cors"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// sysCORSRows are the endpoints about calls from browsers.
var sysCORSRows = []Row{
	{Verbs: []string{Read}, Pattern: "config/cors", Auth: route.Authenticated, Sudo: true, Action: "cors-read-configuration", Help: "Read which web pages may call.",
		Handler: Action{Do: readCORS}},
	{Verbs: []string{Update}, Pattern: "config/cors", Auth: route.Authenticated, Sudo: true, Action: "cors-configure", Body: SmallBody, Help: "Say which web pages may call.",
		Handler: Action{Do: writeCORS, Fields: []Field{
			{Name: "enable", Type: Bool, Default: true, Help: "Accepted; writing turns it on."},
			{Name: "allowed_origins", Type: CommaList, Help: "Origins of the pages, or *."},
			{Name: "allowed_headers", Type: CommaList, Help: "Headers that pages may send beside the standard ones."},
		}}},
	{Verbs: []string{Delete}, Pattern: "config/cors", Auth: route.Authenticated, Sudo: true, Action: "cors-delete-configuration", Help: "Let no web page call.",
		Handler: Action{Do: deleteCORS}},
}

func (c *Call) cors() (*cors.Store, error) {
	if c.Runtime.CORS == nil {
		return nil, fault.New(fault.NotImplemented, "this server answers no browsers")
	}
	return c.Runtime.CORS, nil
}

func readCORS(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.cors()
	if err != nil {
		return nil, err
	}
	cfg := s.Config()
	data := map[string]any{"enabled": cfg.Enabled}
	if cfg.Enabled {
		data["allowed_origins"], data["allowed_headers"] = cfg.Origins, cfg.AllHeaders()
	}
	return &Reply{Data: data, Doubled: true}, nil
}

func writeCORS(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.cors()
	if err != nil {
		return nil, err
	}
	return nil, s.Set(ctx, cors.Config{Enabled: true, Origins: c.List("allowed_origins"), Headers: c.List("allowed_headers")})
}

func deleteCORS(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	s, err := c.cors()
	if err != nil {
		return nil, err
	}
	return nil, s.Clear(ctx)
}

// crossOrigin answers what a browser asks before it lets a page call, and
// refuses pages of other origins. done says that the answer is out.
func (d *Door) crossOrigin(c *Call) (done bool, err error) {
	origin := c.http.Header.Get("Origin")
	rt := d.rt.Load()
	if origin == "" || rt == nil || rt.CORS == nil {
		return false, nil
	}
	cfg := rt.CORS.Config()
	if !cfg.Enabled {
		return false, nil
	}
	h := c.w.Header()
	h.Add("Vary", "Origin")
	if !cfg.Allows(origin) {
		return false, fault.New(fault.Denied, "origin not allowed")
	}
	h.Set("Access-Control-Allow-Origin", cleanHeader(origin))
	if c.http.Method != http.MethodOptions {
		return false, nil
	}
	h.Set("Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, POST, PUT, PATCH, LIST")
	h.Set("Access-Control-Allow-Headers", strings.Join(cfg.AllHeaders(), ","))
	h.Set("Access-Control-Max-Age", "300")
	send(c.w, http.StatusNoContent, nil)
	return true, nil
}
