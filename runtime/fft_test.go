package runtime

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Rows that are transformed side by side, and those left over, on every level against the reference.
func TestFFTRows(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{6, 15, 16, 37, 64, 67} {
			t.Run(fmt.Sprint(typ, n), func(t *testing.T) {
				s := newSketch()
				x := s.param(typ, ir.Shape{ir.Batch, ir.D(2), ir.D(n)}, 0)
				y := s.param(typ, ir.Shape{ir.Batch, ir.D(1), ir.D(n)}, 0)
				outs := []*ir.Node{s.g.Call(ir.FFT, 0, "", x), s.g.Call(ir.FFT, ir.Transposed, "", x), s.g.Call(ir.RFFT, 0, "", y),
					s.g.Call(ir.HalfEven, 0, "", x), s.g.Call(ir.HalfOdd, 0, "", x)}
				s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 8, 21, 700)
			})
		}
	}
}
