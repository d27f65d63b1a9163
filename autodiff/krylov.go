package autodiff

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Solver is a way to find y with a(y) = b, for a linear a that gives arrays of b's shape, as operations like any other: [CG],
// [GMRES], or a user's. Nothing is derived through it.
type Solver func(a func(v Value) Value, b Value) Value

// KrylovOptions say when [CG] and [GMRES] end; zeros are the defaults.
type KrylovOptions struct {
	Tolerance float64 // |b - a(y)| beside |b|: 1e-10, of float32s 1e-5
	MaxSteps  int     // applications of a: ten times the number of unknowns
	Restart   int     // of GMRES: steps from one start to the next, for which as many vectors are kept: 20
}

// LinearSolve is y with a(y, p) = b, for an a that is linear in its first argument, found by the solver, from products alone:
// no matrix is made. Derivatives by b and p, in both modes and of every order, solve a or its transpose once more; recorded
// floats that a uses must be in p, arrays are constants.
func LinearSolve[P any](a func(v Value, p P) Value, b Value, p P, by Solver) Value {
	return linearSolve("LinearSolve", a, b, p, by)
}

// system is a linear system's parameters and right side.
type system[P any] struct {
	P P
	B Value
}

func linearSolve[P any](op string, a func(v Value, p P) Value, b Value, p P, by Solver) Value {
	at := func(v Value, p P) Value {
		y := a(v, p)
		if !equalDims(y.Shape(), v.Shape()) || y.DType() != v.DType() {
			ir.Fail(op, "the function gives %v%v for a vector of %v%v", y.DType(), y.Shape(), v.DType(), v.Shape())
		}
		return y
	}
	turned := func(w Value, p P) Value {
		return VJP(func(v Value) Value { return at(v, p) })(w.FullLike(0), w).Grad
	}
	rule := Rule[system[P], Value]{
		Name: op,
		VJP: func(s system[P], y, ct Value) system[P] {
			z := linearSolve(op, turned, ct, s.P, by)
			return system[P]{VJP(func(p P) Value { return at(y, p) })(s.P, z.Neg()).Grad, z}
		},
		JVP: func(s system[P], y Value, t system[P]) Value {
			return linearSolve(op, at, t.B.Sub(JVP(func(p P) Value { return at(y, p) })(s.P, t.P).Tangent), s.P, by)
		},
	}
	return Custom(func(s system[P]) Value {
		return by(func(v Value) Value { return at(v, s.P) }, s.B)
	}, rule)(system[P]{p, b})
}

func equalDims(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i, d := range a {
		if d != b[i] {
			return false
		}
	}
	return true
}

// of is the options for systems with right sides like b, and how many unknowns those have.
func (o KrylovOptions) of(op string, b Value) (KrylovOptions, int) {
	n := 1
	for _, d := range b.Shape() {
		if d == AnyBatch {
			ir.Fail(op, "%v: the size depends on the batch (see Vmap)", b.Shape())
		}
		n *= d
	}
	t := b.DType().t
	if t != dtype.F32 && t != dtype.F64 || o.Tolerance < 0 || o.MaxSteps < 0 || o.Restart < 0 {
		ir.Fail(op, "%v of %v, %+v: float32s or float64s and no negative numbers are needed", b.Shape(), b.DType(), o)
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-10
		if t == dtype.F32 {
			o.Tolerance = 1e-5
		}
	}
	if o.MaxSteps == 0 {
		o.MaxSteps = 10 * n
	}
	if o.Restart == 0 {
		o.Restart = 20
	}
	o.Restart = max(1, min(o.Restart, n))
	return o, n
}

func squares(x Value) Value { return x.Square().Sum() }

// ended is x, NaN where the residual's square is above its bound.
func ended(x, square, bound Value) Value { return Where(square.Le(bound), x, x.FullLike(math.NaN())) }

// CG solves systems whose matrix is symmetric and positive definite by conjugate gradients (Hestenes and Stiefel): each step takes one
// product and keeps three vectors. Where the steps end before the tolerance is met the result is NaN.
func CG(o KrylovOptions) Solver {
	return func(a func(v Value) Value, b Value) Value {
		o, _ := o.of("CG", b)
		type state struct{ X, R, P, Square, Step Value }
		square := squares(b)
		bound := square.Scale(o.Tolerance * o.Tolerance)
		s := While(func(s state) Value { return s.Square.Gt(bound).And(s.Step.Lt(Const(float64(o.MaxSteps)))) },
			func(s state) state {
				q := a(s.P)
				step := s.Square.Div(s.P.Mul(q).Sum())
				r := s.R.Sub(step.Mul(q))
				square := squares(r)
				return state{s.X.Add(step.Mul(s.P)), r, r.Add(square.Div(s.Square).Mul(s.P)), square, s.Step.Shift(1)}
			}, state{b.FullLike(0), b, b, square, square.FullLike(0)})
		return ended(s.X, s.Square, bound)
	}
}

// GMRES solves systems of any regular matrix by generalized minimal residuals (Saad and Schultz), started again after some steps: each
// step takes one product and two with the vectors that are kept. Where the steps end before the tolerance is met the result is NaN.
func GMRES(o KrylovOptions) Solver {
	return func(a func(v Value) Value, b Value) Value {
		o, n := o.of("GMRES", b)
		m := o.Restart
		type state struct{ X, R, Square, Step Value }
		flat := b.Reshape(n)
		product := func(v Value) Value { return a(v.Reshape(b.Shape()...)).Reshape(n) }
		bound := squares(flat).Scale(o.Tolerance * o.Tolerance)
		s := While(func(s state) Value { return s.Square.Gt(bound).And(s.Step.Lt(Const(float64(o.MaxSteps)))) },
			func(s state) state {
				size := s.Square.Sqrt()
				v, h := orthogonal(product, s.R.Div(size), m)
				first := Concat(0, size.Reshape(1), size.FullLike(0).BroadcastTo(m))
				x := s.X.Add(h.T().Lstsq(first).MatMul(v.Narrow(0, 0, m)))
				r := flat.Sub(product(x))
				return state{x, r, squares(r), s.Step.Shift(float64(m + 1))}
			}, state{flat.FullLike(0), flat, squares(flat), flat.Sum().FullLike(0)})
		return ended(s.X, s.Square, bound).Reshape(b.Shape()...)
	}
}

// orthogonal is m steps of Arnoldi's from the unit vector v: the rows [m+1 n], and in row j of [m m+1] what the product of row j is
// made of. Rows behind the last that there are, when the products give nothing new, are 0 and stand for themselves.
func orthogonal(product func(v Value) Value, v Value, m int) (rows, parts Value) {
	type state struct{ Rows, Parts, V Value }
	n := v.Dim(0)
	t := v.DType()
	nothing := 1e-14
	if t == F32 {
		nothing = 1e-6
	}
	all := Concat(0, v.Reshape(1, n), v.FullLike(0).Reshape(1, n).BroadcastTo(m, n))
	number := func(k int) Value { return I64.Iota(0, k) }
	s := ForI(m, func(j Value, s state) state {
		w := product(s.V)
		whole := squares(w).Sqrt()
		part := s.Rows.MatMul(w)
		w = w.Sub(part.MatMul(s.Rows))
		again := s.Rows.MatMul(w) // once more, for what rounding left
		w = w.Sub(again.MatMul(s.Rows))
		size := squares(w).Sqrt()
		more := size.Gt(whole.Scale(nothing))
		size = Where(more, size, size.FullLike(0))
		next := Where(more, w.Div(size), w.FullLike(0))
		there := number(m + 1).Eq(j.Shift(1))
		dead := squares(s.V).Eq(Const(0)).And(number(m + 1).Eq(j))
		part = part.Add(again).Add(there.Convert(t).Mul(size)).Add(dead.Convert(t))
		return state{
			Where(there.Reshape(m+1, 1), next.Reshape(1, n), s.Rows),
			Where(number(m).Eq(j).Reshape(m, 1), part.Reshape(1, m+1), s.Parts), next}
	}, state{all, v.Index(0).FullLike(0).BroadcastTo(m, m+1), v})
	return s.Rows, s.Parts
}
