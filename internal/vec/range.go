package vec

import (
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Limits says where the body of an op of one argument holds: for Lo ≤ a ≤ Hi, and for NaN. Elsewhere
// the result is Beyond(a), rounded to the op's type.
type Limits struct {
	Lo, Hi float64
	Beyond func(a float64) float64
}

// Partial is a body for tiles of an op of several arguments that may be as fast as it is because it does not hold for all of
// them: there it gives +Inf, which is no result of the op, and the result is Rest(a, b, c), rounded to the op's type.
type Partial struct {
	body func(b *Builder, t Type, x []Value) Value
	Rest func(a, b, c float64) float64
}

var partials [ops.Count]*Partial

// PartialOf returns what op id's tiles for arguments of type t are made of, nil where it is a body that holds.
func PartialOf(id ops.ID, t dtype.Type) *Partial {
	if !t.IsFloat() {
		return nil
	}
	return partials[id]
}

// limits by op and lane type.
var limits [ops.Count][I64 + 1]*Limits

// Range returns the limits of op id's body for arguments of type t, nil where it holds everywhere.
func Range(id ops.ID, t dtype.Type) *Limits {
	if !t.IsFloat() {
		return nil
	}
	return limits[id][Lane(t)]
}
