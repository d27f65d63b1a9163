package cudasrc_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestText holds some kernels' texts to those in testdata, so that a change of text is seen where it is made.
func TestText(t *testing.T) {
	f := dtype.F32
	dims := []int{64, 100}
	row := &cudasrc.Operand{Type: f, Buffer: 2, Dims: dims, Strides: []int{0, 1}}
	turned := &cudasrc.Operand{Type: f, Buffer: 1, Dims: dims, Strides: []int{1, 64}}
	layer := func(id ops.ID) []cudasrc.Value { // id(x + row), stored
		return []cudasrc.Value{{Type: f, Leaf: operand(f, 1, dims...)}, {Type: f, Leaf: row}, {Type: f, Op: ops.Add, Args: []int{0, 1}},
			{Type: f, Op: id, Args: []int{2}, Out: operand(f, 0, dims...)}}
	}
	sum := []cudasrc.Fold{{Value: 3, By: ir.Sum, Out: cudasrc.Operand{Type: f, Buffer: 3}}}
	wide := []int{64, 1000}
	perRow := func(buffer int) *cudasrc.Operand {
		return &cudasrc.Operand{Type: f, Buffer: buffer, Dims: wide, Strides: []int{1, 0}}
	}
	softmax := &cudasrc.Chain{Dims: wide, Lo: 1, Chunk: 4096, Own: map[int]bool{2: true, 3: true, 4: true}, Parts: []cudasrc.Part{
		{Map: &cudasrc.Map{Values: []cudasrc.Value{{Type: f, Leaf: operand(f, 1, wide...)}},
			Folds: []cudasrc.Fold{{Value: 0, By: ir.Max, Out: *operand(f, 2, 64)}}}},
		{Map: &cudasrc.Map{Values: []cudasrc.Value{{Type: f, Leaf: operand(f, 1, wide...)}, {Type: f, Leaf: perRow(2)},
			{Type: f, Op: ops.Sub, Args: []int{0, 1}}, {Type: f, Op: ops.Exp, Args: []int{2}, Out: operand(f, 3, wide...)}},
			Folds: []cudasrc.Fold{{Value: 3, By: ir.Sum, Out: *operand(f, 4, 64)}}}},
		{Map: &cudasrc.Map{Values: []cudasrc.Value{{Type: f, Leaf: operand(f, 3, wide...)}, {Type: f, Leaf: perRow(4)},
			{Type: f, Op: ops.Div, Args: []int{0, 1}, Out: operand(f, 0, wide...)}}}}}}
	for _, c := range []struct {
		name  string
		write func(w *cudasrc.Writer) (cudasrc.Unit, error)
	}{
		{"relu", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: layer(ops.Relu)})
		}},
		{"exp_rows", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: layer(ops.Exp), Folds: sum, Lo: 1, Hi: 2, Chunk: 4096})
		}},
		{"exp_columns", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: layer(ops.Exp), Folds: sum, Lo: 0, Hi: 1, Chunk: 4096, Rows: 163})
		}},
		{"softmax", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			u, unstored, err := w.Chain(softmax)
			if !slices.Equal(unstored, []int{2, 3, 4}) {
				t.Errorf("%v stay in the kernel", unstored)
			}
			return u, err
		}},
		{"transpose", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Map(&cudasrc.Map{Dims: dims, Values: []cudasrc.Value{{Type: f, Leaf: turned, Out: operand(f, 0, dims...)}}})
		}},
		{"scatter", func(w *cudasrc.Writer) (cudasrc.Unit, error) {
			return w.Scatter(operand(f, 0, 10, 100), operand(dtype.I64, 2, 64), operand(f, 1, dims...), nil, 0, ir.ForAll)
		}},
	} {
		w := &cudasrc.Writer{}
		if _, err := c.write(w); err != nil {
			t.Fatal(err)
		}
		var s strings.Builder
		for _, k := range w.Kernels {
			_, id, _ := strings.Cut(k.Name, "_")
			own := strings.TrimPrefix(k.Source, cudasrc.Prelude)
			s.WriteString(strings.ReplaceAll(strings.TrimLeft(own, "\n"), id, "@"))
		}
		file := filepath.Join("testdata", c.name+".cu")
		if *update {
			if err := os.WriteFile(file, []byte(s.String()), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != string(want) {
			t.Errorf("%s is not as in testdata (if it is meant: go test -run TestText -update)\n%s", c.name, s.String())
		}
	}
}
