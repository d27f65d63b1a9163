package main

import (
	"fmt"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// product is C = A·B, or a batch of them; ta and tb say that A, B are stored transposed.
type product struct {
	batch, m, n, k int
	ta, tb         bool
}

func gemmCases() []Case {
	var cs []Case
	for _, t := range []string{"f32", "f64"} {
		for n := 32; n <= 2048; n *= 2 {
			cs = append(cs, gemmCase(fmt.Sprintf("gemm/%s/%d", t, n), t, product{1, n, n, n, false, false}))
		}
		for _, n := range []int{256, 1024} {
			for _, s := range []string{"nt", "tn", "tt"} {
				cs = append(cs, gemmCase(fmt.Sprintf("gemm/%s/%d/%s", t, n, s), t, product{1, n, n, n, s[0] == 't', s[1] == 't'}))
			}
		}
		cs = append(cs, gemmCase("gemm/"+t+"/batch/1000x16", t, product{1000, 16, 16, 16, false, false}),
			gemmCase("gemm/"+t+"/batch/256x64", t, product{256, 64, 64, 64, false, false}))
	}
	return cs
}

func gemmCase(name, dtype string, p product) Case {
	size := map[string]float64{"f32": 4, "f64": 8}[dtype]
	flops := 2 * float64(p.batch) * float64(p.m) * float64(p.n) * float64(p.k)
	c := Case{
		Name: name, Dtype: dtype,
		Args:  map[string]any{"kind": "gemm", "dtype": dtype, "batch": p.batch, "m": p.m, "n": p.n, "k": p.k, "ta": p.ta, "tb": p.tb},
		Peers: []string{"torch", "jax", "numpy", "openblas", "blis", "mkl", "onednn", "gonum", "gorgonia", "gomlx"},
		Units: flops, RateUnit: "GFLOP/s", Flops: flops,
		Bytes:     size * float64(p.batch) * float64(p.m*p.k+p.k*p.n+p.m*p.n),
		Tolerance: map[string]float64{"f32": 1e-5, "f64": 1e-13}[dtype],
		Reference: p.reference,
	}
	if flops > 1e10 || flops > 1e9 && (p.ta || p.tb) { // those in Go take seconds
		c.Peers = c.Peers[:7]
	}
	if dtype == "f32" {
		c.Setup = func(threads int) (*Work, error) { return gemmWork[float32](p, threads) }
	} else {
		c.Setup = func(threads int) (*Work, error) { return gemmWork[float64](p, threads) }
	}
	return c
}

// operands are A and B.
func operands[T float](p product) (a, b []T) {
	return numbers[T](1, p.batch*p.m*p.k, -1, 1), numbers[T](2, p.batch*p.k*p.n, -1, 1)
}

func gemmWork[T float](p product, threads int) (*Work, error) {
	type pair struct{ A, B ad.Value }
	a, b := operands[T](p)
	in := pair{ad.From(a, dims(p.batch, p.m, p.k, p.ta)...), ad.From(b, dims(p.batch, p.k, p.n, p.tb)...)}
	return compiled(func(x pair) ad.Value {
		if p.ta {
			x.A = x.A.T()
		}
		if p.tb {
			x.B = x.B.T()
		}
		return x.A.MatMul(x.B)
	}, in, threads)
}

func dims(batch, rows, cols int, transposed bool) []int {
	if transposed {
		rows, cols = cols, rows
	}
	if batch == 1 {
		return []int{rows, cols}
	}
	return []int{batch, rows, cols}
}

func (p product) reference() (index []int, value []float64) {
	a, b := operands[float64](p)
	index = some(p.batch*p.m*p.n, 200)
	for _, at := range index {
		l, i, j := at/(p.m*p.n), at/p.n%p.m, at%p.n
		s := 0.0
		for k := range p.k {
			ia, ib := i*p.k+k, k*p.n+j
			if p.ta {
				ia = k*p.m + i
			}
			if p.tb {
				ib = j*p.k + k
			}
			s += a[l*p.m*p.k+ia] * b[l*p.k*p.n+ib]
		}
		value = append(value, s)
	}
	return index, value
}
