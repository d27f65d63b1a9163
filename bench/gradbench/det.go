package main

import (
	"math/bits"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

var det = map[string]function{
	"primal":   evaluation(detInput, determinant, number),
	"gradient": evaluation(detInput, ad.Grad(determinant), numbers),
}

func detInput(in struct {
	A   []float64
	Ell int
}, c *checks) ad.Value {
	n := c.size("ell", in.Ell, 12)
	if c.vector("A", in.A, n*n); c.err != nil {
		return ad.Value{}
	}
	return ad.From(in.A, n, n)
}

// determinant expands by minors along the first row. As many minors of m rows are computed as the recursion comes by,
// together, none of them once for several: the eval is about these n! products.
func determinant(a ad.Value) ad.Value {
	n := a.Dim(0)
	terms := make([]ad.Value, n+1) // by m, [m minors]: elements of the first row, with their signs
	left := []uint{1<<n - 1}       // by minor: its columns
	for m := n; m > 0; m-- {
		var columns []int32
		var smaller []uint
		signs := make([]float64, m)
		for k := range m {
			signs[k] = float64(1 - k%2*2)
			for _, set := range left {
				rest := set
				for range k {
					rest &= rest - 1
				}
				columns = append(columns, int32(bits.TrailingZeros(rest)))
				smaller = append(smaller, set&^(rest&-rest))
			}
		}
		terms[m] = a.Index(n-m).Take(ad.From(columns, m, len(left)), 0).Mul(ad.From(signs, m, 1))
		left = smaller
	}
	minors := terms[1]
	for _, t := range terms[2:] {
		minors = t.Mul(minors.Reshape(t.Dim(0), t.Dim(1))).Sum(0).ExpandDims(0)
	}
	return minors.Index(0, 0)
}
