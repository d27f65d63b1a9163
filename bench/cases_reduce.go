package main

import (
	"fmt"
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// reductions, of a matrix's rows, with how much of it each writes.
var reductions = []struct {
	name   string
	f      func(x ad.Value) ad.Value
	all    bool // the result is a matrix, too
	of     func(row []float64, j int) float64
	arrays float64 // read and written
}{
	{"sum", func(x ad.Value) ad.Value { return x.Sum(1) }, false, func(row []float64, _ int) float64 {
		s := 0.0
		for _, x := range row {
			s += x
		}
		return s
	}, 1},
	{"max", func(x ad.Value) ad.Value { return x.ReduceMax(1) }, false, func(row []float64, _ int) float64 {
		m := row[0]
		for _, x := range row {
			m = max(m, x)
		}
		return m
	}, 1},
	{"softmax", func(x ad.Value) ad.Value { return x.Softmax(1) }, true, func(row []float64, j int) float64 {
		s := 0.0
		for _, x := range row {
			s += math.Exp(x)
		}
		return math.Exp(row[j]) / s
	}, 2},
}

func reduceCases() []Case {
	var cs []Case
	for i := range reductions {
		for _, t := range []string{"f32", "f64"} {
			for _, s := range [][2]int{{1, 1 << 20}, {1024, 1024}, {65536, 16}} {
				cs = append(cs, reduceCase(i, t, s[0], s[1]))
			}
		}
	}
	return cs
}

func reduceCase(i int, t string, rows, cols int) Case {
	r := &reductions[i]
	size := map[string]float64{"f32": 4, "f64": 8}[t]
	bytes := size * float64(rows*cols) * r.arrays
	c := Case{
		Name: fmt.Sprintf("reduce/%s/%s/%dx%d", r.name, t, rows, cols), Dtype: t,
		Args:  map[string]any{"kind": "reduce", "dtype": t, "op": r.name, "rows": rows, "cols": cols},
		Peers: []string{"torch", "jax", "numpy"},
		Units: bytes, RateUnit: "GB/s", Bytes: bytes, ReadOnly: !r.all,
		Tolerance: map[string]float64{"f32": 1e-4, "f64": 1e-11}[t],
		Reference: func() (index []int, value []float64) {
			n := rows
			if r.all {
				n = rows * cols
			}
			index = some(n, 1+min(50, 1<<22/cols))
			for _, k := range index {
				row, j := k, 0
				if r.all {
					row, j = k/cols, k%cols
				}
				x := make([]float64, cols)
				for c := range x {
					x[c] = float64(4*number(1, row*cols+c) - 1)
				}
				value = append(value, r.of(x, j))
			}
			return index, value
		},
	}
	if t == "f32" {
		c.Setup = func(threads int) (*Work, error) {
			return compiled(r.f, ad.From(numbers[float32](1, rows*cols, -1, 3), rows, cols), threads)
		}
	} else {
		c.Setup = func(threads int) (*Work, error) {
			return compiled(r.f, ad.From(numbers[float64](1, rows*cols, -1, 3), rows, cols), threads)
		}
	}
	return c
}
