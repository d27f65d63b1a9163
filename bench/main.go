// Command bench measures adjoint against the machine's limits and, with -peers, against other
// programs on the same work in the same run. It may import everything of ours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.Bool("list", false, "list the cases and do nothing")
	expr := flags.String("run", "", "only cases whose name matches this regular `expression`")
	threadList := flags.String("threads", defaultThreads(), "numbers of threads, separated by commas")
	peers := flags.Bool("peers", false, "run the peers that make peers installed, side by side")
	peersDir := flags.String("peers-dir", ".peers", "where they are")
	jsonFile := flags.String("json", "", "write JSON to this `file`, - for standard output instead of the table")
	htmlFile := flags.String("html", "", "write a page with charts to this `file`")
	results := flags.String("results", "", "write table and JSON into this `folder`, named by date, CPU and level, after each case")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	cases, err := selectCases(allCases(), *expr)
	if err != nil {
		return err
	}
	if *list {
		for _, c := range cases {
			fmt.Fprintln(stdout, c.Name)
		}
		return nil
	}
	threads, err := parseThreads(*threadList)
	if err != nil {
		return err
	}
	keep := func(rows []Row) error {
		var errs []error
		if *jsonFile != "" && *jsonFile != "-" {
			errs = append(errs, writeFile(*jsonFile, rows, writeJSON))
		}
		if *htmlFile != "" {
			errs = append(errs, writeFile(*htmlFile, rows, writeHTML))
		}
		if *results != "" {
			errs = append(errs, writeResults(*results, rows, *peers))
		}
		return errors.Join(errs...)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := Suite{Cases: cases, Threads: threads, Peers: *peers, Dir: *peersDir, Timing: defaultTiming, Log: terminal(stderr), Keep: keep}
	rows, err := s.Run(ctx)
	if *jsonFile == "-" {
		err = errors.Join(err, writeJSON(stdout, rows))
	} else {
		err = errors.Join(err, writeTable(stdout, rows))
	}
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Missing != "" {
			return fmt.Errorf("%s: %s", r.Case, r.Missing)
		}
	}
	return nil
}

// terminal is w if somebody looks at it.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok {
		if s, err := f.Stat(); err == nil && s.Mode()&os.ModeCharDevice != 0 {
			return w
		}
	}
	return nil
}

func defaultThreads() string {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return fmt.Sprintf("1,%d", n)
	}
	return "1"
}

func parseThreads(s string) ([]int, error) {
	var ns []int
	for _, f := range strings.Split(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 || slices.Contains(ns, n) {
			return nil, fmt.Errorf("-threads: %q is no list of different numbers", s)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// writeFile replaces a file whole: a run that is cut off leaves what the case before wrote.
func writeFile(name string, rows []Row, write func(io.Writer, []Row) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".bench-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f, rows), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// writeResults keeps the table and the JSON of a run.
func writeResults(dir string, rows []Row, peers bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cpu := strings.Trim(notWord.ReplaceAllString(strings.ToLower(rows[0].CPU), "-"), "-")
	base := filepath.Join(dir, fmt.Sprintf("%s-%s-%s", rows[0].Date, cpu, rows[0].Level))
	if peers {
		base += "-peers"
	}
	return errors.Join(writeFile(base+".txt", rows, writeTable), writeFile(base+".json", rows, writeJSON))
}
