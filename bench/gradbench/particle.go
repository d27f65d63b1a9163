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
	return ad.Scalar(*in.W)
}

// steered is the w that makes the particle meet the axis at the origin, found by one way to get gradients; the
// field along its path is the gradient of the potential, got by another.
func steered(outer, inner gradient) func(w ad.Value) ad.Value {
	return func(w ad.Value) ad.Value {
		return minimize(outer, func(w vector) ad.Value { return landing(inner, w[0]).Square() }, vector{w})[0]
	}
}

// landing is where the particle meets the axis: it goes in steps of Euler's from (0, 8), pushed by charges at
// (10, 0) and (10, 10-w), and straight on in the last.
func landing(grad gradient, w ad.Value) ad.Value {
	dt := ad.Const(0.1)
	at := func(x, y float64) vector { return vector{ad.Scalar(x), ad.Scalar(y)} }
	upper, lower := vector{ad.Scalar(10.0), w.Neg().Shift(10)}, at(10, 0)
	potential := func(x vector) ad.Value {
		return x.distance(upper).Reciprocal().Add(x.distance(lower).Reciprocal())
	}
	type state struct {
		X, V  vector
		Above ad.Value // whether the next step ends above the axis
	}
	next := func(x, v vector) vector { return x.plus(v, dt) }
	from := func(x, v vector) state { return state{x, v, next(x, v)[1].Gt(ad.Const(0))} }
	s := ad.While(func(s state) ad.Value { return s.Above }, func(s state) state {
		return from(next(s.X, s.V), s.V.plus(grad(potential)(s.X), dt.Neg()))
	}, from(at(0, 8), at(0.75, 0)), ad.WhileOptions{MaxSteps: 1 << 12})
	return s.X[0].Sub(s.X[1].Mul(s.V[0]).Div(s.V[1]))
}
