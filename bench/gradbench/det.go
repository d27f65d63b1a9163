package main

import (
	"math/bits"
	"slices"

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
	levels := make([]expansion, n+1)
	var signs []float64
	var at []int32
	for m := 2; m <= n; m++ {
		levels[m] = expand(n, m)
		signs, at = append(signs, levels[m].signs...), append(at, levels[m].factors...)
	}
	minors := a.Index(n - 1)
	if n == 1 {
		return minors.Index(0)
	}
	factors := a.Flatten().Take(ad.From(at), 0).Mul(ad.From(signs))
	for _, l := range levels[2:] {
		terms := len(l.signs)
		minors = factors.Narrow(0, 0, terms).Mul(minors.Take(ad.From(l.minors), 0)).Reshape(l.m, ad.AnyBatch).Sum(0)
		factors = factors.Slice(ad.Range{Lo: terms})
	}
	return minors.Index(0)
}

// expansion is how the minors of m rows and columns come of those of m-1: the k-th terms of all of them, for each
// k of m.
type expansion struct {
	m               int
	signs           []float64
	factors, minors []int32 // where a term's two parts are: in the matrix, among the smaller minors
}

func expand(n, m int) expansion {
	sets := choices(n, m)
	smaller := map[uint]int32{}
	for i, set := range choices(n, m-1) {
		smaller[set] = int32(i)
	}
	x := expansion{m: m}
	left := slices.Clone(sets)
	for k := range m {
		for i, set := range sets {
			first := left[i] & -left[i] // the k-th column of the set
			left[i] &^= first
			x.signs = append(x.signs, float64(1-k%2*2))
			x.factors = append(x.factors, int32((n-m)*n+bits.TrailingZeros(first)))
			x.minors = append(x.minors, smaller[set&^first])
		}
	}
	return x
}

// choices lists the sets of m of n columns as bits.
func choices(n, m int) []uint {
	var sets []uint
	for set := uint(0); set < 1<<n; set++ {
		if bits.OnesCount(set) == m {
			sets = append(sets, set)
		}
	}
	return sets
}
