package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var particle = map[string]function{
	"ff": evaluation(particleInput, steered(forward, forward), number),
	"fr": evaluation(particleInput, steered(forward, reverse), number),
	"rf": evaluation(particleInput, steered(reverse, forward), number),
	"rr": evaluation(particleInput, steered(reverse, reverse), number),
}

func particleInput(in struct{ W *float64 }, c *checks) ad.Value {
	if c.that(in.W != nil, "w is missing"); c.err != nil {
		return ad.Value{}
	}
	return ad.From([]float64{*in.W})
}

// steered is the w that makes the particle meet the axis at the origin, found by one way to get gradients; the
// field along its path is the gradient of the potential, got by another.
func steered(outer, inner gradient) func(w ad.Value) ad.Value {
	return func(w ad.Value) ad.Value {
		return minimize(outer, func(w ad.Value) ad.Value { return landing(inner, w.Index(0)).Square() }, w).Index(0)
	}
}

// landing is where the particle meets the axis: it goes in steps of Euler's from (0, 8), pushed by charges at
// (10, 0) and (10, 10-w), and straight on in the last.
func landing(grad gradient, w ad.Value) ad.Value {
	const dt = 0.1
	upper, lower := ad.Stack(0, w.FullLike(10), w.Neg().Shift(10)), ad.From([]float64{10, 0})
	potential := func(x ad.Value) ad.Value {
		return x.Sub(upper).Norm().Reciprocal().Add(x.Sub(lower).Norm().Reciprocal())
	}
	type state struct{ X, V ad.Value }
	next := func(s state) ad.Value { return s.X.Add(s.V.Scale(dt)) }
	s := ad.While(func(s state) ad.Value { return next(s).Index(1).Gt(ad.Const(0)) }, func(s state) state {
		return state{next(s), s.V.Sub(grad(potential)(s.X).Scale(dt))}
	}, state{ad.From([]float64{0, 8}), ad.From([]float64{0.75, 0})}, ad.WhileOptions{MaxSteps: 1 << 12})
	return s.X.Index(0).Sub(s.X.Index(1).Mul(s.V.Index(0)).Div(s.V.Index(1)))
}
