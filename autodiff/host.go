package autodiff

import (
	"reflect"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/kept"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// HostOp is an operation that ordinary Go computes: a simulator, a table, a library. Arguments and results are trees.
type HostOp[A, R any] struct {
	Name string // for errors

	// Shape gives the types and shapes of the results ([DType.Spec]) for an argument that has types and shapes only. An
	// axis of size AnyBatch is the batch. Where it is missing the result is like the argument.
	Shape func(x A) R

	// Run computes y of x, whose values are arrays: Data gives their elements. Those of y are zeros to be overwritten; x
	// is not to be changed, and nothing of either kept. It must depend on x only and may run on several goroutines at
	// once, as often as there is need, or not at all.
	Run func(x A, y R) error

	// Batch, if it is there, serves Vmap: every value has a leading axis of one size more. Otherwise Run is called for
	// each element of the batch.
	Batch func(x A, y R) error

	// The derivatives, as in [Rule]; linear in cotangent and tangent. One serves the other mode, too, transposed; where
	// both are missing a derivative is an error. They are functions of Values, and derived in their turn; what they need
	// of Go may be another HostOp.
	VJP func(x A, y, cotangent R) A
	JVP func(x A, y R, tangent A) R
}

// Host is op as a function, to be used like any other: recorded, compiled, at once on arrays, under Vmap, in loops. An
// error that Run returns is that of the program's run, with op's name and the line that called the function; on arrays
// it is a panic, like all mistakes there.
func Host[A, R any](op HostOp[A, R]) func(A) R {
	if op.Name == "" {
		op.Name = "Host"
	}
	h := &host[A, R]{HostOp: op}
	return func(x A) R {
		return recorded(op.Name, x, func(g *ir.Graph, x A) R {
			f := h.at(x)
			call := func(xs []*ir.Node) []*ir.Node { return f.record(g, xs) }
			xs := nodes(op.Name, g, x)
			if op.VJP == nil && op.JVP == nil {
				return filled(f.y, call(xs))
			}
			rule := toRule(Rule[A, R]{op.Name, op.VJP, op.JVP}, x, func() R { return f.y })
			vjp, jvp := rule.VJP, rule.JVP
			if vjp == nil {
				rule.VJP = transposedJVP(jvp)
			}
			if jvp == nil {
				rule.JVP = func(g *ir.Graph, xs, ys, ts []*ir.Node) []*ir.Node {
					return g.Linear(func(cts []*ir.Node) []*ir.Node { return vjp(g, xs, ys, cts) }, ys, ts)
				}
			}
			return filled(f.y, g.Custom(rule, xs, call))
		})
	}
}

// host is an operation and what it is for the arguments seen last, so that equal recordings have equal programs.
type host[A, R any] struct {
	HostOp[A, R]
	sync.Mutex
	known []*hostAt[A, R]
}

// hostAt is the operation for one type, shape and structure of the argument.
type hostAt[A, R any] struct {
	x    A // specs
	y    R
	xs   []spec // of the values that are there
	ys   []spec
	from []ir.Dim // where each result begins in what a call gives
	call *ir.Host
}

func (h *host[A, R]) at(x A) *hostAt[A, R] {
	xs := leaves(x)
	for i, v := range xs {
		if v.IsValid() {
			xs[i] = Value{a: &array{t: v.DType().t, dims: v.Shape()}}
			if v.n == nil && v.a.weak {
				xs[i].a.t = dtype.F64
			}
			for k, d := range v.Shape() {
				if d == AnyBatch && v.n != nil && v.n.Shape[k] != ir.Batch {
					ir.Fail(h.Name, "%v: sizes that depend on the batch must be the batch", v.n.Shape)
				}
			}
		}
	}
	x = replaced(x, xs)
	h.Lock()
	defer h.Unlock()
	for _, f := range h.known {
		if reflect.DeepEqual(f.x, x) {
			return f
		}
	}
	f := h.make(x)
	const most = 16
	h.known = append([]*hostAt[A, R]{f}, h.known[:min(len(h.known), most-1)]...)
	return f
}

func (h *host[A, R]) make(x A) *hostAt[A, R] {
	f := &hostAt[A, R]{x: x, xs: specs(h.Name, x)}
	if h.Run == nil {
		ir.Fail(h.Name, "has no Run")
	}
	if h.Shape != nil {
		f.y = h.Shape(x)
	} else if y, ok := any(x).(R); ok {
		f.y = y
	} else {
		ir.Fail(h.Name, "has no Shape, and its result is not of the argument's type")
	}
	f.ys = specs(h.Name, f.y)
	if len(f.ys) == 0 {
		ir.Fail(h.Name, "gives no value")
	}
	c := &ir.Host{Name: h.Name, Type: packing(f.ys)}
	for _, s := range f.ys {
		n, ok := s.shape.Size()
		if !ok {
			ir.Fail(h.Name, "a result of shape %v: too large, or of more than one batch axis", s.shape)
		}
		f.from = append(f.from, c.Size)
		for range places(s.t, c.Type) {
			c.Size = c.Size.Add(n)
		}
	}
	for _, s := range f.xs {
		c.In = append(c.In, ir.HostArray{Type: s.t, Shape: s.shape})
	}
	one := &kept.List[hostFrame[A, R]]{}
	c.Run = func(in []unsafe.Pointer, out unsafe.Pointer, size int) error {
		return f.run(h.Run, one, in, out, size, -1)
	}
	if h.Batch != nil {
		all := &kept.List[hostFrame[A, R]]{}
		c.All = func(in []unsafe.Pointer, out unsafe.Pointer, size, n int) error {
			return f.run(h.Batch, all, in, out, size, n)
		}
	}
	f.call = c
	return f
}

// Results of several types are packed into one array, of a type that holds them all exactly; int64s are two float64s there,
// the upper and the lower half.

// packing is the type that results are packed in.
func packing(ys []spec) dtype.Type {
	t := ys[0].t
	for _, y := range ys {
		switch {
		case y.t == t:
		case y.t.Size() <= 4 && !y.t.IsInt() && t.Size() <= 4 && !t.IsInt():
			t = dtype.F32
		default:
			return dtype.F64
		}
	}
	return t
}

// places is how many elements of a packed array one of type t takes.
func places(t, packed dtype.Type) int {
	if t == dtype.I64 && packed == dtype.F64 {
		return 2
	}
	return 1
}

// pack writes elements of a result's row where the packed array has them.
func pack(to unsafe.Pointer, packed dtype.Type, from *array, at, n int) {
	p := unsafe.Add(from.p, at*from.t.Size())
	if from.t == packed {
		copy(unsafe.Slice((*byte)(to), n*packed.Size()), unsafe.Slice((*byte)(p), n*packed.Size()))
		return
	}
	for i := range n {
		x, low := 0.0, 0.0
		switch from.t {
		case dtype.F32:
			x = float64(unsafe.Slice((*float32)(p), n)[i])
		case dtype.BF16, dtype.F16:
			x = float64(dtype.HalfFloat(from.t, unsafe.Slice((*uint16)(p), n)[i]))
		case dtype.I32:
			x = float64(unsafe.Slice((*int32)(p), n)[i])
		case dtype.I64:
			v := unsafe.Slice((*int64)(p), n)[i]
			x, low = float64(v>>32), float64(uint32(v))
		case dtype.Bool:
			x = float64(unsafe.Slice((*uint8)(p), n)[i])
		default:
			x = unsafe.Slice((*float64)(p), n)[i]
		}
		if packed == dtype.F32 {
			unsafe.Slice((*float32)(to), n)[i] = float32(x)
			continue
		}
		unsafe.Slice((*float64)(to), n)[i] = x
		if from.t == dtype.I64 {
			unsafe.Slice((*float64)(to), 2*n)[n+i] = low
		}
	}
}

// unpacked is a result, of what a call gives.
func (f *hostAt[A, R]) unpacked(g *ir.Graph, packed *ir.Node, i int) *ir.Node {
	s := f.ys[i]
	n, _ := s.shape.Size()
	part := func(from ir.Dim) *ir.Node { return g.Convert(g.Narrow(packed, 0, from, n), s.t) }
	y := part(f.from[i])
	if places(s.t, packed.Type) == 2 {
		high := g.Map(ops.Shl, y, g.Const(dtype.I64, nil, 32))
		y = g.Apply(ops.BitOr, high, part(f.from[i].Add(n)))
	}
	return g.Reshape(y, s.shape)
}

// specs lists the values of a tree of specs.
func specs[T any](op string, tree T) []spec {
	var res []spec
	for _, v := range leaves(tree) {
		switch {
		case !v.IsValid():
		case v.n != nil || v.a.weak:
			ir.Fail(op, "Shape gives %v: a Spec is needed", v)
		default:
			res = append(res, spec{t: v.a.t, shape: v.a.shape()})
		}
	}
	return res
}

// record gives the results for operands.
func (f *hostAt[A, R]) record(g *ir.Graph, xs []*ir.Node) []*ir.Node {
	pos := ir.UserLine()
	shared := make([]int, len(xs))
	packed := g.HostCall(f.call, 0, shared, pos, xs...)
	outs := make([]*ir.Node, len(f.ys))
	for i := range f.ys {
		outs[i] = f.unpacked(g, packed, i)
	}
	return outs
}

// hostFrame is an argument and a result that calls fill in anew.
type hostFrame[A, R any] struct {
	size, n int
	x       A
	y       R
	in, out []*array
	own     []bool // results that have memory of their own
}

func (f *hostAt[A, R]) run(run func(A, R) error, frames *kept.List[hostFrame[A, R]], in []unsafe.Pointer, out unsafe.Pointer, size, n int) error {
	fr := frames.Take()
	if fr == nil || fr.size != size || fr.n != n {
		fr = f.frame(size, n)
	}
	defer frames.Put(fr)
	for i, a := range fr.in {
		a.p = in[i]
	}
	t := f.call.Type
	for i, a := range fr.out {
		if !fr.own[i] {
			a.p = unsafe.Add(out, f.from[i].At(size)*t.Size())
		}
		clear(a.bytes())
	}
	if err := run(fr.x, fr.y); err != nil {
		return err
	}
	step := f.call.Size.At(size) * t.Size()
	for i, a := range fr.out { // from results of all elements to rows of all results
		if !fr.own[i] {
			continue
		}
		rows := max(n, 1)
		for e := range rows {
			pack(unsafe.Add(out, e*step+f.from[i].At(size)*t.Size()), t, a, e*(a.n/rows), a.n/rows)
		}
	}
	return nil
}

// frame makes arrays for a batch size and, where it is not negative, a number of elements.
func (f *hostAt[A, R]) frame(size, n int) *hostFrame[A, R] {
	fr := &hostFrame[A, R]{size: size, n: n}
	arrays := func(specs []spec) (as []*array) {
		for _, s := range specs {
			dims := s.shape.At(size)
			if n >= 0 {
				dims = append([]int{n}, dims...)
			}
			a := &array{t: s.t, dims: dims, n: 1}
			for _, d := range dims {
				a.n *= d
			}
			as = append(as, a)
		}
		return as
	}
	fr.in, fr.out = arrays(f.xs), arrays(f.ys)
	fr.own = make([]bool, len(fr.out))
	for i, a := range fr.out {
		if a.t != f.call.Type || n >= 0 && len(fr.out) > 1 {
			fr.own[i] = true
			fr.out[i] = newArray(a.t, a.dims)
		}
	}
	fr.x, fr.y = holding(f.x, fr.in), holding(f.y, fr.out)
	return fr
}

// holding is the tree with arrays where it has values.
func holding[T any](tree T, as []*array) T {
	vs := leaves(tree)
	k := 0
	for i, v := range vs {
		if v.IsValid() {
			vs[i] = Value{a: as[k]}
			k++
		}
	}
	return replaced(tree, vs)
}
