package autodiff

import (
	"gonum.org/v1/gonum/mat"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// JacobianAt is the Jacobian at x of a function of a vector: a row for each element of the result, in C order, and a
// column for each of x. What [Jacobian] says of its options holds.
func JacobianAt(f func(Value) Value, x []float64, o ...JacobianOptions) (j *mat.Dense, err error) {
	defer failure(&err)
	if len(x) == 0 {
		ir.Fail("JacobianAt", "x is empty")
	}
	y := Jacobian(f, o...)(From(x))
	return y.Convert(F64).Reshape(-1, len(x)).Matrix(), nil
}

// HessianAt is the matrix of second derivatives at x of a scalar function of a vector, as gonum/optimize's Problem.Hess
// wants it. Its upper triangle is taken: the lower one may differ from it by roundings.
func HessianAt(f func(Value) Value, x []float64, o ...JacobianOptions) (h *mat.SymDense, err error) {
	defer failure(&err)
	if len(x) == 0 {
		ir.Fail("HessianAt", "x is empty")
	}
	return mat.NewSymDense(len(x), Data[float64](Hessian(f, o...)(From(x)))), nil
}

// HVPAt is the product of a scalar function's Hessian at x with v, of x's length, and the gradient there: see [HVP].
func HVPAt(f func(Value) Value, x, v []float64) (grad, hv []float64, err error) {
	return JVPAt(Grad(f), x, v)
}

// JVPAt is f(x) of a function of a vector and its derivative along a tangent of x's length, in forward mode: see [JVP].
func JVPAt(f func(Value) Value, x, tangent []float64) (y, dy []float64, err error) {
	defer failure(&err)
	r := JVP(f)(From(x), From(tangent))
	return r.Value.Float64s(), r.Tangent.Float64s(), nil
}

// VJPAt is f(x) of a function of a vector and the product of a cotangent, of the result's length, with the Jacobian at
// x, in reverse mode: see [VJP].
func VJPAt(f func(Value) Value, x, cotangent []float64) (y, dx []float64, err error) {
	defer failure(&err)
	r := VJP(f)(From(x), From(cotangent))
	return r.Value.Float64s(), r.Grad.Float64s(), nil
}
