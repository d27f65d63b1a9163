package main

import (
	"debug/buildinfo"
	"errors"
	"os"
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// goPeers run in this process.
var goPeers = map[string]struct {
	version func() string
	setup   func(c *Case, threads int) (*Work, error)
}{
	"gonum":  {func() string { return moduleVersion("gonum.org/v1/gonum") }, gonumSetup},
	bumped:   {func() string { return "" }, bumpedSetup},
	scalarGo: {runtime.Version, scalarGoSetup},
}

func moduleVersion(path string) string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := buildinfo.ReadFile(exe)
	if err != nil {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == path {
			return d.Version
		}
	}
	return ""
}

// gonumSetup is a product by gonum's own BLAS, which uses as many threads as GOMAXPROCS says.
func gonumSetup(c *Case, threads int) (*Work, error) {
	p, ok := c.Args["kind"].(string)
	if !ok || p != "gemm" {
		return nil, errors.New("has no such case")
	}
	q := product{c.Args["batch"].(int), c.Args["m"].(int), c.Args["n"].(int), c.Args["k"].(int), c.Args["ta"].(bool), c.Args["tb"].(bool)}
	ta, tb := blas.NoTrans, blas.NoTrans
	ra, ca, rb, cb := q.m, q.k, q.k, q.n
	if q.ta {
		ta, ra, ca = blas.Trans, ca, ra
	}
	if q.tb {
		tb, rb, cb = blas.Trans, cb, rb
	}
	w := &Work{}
	var product func(i int)
	if c.Dtype == "f32" {
		a, b := operands[float32](q)
		out := make([]float32, q.batch*q.m*q.n)
		mat := func(s []float32, i, rows, cols int) blas32.General {
			return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: s[i*rows*cols:]}
		}
		product = func(i int) { blas32.Gemm(ta, tb, 1, mat(a, i, ra, ca), mat(b, i, rb, cb), 0, mat(out, i, q.m, q.n)) }
		w.At = func(i int) float64 { return float64(out[i]) }
	} else {
		a, b := operands[float64](q)
		out := make([]float64, q.batch*q.m*q.n)
		mat := func(s []float64, i, rows, cols int) blas64.General {
			return blas64.General{Rows: rows, Cols: cols, Stride: cols, Data: s[i*rows*cols:]}
		}
		product = func(i int) { blas64.Gemm(ta, tb, 1, mat(a, i, ra, ca), mat(b, i, rb, cb), 0, mat(out, i, q.m, q.n)) }
		w.At = func(i int) float64 { return out[i] }
	}
	w.Run = func() error {
		if old := runtime.GOMAXPROCS(0); old != threads {
			runtime.GOMAXPROCS(threads)
			defer runtime.GOMAXPROCS(old)
		}
		for i := range q.batch {
			product(i)
		}
		return nil
	}
	return w, nil
}
