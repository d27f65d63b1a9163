package cudasrc_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// TestWideIndices: kernels for arrays of 2³¹ elements and more do what those for smaller ones do.
func TestWideIndices(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	f := dtype.F32
	dims := []int{6, 50, 40}
	n := size(dims)
	numbers := random(r, f, n, 1, -4, 4)
	indices := make([]byte, 50*8)
	for i := range 50 {
		setElement(dtype.I64, indices, i, uint64(r.IntN(50)))
	}
	turned := &cudasrc.Operand{Type: f, Buffer: 0, Dims: dims, Strides: []int{2000, 1, 50}}
	column := &cudasrc.Operand{Type: f, Buffer: 0, Dims: dims, Strides: []int{50, 1, 0}}
	x, y, idx := operand(f, 0, dims...), operand(f, 2, dims...), operand(dtype.I64, 1, 50)
	values := func(out *cudasrc.Operand) []cudasrc.Value {
		return []cudasrc.Value{{Type: f, Leaf: x}, {Type: f, Leaf: turned}, {Type: f, Leaf: column},
			{Type: f, Op: ops.Fma, Args: []int{0, 1, 2}, Out: out}}
	}
	fold := func(dims []int, lo, hi, rows int) func(w *cudasrc.Writer) (cudasrc.Unit, error) {
		return func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			v := values(nil)
			for i := range v[:3] {
				leaf := *v[i].Leaf
				if len(dims) == 2 {
					leaf.Dims, leaf.Strides = dims, contiguous(dims)
				}
				v[i].Leaf = &leaf
			}
			return w.Map(&cudasrc.Map{Dims: dims, Values: v, Folds: []cudasrc.Fold{{Value: 3, By: ir.Sum, Out: cudasrc.Operand{Type: f, Buffer: 2}}}, Lo: lo, Hi: hi, Chunk: 4096, Rows: rows})
		}
	}
	steps := []struct {
		name  string
		write func(w *cudasrc.Writer) (cudasrc.Unit, error)
	}{
		{"map", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: values(y)})
		}},
		{"turn", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: []cudasrc.Value{{Type: f, Leaf: turned, Out: y}}})
		}},
		{"rows", fold(dims, 2, 3, 16)},
		{"long rows", fold([]int{2, 6000}, 1, 2, 16)},
		{"columns", fold(dims, 1, 2, 16)},
		{"long columns", fold([]int{1000, 12}, 0, 1, 300)},
		{"take", func(w *cudasrc.Writer) (cudasrc.Unit, error) { return w.Take(y, x, idx, 1, ir.ForAll) }},
		{"scatter", func(w *cudasrc.Writer) (cudasrc.Unit, error) { return w.Scatter(y, idx, x, nil, 1, ir.ForAll) }},
		{"scatter for rows", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Scatter(y, operand(dtype.I64, 1, 6, 8), x, x, 1, ir.ForRows)
		}},
		{"take for elements", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Take(operand(f, 2, 2, 5, 5), operand(f, 0, 2, 50, 5), operand(dtype.I64, 1, 2, 5, 5), 1, ir.ForElements)
		}},
		{"scatter for elements", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Scatter(operand(f, 2, 2, 50, 5), operand(dtype.I64, 1, 2, 5, 5), operand(f, 0, 2, 5, 5), nil, 1, ir.ForElements)
		}},
		{"cumsum", func(w *cudasrc.Writer) (cudasrc.Unit, error) { return w.Cumulate(y, x, nil, 1, ir.Sum, true) }},
		{"arg", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.ArgReduce(operand(dtype.I64, 2, 6, 50), x, 2, 3, ir.ArgMax)
		}},
		{"args", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.ArgReduce(operand(dtype.I64, 2, 6, 40), x, 1, 2, ir.ArgMin)
		}},
		{"iota", func(w *cudasrc.Writer) (cudasrc.Unit, error) { return w.Iota(y, 1) }},
		{"place", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			p := cudasrc.Piece{Operand: *operand(f, 0, 3, 25, 40), Start: 40, Steps: []int{4000, 80, 1}}
			return w.Place(y, 0, []cudasrc.Piece{p}, true)
		}},
		{"fold", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Fold(&cudasrc.Windows{Outer: 1, Inner: 4, In: []int{20, 22}, Outs: []int{9, 20}, Wins: []int{3, 3}, Stride: []int{2, 1}, Dilation: []int{1, 1}, X: *x, Y: *y})
		}},
	}
	defer cudasrc.SetNarrow(1 << 31)
	l := newLab()
	results := map[string][]byte{}
	for _, narrow := range []int{1 << 31, 1} {
		cudasrc.SetNarrow(narrow)
		for _, s := range steps {
			j := l.begin("%s, 64 bits from %d elements on", s.name, narrow)
			j.buffer(bytes.Clone(numbers))
			j.buffer(indices)
			j.buffer(make([]byte, 8*n))
			u, err := s.write(&l.w)
			j.add(t, u, err)
			j.check = func(t *testing.T, buffers [][]byte) {
				if narrow > 1 {
					results[s.name] = bytes.Clone(buffers[2])
				} else {
					same(t, j.name, f, buffers[2], results[s.name])
				}
			}
		}
	}
	l.run(t)
	for name, b := range results {
		if len(bytes.Trim(b, "\x00")) == 0 {
			t.Errorf("%s makes zeros only", name)
		}
	}
}
