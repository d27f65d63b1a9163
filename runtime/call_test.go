package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/linalg"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// Matrices side by side, and those left over, have the bits of single ones, on every level; factors and right sides also with
// zeros, infinities and NaNs.
func TestMatricesSideBySide(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{1, 2, 5, 11, 16, linalg.Small, linalg.Small + 1} {
			for _, k := range []int{1, 6} {
				t.Run(fmt.Sprint(typ, n, k), func(t *testing.T) {
					s := newSketch()
					square := ir.Shape{ir.Batch, ir.D(n), ir.D(n)}
					raw := s.param(typ, square, 0)
					x := bounded(s.g, raw)
					b := s.param(typ, ir.Shape{ir.Batch, ir.D(n), ir.D(k)}, 0)
					xt := s.g.Transpose(x, []int{0, 2, 1})
					lu := s.g.Call(ir.LU, 0, "", x)
					outs := []*ir.Node{s.g.Call(ir.Cholesky, 0, "", s.g.Map(ops.Add, s.g.MatMul(x, xt), s.g.Identity(x))), lu, s.g.Call(ir.LU, 0, "", raw), s.g.Call(ir.Det, 0, "", raw), s.g.Call(ir.Det, 0, "", x)}
					outs = append(outs, s.g.Call(ir.QR, 0, "", raw), s.g.Call(ir.QR, 0, "", x), s.g.Call(ir.Eigh, 0, "", s.g.Map(ops.Add, x, xt)))
					outs = append(outs, s.g.Call(ir.Eigh, 0, "", s.g.Map(ops.Mul, x, s.g.Identity(x)))) // one by one: nothing to reflect
					outs = append(outs, s.g.Call(ir.SVD, 0, "", x), s.g.Call(ir.SVD, 0, "", s.g.Map(ops.Mul, x, s.g.Identity(x))))
					small := s.g.Map(ops.Mul, x, s.g.Const(typ, x.Shape, 0.05))
					outs = append(outs, s.g.Call(ir.Expm, 0, "", raw), s.g.Call(ir.Expm, 0, "", x), s.g.Call(ir.Expm, 0, "", small), s.g.Call(ir.ExpmFrechet, 0, "", small, x))
					if n >= k {
						outs = append(outs, s.g.Call(ir.QR, 0, "", b), s.g.Call(ir.QR, 0, "", bounded(s.g, b)), s.g.Call(ir.SVD, 0, "", bounded(s.g, b)))
					}
					for flags := range uint64(8) {
						outs = append(outs, s.g.Call(ir.TriSolve, flags, "", x, b))
					}
					for _, flags := range []uint64{0, ir.Transposed} {
						outs = append(outs, s.g.Call(ir.LUSolve, flags, "", x, lu, b))
					}
					s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 11, 19)
				})
			}
		}
	}
}

// QR of up to 64 rows goes side by side, too, beside single ones of the same bits.
func TestQRSideBySide(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, d := range [][2]int{{64, 64}, {60, 50}} {
			s := newSketch()
			raw := s.param(typ, ir.Shape{ir.Batch, ir.D(d[0]), ir.D(d[1])}, 0)
			outs := []*ir.Node{s.g.Call(ir.QR, 0, "", raw), s.g.Call(ir.QR, 0, "", bounded(s.g, raw))}
			s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 19)
		}
	}
}

// Factors that a level's kernels compute along rows have the bits of Go's loops, whatever the elements are.
func TestFactorsByRows(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, d := range [][2]int{{1, 1}, {3, 2}, {5, 5}, {9, 8}, {16, 13}, {17, 17}, {40, 33}, {60, 50}, {90, 85}, {150, 90}} {
			t.Run(fmt.Sprint(typ, d), func(t *testing.T) {
				m, n := d[0], d[1]
				s := newSketch()
				raw := s.param(typ, ir.Shape{ir.Batch, ir.D(m), ir.D(n)}, 0)
				x := bounded(s.g, raw)
				square := s.g.MatMul(s.g.Transpose(x, []int{0, 2, 1}), x)
				outs := []*ir.Node{s.g.Call(ir.Expm, 0, "", square), s.g.Call(ir.QR, 0, "", raw), s.g.Call(ir.QR, 0, "", x), s.g.Call(ir.SVD, 0, "", x),
					s.g.Call(ir.Eigh, 0, "", square)}
				s.check(t, outs, rand.New(rand.NewPCG(1, 2)), 1, 3)
			})
		}
	}
}

// bounded is x with 0.7 in the place of zeros, tiny numbers, large ones and NaNs.
func bounded(g *ir.Graph, x *ir.Node) *ir.Node {
	size := g.Apply(ops.Abs, x)
	limit := func(v float64) *ir.Node { return g.Const(x.Type, x.Shape, v) }
	return g.Apply(ops.Where, g.Apply(ops.And, g.Apply(ops.Gt, size, limit(1e-30)), g.Apply(ops.Lt, size, limit(100))), x, limit(0.7))
}

// A factor and a triangular solution lie where their operand did, whatever the batch: elements one by one, side by side, and of float32s that
// are computed as such.
func TestCallInPlace(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
		for _, n := range []int{5, 40} {
			s := newSketch()
			g := s.g
			x := bounded(s.g, s.param(typ, ir.Shape{ir.Batch, ir.D(n), ir.D(n)}, 0))
			eye := g.Identity(x)
			a := g.Apply(ops.Add, g.MatMul(x, g.Transpose(x, []int{0, 2, 1})), g.Apply(ops.Mul, eye, g.Const(typ, eye.Shape, float64(1000*n))))
			l := g.Call(ir.Cholesky, 0, "", g.Apply(ops.Mul, a, g.Const(typ, a.Shape, 0.5)))
			y := g.Call(ir.TriSolve, 0, "", l, g.Apply(ops.Exp, x))
			outs := []*ir.Node{g.Apply(ops.Neg, y)}
			s.check(t, outs, rand.New(rand.NewPCG(13, 14)), 1, 9)
			p, err := Compile(outs, s.inputs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.binding(9)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range b.units {
				if u, ok := u.(*callUnit); ok {
					if from, to := &b.buffers[u.in[overwrites(u.n.Call)].buffer], &b.buffers[u.dst]; from.offset != to.offset {
						t.Errorf("%v, %d: %s of what lies at %d lies at %d", typ, n, u.n.Call, from.offset, to.offset)
					}
				}
			}
		}
	}
}

// A solution that is written to the caller's memory directly is not begun where some matrix is singular, nor is another output.
func TestSingularWritesNothing(t *testing.T) {
	const batch, n = 20, 3
	for _, call := range []ir.CallID{ir.TriSolve, ir.LUSolve} {
		for _, l := range kernels.Levels() {
			s := newSketch()
			square := ir.Shape{ir.Batch, ir.D(n), ir.D(n)}
			a, b := s.param(dtype.F64, square, 0), s.param(dtype.F64, square, 0)
			in := []*ir.Node{a, b}
			if call == ir.LUSolve {
				in = []*ir.Node{a, s.g.Call(ir.LU, 0, "", a), b}
			}
			x := s.g.Call(call, 0, "", in...)
			p, err := Compile([]*ir.Node{s.g.Map(ops.Add, b, b), x}, s.inputs, Options{Level: l.Name, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			if bind, err := p.binding(batch); err != nil || bind.outs[1].copied {
				t.Fatalf("%v: the solution is copied (%v)", call, err)
			}
			matrices, rhs, y, z := make([]float64, batch*n*n), make([]float64, batch*n*n), make([]float64, batch*n*n), make([]float64, batch*n*n)
			for i := range batch {
				for j := range n {
					matrices[(i*n+j)*n+j], rhs[(i*n+j)*n+j] = 2, 1
				}
			}
			run := func() error {
				at := func(x []float64) unsafe.Pointer { return unsafe.Pointer(&x[0]) }
				return p.Run(context.Background(), batch, []unsafe.Pointer{at(matrices), at(rhs)}, []unsafe.Pointer{at(z), at(y)})
			}
			matrices[(17*n+1)*n+1] = 0
			if err := run(); err == nil || !strings.Contains(err.Error(), "element 17 of the batch") {
				t.Fatal(err)
			}
			for i := range y {
				if y[i] != 0 || z[i] != 0 {
					t.Fatalf("%s: %v: element %d was written", l.Name, call, i)
				}
			}
			matrices[(17*n+1)*n+1] = 2
			if err := run(); err != nil || y[0] != 0.5 || z[0] != 2 {
				t.Fatal(err, y[0], z[0])
			}
		}
	}
}
