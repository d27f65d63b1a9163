package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var ode = map[string]function{
	"primal":   evaluation(odeInput, integrate, numbers),
	"gradient": evaluation(odeInput, lastByX, numbers),
}

// initial is the coefficients of y₀' = x₀, yᵢ' = xᵢ·yᵢ₋₁, and the number of steps from 0 to 2.
type initial struct {
	X     ad.Value
	Steps int
}

func odeInput(in struct {
	X []float64
	S int
}, c *checks) initial {
	n := c.size("the length of x", len(in.X), most)
	c.size("s", in.S, most/max(1, n))
	return initial{ad.From(in.X), in.S}
}

// integrate makes steps of Runge and Kutta from y = 0. The state has a 1 in front, which makes y₀' one of the others.
func integrate(p initial) ad.Value {
	h := 2 / float64(p.Steps)
	slope := func(y ad.Value) ad.Value { return p.X.Mul(y.Slice(ad.Range{Hi: -1})).Pad([]int{1}, []int{0}, 0) }
	y := ad.ForI(p.Steps, func(_, y ad.Value) ad.Value {
		k1 := slope(y)
		k2 := slope(y.Add(k1.Scale(h / 2)))
		k3 := slope(y.Add(k2.Scale(h / 2)))
		k4 := slope(y.Add(k3.Scale(h)))
		return y.Add(k1.Add(k2.Scale(2)).Add(k3.Scale(2)).Add(k4).Scale(h / 6))
	}, p.X.FullLike(0).Pad([]int{1}, []int{0}, 1))
	return y.Slice(ad.Range{Lo: 1})
}

func lastByX(p initial) ad.Value {
	return ad.Grad(func(x ad.Value) ad.Value { return integrate(initial{x, p.Steps}).Index(-1) })(p.X)
}
