//go:build !linux

package pgtest

import "os/exec"

func confine(*exec.Cmd, *owner) {}

func start(cmd *exec.Cmd) error { return cmd.Start() }

func quit(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func alive(int) bool { return true }
