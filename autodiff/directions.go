package autodiff

import "github.com/adjoint-go/adjoint/internal/ir"

// JVPs is [JVP] along several tangents at once: each value of the tangents has a leading axis, of one size, more than
// the argument's, and so have the tangents of the result. The function itself is evaluated once.
func JVPs[P, R any](f func(P) R) func(x, tangents P) Tangents[R] {
	return func(x, tangents P) Tangents[R] {
		return recorded("JVPs", [2]P{x, tangents}, func(g *ir.Graph, a [2]P) Tangents[R] {
			l := linearizedIn(g, f, a[0])
			return Tangents[R]{l.Value, Vmap(l.JVP)(a[1])}
		})
	}
}

// VJPs is [VJP] of several cotangents at once: each value of the cotangents has a leading axis, of one size, more than
// the result's, and so have the products. The function itself is evaluated once.
func VJPs[P, R any](f func(P) R) func(x P, cotangents R) Cotangents[P, R] {
	return func(x P, cotangents R) Cotangents[P, R] {
		return recorded("VJPs", both[P, R]{x, cotangents}, func(g *ir.Graph, b both[P, R]) Cotangents[P, R] {
			l := linearizedIn(g, f, b.X)
			return Cotangents[P, R]{l.Value, Vmap(l.VJP)(b.Y)}
		})
	}
}

// GNVP is the product of the Gauss–Newton matrix of loss(f(x)) with a vector, a tree like the argument, and the
// gradient: Jᵀ·H·J·v, J the derivative of f and H the Hessian of loss at f(x). Where loss is convex the matrix is
// positive semidefinite, whatever f. The cost is that of [HVP].
func GNVP[P, R any](f func(P) R, loss func(R) Value) func(x, v P) Tangents[P] {
	return func(x, v P) Tangents[P] {
		return recorded("GNVP", [2]P{x, v}, func(g *ir.Graph, a [2]P) Tangents[P] {
			l := linearizedIn(g, f, a[0])
			h := HVP(loss)(l.Value, l.JVP(a[1]))
			return Tangents[P]{l.VJP(h.Value), l.VJP(h.Tangent)}
		})
	}
}

// GradientInto is f(x) of a function of a vector, and writes its gradient there to dst, which is as long as x; dst
// may be x. On an error nothing has been written.
func GradientInto(dst []float64, f func(Value) Value, x []float64) (y float64, err error) {
	defer failure(&err)
	if len(dst) != len(x) {
		ir.Fail("GradientInto", "%d elements into %d", len(x), len(dst))
	}
	y, g, err := ValueAndGradient(f, x)
	if err == nil {
		copy(dst, g)
	}
	return y, err
}

// Hook is v, whose cotangent f sees and may change on its way back in reverse mode: to clip it, to scale or reverse it,
// to look at it. Where f gives no value the cotangent goes on as it is. The cotangent is that of all uses of the result, not of v.
// Forward mode passes Hook by.
//
// f is called once for each time that reverse mode is recorded. On arrays it may read the cotangent (Item, Data) and print it;
// under [Compile] it may keep it, for the function to return it among its results.
func (v Value) Hook(f func(cotangent Value) Value) Value {
	if v.n == nil {
		return v
	}
	return Custom(func(x Value) Value { return x }, Rule[Value, Value]{
		Name: "Hook",
		VJP: func(_, _, ct Value) Value {
			if c := f(ct); c.IsValid() {
				return c
			}
			return ct
		},
		JVP: func(_, _, t Value) Value { return t },
	})(v)
}
