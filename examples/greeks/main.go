// Command greeks reads European options from a CSV file and writes their prices and sensitivities. It imports
// autodiff.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

//go:generate sh -c "go run . -generate 10000 -o - | gzip -9n > options.csv.gz"
//go:embed options.csv.gz
var sample []byte

const usage = `greeks [flags] [options.csv]: prices and sensitivities of European options

The file, or standard input for -, has a line of column names and a line per option, and may be compressed by
gzip; without one, a sample of 10,000 options is taken. The columns, in any order among others:
  spot, strike   prices, above 0
  rate           of interest per year, compounded continuously: 0.03
  volatility     per √year, above 0: 0.2
  expiry         in years, above 0
  type           "call" or "put"; the column may be absent, then all are calls
What is written has the columns price, delta, gamma, vega, theta (per year) and rho, and a row for each of
the options; that of an option which cannot be priced is empty, and its line and what is wrong with it go to
standard error. The exit status is 0, 1 where nothing could be computed, 3 where some options could not.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends a program that waits for its input
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// Exit statuses; those of the flag package are 0 for -h and 2 for wrong flags.
const (
	allPriced  = 0
	failed     = 1
	wrongUsage = 2
	someBad    = 3
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("greeks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "", "the `file` to write, - for standard output (default out/greeks.csv, with -generate out/options.csv)")
	n := flags.Int("generate", 0, "write a file of `N` random options, up to 10,000,000, and end")
	seed := flags.Uint64("seed", 1, "of -generate")
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return allPriced
	case err != nil:
		return wrongUsage
	case *n < 0 || *n > 10_000_000 || flags.NArg() > 1 || *n > 0 && flags.NArg() > 0:
		fmt.Fprintln(stderr, "greeks: at most one file, and none beside -generate N, N up to 10,000,000; see -h")
		return wrongUsage
	}
	var r result
	name, job := "greeks.csv", func(w io.Writer) (err error) {
		in, err := open(flags.Arg(0), stdin)
		if err == nil {
			defer in.Close()
			r, err = stream(ctx, in, w, func(line int, reason string) { fmt.Fprintf(stderr, "line %d: %s\n", line, reason) })
		}
		return err
	}
	if *n > 0 {
		name, job = "options.csv", func(w io.Writer) error { return generate(w, *n, *seed) }
	}
	if *out == "" {
		*out = filepath.Join("out", name)
	}
	start := time.Now()
	if err := write(*out, stdout, job); err != nil {
		fmt.Fprintln(stderr, "greeks:", err)
		return failed
	}
	if *n > 0 {
		fmt.Fprintf(stderr, "%d options in %s\n", *n, *out)
		return allPriced
	}
	if r.rows == 0 {
		fmt.Fprintln(stderr, "no options")
		return allPriced
	}
	took := time.Since(start)
	fmt.Fprintf(stderr, "%d options priced, %d bad, in %.3g s: %.3g rows/s in all; pricing alone %.3g rows/s on each of %d threads (%s)\n",
		r.rows-r.bad, r.bad, took.Seconds(), float64(r.rows)/took.Seconds(), float64(r.rows)/r.pricing.Seconds(), r.threads, r.level)
	if r.bad > 0 {
		return someBad
	}
	return allPriced
}

func open(name string, stdin io.Reader) (io.ReadCloser, error) {
	switch name {
	case "":
		return io.NopCloser(bytes.NewReader(sample)), nil
	case "-":
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

// write makes the file of what job writes. It has its name only when it is complete.
func write(name string, stdout io.Writer, job func(io.Writer) error) error {
	if name == "-" {
		return job(stdout)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	err = job(f)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
