package autodiff

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/runtime"
)

// A value that is read while a function is recorded is computed then, of the arrays that the function was called
// with, and the recording goes on: Go's if, for and recursion may depend on it. The graph is cut there; what is
// recorded between two reads is a segment, a program of its own, found again by its structure. Transforms cut what
// they append where the segments that they follow end, so that reverse mode of a loop of Go's is a program for a
// step, too, run as often. Constants other than the usual ones are parameters of such programs: a step does not
// differ from the next by its number.

// read is the array of the recorded value n.
func read(op string, n *ir.Node) *array {
	e, _ := n.Graph.Reader.(*evaluation)
	if e == nil {
		ir.Fail(op, "%v: the value is not known while Compile records the function, for all arguments: choose and repeat with Where, Cond, Switch or While, or call the function on arrays without Compile", n.Shape)
	}
	e.reading = op
	e.compute([]*ir.Node{n}, true)
	e.g.Cut()
	e.cut = true
	dims := n.Shape.At(1)
	a := &array{t: n.Type, dims: dims, p: e.pointer(n), n: elements(n)}
	a.home.held.Store(true)
	return a
}

func elements(n *ir.Node) int {
	size := 1
	for _, d := range n.Shape {
		size *= d.C
	}
	return size
}

// known is what an evaluation knows of a node.
type known struct {
	p     unsafe.Pointer // its elements, or nil
	runs  uint8          // how often programs have computed it without keeping it
	visit int32          // the last computation that needs it
	keep  bool           // in that one: it is to be kept
	stage int64          // segment and, in that, place in the order of what programs and what this package itself computes
	local int32          // in the segment at hand: its number, the others' below
	at    int32          // that segment's number
}

// pointer is where n's elements are, nil where they are not known.
func (e *evaluation) pointer(n *ir.Node) unsafe.Pointer {
	n = original(n)
	if n.ID < len(e.known) && e.known[n.ID].p != nil {
		return e.known[n.ID].p
	}
	var p unsafe.Pointer
	switch n.Kind {
	case ir.Param:
		return e.in[n.Bits]
	case ir.Data:
		return unsafe.Pointer(unsafe.SliceData(n.Data.Bytes))
	case ir.Reshape:
		p = e.pointer(n.In[0])
	case ir.Slice:
		if from, ok := run(n); ok {
			if p = e.pointer(n.In[0]); p != nil {
				p = unsafe.Add(p, from*n.Type.Size())
			}
		}
	}
	if p != nil {
		e.grow()
		e.known[n.ID].p = p
	}
	return p
}

// original is n without marks that matter to derivatives only.
func original(n *ir.Node) *ir.Node {
	for n.Kind == ir.Stop || n.Kind == ir.Alias {
		n = n.In[0]
	}
	return n
}

// run is where a slice begins, if its elements lie one behind the other in its operand.
func run(n *ir.Node) (from int, ok bool) {
	whole := true // behind axis a, all is taken
	stride := 1
	for a := n.Rank() - 1; a >= 0; a-- {
		d, all := n.Shape[a].C, n.In[0].Shape[a].C
		if d > 1 && (!whole || n.Step[a] != 1) {
			return 0, false
		}
		whole = whole && d == all || d == 1 && all == 1 && whole
		if d != all {
			whole = false
		}
		from += n.Start[a].C * stride
		stride *= all
	}
	return from, true
}

func (e *evaluation) grow() {
	if n := len(e.g.Nodes); len(e.known) < n {
		e.known = append(e.known, make([]known, n-len(e.known))...)
	}
}

// shown reports whether n is made again where it is used, rather than kept: it shows another node's elements, or
// needs none.
func shown(n *ir.Node) bool {
	switch n.Kind {
	case ir.Const, ir.Iota, ir.DimSize, ir.Broadcast, ir.Reshape, ir.Transpose, ir.Slice, ir.Reverse, ir.Windows:
		return true
	}
	return false
}

// needs calls f with the nodes that n is made of by way of what is shown only.
func (e *evaluation) needs(n *ir.Node, f func(x *ir.Node)) {
	for _, x := range n.In {
		x = original(x)
		if e.pointer(x) == nil && shown(x) && !scattered(n) {
			e.needs(x, f)
		} else {
			f(x)
		}
	}
}

// compute makes the elements of nodes known. What a segment computes is kept where a later one needs it, where it
// has been computed twice before and, if more is to come, where it is small.
func (e *evaluation) compute(outs []*ir.Node, more bool) {
	e.grow()
	e.visits++
	var order []*ir.Node
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		k := &e.known[n.ID]
		if k.visit == e.visits {
			return
		}
		k.visit, k.keep, k.stage = e.visits, k.runs >= 2, int64(n.Segment())<<stageBits
		if n.Kind == ir.Hole {
			ir.Fail(e.reading, "the value belongs to what is recorded once for all elements of a batch or steps of a loop (Vmap, Scan, While, Custom), and differs from one to the next: choose and repeat with Where, Cond, Switch or While")
		}
		odd := int64(0)
		if scattered(n) {
			odd = 1
			k.stage++
		}
		var made []*ir.Node
		e.needs(n, func(x *ir.Node) {
			if e.pointer(x) != nil {
				return
			}
			visit(x)
			made = append(made, x)
			if s := e.known[x.ID].stage; s>>stageBits == k.stage>>stageBits {
				k.stage = max(k.stage, s+(s^odd)&1)
			}
		})
		for _, x := range made {
			if x := &e.known[x.ID]; x.stage != k.stage {
				x.keep = true
			}
		}
		order = append(order, n)
	}
	for _, o := range outs {
		o = original(o)
		if e.pointer(o) == nil {
			visit(o)
			e.known[o.ID].keep = true
		}
	}
	slices.SortStableFunc(order, func(a, b *ir.Node) int { return cmp.Compare(e.known[a.ID].stage, e.known[b.ID].stage) })
	for len(order) > 0 {
		n := 1
		for n < len(order) && e.known[order[n].ID].stage == e.known[order[0].ID].stage {
			n++
		}
		if scattered(order[0]) {
			for _, p := range order[:n] {
				e.place(p)
			}
		} else {
			e.segment(order[:n], more)
		}
		order = order[n:]
	}
}

const stageBits = 20 // of the stages in a segment

// scattered reports whether n is made of so many pieces that it is put together without a program: the gradient of
// an array whose elements a loop has read has a piece for each of them, and another structure for every number of steps.
func scattered(n *ir.Node) bool { return n.Kind == ir.Place && len(n.In) > 8 && !n.Type.IsHalf() }

// place puts n together.
func (e *evaluation) place(n *ir.Node) {
	a := newArray(n.Type, n.Shape.At(1))
	a.set(n.Bits)
	switch n.Type {
	case dtype.F32:
		placeIn[float32](e, n, a)
	case dtype.F64:
		placeIn[float64](e, n, a)
	case dtype.I32:
		placeIn[int32](e, n, a)
	case dtype.I64:
		placeIn[int64](e, n, a)
	default:
		placeIn[uint8](e, n, a)
	}
	e.known[n.ID].p = a.p
}

func placeIn[T float32 | float64 | int32 | int64 | uint8](e *evaluation, n *ir.Node, a *array) {
	y := unsafe.Slice((*T)(a.p), a.n)
	r := n.Rank()
	at := make([]int, r)
	for i, x := range n.In {
		start, step := n.Start[i*r:(i+1)*r], n.Step[i*r:(i+1)*r]
		clear(at)
		for _, v := range unsafe.Slice((*T)(e.pointer(x)), elements(x)) {
			to := 0
			for k, d := range a.dims {
				to = to*d + start[k].C + at[k]*step[k]
			}
			if n.Flag {
				v += y[to]
			}
			y[to] = v
			for k := r - 1; k >= 0; k-- {
				if at[k]++; at[k] < x.Shape[k].C {
					break
				}
				at[k] = 0
			}
		}
	}
}

// Small nodes are kept as they are computed, so that no later use has to compute them again.
const (
	smallNode  = 64 // elements
	smallNodes = 48 // of one segment
)

// segment computes nodes, operands first, of others that are known.
func (e *evaluation) segment(order []*ir.Node, more bool) {
	e.segments++
	s := piece{e: e, key: append(e.key[:0], "segment"...)}
	for _, n := range order {
		s.add(n)
	}
	few := 0
	for _, n := range order {
		if several(n) {
			continue
		}
		if k := &e.known[n.ID]; more && !k.keep && elements(n) <= smallNode && few < smallNodes {
			k.keep = true
			few++
		}
		if k := &e.known[n.ID]; k.keep {
			s.outs = append(s.outs, n)
			s.key = binary.AppendUvarint(s.key, uint64(k.local))
		} else if k.runs < 2 {
			k.runs++
		}
	}
	for _, x := range s.inputs {
		s.key = append(s.key, byte(x.Type))
		if x.Kind == ir.Const {
			s.key = append(s.key, 'c')
			continue
		}
		for _, d := range x.Shape {
			s.key = binary.AppendUvarint(s.key, uint64(d.C)<<1)
		}
		s.key = append(s.key, 1)
	}
	e.key = s.key
	p := programs.find(s.key).p
	if p == nil {
		p = s.compile()
		programs.add(cached{key: string(s.key), p: p})
	}
	bytes := 0
	for _, o := range s.outs {
		bytes += lines(elements(o) * o.Type.Size())
	}
	room := make([]uint64, bytes/8+8)
	at := unsafe.Pointer(unsafe.SliceData(room))
	at = unsafe.Add(at, int(-uintptr(at)&63))
	e.out = e.out[:0]
	for _, o := range s.outs {
		e.out = append(e.out, at)
		at = unsafe.Add(at, lines(elements(o)*o.Type.Size()))
	}
	e.args = e.args[:0]
	for _, x := range s.inputs {
		if x.Kind == ir.Const {
			a := newArray(x.Type, nil)
			a.set(x.Bits)
			e.args = append(e.args, a.p)
		} else {
			e.args = append(e.args, e.pointer(x))
		}
	}
	if err := p.Run(context.Background(), 1, e.args, e.out); err != nil {
		panic(err)
	}
	for i, o := range s.outs {
		e.known[o.ID].p = e.out[i]
	}
}

func several(n *ir.Node) bool { return n.Several() }

// lines is n bytes in whole lines of a cache, with one to spare for arrays of none.
func lines(n int) int { return (n + 64) &^ 63 }

// piece is a segment on its way to a program: all nodes in order, inputs and what is shown included.
type piece struct {
	e      *evaluation
	key    []byte
	nodes  []*ir.Node
	inputs []*ir.Node // known arrays, and constants of any value
	outs   []*ir.Node
	locals int32
}

// add lists n behind what it needs, and its structure in the key. Inputs have odd numbers, other nodes even ones.
func (s *piece) add(n *ir.Node) int32 {
	e := s.e
	k := &e.known[n.ID]
	if k.at == e.segments {
		return k.local
	}
	if original(n) == n && e.pointer(n) != nil || n.Kind == ir.Const && !n.Usual() {
		k.at, k.local = e.segments, int32(len(s.inputs))<<1|1
		s.inputs = append(s.inputs, n)
		s.nodes = append(s.nodes, n)
		if n.Kind == ir.Const { // its shape is its own, the number is not
			s.key = append(s.key, 0xff, byte(len(n.Shape)))
			for _, d := range n.Shape {
				s.key = binary.AppendUvarint(s.key, uint64(d.C))
			}
		}
		return k.local
	}
	if n.Kind == ir.Stop || n.Kind == ir.Alias { // these come along for their users
		local := s.add(n.In[0])
		e.known[n.ID].at, e.known[n.ID].local = e.segments, local
		s.nodes = append(s.nodes, n)
		return local
	}
	for _, x := range n.In {
		s.add(x)
	}
	s.key = n.AppendStructure(s.key, func(x *ir.Node) int { return int(e.known[x.ID].local) })
	k.at, k.local = e.segments, s.locals<<1
	s.locals++
	s.nodes = append(s.nodes, n)
	return k.local
}

func (s *piece) compile() *runtime.Program {
	number := make(map[*ir.Node]int, len(s.inputs))
	inputs := make([]runtime.Input, len(s.inputs))
	for i, x := range s.inputs {
		number[x] = i
		inputs[i] = runtime.Input{Type: x.Type, Shape: x.Shape}
		if x.Kind == ir.Const {
			inputs[i].Shape = nil
		}
	}
	outs := ir.Detach(s.nodes, s.outs, func(g *ir.Graph, n *ir.Node) *ir.Node {
		i, ok := number[n]
		if !ok {
			return nil
		}
		return g.BroadcastTo("Item", g.Param(i, n.Type, inputs[i].Shape), n.Shape)
	})
	p, err := runtime.Compile(outs, inputs, onHost)
	if err != nil {
		panic(err)
	}
	return p
}
