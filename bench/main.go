package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

type options struct {
	server      string
	concurrency int
	duration    time.Duration
	only        string
	json        bool
	tokens      int
	objects     int
	live        int
	postgres    string
}

// Report is the whole outcome of a run, as -json prints it.
type Report struct {
	When        time.Time `json:"when"`
	Concurrency int       `json:"concurrency"`
	Seconds     float64   `json:"seconds_per_path"`
	ReadyMS     float64   `json:"ready_ms"`
	IdleRSSMiB  float64   `json:"idle_rss_mib"`
	EndRSSMiB   float64   `json:"end_rss_mib"`
	EndAnonMiB  float64   `json:"end_rss_anon_mib"`
	StoreMiB    float64   `json:"store_mib"`
	RSACheckUS  float64   `json:"rsa_check_us"`
	Objects     int       `json:"objects"`
	Paths       []Figure  `json:"paths"`
	Live        *Live     `json:"live,omitempty"`
}

// Figure is one measured path.
type Figure struct {
	Path      string  `json:"path"`
	Requests  int     `json:"requests"`
	Errors    int     `json:"errors"`
	RPS       float64 `json:"rps"`
	P50       float64 `json:"p50_us"`
	P95       float64 `json:"p95_us"`
	P99       float64 `json:"p99_us"`
	CPU       float64 `json:"server_cpu_us"`
	RSAChecks float64 `json:"rsa_checks"`
	Echoes    float64 `json:"echoes"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		if err := serveEcho(); err != nil {
			fmt.Fprintln(os.Stderr, "bench echo:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.StringVar(&o.server, "server", "bin/jotgate", "server binary to measure")
	flag.IntVar(&o.concurrency, "c", 8, "concurrent connections")
	flag.DurationVar(&o.duration, "d", 3*time.Second, "how long to measure each path")
	flag.StringVar(&o.only, "only", "", "comma-separated paths to measure (default all): "+strings.Join(pathNames(), ","))
	flag.BoolVar(&o.json, "json", false, "print JSON instead of a table")
	flag.IntVar(&o.tokens, "tokens", 3000, "different JWTs to sign for the paths that need a new one each time")
	flag.IntVar(&o.objects, "objects", 10000, "objects in the collection that the object paths work on")
	flag.IntVar(&o.live, "live", 0, "also make this many live tokens, and restart the server with them")
	flag.StringVar(&o.postgres, "postgres", "", "DSN of an empty PostgreSQL database to run the server on (default: the embedded store)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "bench: unexpected argument %q; see -help\n", flag.Arg(0))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if err := printReport(os.Stdout, r, o.json); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func printReport(w io.Writer, r *Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	fmt.Fprintf(w, "ready in %.0f ms, idle RSS %.1f MiB, RSS at the end %.1f MiB (%.1f MiB without the mapped store), store %.1f MiB\n",
		r.ReadyMS, r.IdleRSSMiB, r.EndRSSMiB, r.EndAnonMiB, r.StoreMiB)
	fmt.Fprintf(w, "one RSA-2048 check: %.1f µs; %d connections, %.0f s a path\n\n", r.RSACheckUS, r.Concurrency, r.Seconds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "path\trequests\terrors\trps\tp50 µs\tp95 µs\tp99 µs\tCPU µs\tRSA checks\techoes\t")
	for _, f := range r.Paths {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\t%.2f\t%.2f\t\n", f.Path, f.Requests, f.Errors, f.RPS, f.P50, f.P95, f.P99, f.CPU, f.RSAChecks, f.Echoes)
	}
	if err := t.Flush(); err != nil || r.Live == nil {
		return err
	}
	l := r.Live
	_, err := fmt.Fprintf(w, "\n%d live tokens: RSS %.1f MiB (%.1f MiB without the mapped store), store %.1f MiB (%.0f bytes a token), %.0f logins/s; restart: ready in %.0f ms, first lookup %.1f ms, RSS %.1f MiB\n",
		l.Tokens, l.RSSMiB, l.AnonMiB, l.StoreMiB, l.StorePerToken, l.LoginsPerSec, l.RestartMS, l.LookupMS, l.RestartRSSMiB)
	return err
}

// run measures the limits and every chosen path.
func run(ctx context.Context, o options) (*Report, error) {
	chosen, err := choose(o.only)
	if err != nil {
		return nil, err
	}
	r := &Report{When: time.Now().UTC(), Concurrency: o.concurrency, Seconds: o.duration.Seconds(), RSACheckUS: rsaCheck(), Objects: o.objects}
	echo, err := measureEcho(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	r.Paths = append(r.Paths, echo)
	srv, err := startServer(ctx, o.server, o.postgres)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	r.ReadyMS, r.IdleRSSMiB = srv.ready.Seconds()*1000, srv.rss()
	b, err := setUp(ctx, srv, o)
	if err != nil {
		return nil, fmt.Errorf("set-up: %w", err)
	}
	for _, p := range chosen {
		next, err := p.prepare(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		f, err := measure(ctx, srv, o, next)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		f.Path = p.name
		r.Paths = append(r.Paths, f)
	}
	r.EndRSSMiB, r.EndAnonMiB, r.StoreMiB = srv.rss(), srv.anon(), srv.size()
	if o.live > 0 {
		if r.Live, err = measureLive(ctx, srv, b, o); err != nil {
			return nil, fmt.Errorf("live tokens: %w", err)
		}
	}
	// The machine's speed changes while we run: the limit is the mean of
	// before and after.
	r.RSACheckUS = (r.RSACheckUS + rsaCheck()) / 2
	for i := range r.Paths {
		r.Paths[i].RSAChecks = r.Paths[i].CPU / r.RSACheckUS
		r.Paths[i].Echoes = r.Paths[i].CPU / echo.CPU
	}
	return r, nil
}

func choose(only string) ([]path, error) {
	if only == "" {
		return paths, nil
	}
	var out []path
	for n := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(paths, func(p path) bool { return p.name == n })
		if i < 0 {
			return nil, fmt.Errorf("no path %q; there are %s", n, strings.Join(pathNames(), ", "))
		}
		out = append(out, paths[i])
	}
	return out, nil
}
