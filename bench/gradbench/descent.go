package main

import ad "github.com/adjoint-go/adjoint/autodiff"

// gradient is a way to get that of a scalar function of a vector.
type gradient func(f func(ad.Value) ad.Value) func(ad.Value) ad.Value

func reverse(f func(ad.Value) ad.Value) func(ad.Value) ad.Value { return ad.Grad(f) }

// forward pushes the unit vectors.
func forward(f func(ad.Value) ad.Value) func(ad.Value) ad.Value {
	return func(x ad.Value) ad.Value {
		along := func(dx ad.Value) ad.Value { return ad.JVP(f)(x, dx).Tangent }
		n := x.Dim(0)
		return ad.Vmap(along)(ad.I64.Iota(0, n).OneHot(n, ad.F64))
	}
}

// minimize goes down the gradient until that or the step is at most 1e-5 long. The rate doubles after ten steps
// down in a row and halves where a step leads up.
func minimize(grad gradient, f func(ad.Value) ad.Value, x ad.Value) ad.Value {
	type state struct{ X, F, Grad, Rate, Down, GoOn ad.Value }
	const near = 1e-5
	of := grad(f)
	far := func(v ad.Value) ad.Value { return v.Norm().Gt(ad.Const(near)) }
	g := of(x)
	s := ad.While(func(s state) ad.Value { return s.GoOn }, func(s state) state {
		faster := s.Down.Eq(ad.Const(10))
		rate := ad.Where(faster, s.Rate.Scale(2), s.Rate)
		next := s.X.Sub(s.Grad.Mul(rate))
		step := far(s.X.Sub(next))
		y := f(next)
		better := y.Lt(s.F).And(step)
		to := ad.Where(better, next, s.X)
		g := of(to)
		return state{
			X: to, F: ad.Where(better, y, s.F), Grad: g,
			Rate: ad.Where(better.Or(step.Not()), rate, rate.Scale(0.5)),
			Down: ad.Where(better, ad.Where(faster, ad.Scalar(int32(0)), s.Down).Shift(1), ad.Scalar(int32(0))),
			GoOn: step.And(far(g)),
		}
	}, state{x, f(x), g, ad.Scalar(1e-5), ad.Scalar(int32(0)), far(g)}, ad.WhileOptions{MaxSteps: 1 << 12})
	return s.X
}
