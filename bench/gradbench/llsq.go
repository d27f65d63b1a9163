package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var llsq = map[string]function{
	"primal":   evaluation(llsqInput, residuals, number),
	"gradient": evaluation(llsqInput, func(p fit) ad.Value { return ad.Grad2(squares)(p.X, p.I) }, numbers),
}

// fit is a polynomial with coefficients X, held against the sign function at the points -1 + 2·I/(n-1), where I
// counts from 0 to n-1.
type fit struct{ X, I ad.Value }

func llsqInput(in struct {
	X []float64
	N int
}, c *checks) fit {
	c.size("the length of x", len(in.X), most)
	c.that(in.N >= 2 && in.N <= most/16, "n is %d, not in 2 … %d", in.N, most/16)
	if c.err != nil {
		return fit{}
	}
	return fit{ad.From(in.X), ad.F64.Iota(0, in.N)}
}

func residuals(p fit) ad.Value { return squares(p.X, p.I) }

// squares is half the sum of squared residuals. The powers of t are those of the first few times those of
// every few-th, so that most of the work is a product of matrices.
func squares(x, i ad.Value) ad.Value {
	const few = 16
	m := x.Dim(0)
	t := i.Scale(2 / float64(i.Dim(0)-1)).Shift(-1)
	low := powers(t, few)                                  // [few, n]
	high := powers(low.Index(few-1).Mul(t), (m+few-1)/few) // [m/few, n]
	a := x.Pad([]int{0}, []int{(few - m%few) % few}, 0).Reshape(ad.AnyBatch, few)
	fitted := a.MatMul(low).Mul(high).Sum(0)
	return t.Sign().Sub(fitted).Square().Sum().Scale(0.5)
}

// powers is t⁰ … tⁿ⁻¹.
func powers(t ad.Value, n int) ad.Value {
	p := []ad.Value{t.FullLike(1)}
	for len(p) < n {
		p = append(p, p[len(p)-1].Mul(t))
	}
	return ad.Stack(0, p...)
}
