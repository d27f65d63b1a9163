package runtime

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

func bytesOf[T any](v []T) []byte {
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(T)))))
}

func slice[T any](b []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(T))))
}

// Each kind on values small enough to be seen to be right.
func TestReferenceKinds(t *testing.T) {
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Shape{ir.Batch, ir.D(3)}) // 1 … 6 for B = 2
	k := g.Param(1, dtype.I32, ir.Static(2))                // 1, 1
	one := func(d int) []ir.Dim { return []ir.Dim{ir.D(0), ir.D(d)} }
	inputs := [][]byte{bytesOf([]float32{1, 2, 3, 4, 5, 6}), bytesOf([]int32{1, 1})}
	for _, c := range []struct {
		name string
		y    *ir.Node
		want []float32
	}{
		{"const", g.Const(dtype.F32, ir.Static(2), 7), []float32{7, 7}},
		{"iota", g.Iota(dtype.F32, ir.Static(2, 2), 1), []float32{0, 1, 0, 1}},
		{"dimsize", g.DimSize(dtype.F32, ir.Batch), []float32{2}},
		{"mul", g.Apply(ops.Mul, x, x), []float32{1, 4, 9, 16, 25, 36}},
		{"convert", g.Convert(k, dtype.F32), []float32{1, 1}},
		{"broadcast", g.BroadcastTo("", g.Narrow(x, 1, ir.D(2), ir.D(1)), x.Shape), []float32{3, 3, 3, 6, 6, 6}},
		{"reshape", g.Reshape(x, ir.Shape{ir.D(3), ir.Batch}), []float32{1, 2, 3, 4, 5, 6}},
		{"transpose", g.Transpose(x, []int{1, 0}), []float32{1, 4, 2, 5, 3, 6}},
		{"slice", g.Slice(x, one(0), []int{1, 2}, ir.Shape{ir.Batch, ir.D(2)}), []float32{1, 3, 4, 6}},
		{"reverse", g.Reverse(x, 1), []float32{3, 2, 1, 6, 5, 4}},
		{"place", g.Pad(g.Narrow(x, 1, ir.D(0), ir.D(1)), []int{0, 1}, []int{0, 1}, 9), []float32{9, 1, 9, 9, 4, 9}},
		{"place adding", g.Place(dtype.F32, x.Shape, 0, true, ir.Piece{X: x, Start: one(0)},
			ir.Piece{X: g.Narrow(x, 1, ir.D(0), ir.D(1)), Start: one(2)}), []float32{1, 2, 4, 4, 5, 10}},
		{"take", g.Take(x, k, 1, ""), []float32{2, 2, 5, 5}},
		{"scatter", g.Scatter(x.Shape, k, g.Narrow(x, 1, ir.D(0), ir.D(2)), 1, ""), []float32{0, 3, 0, 0, 9, 0}},
		{"cumsum", g.CumSum(x, 1, false), []float32{1, 3, 6, 4, 9, 15}},
		{"cumsum reversed", g.CumSum(x, 0, true), []float32{5, 7, 9, 4, 5, 6}},
		{"sum", g.Reduce(ir.Sum, x, 0), []float32{5, 7, 9}},
		{"sum of rows", g.Reduce(ir.Sum, x, 1), []float32{6, 15}},
		{"prod", g.Reduce(ir.Prod, x, 0, 1), []float32{720}},
		{"max", g.Reduce(ir.Max, x, 1), []float32{3, 6}},
		{"min", g.Reduce(ir.Min, x, 0), []float32{1, 2, 3}},
		{"argmax", g.Convert(g.Reduce(ir.ArgMax, g.Reverse(x, 0), 0), dtype.F32), []float32{0, 0, 0}},
		{"argmin", g.Convert(g.Reduce(ir.ArgMin, x, 1), dtype.F32), []float32{0, 0}},
		{"matmul", g.MatMul(x, g.Transpose(x, []int{1, 0})), []float32{14, 32, 32, 77}},
	} {
		res, err := Reference([]*ir.Node{c.y}, 2, inputs)
		if err != nil || !slices.Equal(slice[float32](res[0]), c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, slice[float32](res[0]), err, c.want)
		}
	}
}

func TestReferenceErrors(t *testing.T) {
	g := ir.New()
	x := g.Param(0, dtype.F32, ir.Static(3))
	k := g.Param(1, dtype.I64, ir.Static(2))
	for want, y := range map[string]*ir.Node{
		"autodiff: Take index 3 is not in 0 … 2 (here.go:1)":       g.Take(x, k, 0, "here.go:1"),
		"autodiff: ScatterAdd index 3 is not in 0 … 2 (here.go:2)": g.Scatter(ir.Static(3), k, g.Narrow(x, 0, ir.D(0), ir.D(2)), 0, "here.go:2"),
		"autodiff: param [4]: input 0 of 16 bytes is needed":       g.Param(0, dtype.F32, ir.Static(4)),
		"autodiff: hole [] has no value":                           g.Hole(dtype.F32, nil),
	} {
		_, err := Reference([]*ir.Node{y}, 1, [][]byte{bytesOf([]float32{1, 2, 3}), bytesOf([]int64{0, 3})})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The order of a sum is the stated one: chunks, lanes, halving, and again over the chunks' sums.
func TestReferenceOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var row func(x []float32) float32
	row = func(x []float32) float32 {
		var parts []float32
		for c := 0; c < len(x) || c == 0; c += 4096 {
			var lanes [32]float32
			for i, v := range x[c:min(c+4096, len(x))] {
				lanes[i%32] += v
			}
			for h := 16; h > 0; h /= 2 {
				for i := range h {
					lanes[i] += lanes[i+h]
				}
			}
			parts = append(parts, lanes[0])
		}
		if len(parts) > 1 {
			return row(parts)
		}
		return parts[0]
	}
	columns := func(x []float32, inner, rows int) []float32 {
		var sum []float32
		for first := 0; first < len(x); first += rows * inner {
			acc := make([]float32, inner)
			for i, v := range x[first:min(first+rows*inner, len(x))] {
				acc[i%inner] += v
			}
			if sum == nil {
				sum = acc
				continue
			}
			for i, v := range acc {
				sum[i] += v
			}
		}
		return sum
	}
	for _, n := range []int{1, 31, 33, 4096, 4097, 40000} {
		v := make([]float32, n*4)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		g := ir.New()
		x := g.Param(0, dtype.F32, ir.Shape{ir.Batch, ir.D(4)})
		res, err := Reference([]*ir.Node{g.Reduce(ir.Sum, x, 0, 1), g.Reduce(ir.Sum, x, 0), g.Reduce(ir.Sum, g.Reshape(x, ir.Shape{ir.D(4), ir.Batch}), 0)},
			n, [][]byte{bytesOf(v)})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]float32{{row(v)}, columns(v, 4, 4096), columns(v, n, 16)} {
			if got := slice[float32](res[i]); !slices.Equal(got, want) {
				t.Errorf("B = %d, sum %d: %v, want %v", n, i, got[:1], want[:1])
			}
		}
	}
}

// The first extreme of rows shorter and longer than the pieces in which it is looked for, NaNs and ties among them.
func TestArgReduceLengths(t *testing.T) {
	s := newSketch()
	rows := ir.Shape{ir.D(3), ir.Batch}
	short, whole := s.param(dtype.F32, rows, 1), s.param(dtype.I32, rows, 60)
	xs := []*ir.Node{short, whole, s.param(dtype.F64, ir.Shape{ir.D(70), ir.D(9)}, 1), s.param(dtype.I64, rows, 1000),
		s.g.Convert(whole, dtype.F32), s.g.Convert(whole, dtype.F64)}
	var outs []*ir.Node
	for _, x := range xs {
		outs = append(outs, s.g.Reduce(ir.ArgMax, x, 1), s.g.Reduce(ir.ArgMin, x, 1))
	}
	s.check(t, outs, rand.New(rand.NewPCG(5, 6)), 0, 1, 2, 31, 127, 128, 129, 255, 256, 300, 128*32, 128*33+1)

	// Columns, fewer and more than are looked at side by side.
	s, outs = newSketch(), nil
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		x := s.param(typ, ir.Shape{ir.D(2), ir.D(21), ir.Batch}, 3)
		outs = append(outs, s.g.Reduce(ir.ArgMax, x, 1), s.g.Reduce(ir.ArgMin, x, 1), s.g.Reduce(ir.ArgMax, x, 0))
	}
	s.check(t, outs, rand.New(rand.NewPCG(5, 8)), 0, 2, 3, 31, 64, 100, 511, 512, 513, 1031)
}
