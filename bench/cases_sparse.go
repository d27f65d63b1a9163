package main

import (
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

const sparseSize = 100_000

// sparseCases is the tridiagonal Jacobian of a discretized equation with n unknowns, its 3n-2 entries row by row.
// Peers are told the pattern and three tangents; they do what remains: push these at once, and gather.
func sparseCases() []Case {
	return []Case{{
		Name: "sparse/jacobian/f64/100000", Dtype: "f64",
		Args:  map[string]any{"kind": "sparse", "dtype": "f64", "n": sparseSize, "lo": []float64{-1}, "hi": []float64{1}},
		Peers: []string{"torch", "torch.compile", "jax"},
		Units: 1e3 * sparseSize, RateUnit: "Mrows/s", Bytes: 8 * sparseSize * 4,
		Tolerance: 1e-12, Setup: sparseWork, Reference: sparseReference,
	}}
}

// sparseEquation is (u₋ - 2u + u₊)·u + e⁻ᵘ, u₋ and u₊ the neighbors, 0 beyond the ends.
func sparseEquation(u ad.Value) ad.Value {
	n := u.Dim(0)
	p := u.Pad([]int{1}, []int{1}, 0)
	return p.Narrow(0, 0, n).Sub(u.Scale(2)).Add(p.Narrow(0, 2, n)).Mul(u).Add(u.Neg().Exp())
}

func sparseWork(threads int) (*Work, error) {
	return compiled(ad.SparseJacobian(sparseEquation), ad.From(numbers[float64](1, sparseSize, -1, 1)), threads)
}

func sparseReference() (index []int, value []float64) {
	u := func(i int) float64 {
		if i < 0 || i >= sparseSize {
			return 0
		}
		return -1 + 2*number(1, i)
	}
	for _, k := range some(3*sparseSize-2, 100) {
		i, j := (k+1)/3, (k+1)/3+(k+1)%3-1
		v := u(i)
		if j == i {
			v = u(i-1) - 4*u(i) + u(i+1) - math.Exp(-u(i))
		}
		index, value = append(index, k), append(value, v)
	}
	return index, value
}
