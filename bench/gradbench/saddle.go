package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var saddle = map[string]function{
	"ff": evaluation(saddleInput, saddlePoint(forward, forward), numbers),
	"fr": evaluation(saddleInput, saddlePoint(forward, reverse), numbers),
	"rf": evaluation(saddleInput, saddlePoint(reverse, forward), numbers),
	"rr": evaluation(saddleInput, saddlePoint(reverse, reverse), numbers),
}

func saddleInput(in struct{ Start []float64 }, c *checks) ad.Value {
	return c.vector("start", in.Start, 2)
}

// saddlePoint is x and y at min over x, max over y of |x|² - |y|²: the outer search takes its gradients by one
// transform, the inner one by another, and the gradients of the outer go through the inner.
func saddlePoint(outer, inner gradient) func(start ad.Value) ad.Value {
	f := func(x, y ad.Value) ad.Value { return x.Square().Sum().Sub(y.Square().Sum()) }
	return func(start ad.Value) ad.Value {
		largest := func(mode gradient, x ad.Value) ad.Value {
			return minimize(mode, func(y ad.Value) ad.Value { return f(x, y).Neg() }, start)
		}
		x := minimize(outer, func(x ad.Value) ad.Value { return f(x, largest(inner, x)) }, start)
		return ad.Concat(0, x, largest(outer, x))
	}
}
