// Package jwtauth logs a Go program in with the JWT that it already has, at
// jotgate, HashiCorp Vault or OpenBao. It implements [api.AuthMethod] of
// github.com/hashicorp/vault/api for the JWT method, which that module lacks:
//
//	method, err := jwtauth.New("deploy", jwtauth.FromFile("/run/secrets/token"))
//	…
//	secret, err := client.Auth().Login(ctx, method)
//
// The token comes from one source: a text ([FromToken]), a file ([FromFile]),
// an environment variable ([FromEnv]) or, if none is named, the platform that
// the program runs on ([FromPlatform]): a GitHub Actions job, a GitLab job, a
// Kubernetes pod. It is read anew at each login, so a program that logs in
// again uses the token that the platform has put there since.
//
// No error and no printed value holds a token. The client follows one redirect
// of a login, with the JWT and to any host, though never from https to http:
// set DisableRedirects in its [api.Config] where nothing redirects.
//
// It is a module of its own: the server does not depend on the client's.
package jwtauth
