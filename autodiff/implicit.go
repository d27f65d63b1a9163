package autodiff

import "github.com/adjoint-go/adjoint/internal/ir"

// solution is parameters and what was found for them.
type solution[P any] struct {
	P P
	X Value
}

// ImplicitOptions says how the derivatives of an implicit function are solved for; the zero value is by LU of the matrix ∂f/∂x.
type ImplicitOptions struct {
	// By, if not nil, solves with products of ∂f/∂x or its transpose alone, so that no matrix of n×n is made: [CG] where that is
	// symmetric and positive definite, as of a minimum, [GMRES] elsewhere, or a solver of the user's.
	By Solver
}

// ImplicitRoot is x, where f(x, p) = 0, with the derivative by p that the implicit function theorem gives it:
// -(∂f/∂x)⁻¹·∂f/∂p, in both modes and of every order. How x was found plays no part: by [While], or by any
// solver before the function is recorded, for the same p. Nothing flows to x itself.
//
// f gives as many floats as x has, a number that does not depend on the batch (Vmap maps over one); recorded
// floats it uses must be in p, arrays are constants. A derivative solves a system of equations, by LU if the options do not say otherwise: where ∂f/∂x is
// singular it is an error of the run, and where x is no root it is not the derivative of anything.
func ImplicitRoot[P any](f func(x Value, p P) Value, x Value, p P, o ...ImplicitOptions) Value {
	return implicit("ImplicitRoot", f, x, p, o)
}

// ImplicitFixedPoint is ImplicitRoot of x = f(x, p).
func ImplicitFixedPoint[P any](f func(x Value, p P) Value, x Value, p P, o ...ImplicitOptions) Value {
	return implicit("ImplicitFixedPoint", func(x Value, p P) Value { return x.Sub(f(x, p)) }, x, p, o)
}

// ImplicitMinimum is ImplicitRoot of ∂f/∂x = 0 for a scalar f: what an optimizer found, with the derivative
// that follows from f's Hessian.
func ImplicitMinimum[P any](f func(x Value, p P) Value, x Value, p P, o ...ImplicitOptions) Value {
	return implicit("ImplicitMinimum", func(x Value, p P) Value {
		return Grad(func(x Value) Value { return f(x, p) })(x)
	}, x, p, o)
}

func implicit[P any](op string, f func(x Value, p P) Value, x Value, p P, o []ImplicitOptions) Value {
	// solve is (∂f/∂x)⁻¹·b, or (∂f/∂x)⁻ᵀ·b, of x's shape.
	solve := func(x Value, p P, b Value, transposed bool) Value {
		n := 1
		for _, d := range x.Shape() {
			if d == AnyBatch {
				ir.Fail(op, "%v: the size depends on the batch (see Vmap)", x.Shape())
			}
			n *= d
		}
		if len(o) > 0 && o[0].By != nil {
			at := func(s solution[P]) func(x Value) Value {
				return func(x Value) Value {
					y := f(x, s.P)
					if product(y.Shape()) != n {
						ir.Fail(op, "the function gives %v for x of %v", y.Shape(), x.Shape())
					}
					return y.Reshape(b.Shape()...)
				}
			}
			along := func(v Value, s solution[P]) Value {
				return JVP(at(s))(s.X, v.Reshape(x.Shape()...)).Tangent.Reshape(n)
			}
			if transposed {
				along = func(v Value, s solution[P]) Value { return VJP(at(s))(s.X, v.Reshape(b.Shape()...)).Grad.Reshape(n) }
			}
			return linearSolve(op, along, b.Reshape(n), solution[P]{p, x}, o[0].By).Reshape(x.Shape()...)
		}
		j := Jacobian(func(x Value) Value { return f(x, p) })(x)
		if y := j.Shape(); len(y) < x.Rank() || product(y[:len(y)-x.Rank()]) != n {
			ir.Fail(op, "the function gives %v for x of %v", y[:len(y)-x.Rank()], x.Shape())
		}
		j = j.Reshape(n, n)
		if transposed {
			j = j.T()
		}
		return j.Solve(b.Reshape(n)).Reshape(x.Shape()...)
	}
	rule := Rule[solution[P], Value]{
		Name: op,
		VJP: func(a solution[P], x, ct Value) solution[P] {
			residual := VJP(func(p P) Value { return f(x, p).Reshape(ct.Shape()...) })
			return solution[P]{P: residual(a.P, solve(x, a.P, ct, true).Neg()).Grad}
		},
		JVP: func(a solution[P], x Value, t solution[P]) Value {
			d := JVP(func(p P) Value { return f(x, p) })(a.P, t.P).Tangent
			return solve(x, a.P, d, false).Neg()
		},
	}
	return Custom(func(a solution[P]) Value { return a.X }, rule)(solution[P]{p, x})
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}
