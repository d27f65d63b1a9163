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
		for n := 4; n <= 4096; n *= 2 {
			cs = append(cs, gemmCase(fmt.Sprintf("gemm/%s/%d", t, n), t, product{1, n, n, n, false, false}))
		}
		for _, n := range []int{256, 1024} {
			for _, s := range []string{"nt", "tn", "tt"} {
				cs = append(cs, gemmCase(fmt.Sprintf("gemm/%s/%d/%s", t, n, s), t, product{1, n, n, n, s[0] == 't', s[1] == 't'}))
			}
		}
		for _, b := range []struct{ batch, n int }{{10000, 4}, {1000, 16}, {256, 64}} {
			cs = append(cs, gemmCase(fmt.Sprintf("gemm/%s/batch/%dx%d", t, b.batch, b.n), t, product{b.batch, b.n, b.n, b.n, false, false}))
		}
	}
	// An MLP's layers, forwards and back, a transformer's projections and heads: tall, wide, flat, N = 10, K = 64.
	for _, s := range []struct{ m, n, k int }{{32, 512, 784}, {1024, 512, 784}, {1024, 256, 512}, {1024, 10, 256}, {256, 10, 64},
		{1024, 768, 256}, {1024, 256, 1024}, {4096, 64, 64}, {8, 1024, 1024}, {1, 1024, 1024}} {
		cs = append(cs, gemmCase(fmt.Sprintf("gemm/f32/%dx%dx%d", s.m, s.n, s.k), "f32", product{1, s.m, s.n, s.k, false, false}))
	}
	cs = append(cs, gemmCase("gemm/f32/128x784x256/nt", "f32", product{1, 128, 784, 256, false, true}),
		gemmCase("gemm/f32/784x512x128/tn", "f32", product{1, 784, 512, 128, true, false}),
		gemmCase("gemm/f32/batch/32x128x128x64/nt", "f32", product{32, 128, 128, 64, false, true}))
	for n := 256; n <= 2048; n *= 2 {
		cs = append(cs, gemmCase(fmt.Sprintf("gemm/bf16/%d", n), "bf16", product{1, n, n, n, false, false}))
	}
	return cs
}

func gemmCase(name, dtype string, p product) Case {
	size := map[string]float64{"bf16": 2, "f32": 4, "f64": 8}[dtype]
	flops := 2 * float64(p.batch) * float64(p.m) * float64(p.n) * float64(p.k)
	c := Case{
		Name: name, Dtype: dtype,
		Args:  map[string]any{"kind": "gemm", "dtype": dtype, "batch": p.batch, "m": p.m, "n": p.n, "k": p.k, "ta": p.ta, "tb": p.tb},
		Peers: []string{"torch", "jax", "numpy", "openblas", "blis", "mkl", "onednn", "gonum", "gorgonia", "gomlx"},
		Units: flops, RateUnit: "GFLOP/s", Flops: flops,
		Bytes:     float64(p.batch) * (size*float64(p.m*p.k+p.k*p.n) + max(size, 4)*float64(p.m*p.n)),
		Tolerance: map[string]float64{"bf16": 1e-5, "f32": 1e-5, "f64": 1e-13}[dtype],
		Reference: func() ([]int, []float64) { return p.reference(dtype == "bf16") },
	}
	if flops > 1e10 || flops > 1e9 && (p.ta || p.tb) { // those in Go take seconds
		c.Peers = c.Peers[:7]
	}
	switch dtype {
	case "f32":
		c.Setup = func(threads int) (*Work, error) { return gemmWork[float32](p, threads) }
	case "f64":
		c.Setup = func(threads int) (*Work, error) { return gemmWork[float64](p, threads) }
	case "bf16": // with a float32 result, which PyTorch rounds
		c.Peers = []string{"torch", "jax", "mkl", "onednn"}
		c.Others = map[string]Other{"torch": {Tolerance: 1e-2}}
		c.Setup = func(threads int) (*Work, error) { return halfWork(p, threads) }
	}
	return c
}

// operands are A and B.
func operands[T float](p product) (a, b []T) {
	return numbers[T](1, p.batch*p.m*p.k, -1, 1), numbers[T](2, p.batch*p.k*p.n, -1, 1)
}

func gemmWork[T float](p product, threads int) (*Work, error) {
	a, b := operands[T](p)
	return p.work(ad.From(a, dims(p.batch, p.m, p.k, p.ta)...), ad.From(b, dims(p.batch, p.k, p.n, p.tb)...), threads)
}

func halfWork(p product, threads int) (*Work, error) {
	a, b := operands[float32](p)
	return p.work(ad.From(halves(a), dims(p.batch, p.m, p.k, p.ta)...), ad.From(halves(b), dims(p.batch, p.k, p.n, p.tb)...), threads)
}

func halves[T float](x []T) []ad.BFloat16 {
	h := make([]ad.BFloat16, len(x))
	for i := range x {
		h[i] = ad.ToBFloat16(float32(x[i]))
	}
	return h
}

func (p product) work(a, b ad.Value, threads int) (*Work, error) {
	type pair struct{ A, B ad.Value }
	return compiled(func(x pair) ad.Value {
		if p.ta {
			x.A = x.A.T()
		}
		if p.tb {
			x.B = x.B.T()
		}
		y := x.A.MatMul(x.B)
		if y.DType() == ad.BF16 {
			y = y.Convert(ad.F32)
		}
		return y
	}, pair{a, b}, threads)
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

func (p product) reference(half bool) (index []int, value []float64) {
	a, b := operands[float64](p)
	if half {
		for _, x := range [][]float64{a, b} {
			for i, h := range halves(x) {
				x[i] = float64(h.Float32())
			}
		}
	}
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
