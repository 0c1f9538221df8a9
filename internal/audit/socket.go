package audit

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"
)

// socketSink writes lines to a TCP, UDP or Unix socket. It dials when it has
// something to write and has no connection, and never writes twice on a
// connection that failed: half a line ends with its connection.
type socketSink struct {
	network, address string
	timeout          time.Duration

	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

// Write is called by the queue, one call at a time. Packet networks get one
// packet per line.
func (s *socketSink) Write(p []byte) (int, error) {
	if s.network != "udp" {
		return s.send(p)
	}
	return eachLine(p, s.send)
}

// send writes p once, and once more on a new connection if the present one had
// died without taking any of it.
func (s *socketSink) send(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reused := s.conn != nil
	n, err := s.try(p)
	if err != nil && n == 0 && reused {
		n, err = s.try(p)
	}
	return n, err
}

func (s *socketSink) try(p []byte) (int, error) {
	if s.closed {
		return 0, errClosed
	}
	if s.conn == nil {
		conn, err := (&net.Dialer{Timeout: s.timeout}).DialContext(context.Background(), s.network, s.address)
		if err != nil {
			return 0, err
		}
		s.conn = conn
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout))
	n := 0
	if err == nil {
		n, err = s.conn.Write(p)
	}
	if err != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
	return n, err
}

// drop closes the present connection; the next line opens a new one.
func (s *socketSink) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// Close closes the connection for good.
func (s *socketSink) Close() error {
	s.drop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// eachLine gives send one line at a time and returns how many bytes of whole
// lines it took.
func eachLine(p []byte, send func([]byte) (int, error)) (int, error) {
	done := 0
	for done < len(p) {
		line := p[done:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		if _, err := send(line); err != nil {
			return done, err
		}
		done += len(line)
	}
	return done, nil
}
