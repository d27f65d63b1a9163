package autodiff

import (
	"container/list"
	"context"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/runtime"
)

// eager computes an operation on arrays at once, as a program of its own.
func eager(op string, f func(g *ir.Graph, x []*ir.Node) *ir.Node, t dtype.Type, xs []Value) Value {
	e := evaluation{op: op, g: newGraph(nil)}
	in := make([]*ir.Node, len(xs))
	for i, v := range xs {
		in[i] = e.argument(v, t)
	}
	return e.run([]Value{{n: f(e.g, in)}})[0]
}

// recorded calls f on a tree in a graph: that of the tree's recorded values; where it holds arrays only, one
// that is run at once or, if f turns out to use values of another, that one.
func recorded[A, R any](op string, x A, f func(g *ir.Graph, x A) R) R {
	xs := leaves(x)
	if g := graphOf(xs); g != nil {
		return f(g, x)
	}
	e := newEvaluation(op)
	in := make([]Value, len(xs))
	for i, v := range xs {
		if v.IsValid() {
			in[i] = Value{n: e.argument(v, dtype.Invalid)}
		}
	}
	y, outer := attempt(e.g, func() R { return f(e.g, replaced(x, in)) })
	if outer != nil {
		return f(outer, x)
	}
	return replaced(y, e.run(leaves(y)))
}

// attempt calls f, which records in g; outer is the other graph whose values it met.
func attempt[R any](g *ir.Graph, f func() R) (y R, outer *ir.Graph) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*Error); ok {
				outer = e.Beside(g)
			}
			if outer == nil {
				panic(r)
			}
		}
	}()
	y = f()
	for _, v := range leaves(y) {
		if v.n != nil && v.n.Graph != g {
			outer = v.n.Graph
		}
	}
	return y, outer
}

// evaluation is a graph that is run once, on arrays that are its parameters; in pieces, where the function reads
// values as it is recorded.
type evaluation struct {
	op     string
	g      *ir.Graph
	inputs []runtime.Input
	in     []unsafe.Pointer

	cut              bool    // a value has been read
	known            []known // by node
	visits, segments int32   // so far: computations, programs run
	reading          string  // the operation that reads
	key              []byte  // room
	args, out        []unsafe.Pointer
}

func newEvaluation(op string) *evaluation {
	e := &evaluation{op: op, g: newGraph(nil)}
	e.g.Reader = e
	return e
}

// argument makes v a parameter; single elements and bare numbers become constants.
func (e *evaluation) argument(v Value, t dtype.Type) *ir.Node {
	if v.a == nil || v.a.p == nil || v.a.weak {
		return v.node(e.g, e.op, t)
	}
	e.inputs = append(e.inputs, runtime.Input{Type: v.a.t, Shape: v.a.shape()})
	e.in = append(e.in, v.a.fetched().p)
	return e.g.Param(len(e.in)-1, v.a.t, v.a.shape())
}

// run computes what is recorded among ys; the rest is returned as it is.
func (e *evaluation) run(ys []Value) []Value {
	var outs []*ir.Node
	res := make([]Value, len(ys))
	var out []unsafe.Pointer
	for i, y := range ys {
		res[i] = y
		if y.n == nil {
			continue
		}
		if y.n.Graph != e.g {
			ir.Fail(e.op, "%v: a value belongs to another function's recording", y.n.Shape)
		}
		outs = append(outs, y.n)
		a := newArray(y.n.Type, y.n.Shape.At(1))
		res[i] = Value{a: a, cut: y.cut}
		out = append(out, a.p)
	}
	if len(outs) == 0 {
		return res
	}
	if e.cut {
		e.compute(outs, false)
		for i, o := range outs {
			copy(unsafe.Slice((*byte)(out[i]), o.Type.Size()*elements(o)), unsafe.Slice((*byte)(e.pointer(o)), o.Type.Size()*elements(o)))
		}
		return res
	}
	lifted, data := ir.Lift(outs, len(e.in))
	for _, d := range data {
		e.inputs = append(e.inputs, runtime.Input{Type: d.Type, Shape: d.Shape})
		e.in = append(e.in, unsafe.Pointer(unsafe.SliceData(d.Data.Bytes)))
	}
	p, err := programs.get(lifted, e.inputs)
	if err == nil {
		err = p.Run(context.Background(), 1, e.in, out)
	}
	if err != nil {
		panic(err)
	}
	return res
}

// onHost keeps operations on arrays on the CPU: each would be a kernel to be compiled.
var onHost = runtime.Options{Device: "cpu"}

// programs are those of operations and transforms on arrays and of the one-call helpers, by what they
// compute: the functions are recorded at each call, but equal recordings are compiled once.
var programs = programCache{byKey: map[string]*list.Element{}, order: list.New(), limit: 512}

type programCache struct {
	sync.Mutex
	byKey        map[string]*list.Element
	order        *list.List // the one used last in front
	limit        int
	hits, misses int
}

type cached struct {
	key string
	p   *runtime.Program
}

func (c *programCache) get(outs []*ir.Node, inputs []runtime.Input) (*runtime.Program, error) {
	key := ir.Key(outs)
	for _, in := range inputs {
		key += in.Type.String() + in.Shape.String()
	}
	if p := c.find([]byte(key)); p != nil {
		return p, nil
	}
	p, err := runtime.Compile(outs, inputs, onHost)
	if err == nil {
		c.add(key, p)
	}
	return p, err
}

// find is the program for a key, nil where there is none.
func (c *programCache) find(key []byte) *runtime.Program {
	c.Lock()
	defer c.Unlock()
	e := c.byKey[string(key)]
	if e == nil {
		c.misses++
		return nil
	}
	c.order.MoveToFront(e)
	c.hits++
	return e.Value.(cached).p
}

func (c *programCache) add(key string, p *runtime.Program) {
	c.Lock()
	defer c.Unlock()
	if c.byKey[key] == nil {
		c.byKey[key] = c.order.PushFront(cached{key, p})
	}
	c.trim()
}

func (c *programCache) trim() {
	for c.order.Len() > c.limit {
		e := c.order.Back()
		delete(c.byKey, e.Value.(cached).key)
		c.order.Remove(e)
	}
}

// CacheInfo describes the cache of programs behind operations on arrays and the one-call helpers.
type CacheInfo struct {
	Programs, Limit int
	Hits, Misses    int // since the start
}

// Cache describes that cache now. What [Compile] returns is not in it: it lives as long as its user
// holds it.
func Cache() CacheInfo {
	programs.Lock()
	defer programs.Unlock()
	return CacheInfo{programs.order.Len(), programs.limit, programs.hits, programs.misses}
}

// SetCacheLimit bounds the number of programs in the cache, dropping those that were not used for the
// longest time. The limit is 512 at first.
func SetCacheLimit(n int) {
	programs.Lock()
	defer programs.Unlock()
	programs.limit = max(0, n)
	programs.trim()
}

// failure makes the *Error that a recording panicked with an error.
func failure(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}
