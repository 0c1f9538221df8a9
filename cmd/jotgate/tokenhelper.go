package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/hcl"

	"github.com/jotgate/jotgate/internal/cli"
)

// maxHelperAnswer bounds what an external token helper may print.
const maxHelperAnswer = 64 << 10

// helperTime ends a helper that hangs; one may ask a person for a password.
const helperTime = time.Minute

// externalHelper returns the program that keeps the token, from the line
// token_helper of the configuration file (~/.vault, or what CONFIG_PATH names);
// "" when there is none.
func (a *app) externalHelper() (string, error) {
	path, source := variable(a.env, "CONFIG_PATH")
	if path == "" {
		home, err := a.env.Home()
		if err != nil {
			return "", nil //nolint:nilerr // without a home directory there is no configuration
		}
		path = filepath.Join(home, ".vault")
	} else if p, err := a.env.ExpandHome(path); err == nil {
		path = p
	}
	raw, err := os.ReadFile(path)
	if source == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR)) {
		return "", nil // something else may be called ~/.vault
	}
	if err != nil {
		return "", cli.FileError("read", path, err)
	}
	var conf struct {
		TokenHelper string `hcl:"token_helper"`
	}
	if err := hcl.Unmarshal(raw, &conf); err != nil {
		return "", cli.Usagef("%s: not a configuration file of this kind: write token_helper = \"/path/to/program\"", path)
	}
	if conf.TokenHelper == "" {
		return "", nil
	}
	helper, err := a.env.ExpandHome(conf.TokenHelper)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(helper) {
		return "", cli.Usagef("%s: token_helper must be an absolute path", path)
	}
	return helper, nil
}

// helped is the token that an external helper gives.
func (a *app) helped(helper string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	out, err := a.runHelper(helper, "get", "")
	if err != nil {
		return "", err
	}
	return checkToken(out, helper)
}

// runHelper runs the program with one of its verbs: get, store or erase. The
// token goes to it on standard input and comes from it on standard output, so
// that it is in no list of processes. No shell is involved.
func (a *app) runHelper(helper, verb, token string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, helper, verb) //nolint:gosec // the user's own configuration names it
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(token), &out, &problem
	if err := cmd.Run(); err != nil {
		return "", cli.WithHint(cli.Usagef("the token helper %s failed at %q: %v", helper, verb, err), cli.Visible(strings.TrimSpace(problem.String())))
	}
	if out.Len() > maxHelperAnswer {
		return "", cli.Usagef("the token helper %s printed more than a token", helper)
	}
	return out.String(), nil
}
