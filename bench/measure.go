package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Side is who does a case: ours, or a peer.
type Side struct {
	Name, Version string
	Missing       string // why it has no figures, "" where it has

	at    func(index []int) ([]float64, error) // elements of the first run's result
	run   func(n int) (time.Duration, error)   // n runs
	first time.Duration                        // of the run that made the result

	maxError float64
	perRun   []float64 // ns, one per round
}

// Timing says how long to measure.
type Timing struct {
	Rounds int           // of all sides in turn
	Sample time.Duration // of one side's runs in a round, at least
	Limit  time.Duration // of one side in all its rounds; then it has fewer of them, but one at least
}

var defaultTiming = Timing{Rounds: 7, Sample: 3 * time.Millisecond, Limit: 8 * time.Second}

// settle lets the threads of the side before go to sleep.
const settle = 500 * time.Microsecond

// interleave runs the sides in turn, A B A B …, after a warm-up, and keeps each one's time per run. A sample of several runs begins
// after one that is not counted: the sides before have put their data into the caches, and what it takes to have one's own there again
// would be a share of the sample that depends on how many runs that has.
func (t Timing) interleave(sides []*Side) {
	type plan struct {
		s    *Side
		n    int
		left time.Duration
	}
	var plans []*plan
	for _, s := range sides {
		if s.Missing != "" {
			continue
		}
		if s.first >= t.Limit/2 { // so slow that this run is what there is
			s.perRun = append(s.perRun, float64(s.first.Nanoseconds()))
			continue
		}
		n, err := t.calibrate(s)
		if err != nil {
			s.Missing = err.Error()
			continue
		}
		plans = append(plans, &plan{s, n, t.Limit})
	}
	for round := range t.Rounds {
		for _, p := range plans {
			if p.s.Missing != "" || round > 0 && p.left <= 0 {
				continue
			}
			time.Sleep(settle)
			if p.n > 1 {
				if _, err := p.s.run(1); err != nil {
					p.s.Missing, p.s.perRun = err.Error(), nil
					continue
				}
			}
			d, err := p.s.run(p.n)
			if err != nil {
				p.s.Missing, p.s.perRun = err.Error(), nil
				continue
			}
			p.left -= d
			p.s.perRun = append(p.s.perRun, float64(d.Nanoseconds())/float64(p.n))
		}
	}
}

// calibrate warms a side up and finds how many of its runs fill a sample.
func (t Timing) calibrate(s *Side) (n int, err error) {
	for n = 1; ; n *= 4 {
		d, err := s.run(n)
		if err != nil {
			return 0, err
		}
		if d >= t.Sample/2 || n >= 1<<24 {
			if d < 4*t.Sample { // and its data were elsewhere
				again, err := s.run(n)
				if err != nil {
					return 0, err
				}
				d = min(d, again)
			}
			each := float64(d) / float64(n)
			return max(1, int(math.Ceil(float64(t.Sample)/max(each, 1)))), nil
		}
	}
}

// ns is the median time per run.
func (s *Side) ns() float64 { return median(s.perRun) }

// least is the least time per run.
func (s *Side) least() float64 {
	if len(s.perRun) == 0 {
		return 0
	}
	return slices.Min(s.perRun)
}

func median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = slices.Sorted(slices.Values(xs))
	k := len(xs) / 2
	if len(xs)%2 == 1 {
		return xs[k]
	}
	return (xs[k-1] + xs[k]) / 2
}

// relativeError is the largest difference, each relative to the element or to the mean size of all.
func relativeError(got, want []float64) (float64, error) {
	if len(got) != len(want) {
		return 0, fmt.Errorf("%d results instead of %d", len(got), len(want))
	}
	mean := 0.0
	for _, w := range want {
		mean += math.Abs(w) / float64(len(want))
	}
	worst := 0.0
	for i, w := range want {
		e := math.Abs(got[i]-w) / max(math.Abs(w), mean, math.SmallestNonzeroFloat64)
		if got[i] != got[i] {
			e = math.Inf(1)
		}
		worst = max(worst, e)
	}
	return worst, nil
}

// compare checks a side's result before it is timed.
func (s *Side) compare(index []int, want []float64, tolerance float64) {
	if s.Missing != "" {
		return
	}
	got, err := s.at(index)
	if err == nil {
		s.maxError, err = relativeError(got, want)
	}
	switch {
	case err != nil:
		s.Missing = err.Error()
	case s.maxError > tolerance:
		s.Missing = fmt.Sprintf("wrong result: relative error %.2g, allowed %.2g", s.maxError, tolerance)
	}
}

// ourSide times a Work in this process.
func ourSide(w *Work, err error) *Side {
	s := &Side{Name: "adjoint"}
	if err == nil {
		err = w.Run()
	}
	if err != nil {
		s.Missing = err.Error()
		return s
	}
	s.at = func(index []int) ([]float64, error) {
		v := make([]float64, len(index))
		for i, k := range index {
			v[i] = w.At(k)
		}
		return v, nil
	}
	s.run = func(n int) (time.Duration, error) {
		t := time.Now()
		for range n {
			if err := w.Run(); err != nil {
				return 0, err
			}
		}
		return time.Since(t), nil
	}
	return s
}
