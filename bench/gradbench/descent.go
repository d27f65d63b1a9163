package main

import ad "github.com/adjoint-go/adjoint/autodiff"

// vector is numbers one by one: each a value of shape [], so that all that is done with them is one pass.
type vector []ad.Value

func (x vector) plus(y vector, scale ad.Value) vector {
	z := make(vector, len(x))
	for i := range x {
		z[i] = x[i].Add(y[i].Mul(scale))
	}
	return z
}

func (x vector) square() ad.Value {
	s := x[0].Square()
	for _, v := range x[1:] {
		s = s.Add(v.Square())
	}
	return s
}

func (x vector) distance(y vector) ad.Value { return x.plus(y, ad.Const(-1)).square().Sqrt() }

// gradient is a way to get that of a function.
type gradient func(f func(vector) ad.Value) func(vector) vector

func reverse(f func(vector) ad.Value) func(vector) vector { return ad.Grad(f) }

// forward pushes the unit vectors, one by one.
func forward(f func(vector) ad.Value) func(vector) vector {
	return func(x vector) vector {
		g := make(vector, len(x))
		for i := range x {
			along := make(vector, len(x))
			along[i] = x[i].FullLike(1)
			g[i] = ad.JVP(f)(x, along).Tangent
		}
		return g
	}
}

// minimize goes down the gradient until that or the step is at most 1e-5 long. The rate doubles after ten steps
// down in a row and halves where a step leads up.
func minimize(grad gradient, f func(vector) ad.Value, x vector) vector {
	type state struct {
		X, Grad       vector
		F, Rate, Down ad.Value
		GoOn          ad.Value
	}
	far := func(square ad.Value) ad.Value { return square.Sqrt().Gt(ad.Const(1e-5)) }
	where := func(cond ad.Value, a, b vector) vector {
		return ad.TreeMap(func(v ...ad.Value) ad.Value { return ad.Where(cond, v[0], v[1]) }, a, b)
	}
	g := grad(f)(x)
	s := ad.While(func(s state) ad.Value { return s.GoOn }, func(s state) state {
		faster := s.Down.Ge(ad.Const(10))
		rate := ad.Where(faster, s.Rate.Scale(2), s.Rate)
		next := s.X.plus(s.Grad, rate.Neg())
		y := f(next)
		step := far(next.plus(s.X, ad.Const(-1)).square())
		better := y.Lt(s.F).And(step)
		to := where(better, next, s.X)
		g := grad(f)(to)
		return state{
			X: to, Grad: g, F: ad.Where(better, y, s.F),
			Rate: ad.Where(better.Or(step.Not()), rate, rate.Scale(0.5)),
			Down: ad.Where(better, ad.Where(faster, s.Down.FullLike(0), s.Down).Shift(1), s.Down.FullLike(0)),
			GoOn: step.And(far(g.square())),
		}
	}, state{x, g, f(x), ad.Scalar(1e-5), ad.Scalar(0.0), far(g.square())}, ad.WhileOptions{MaxSteps: 1 << 12})
	return s.X
}
