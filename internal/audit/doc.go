// Package audit writes one JSON line for each half of each request to every
// device that the operator has set up: files, sockets, syslog.
//
// It refuses three things. It refuses to say that an entry was recorded when
// no device took it, so that the caller of Record can refuse the request. It
// refuses to let a sensitive value reach a device in clear: tokens always, and
// every string among the parameters and answers unless the operator said
// otherwise, become HMACs under the device's own salt. And it refuses to let a
// device that hangs take the server with it: a device that does not finish a
// line in its time is failed and skipped until it works again.
package audit
