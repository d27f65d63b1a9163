package cudasrc_test

import (
	"errors"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/nvcc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// TestChainShared: a chain of so many sums that their slabs exceed a block's shared memory is none; one of a few less compiles.
func TestChainShared(t *testing.T) {
	f := dtype.F64
	dims := []int{64, 1000}
	for _, folds := range []int{16, 24} {
		first := &cudasrc.Map{}
		for k := range folds {
			first.Values = append(first.Values, cudasrc.Value{Type: f, Leaf: operand(f, 1+k, dims...)})
			first.Folds = append(first.Folds, cudasrc.Fold{Value: k, By: ir.Sum, Out: *operand(f, 100+k, 64)})
		}
		first.Values[0].Out = operand(f, 0, dims...)
		second := &cudasrc.Map{Values: []cudasrc.Value{{Type: f, Leaf: &cudasrc.Operand{Type: f, Buffer: 100, Dims: dims, Strides: []int{1, 0}}, Out: operand(f, 200, dims...)}}}
		w := &cudasrc.Writer{}
		_, _, err := w.Chain(&cudasrc.Chain{Dims: dims, Lo: 1, Chunk: 4096, Parts: []cudasrc.Part{{Map: first}, {Map: second}}})
		if no := (*cudasrc.Unsupported)(nil); errors.As(err, &no) != (folds == 24) || folds == 16 && err != nil {
			t.Errorf("%d sums: %v", folds, err)
		}
		if err == nil && nvcc.Missing() == nil {
			if _, err := nvcc.Compile(t.TempDir(), "sm_90", w.Kernels); err != nil {
				t.Error(err)
			}
		}
	}
}
