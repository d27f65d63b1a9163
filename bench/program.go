package main

import (
	"context"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/kernels"
)

// compiled is the work of a function that is compiled once and run into the same arrays again and again.
func compiled[A, R any](f func(A) R, in A, threads int) (*Work, error) {
	p, err := ad.Compile(f, in, ad.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	var out R
	return &Work{
		Level: p.Level(),
		Run:   func() error { return p.RunInto(context.Background(), &out, in) },
		At:    func(i int) float64 { return element(ad.TreeLeaves(out), i) },
	}, nil
}

// eagerWork is work that no program of ours does whole.
func eagerWork(run func(), at func(i int) float64) (*Work, error) {
	l, err := kernels.Select("")
	if err != nil {
		return nil, err
	}
	return &Work{Level: l.Name, Allocates: true, Run: func() error { run(); return nil }, At: at}, nil
}

// element is element i of some arrays that are laid out one after the other.
func element(vs []ad.Value, i int) float64 {
	for _, v := range vs {
		var n int
		var x func() float64
		switch v.DType() {
		case ad.F32:
			d := ad.Data[float32](v)
			n, x = len(d), func() float64 { return float64(d[i]) }
		case ad.I64:
			d := ad.Data[int64](v)
			n, x = len(d), func() float64 { return float64(d[i]) }
		default:
			d := ad.Data[float64](v)
			n, x = len(d), func() float64 { return d[i] }
		}
		if i < n {
			return x()
		}
		i -= n
	}
	panic("bench: a result has fewer elements than its reference")
}
