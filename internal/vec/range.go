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

// limits by op and lane type.
var limits [ops.Count][I64 + 1]*Limits

// Range returns the limits of op id's body for arguments of type t, nil where it holds everywhere.
func Range(id ops.ID, t dtype.Type) *Limits {
	if !t.IsFloat() {
		return nil
	}
	return limits[id][Lane(t)]
}
