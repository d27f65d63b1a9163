package main

import (
	"math/bits"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

var det = map[string]function{
	"primal":   evaluation(detInput, determinant, number),
	"gradient": evaluation(detInput, ad.Grad(determinant), func(v ad.Value) any { return numbers(v) }),
}

func detInput(in struct {
	A   []float64
	Ell int
}, c *checks) ad.Value {
	n := c.size("ell", in.Ell, 20)
	if c.vector("A", in.A, n*n); c.err != nil {
		return ad.Value{}
	}
	return ad.From(in.A, n, n)
}

// determinant expands by minors along the first row. The minors of the last m rows are computed together, each
// once: one for each choice of m columns.
func determinant(a ad.Value) ad.Value {
	n := a.Dim(0)
	minors := a.Index(n - 1)
	for m := 2; m <= n; m++ {
		var column, rest []int32 // of a choice's columns, and of the minor without it
		var signs []float64
		smaller := choices(n, m-1)
		for _, set := range choicesInOrder(n, m) {
			sign := 1.0
			for left := set; left != 0; left &= left - 1 {
				column = append(column, int32(bits.TrailingZeros(left)))
				rest = append(rest, smaller[set&^(left&-left)])
				signs = append(signs, sign)
				sign = -sign
			}
		}
		factors := a.Index(n-m).Take(ad.From(column), 0).Mul(ad.From(signs))
		minors = factors.Mul(minors.Take(ad.From(rest), 0)).Reshape(ad.AnyBatch, m).Sum(1)
	}
	return minors.Index(0)
}

// choicesInOrder lists the sets of m of n columns as bits.
func choicesInOrder(n, m int) []uint {
	var sets []uint
	for set := uint(0); set < 1<<n; set++ {
		if bits.OnesCount(set) == m {
			sets = append(sets, set)
		}
	}
	return sets
}

// choices numbers them.
func choices(n, m int) map[uint]int32 {
	at := map[uint]int32{}
	for i, set := range choicesInOrder(n, m) {
		at[set] = int32(i)
	}
	return at
}
