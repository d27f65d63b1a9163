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

// integrate makes steps of Runge and Kutta from y = 0. A slope needs the one before it one place further left, so the
// four together are a function of x and y at up to four places: both are kept with zeros in front, y with the 1 that
// makes y₀' one of the others, and a step is one pass over shifted views of them.
func integrate(p initial) ad.Value {
	const lags = 4
	n, h := p.X.Dim(0), 2/float64(p.Steps)
	front := []int{lags}
	xs := p.X.Pad(front, []int{0}, 0)
	step := func(_, ys ad.Value) ad.Value {
		x := func(lag int) ad.Value { return xs.Narrow(0, lags-lag, n) }
		y := func(lag int) ad.Value { return ys.Narrow(0, lags-lag, n) }
		var slope func(stage, lag int) ad.Value
		slope = func(stage, lag int) ad.Value {
			at := y(lag + 1)
			if stage > 1 {
				at = at.Add(slope(stage-1, lag+1).Scale([]float64{h / 2, h / 2, h}[stage-2]))
			}
			return x(lag).Mul(at)
		}
		sum := slope(1, 0).Add(slope(2, 0).Scale(2)).Add(slope(3, 0).Scale(2)).Add(slope(4, 0))
		return ad.Concat(0, ys.Narrow(0, 0, lags), y(0).Add(sum.Scale(h/6)))
	}
	start := p.X.FullLike(0).Pad([]int{1}, []int{0}, 1).Pad([]int{lags - 1}, []int{0}, 0)
	return ad.ForI(p.Steps, step, start).Slice(ad.Range{Lo: lags})
}

func lastByX(p initial) ad.Value {
	return ad.Grad(func(x ad.Value) ad.Value { return integrate(initial{x, p.Steps}).Index(-1) })(p.X)
}
