package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// message is what an eval sends, one a line.
type message struct {
	ID       json.RawMessage `json:"id"`
	Kind     string          `json:"kind"`
	Module   string          `json:"module"`
	Function string          `json:"function"`
	Input    json.RawMessage `json:"input"`
}

// response is the answer to a message: the same id, and for definitions and evaluations whether they succeeded.
type response struct {
	ID      json.RawMessage `json:"id"`
	Tool    string          `json:"tool,omitempty"`
	Success *bool           `json:"success,omitempty"`
	Output  any             `json:"output,omitempty"`
	Timings []timing        `json:"timings,omitempty"`
	Error   string          `json:"error,omitempty"`
}

type timing struct {
	Name        string `json:"name"`
	Nanoseconds int64  `json:"nanoseconds"`
}

// serve answers the messages of in until it ends.
func serve(in io.Reader, out io.Writer, o ad.Options) error {
	s := server{o: o, programs: map[string]any{}}
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			answer, bad := json.Marshal(s.answer(line))
			if bad != nil {
				return bad
			}
			if _, err := out.Write(append(answer, '\n')); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// server holds the programs that were compiled, by function and by the structure of its arguments.
type server struct {
	o        ad.Options
	seconds  float64 // if not 0: what counts instead of min_seconds
	programs map[string]any
}

func (s *server) answer(line []byte) response {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return failed(response{ID: json.RawMessage("null")}, fmt.Errorf("not a message: %w", err))
	}
	if m.ID == nil {
		m.ID = json.RawMessage("null")
	}
	r := response{ID: m.ID}
	switch m.Kind {
	case "start":
		r.Tool = "adjoint"
	case "define":
		_, known := modules[m.Module]
		r.Success = &known
	case "evaluate":
		e := s.evaluate(m)
		e.ID = m.ID
		return e
	case "analysis":
	default:
		return failed(r, fmt.Errorf("a message of kind %q is not known", m.Kind))
	}
	return r
}

func failed(r response, err error) response {
	no := false
	return response{ID: r.ID, Success: &no, Error: err.Error()}
}

// evaluate runs a function at least as often and as long as its input asks for.
func (s *server) evaluate(m message) (r response) {
	defer func() {
		if p := recover(); p != nil {
			r = failed(r, fmt.Errorf("%v", p))
		}
	}()
	f, err := find(m)
	if err != nil {
		return failed(r, err)
	}
	var runs struct {
		Runs    int     `json:"min_runs"`
		Seconds float64 `json:"min_seconds"`
	}
	if in := bytes.TrimSpace(m.Input); len(in) > 0 && in[0] == '{' {
		if err := json.Unmarshal(in, &runs); err != nil {
			return failed(r, err)
		}
	}
	if s.seconds > 0 {
		runs.Seconds = s.seconds
	}
	j, err := f.prepare(s, m.Module+"/"+m.Function, m.Input)
	if err != nil {
		return failed(r, err)
	}
	var total time.Duration
	for len(r.Timings) < max(1, runs.Runs) || total.Seconds() < runs.Seconds {
		start := time.Now()
		err := j.run()
		d := time.Since(start)
		if err != nil {
			return failed(r, err)
		}
		total += d
		r.Timings = append(r.Timings, timing{"evaluate", d.Nanoseconds()})
	}
	r.Output = j.output()
	if _, err := json.Marshal(r.Output); err != nil { // NaN and infinities have no JSON
		return failed(r, err)
	}
	yes := true
	r.Success = &yes
	return r
}

// program is the compiled function that a message asks for.
func (s *server) program(m message) (fmt.Stringer, error) {
	f, err := find(m)
	if err != nil {
		return nil, err
	}
	j, err := f.prepare(s, "", m.Input)
	return j.program, err
}

func find(m message) (function, error) {
	module, ok := modules[m.Module]
	if !ok {
		return function{}, fmt.Errorf("no module %q; there are %s", m.Module, names(modules))
	}
	f, ok := module[m.Function]
	if !ok {
		return function{}, fmt.Errorf("%s has no function %q; it has %s", m.Module, m.Function, names(module))
	}
	return f, nil
}

func names[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// function is one that GradBench may ask for.
type function struct {
	prepare func(s *server, name string, input []byte) (job, error)
}

// job is a function with its input: run is what is timed.
type job struct {
	program fmt.Stringer
	run     func() error
	output  func() any
}

// evaluation makes a function of f: arguments reads and checks the JSON's form In, and output is the JSON of f's
// result. Arguments of one structure share a program.
func evaluation[In, A, R any](arguments func(in In, c *checks) A, f func(A) R, output func(R) any) function {
	return function{func(s *server, name string, input []byte) (job, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return job{}, fmt.Errorf("the input: %w", err)
		}
		var c checks
		a := arguments(in, &c)
		if c.err != nil {
			return job{}, fmt.Errorf("the input: %w", c.err)
		}
		key := fmt.Sprintf("%s %+v", name, ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].DType().Spec(v[0].Shape()...) }, a))
		p, ok := s.programs[key].(*ad.Program[A, R])
		if !ok {
			var err error
			if p, err = ad.Compile(f, a, s.o); err != nil {
				return job{}, err
			}
			s.programs[key] = p
		}
		var r R
		return job{p, func() error { return p.RunInto(context.Background(), &r, a) }, func() any { return output(r) }}, nil
	}}
}

// checks collects the first thing that is wrong with an input.
type checks struct{ err error }

func (c *checks) that(ok bool, format string, a ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf(format, a...)
	}
}

// size is n, which must be in 1 … most.
func (c *checks) size(name string, n, most int) int {
	c.that(n >= 1 && n <= most, "%s is %d, not in 1 … %d", name, n, most)
	return n
}

// vector is x, of n elements.
func (c *checks) vector(name string, x []float64, n int) ad.Value {
	c.that(len(x) == n, "%s has %d elements, not %d", name, len(x), n)
	return ad.From(x)
}

// matrix is the n rows of d elements.
func (c *checks) matrix(name string, rows [][]float64, n, d int) ad.Value {
	c.that(len(rows) == n, "%s has %d rows, not %d", name, len(rows), n)
	flat := make([]float64, 0, len(rows)*max(d, 0))
	for i, row := range rows {
		c.that(len(row) == d, "%s[%d] has %d elements, not %d", name, i, len(row), d)
		flat = append(flat, row...)
	}
	if c.err != nil {
		return ad.Value{}
	}
	return ad.From(flat, n, d)
}

// indices are integers of 0 … n-1.
func (c *checks) indices(name string, x []int32, n int) ad.Value {
	for i, k := range x {
		c.that(k >= 0 && int(k) < n, "%s[%d] is %d, not in 0 … %d", name, i, k, n-1)
	}
	return ad.From(x)
}

// number, numbers and rows are a Value's JSON.
func number(v ad.Value) any { return v.Item() }

func numbers(v ad.Value) any { return ad.Data[float64](v) }

func rows(v ad.Value) any {
	n, d := v.Dim(0), v.Dim(1)
	all, res := ad.Data[float64](v), make([][]float64, n)
	for i := range res {
		res[i] = all[i*d : (i+1)*d]
	}
	return res
}

// most bounds the elements of an array that an input may ask for without sending them.
const most = math.MaxInt32
