// Command gradbench is adjoint as a tool of GradBench (github.com/gradbench/gradbench), and its evals are
// examples of numerical programs: it imports autodiff alone.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// modules are the evals that the tool knows, by name, and their functions.
var modules = map[string]map[string]function{
	"ba": ba, "det": det, "gmm": gmm, "hello": hello, "ht": ht, "kmeans": kmeans, "llsq": llsq, "lse": lse,
	"lstm": lstm, "ode": ode, "particle": particle, "saddle": saddle,
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "gradbench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out, stderr io.Writer) error {
	flags := flag.NewFlagSet("gradbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o ad.Options
	flags.IntVar(&o.Threads, "threads", 0, "threads of a run; 0 means one per core")
	flags.StringVar(&o.Level, "level", "", "purego, avx2 or avx512; the fastest if not told")
	name := flags.String("eval", "", "run one `function`, as gmm/jacobian, on the input in -file; without, the protocol is spoken")
	file := flags.String("file", "", "its input: the JSON `file` of an input, or of a message that holds one")
	seconds := flags.Float64("seconds", 0, "repeat it for so many `seconds`, instead of what the input says")
	steps := flags.Bool("steps", false, "print the program's steps instead of running it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case (*name == "") != (*file == ""):
		return errors.New("-eval and -file go together")
	case *name == "":
		return serve(in, out, o)
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	m := message{Kind: "evaluate"}
	if err := json.Unmarshal(data, &m); err != nil || m.Input == nil {
		m.Input = data // a bare input, which may be a number
	}
	module, function, _ := strings.Cut(*name, "/")
	m.Module = module
	if function != "" {
		m.Function = function
	}
	s := server{o: o, seconds: *seconds, programs: map[string]any{}}
	if *steps {
		p, err := s.program(m)
		if err == nil {
			_, err = fmt.Fprintln(out, p)
		}
		return err
	}
	r := s.evaluate(m)
	if r.Error != "" {
		return errors.New(r.Error)
	}
	slices.SortFunc(r.Timings, func(a, b timing) int { return int(a.Nanoseconds - b.Nanoseconds) })
	fmt.Fprintf(stderr, "%s/%s: %d runs, %d ns the shortest, %d the median\n", m.Module, m.Function, len(r.Timings),
		r.Timings[0].Nanoseconds, r.Timings[len(r.Timings)/2].Nanoseconds)
	return json.NewEncoder(out).Encode(r.Output)
}
