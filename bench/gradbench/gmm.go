package main

import (
	"math"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

var gmm = map[string]function{
	"objective": evaluation(gmmInput, func(a gmmArgs) ad.Value { return posterior(a.P, a.D) }, number),
	"jacobian":  evaluation(gmmInput, func(a gmmArgs) mixture { return ad.Grad2(posterior)(a.P, a.D) }, mixture.json),
}

// mixture is k Gaussians in d dimensions: the logarithms of their weights [k], their means [k, d] and the factors
// of their precision matrices: logarithms of the diagonals [k, d] and what is below, column by column.
type mixture struct{ Alpha, Mu, Q, L ad.Value }

func (m mixture) json() any {
	return map[string]any{"alpha": numbers(m.Alpha), "mu": rows(m.Mu), "q": rows(m.Q), "l": rows(m.L)}
}

// observed is the points [n, d] and the Wishart prior.
type observed struct {
	X     ad.Value
	M     int
	Gamma float64
}

type gmmArgs struct {
	P mixture
	D observed
}

func gmmInput(in struct {
	D, K, N, M  int
	Gamma       float64
	Alpha       []float64
	Mu, Q, L, X [][]float64
}, c *checks) gmmArgs {
	d, k, n := c.size("d", in.D, 1<<15), c.size("k", in.K, most), c.size("n", in.N, most)
	c.that(in.M >= 0 && in.Gamma > 0, "m is %d and gamma %v: at least 0 and above 0 are needed", in.M, in.Gamma)
	return gmmArgs{
		mixture{c.vector("alpha", in.Alpha, k), c.matrix("mu", in.Mu, k, d), c.matrix("q", in.Q, k, d), c.matrix("l", in.L, k, d*(d-1)/2)},
		observed{c.matrix("x", in.X, n, d), in.M, in.Gamma},
	}
}

// posterior is the logarithm of the mixture's posterior density.
func posterior(p mixture, o observed) ad.Value {
	n, d, k := o.X.Dim(0), o.X.Dim(1), p.Mu.Dim(0)
	sums := p.Q.Sum(1)
	factors := lower(p.Q.Exp(), p.L)                // [k, d, d]
	means := ad.Einsum("kij,kj->ki", factors, p.Mu) // [k, d]
	y := factors.Reshape(k*d, d).MatMul(o.X.T()).Reshape(k, d, n).Sub(means.ExpandDims(2))
	beta := p.Alpha.Add(sums).ExpandDims(1).Sub(y.Square().Sum(1).Scale(0.5)) // [k, n]
	// Terms below e⁻⁶⁰⁰ of the largest count as that: the numbers that they would lead to, too small for the processor
	// to be quick with, are nothing in a sum.
	beta = beta.Max(beta.ReduceMaxKeep(0).StopGradient().Shift(-600))
	likelihood := beta.LogSumExp(0).Sum().Sub(p.Alpha.LogSumExp().Shift(0.5 * float64(d) * math.Log(2*math.Pi)).Scale(float64(n)))
	prior := sums.Sum().Scale(float64(o.M)).Sub(factors.Square().Sum().Scale(0.5 * o.Gamma * o.Gamma))
	return likelihood.Add(prior).Shift(float64(k) * logWishart(d, o.M, o.Gamma))
}

// lower is the lower triangular matrices of diagonals [k, d] and of the columns below them.
func lower(diagonal, below ad.Value) ad.Value {
	k, d := diagonal.Dim(0), diagonal.Dim(1)
	at := make([]int32, d*d) // into the diagonal, below, and a zero
	next := d
	for j := range d {
		for i := range d {
			switch {
			case i < j:
				at[i*d+j] = int32(d + d*(d-1)/2)
			case i == j:
				at[i*d+j] = int32(j)
			default:
				at[i*d+j] = int32(next)
				next++
			}
		}
	}
	return ad.Concat(1, diagonal, below, ad.F64.Zeros(k, 1)).Take(ad.From(at, d, d), 1)
}

// logWishart is the logarithm of the prior's normalization, for one matrix.
func logWishart(d, m int, gamma float64) float64 {
	n := float64(d + m + 1)
	c := n*float64(d)*math.Log(gamma/math.Sqrt2) - 0.25*float64(d*(d-1))*math.Log(math.Pi)
	for j := range d {
		g, _ := math.Lgamma(0.5 * (n - float64(j)))
		c -= g
	}
	return c
}
