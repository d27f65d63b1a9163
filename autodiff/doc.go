// Package autodiff derives, compiles and runs functions on batches of numbers: it is what users import.
// It imports runtime and, of internal, device, dtype, ir and ops.
//
// A function on [Value] is ordinary Go. [Compile] runs it once to record what it does, and makes a
// [Program] of that which serves every batch size; [Grad], [ValueAndGrad], [JVP], [VJP], [Jacobian],
// [Hessian] and [Vmap] turn functions into other functions, in any nesting. Arguments and results are
// trees: a Value, or structs, slices, arrays, maps and pointers of them.
//
// On arrays a function and what transforms make of it may read its values ([Value.Item]) and go on by Go's if, for
// and recursion. Pieces between reads are programs, compiled once and found again by their structure.
//
// A mistake while a function is being recorded (a shape, a type, an axis) panics with an [*Error] that
// names the operation, the shapes and the caller's line. Compile and the helpers that take plain Go
// numbers ([Derivative], [Gradient]) return it as an error; running a program never panics.
package autodiff

import (
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Error is a mistake in the use of this package: the operation, what is wrong with it, and the caller's
// line.
type Error = ir.Error

// AnyBatch is the size of a symbolic axis: the batch, whatever it will be. In [Value.Reshape] it is the
// one size that follows from the others.
const AnyBatch = -1
