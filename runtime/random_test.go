package runtime

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// source makes random choices: from a generator, or from a fuzzer's bytes and then zeros.
type source interface{ IntN(n int) int }

type byteSource struct{ b []byte }

func (s *byteSource) IntN(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	k := int(s.b[0]) % n
	s.b = s.b[1:]
	return k
}

// sketch is a random graph under construction.
type sketch struct {
	source
	g      *ir.Graph
	nodes  []*ir.Node
	inputs []Input
	limit  []int // by input: what its integers stay below
	device bool  // only operations that have the CPU's bits on a device
}

func (s *sketch) dim() ir.Dim {
	return []ir.Dim{ir.Batch, ir.D(1), ir.D(2), ir.D(3), ir.D(5), ir.D(8), ir.D(33), ir.Batch, {C: 1, B: 1}, ir.D(0)}[s.IntN(10)]
}

func (s *sketch) shape() ir.Shape {
	sh := make(ir.Shape, s.IntN(4))
	for i := range sh {
		sh[i] = s.dim()
	}
	return sh
}

func (s *sketch) param(t dtype.Type, sh ir.Shape, limit int) *ir.Node {
	n := s.g.Param(len(s.inputs), t, sh)
	s.inputs = append(s.inputs, Input{t, sh})
	s.limit = append(s.limit, limit)
	return n
}

// pick returns a node of type t.
func (s *sketch) pick(t dtype.Type) *ir.Node {
	var have []*ir.Node
	for _, n := range s.nodes {
		if n.Type == t {
			have = append(have, n)
		}
	}
	if len(have) == 0 || s.IntN(8) == 0 {
		n := s.param(t, s.shape(), 3)
		s.nodes = append(s.nodes, n)
		return n
	}
	return have[s.IntN(len(have))]
}

// like returns a node of type t and a shape that goes with sh.
func (s *sketch) like(t dtype.Type, sh ir.Shape) *ir.Node {
	for range 4 {
		if n := s.pick(t); n.Shape.Equal(sh) {
			return n
		}
	}
	switch s.IntN(3) {
	case 0:
		return s.g.Const(t, sh, float64(s.IntN(5)))
	case 1:
		to := slices.Clone(sh)
		for i := range to {
			if s.IntN(2) == 0 {
				to[i] = ir.D(1)
			}
		}
		return s.g.Broadcast(s.param(t, to, 3), sh)
	}
	return s.param(t, sh, 3)
}

var sketchTypes = []dtype.Type{dtype.F32, dtype.F64, dtype.F32, dtype.F64, dtype.I32, dtype.I64, dtype.Bool, dtype.BF16, dtype.F16}

func (s *sketch) dtype() dtype.Type {
	return sketchTypes[s.IntN(len(sketchTypes))]
}

// step adds a node; a choice that is not possible panics with *ir.Error and adds nothing.
func (s *sketch) step() (y *ir.Node) {
	g := s.g
	t := s.dtype()
	x := s.pick(t)
	r := x.Rank()
	axis := 0
	if r > 0 {
		axis = s.IntN(r)
	}
	kind := s.IntN(22)
	switch kind {
	case 0:
		return g.Convert(x, s.dtype())
	case 1:
		perm := rand.New(rand.NewPCG(1, uint64(s.IntN(100)))).Perm(r)
		return g.Transpose(x, perm)
	case 2:
		to := slices.Clone(x.Shape)
		for i := range to {
			if to[i].Is(1) {
				to[i] = s.dim()
			}
		}
		return g.BroadcastTo("", x, to)
	case 3:
		return g.Reshape(x, slices.Insert(slices.Clone(x.Shape), axis, ir.D(1)))
	case 4:
		if n, ok := x.Shape.Size(); ok {
			return g.Reshape(x, ir.Shape{n})
		}
	case 5:
		if r > 0 {
			return g.Reverse(x, axis)
		}
	case 6:
		if r > 0 && x.Shape[axis].Static() && x.Shape[axis].C > 1 {
			d := x.Shape[axis].C
			from := s.IntN(d)
			return g.Narrow(x, axis, ir.D(from), ir.D(1+s.IntN(d-from)))
		}
	case 7:
		if r > 0 {
			lo, hi := make([]int, r), make([]int, r)
			lo[axis], hi[axis] = s.IntN(3), s.IntN(3)
			return g.Pad(x, lo, hi, float64(s.IntN(2)))
		}
	case 8:
		if r > 0 {
			return g.Concat(axis, x, s.like(t, x.Shape), x)
		}
	case 9:
		if r > 0 && x.Shape[axis].Static() && x.Shape[axis].C > 0 {
			if s.IntN(2) == 0 {
				sh := slices.Clone(x.Shape)
				sh[axis] = s.dim()
				return g.TakeAlong(x, s.param(dtype.I32, sh, x.Shape[axis].C), axis, "")
			}
			return g.Take(x, s.param(dtype.I32, ir.Shape{s.dim()}, x.Shape[axis].C), axis, "")
		}
	case 10:
		if r > 0 && (t.IsFloat() || t.IsInt()) {
			sh := slices.Clone(x.Shape)
			sh[axis] = ir.D(4)
			if t.IsFloat() && s.IntN(2) == 0 { // what TakeAlong's transpose is
				from := s.param(t, sh, 3)
				y := g.TakeAlong(from, s.param(dtype.I64, x.Shape, 4), axis, "")
				return g.VJP([]*ir.Node{y}, []*ir.Node{x}, []*ir.Node{from})[0]
			}
			if s.IntN(2) == 0 {
				return g.ScatterAdd(s.like(t, sh), s.param(dtype.I64, ir.Shape{x.Shape[axis]}, 4), x, axis, "")
			}
			return g.Scatter(sh, s.param(dtype.I64, ir.Shape{x.Shape[axis]}, 4), x, axis, "")
		}
	case 11:
		if r > 0 && t != dtype.Bool {
			switch s.IntN(6) {
			case 0:
				return g.CumMax(x, axis)
			case 1:
				return g.CumMin(x, axis)
			case 2:
				return g.CumProd(x, axis)
			}
			return g.CumSum(x, axis, s.IntN(2) == 0)
		}
	case 12, 13:
		if r > 0 {
			k := ir.Reduction(s.IntN(int(ir.NumReductions)))
			if t == dtype.Bool && k < ir.Max {
				k = ir.Max
			}
			hi := axis + 1 + s.IntN(r-axis)
			list := []int{}
			for a := axis; a < hi; a++ {
				list = append(list, a)
			}
			if k >= ir.ArgMax {
				list = list[:1]
			}
			return g.Reduce(k, x, list...)
		}
	case 14:
		if r > 1 && t.IsFloat() {
			w := s.like(t, ir.Shape{x.Shape[r-1], ir.D(1 + s.IntN(20))})
			return g.MatMulND(x, w)
		}
	case 15:
		return g.Iota(t, x.Shape, axis)
	case 16:
		return s.loop(x)
	case 17:
		return s.branch(x)
	case 19: // windows, read by a product, either way round, or by what comes
		if r > 0 && r < 4 {
			k := 1 + s.IntN(min(2, r-axis))
			few := func(n int) []int { return []int{1 + s.IntN(n), 1 + s.IntN(n)}[:k] }
			y := g.Windows("", x, axis, few(3), few(2), few(2))
			if slices.ContainsFunc(y.Shape, func(d ir.Dim) bool { return d.C < 0 }) {
				return x // an empty batch has no windows
			}
			rows, ok := y.Shape[:axis+k].Size()
			cols, ok2 := y.Shape[axis+k:].Size()
			if !ok || !ok2 || !t.IsFloat() || s.IntN(4) == 0 {
				return y
			}
			m := g.Reshape(y, ir.Shape{rows, cols})
			if s.IntN(2) == 0 {
				m = g.Transpose(m, []int{1, 0})
			}
			return g.MatMul(m, s.like(t, ir.Shape{m.Shape[1], ir.D(1 + s.IntN(40))}))
		}
	case 20:
		if r > 0 && r < 4 && t.IsFloat() {
			k := 1 + s.IntN(min(2, r-axis))
			few := func(n int) []int { return []int{1 + s.IntN(n), 1 + s.IntN(n)}[:k] }
			stride, dilation := few(3), few(2)
			w := g.Windows("", x, axis, few(3), stride, dilation)
			if slices.ContainsFunc(w.Shape, func(d ir.Dim) bool { return d.C < 0 }) {
				return x
			}
			return g.Fold("", s.like(t, w.Shape), x.Shape, axis, stride, dilation)
		}
	case 18: // those that do not fail
		switch k := s.IntN(4); {
		case r > 1 && t.IsFloat() && x.Shape[r-2].Is(2) && !x.Shape[r-1].Is(0):
			return g.Call(ir.FFT, ir.Transposed*uint64(s.IntN(2)), "", x)
		case r > 1 && t.IsFloat() && x.Shape[r-2].Is(1) && x.Shape[r-1].Static() && x.Shape[r-1].C > 0 && k < 2:
			return g.Call(ir.RFFT, 0, "", x)
		case r > 0 && t != dtype.Bool && k < 2:
			return g.Call(ir.ArgSort, ir.Descending*uint64(k), "", x)
		case r > 0 && t == dtype.I64 && k == 2:
			return g.Call(ir.Shuffle, 0, "", x)
		case r > 0 && t.IsFloat() && k == 2:
			return g.Call(ir.Recurrence, 0, "", x, s.like(t, x.Shape))
		case r > 1 && t.IsFloat() && x.Shape[r-1] == x.Shape[r-2] && (!s.device || x.Shape[r-1].Static() && x.Shape[r-1].C <= 8):
			return g.Call([]ir.CallID{ir.LU, ir.Det}[k&1], 0, "", x)
		case r > 1 && t.IsFloat() && x.Shape[r-1].Is(1):
			return g.Call(ir.QR, 0, "", x)
		}
	}
	// A pointwise one.
	id := ops.ID(s.IntN(int(ops.Count)))
	if !vec.Takes(id, t) && (!t.IsHalf() || !vec.Takes(id, dtype.F32)) || s.device && t.IsFloat() && (vec.Inside(id, t) == nil || id == ops.Lgamma || id == ops.Digamma) {
		id = []ops.ID{ops.Add, ops.Mul, ops.Sub}[s.IntN(3)]
		if t == dtype.Bool {
			id = ops.And
		}
	}
	in := []*ir.Node{x, s.like(t, x.Shape), s.like(t, x.Shape)}[:id.Row().Arity]
	if id == ops.Where {
		in[0] = s.like(dtype.Bool, x.Shape)
	}
	return g.Apply(id, in...)
}

// inside adds some nodes that see more nodes than those there are, and returns one like each of want.
func (s *sketch) inside(more []*ir.Node, want ...*ir.Node) []*ir.Node {
	outer := s.nodes
	defer func() { s.nodes = outer }()
	s.nodes = append(slices.Clone(outer), more...)
	for range s.IntN(6) {
		s.try()
	}
	var res []*ir.Node
	for _, w := range want {
		res = append(res, s.like(w.Type, w.Shape))
	}
	return res
}

// loop carries two values over one, stepping a fixed number of times or until data says so, either way.
func (s *sketch) loop(x *ir.Node) *ir.Node {
	g := s.g
	o := ir.LoopOptions{Length: []ir.Dim{ir.Batch, ir.D(1), ir.D(3), ir.D(0), ir.D(4)}[s.IntN(5)], Backward: s.IntN(2) == 0}
	if s.IntN(4) == 0 {
		o.Count = s.param(dtype.I64, nil, 5)
	}
	until := s.IntN(4) == 0
	derived := x.Type.IsFloat() && s.IntN(3) == 0
	if derived {
		o.Slots = 1 + s.IntN(3)
	}
	y := s.pick(dtype.F32)
	xs := s.like(x.Type, slices.Concat(ir.Shape{o.Length}, x.Shape))
	finals, ys, n := g.Loop("Scan", o, []*ir.Node{x, y}, []*ir.Node{xs}, func(index *ir.Node, c, e []*ir.Node) (next, ys []*ir.Node, goOn *ir.Node) {
		res := s.inside([]*ir.Node{c[0], c[1], e[0], index}, c[0], c[1], e[0])
		if until {
			goOn = g.Apply(ops.Lt, index, g.Const(dtype.I64, nil, 2))
		}
		return res[:2], res[2:], goOn
	})
	s.nodes = append(s.nodes, finals[1], g.Out(n, 3))
	if derived { // backwards, most carries made again
		outs := []*ir.Node{finals[0], ys[0]}
		for _, ct := range g.VJP(outs, outs, []*ir.Node{x, xs}) {
			if ct != nil {
				s.nodes = append(s.nodes, ct)
			}
		}
	}
	if s.IntN(2) == 0 {
		return ys[0]
	}
	return finals[0]
}

func (s *sketch) branch(x *ir.Node) *ir.Node {
	which := s.param(dtype.I64, nil, 5)
	outs := s.g.Branch("Switch", which, 2+s.IntN(2), func(i int) []*ir.Node { return s.inside([]*ir.Node{x}, x, x) })
	s.nodes = append(s.nodes, outs[1])
	return outs[0]
}

func (s *sketch) try() {
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(*ir.Error); !ok {
				panic(e)
			}
		}
	}()
	if y := s.step(); y.Rank() <= 5 && y.Shape.SizeAt(40) < 300_000 {
		s.nodes = append(s.nodes, y)
	}
}

// build makes a graph of about n steps and its outputs.
func build(src source, n int) (*sketch, []*ir.Node) {
	s := &sketch{source: src, g: ir.New()}
	return s, s.build(n)
}

func (s *sketch) build(n int) []*ir.Node {
	for range n {
		s.try()
	}
	var outs []*ir.Node
	for range 1 + s.IntN(4) {
		outs = append(outs, s.nodes[s.IntN(len(s.nodes))])
	}
	return append(outs, s.nodes[len(s.nodes)-1])
}

func (s *sketch) values(rng *rand.Rand, batch int) [][]byte {
	special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, 5e-324, 1e-40}
	var in [][]byte
	for i, p := range s.inputs {
		a := newArray(p.Type, p.Shape.At(batch))
		for j := range a.len() {
			v := rng.NormFloat64()
			switch {
			case p.Type == dtype.Bool:
				v = float64(rng.IntN(2))
			case !p.Type.IsFloat():
				v = float64(rng.IntN(s.limit[i]))
			case rng.IntN(50) == 0:
				v = special[rng.IntN(len(special))]
			}
			a.setBits(j, ir.FloatBits(p.Type, v))
		}
		in = append(in, a.bytes)
	}
	return in
}

// guarded is an array between guards.
type guarded struct {
	all   []byte
	at, n int
}

func newGuarded(n, shift int) guarded {
	return guarded{bytes.Repeat([]byte{0xa5}, n+128), 64 + shift, n}
}

func (g guarded) ptr() unsafe.Pointer { return unsafe.Pointer(&g.all[g.at]) }
func (g guarded) bytes() []byte       { return g.all[g.at : g.at+g.n] }
func (g guarded) intact() bool {
	return bytes.Count(g.all[:g.at], []byte{0xa5}) == g.at && bytes.Count(g.all[g.at+g.n:], []byte{0xa5}) == len(g.all)-g.at-g.n
}

// same compares bits; which NaN it is is nobody's promise.
func sameBits(t dtype.Type, a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	x, y := array{t, nil, a}, array{t, nil, b}
	for i := range x.len() {
		if p, q := x.bits(i), y.bits(i); p != q {
			if t.IsFloat() && math.IsNaN(ir.BitsFloat(t, p)) && math.IsNaN(ir.BitsFloat(t, q)) {
				continue
			}
			return i
		}
	}
	return -1
}

// check holds the compiled program to the reference, bit for bit, on every level, as code and as tiles; a short test, which is what
// the race detector runs, leaves out what shares nothing between threads.
func (s *sketch) check(t *testing.T, outs []*ir.Node, rng *rand.Rand, batches ...int) {
	t.Helper()
	var programs []*Program
	for _, l := range kernels.Levels() {
		if l.Base != "" && !multipliesBF16(outs) {
			continue // the same in all else
		}
		for _, o := range []Options{{Threads: 1}, {Threads: 3, Poison: true}, {Threads: 2, NoCode: true}} {
			if testing.Short() && (o.Threads == 1 || o.NoCode && l.Name == kernels.Purego.Name) {
				continue
			}
			o.Level = l.Name
			p, err := Compile(outs, s.inputs, o)
			if err != nil {
				t.Fatal(err)
			}
			programs = append(programs, p)
		}
	}
	for i, batch := range batches {
		rounds := 2
		if testing.Short() && i > 0 {
			rounds = 1
		}
		in := s.values(rng, batch)
		stripped := ir.Strip(outs)
		want, err := Reference(stripped, batch, in)
		if err != nil {
			t.Fatalf("B = %d: %v\n%s", batch, err, ir.Print(outs))
		}
		for _, p := range programs {
			for round := range rounds {
				var inPtr, outPtr []unsafe.Pointer
				var kept, room []guarded
				for i, b := range in {
					g := newGuarded(len(b), 8*(i&round))
					copy(g.bytes(), b)
					kept, inPtr = append(kept, g), append(inPtr, g.ptr())
				}
				for _, w := range want {
					g := newGuarded(len(w), 8*round)
					room, outPtr = append(room, g), append(outPtr, g.ptr())
				}
				if err := p.Run(context.Background(), batch, inPtr, outPtr); err != nil {
					t.Fatalf("%v\n%s", err, p)
				}
				for i, w := range want {
					if k := sameBits(outs[i].Type, room[i].bytes(), w); k >= 0 {
						x, y := array{outs[i].Type, nil, room[i].bytes()}, array{outs[i].Type, nil, w}
						t.Fatalf("B = %d, output %d, element %d: %v, reference %v\n%s", batch, i, k,
							ir.BitsFloat(x.t, x.bits(k)), ir.BitsFloat(y.t, y.bits(k)), p)
					}
				}
				for i, g := range append(room, kept...) {
					if !g.intact() || i >= len(room) && string(g.bytes()) != string(in[i-len(room)]) {
						t.Fatalf("B = %d: wrote outside (array %d)\n%s", batch, i, p)
					}
				}
			}
		}
	}
}

func multipliesBF16(outs []*ir.Node) bool {
	return slices.ContainsFunc(ir.Reachable(outs), func(n *ir.Node) bool {
		return n.Kind == ir.MatMul && n.In[0].Type == dtype.BF16 ||
			slices.ContainsFunc(n.Body, func(b *ir.Body) bool { return multipliesBF16(b.Outs) })
	})
}

func TestRandomGraphs(t *testing.T) {
	n := uint64(1500)
	if testing.Short() {
		n = 150
	}
	for seed := range n {
		if seed == n/2 {
			defer placeAnything()()
		}
		restore, restorePads := blockAnything(seed%2 == 0), padAnything(seed%3 > 0)
		rng := rand.New(rand.NewPCG(seed, 7))
		s, outs := build(rng, 5+rng.IntN(30))
		t.Run(fmt.Sprint(seed), func(t *testing.T) { s.check(t, outs, rng, 1, 1+rng.IntN(40), 0) })
		restore()
		restorePads()
	}
}

// Running sums and extremes of rows, and derivatives, some of which go side by side.
func TestCumSumRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 24))
	for _, typ := range []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64} {
		for _, d := range []int{1, 2, 3, 16, 17, 5000} {
			s := &sketch{source: rng, g: ir.New()}
			x := s.param(typ, ir.Shape{ir.Batch, ir.D(d)}, 1000)
			outs := []*ir.Node{s.g.CumSum(x, 1, false), s.g.CumSum(x, 1, true), s.g.CumMax(x, 1), s.g.CumMin(x, 1), s.g.CumProd(x, 1)}
			if typ.IsFloat() && d > 1 { // sums that begin anew, either way
				outs = append(outs, s.g.VJP(outs[2:3], outs[2:3], []*ir.Node{x})[0], s.g.JVP(outs[3:4], []*ir.Node{x}, outs[:1])[0])
			}
			s.check(t, outs, rng, 1, 2, 3, 4, 5, 7, 8, 23)
		}
	}
}

func FuzzGraphs(f *testing.F) {
	f.Add([]byte("adjoint"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, batch uint8) {
		s, outs := build(&byteSource{b}, min(40, len(b)/2+1))
		s.check(t, outs, rand.New(rand.NewPCG(uint64(batch), 1)), int(batch%40))
	})
}
