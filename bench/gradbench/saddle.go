package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var saddle = map[string]function{
	"ff": evaluation(saddleInput, saddlePoint(forward, forward), numbers),
	"fr": evaluation(saddleInput, saddlePoint(forward, reverse), numbers),
	"rf": evaluation(saddleInput, saddlePoint(reverse, forward), numbers),
	"rr": evaluation(saddleInput, saddlePoint(reverse, reverse), numbers),
}

func saddleInput(in struct{ Start []float64 }, c *checks) vector {
	if c.vector("start", in.Start, 2); c.err != nil {
		return nil
	}
	return vector{ad.Scalar(in.Start[0]), ad.Scalar(in.Start[1])}
}

// saddlePoint is x and y at min over x, max over y of |x|² - |y|²: the outer search takes its gradients by one
// transform, the inner one by another, and the gradients of the outer go through the inner.
func saddlePoint(outer, inner gradient) func(start vector) ad.Value {
	f := func(x, y vector) ad.Value { return x.square().Sub(y.square()) }
	return func(start vector) ad.Value {
		largest := func(mode gradient, x vector) vector {
			return minimize(mode, func(y vector) ad.Value { return f(x, y).Neg() }, start)
		}
		x := minimize(outer, func(x vector) ad.Value { return f(x, largest(inner, x)) }, start)
		return ad.Stack(0, append(x, largest(outer, x)...)...)
	}
}
