package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jotgate/jotgate/internal/cli/clitest"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"pvault": main}) }

// TestScripts plays each command against recorded answers: the scripts are the
// description of what scripts and people see.
func TestScripts(t *testing.T) { clitest.Run(t, "testdata/script", "PVAULT_ADDR") }
