package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// echoBody has the size of a lookup's answer.
var echoBody = make([]byte, 497)

// serveEcho is the child process behind the echo limit: net/http and nothing
// else.
func serveEcho() error {
	l, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		return err
	}
	fmt.Println("echo listens on http://" + l.Addr().String())
	for i := range echoBody {
		echoBody[i] = 'a'
	}
	return (&http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(echoBody)
	})}).Serve(l)
}

func measureEcho(ctx context.Context, o options) (Figure, error) {
	self, err := os.Executable()
	if err != nil {
		return Figure{}, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "echo", anyPort)}
	if err := c.start(ctx, "/"); err != nil {
		return Figure{}, err
	}
	defer c.stop()
	// The header has the size of a real bearer token, which net/http must read
	// for the echo as well.
	token := "Bearer " + string(make([]byte, 0, 600))
	for len(token) < 600 {
		token += "a"
	}
	o.duration = min(o.duration, 5*time.Second) // a limit does not change in a long run
	f, err := measure(ctx, c, o, func(int, int) (call, bool) {
		return call{method: "GET", url: "http://" + c.addr + "/", header: [2]string{"Authorization", token}, want: 200}, true
	})
	f.Path = "echo"
	return f, err
}

// rsaCheck returns the CPU time of one RSA-2048 PKCS #1 v1.5 verification in
// microseconds: the least of nine rounds, since noise only ever adds.
func rsaCheck() float64 {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	sum := sha256.Sum256(echoBody)
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("sign with a fresh key: %v", err))
	}
	best := 0.0
	const n = 1000
	for range 9 {
		before := selfCPU()
		for range n {
			if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig); err != nil {
				panic(fmt.Sprintf("verify an own signature: %v", err))
			}
		}
		us := float64((selfCPU() - before).Nanoseconds()) / 1000 / n
		if best == 0 || us < best {
			best = us
		}
	}
	return best
}

func selfCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for RUSAGE_SELF
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
