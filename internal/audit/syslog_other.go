//go:build windows || plan9

package audit

import (
	"io"

	"github.com/jotgate/jotgate/internal/fault"
)

func openSyslog(string, string) (io.WriteCloser, error) {
	return nil, fault.New(fault.Invalid, "this system has no syslog")
}
