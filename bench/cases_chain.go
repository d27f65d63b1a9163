package main

import (
	"fmt"
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

const chainLength = 1_000_000

var chainParams = [3]float64{0.75, 0.125, 1.5}

// chainCases is Σ tanh(a·x+b)·σ(c·x) over a million x, and its gradient for a, b, c.
func chainCases() []Case {
	return []Case{{
		Name: "chain/f32/1000000", Dtype: "f32",
		Args:  map[string]any{"kind": "chain", "dtype": "f32", "n": chainLength, "params": chainParams},
		Peers: []string{"torch", "torch.compile", "jax", "gorgonia", "gomlx"},
		Units: chainLength, RateUnit: "Gelem/s", Bytes: 4 * chainLength, ReadOnly: true,
		Tolerance: 1e-4, Others: map[string]Other{"gorgonia": inOrder, "gomlx": inOrder}, Setup: chainWork, Reference: chainReference,
	}}
}

// inOrder is for peers that add a million float32 one after the other.
var inOrder = Other{Tolerance: 5e-3}

func chainWork(threads int) (*Work, error) {
	type params struct{ A, B, C ad.Value }
	type input struct {
		P params
		X ad.Value
	}
	f := func(p params, x ad.Value) ad.Value {
		return x.Mul(p.A).Add(p.B).Tanh().Mul(x.Mul(p.C).Sigmoid()).Sum()
	}
	p := params{ad.Scalar(float32(chainParams[0])), ad.Scalar(float32(chainParams[1])), ad.Scalar(float32(chainParams[2]))}
	return compiled(func(in input) ad.Valued[params] { return ad.ValueAndGrad2(f)(in.P, in.X) },
		input{p, ad.From(numbers[float32](1, chainLength, -1, 3))}, threads)
}

func chainReference() (index []int, value []float64) {
	value = make([]float64, 4)
	for i := range chainLength {
		x := float64(float32(4*number(1, i) - 1))
		t, s := math.Tanh(chainParams[0]*x+chainParams[1]), 1/(1+math.Exp(-chainParams[2]*x))
		value[0] += t * s
		value[1] += (1 - t*t) * s * x
		value[2] += (1 - t*t) * s
		value[3] += t * s * (1 - s) * x
	}
	return []int{0, 1, 2, 3}, value
}

// fusedCases are eight cheap operations over three arrays, beside the C compiler's loop for the same (its program is called libmvec).
func fusedCases() []Case {
	lo, hi := []float64{-1, -1, -1}, []float64{1, 1, 1}
	var cs []Case
	for _, n := range []int{1024, 4096, 1 << 20} {
		cs = append(cs, Case{
			Name: fmt.Sprintf("fused/chain8/f32/%d", n), Dtype: "f32",
			Args:  map[string]any{"kind": "pointwise", "dtype": "f32", "op": "chain8", "n": n, "lo": lo, "hi": hi},
			Peers: []string{"torch", "torch.compile", "jax", "libmvec"},
			Units: float64(n), RateUnit: "Gelem/s", Bytes: float64(16 * n), OneThread: n <= 4096, Tolerance: 1e-5,
			Setup: func(threads int) (*Work, error) {
				return pointwiseWork[float32](func(x values) ad.Value { return chain8(x[0], x[1], x[2], ad.Value.Mul, ad.Value.Add) }, n, lo, hi, threads)
			},
			Reference: func() (index []int, value []float64) {
				a, b, c := numbers[float32](1, n, -1, 1), numbers[float32](2, n, -1, 1), numbers[float32](3, n, -1, 1)
				index = some(n, 200)
				for _, i := range index {
					value = append(value, chain8(float64(a[i]), float64(b[i]), float64(c[i]),
						func(x, y float64) float64 { return x * y }, func(x, y float64) float64 { return x + y }))
				}
				return index, value
			},
		})
	}
	return cs
}

func chain8[T any](a, b, c T, mul, add func(x, y T) T) T {
	y := a
	for i := range 4 {
		if i%2 == 0 {
			y = add(mul(y, b), c)
		} else {
			y = add(mul(y, c), b)
		}
	}
	return y
}
