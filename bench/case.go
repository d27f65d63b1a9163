package main

import (
	"fmt"
	"regexp"
)

// Case is one workload, on our side and as the peers are told of it.
type Case struct {
	Name  string // a path: gemm/f32/1024
	Dtype string
	// Args tells peers what to do; "kind" names the function that does it.
	Args  map[string]any
	Peers []string // those that have the workload; the fastest installed one is the best peer

	Units        float64 // of work per run …
	RateUnit     string  // … and what Units/ns is
	Flops, Bytes float64 // per run, for the limit; 0: does not count
	ReadOnly     bool    // Bytes are read and hardly any written
	OneThread    bool    // has no use for more

	Tolerance float64          // of the results' relative error
	Others    map[string]Other // peers that do not compute the same
	Setup     func(threads int) (*Work, error)
	// Reference gives some elements of the result by index, computed in float64 and by other means.
	Reference func() (index []int, value []float64)
}

// Other is what a peer does where it is not what we do; zeros are as in the case.
type Other struct {
	Tolerance float64
	Results   int // only so many, the first
}

// expects is the results that a side has to have, of those of the reference.
func (c *Case) expects(name string, index []int, want []float64) ([]int, []float64, float64) {
	o := c.Others[name]
	if o.Tolerance == 0 {
		o.Tolerance = c.Tolerance
	}
	if o.Results == 0 {
		return index, want, o.Tolerance
	}
	var first []int
	var results []float64
	for i, k := range index {
		if k < o.Results {
			first, results = append(first, k), append(results, want[i])
		}
	}
	return first, results, o.Tolerance
}

// compiles reports whether a run of the case begins at nothing, each time.
func (c *Case) compiles() bool { return c.Args["kind"] == "compile" }

// Work is a case made ready. Run does it once and may be called again and again.
type Work struct {
	Level     string
	Allocates bool // in its runs, as no program does: its time holds the collector's
	Run       func() error
	// At is element i of the outputs, laid out one after the other, after the first Run.
	At func(i int) float64
}

// allCases is every case, in the order of the table.
func allCases() []Case {
	var cs []Case
	for _, f := range []func() []Case{gemmCases, pointwiseCases, reduceCases, chainCases, fusedCases, mlpCases, convCases, persampleCases,
		transformerCases, greeksCases, hestonCases, compileCases, scalarCases, sparseCases, featureCases, moveCases, indexCases, transformCases} {
		cs = append(cs, f()...)
	}
	return cs
}

// selectCases keeps the cases whose name a regular expression matches somewhere.
func selectCases(cs []Case, expr string) ([]Case, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	var kept []Case
	for _, c := range cs {
		if re.MatchString(c.Name) {
			kept = append(kept, c)
		}
	}
	if kept == nil {
		return nil, fmt.Errorf("-run: no case matches %q; -list shows them", expr)
	}
	return kept, nil
}
