package autodiff

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/kept"
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
	x     A // specs
	y     R
	xs    []spec // of the values that are there
	ys    []spec
	from  []ir.Dim // where each result begins among those of its type
	types []dtype.Type
	calls []*ir.Host // by type of results: each computes all, and keeps its own
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
	sizes := map[dtype.Type]ir.Dim{}
	for _, s := range f.ys {
		n, ok := s.shape.Size()
		if !ok {
			ir.Fail(h.Name, "a result of shape %v: too large, or of more than one batch axis", s.shape)
		}
		f.from = append(f.from, sizes[s.t])
		if !slices.Contains(f.types, s.t) {
			f.types = append(f.types, s.t)
		}
		sizes[s.t] = sizes[s.t].Add(n)
	}
	in := make([]ir.HostArray, len(f.xs))
	for i, s := range f.xs {
		in[i] = ir.HostArray{Type: s.t, Shape: s.shape}
	}
	for _, t := range f.types {
		c := &ir.Host{Name: h.Name, In: in, Type: t, Size: sizes[t]}
		one := &kept.List[hostFrame[A, R]]{}
		c.Run = func(in []unsafe.Pointer, out unsafe.Pointer, size int) error {
			return f.run(h.Run, one, t, in, out, size, -1)
		}
		if h.Batch != nil {
			all := &kept.List[hostFrame[A, R]]{}
			c.All = func(in []unsafe.Pointer, out unsafe.Pointer, size, n int) error {
				return f.run(h.Batch, all, t, in, out, size, n)
			}
		}
		f.calls = append(f.calls, c)
	}
	return f
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
	packed := make([]*ir.Node, len(f.calls))
	for i, c := range f.calls {
		packed[i] = g.HostCall(c, 0, shared, pos, xs...)
	}
	outs := make([]*ir.Node, len(f.ys))
	for i, s := range f.ys {
		n, _ := s.shape.Size()
		outs[i] = g.Reshape(g.Narrow(packed[slices.Index(f.types, s.t)], 0, f.from[i], n), s.shape)
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

func (f *hostAt[A, R]) run(run func(A, R) error, frames *kept.List[hostFrame[A, R]], t dtype.Type, in []unsafe.Pointer, out unsafe.Pointer, size, n int) error {
	fr := frames.Take()
	if fr == nil || fr.size != size || fr.n != n {
		fr = f.frame(t, size, n)
	}
	defer frames.Put(fr)
	for i, a := range fr.in {
		a.p = in[i]
	}
	for i, a := range fr.out {
		if !fr.own[i] {
			a.p = unsafe.Add(out, f.from[i].At(size)*t.Size())
		}
		clear(a.bytes())
	}
	if err := run(fr.x, fr.y); err != nil {
		return err
	}
	for i, a := range fr.out { // from results of all elements to rows of all results
		if !fr.own[i] || a.t != t {
			continue
		}
		row := len(a.bytes()) / n
		step := 0
		for k, s := range f.ys {
			if s.t == t {
				step += len(fr.out[k].bytes()) / n
			}
		}
		for e := range n {
			to := unsafe.Add(out, e*step+f.from[i].At(size)*t.Size())
			copy(unsafe.Slice((*byte)(to), row), a.bytes()[e*row:])
		}
	}
	return nil
}

// frame makes arrays for a batch size and, where it is not negative, a number of elements.
func (f *hostAt[A, R]) frame(t dtype.Type, size, n int) *hostFrame[A, R] {
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
	same := 0
	for _, s := range f.ys {
		if s.t == t {
			same++
		}
	}
	fr.own = make([]bool, len(fr.out))
	for i, a := range fr.out {
		if a.t != t || n >= 0 && same > 1 {
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
