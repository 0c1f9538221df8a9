//go:build !windows && !plan9

package audit

import (
	"io"
	"log/syslog"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

var facilities = map[string]syslog.Priority{
	"KERN": syslog.LOG_KERN, "USER": syslog.LOG_USER, "MAIL": syslog.LOG_MAIL, "DAEMON": syslog.LOG_DAEMON,
	"AUTH": syslog.LOG_AUTH, "SYSLOG": syslog.LOG_SYSLOG, "LPR": syslog.LOG_LPR, "NEWS": syslog.LOG_NEWS,
	"UUCP": syslog.LOG_UUCP, "CRON": syslog.LOG_CRON, "AUTHPRIV": syslog.LOG_AUTHPRIV, "FTP": syslog.LOG_FTP,
	"LOCAL0": syslog.LOG_LOCAL0, "LOCAL1": syslog.LOG_LOCAL1, "LOCAL2": syslog.LOG_LOCAL2, "LOCAL3": syslog.LOG_LOCAL3,
	"LOCAL4": syslog.LOG_LOCAL4, "LOCAL5": syslog.LOG_LOCAL5, "LOCAL6": syslog.LOG_LOCAL6, "LOCAL7": syslog.LOG_LOCAL7,
}

// syslogSink writes one message per line.
type syslogSink struct{ w *syslog.Writer }

func openSyslog(facility, tag string) (io.WriteCloser, error) {
	p, ok := facilities[strings.ToUpper(facility)]
	if !ok {
		return nil, fault.Newf(fault.Invalid, "unknown syslog facility %q", facility)
	}
	w, err := syslog.New(p|syslog.LOG_INFO, tag)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "syslog cannot be reached")
	}
	return syslogSink{w}, nil
}

func (s syslogSink) Write(p []byte) (int, error) { return eachLine(p, s.w.Write) }
func (s syslogSink) Close() error                { return s.w.Close() }
