package autodiff

import (
	"container/list"
	"context"
	"encoding/binary"
	"math"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/runtime"
)

// eager computes an operation on arrays at once, as a program of its own.
func eager(op string, as recipe, f func(g *ir.Graph, x []*ir.Node) *ir.Node, t dtype.Type, xs []Value) Value {
	if as.name != "" {
		if y, ok := as.cook(op, f, t, xs); ok {
			return y
		}
	}
	e := evaluation{op: op, g: newGraph(nil)}
	in := make([]*ir.Node, len(xs))
	for i, v := range xs {
		in[i] = e.argument(v, t)
	}
	return e.run([]Value{{n: f(e.g, in)}})[0]
}

// recipe is what tells an operation's function from all others, so that its program for arrays of some types and shapes is
// found without recording it. It is for operations that make no errors when they run, which would name a line.
type recipe struct {
	name    string
	variant int
	numbers []int
}

// call is the room that a recipe's call takes.
type call struct {
	key  []byte
	in   []unsafe.Pointer
	bits [maxNumbers]uint64 // of bare numbers
	out  [1]unsafe.Pointer
}

const maxNumbers = 4

var calls = sync.Pool{New: func() any { return new(call) }}

// cook runs the recipe's program on xs, bare numbers being of type t; ok is false where it is not for such values, right or
// wrong. Numbers other than the usual ones are parameters, so that there is no program for each of them.
func (r recipe) cook(op string, f func(g *ir.Graph, x []*ir.Node) *ir.Node, t dtype.Type, xs []Value) (y Value, ok bool) {
	if t == dtype.Invalid || len(xs) > maxNumbers || ir.KeepLines() {
		return Value{}, false
	}
	c := calls.Get().(*call)
	defer c.done()
	key := append(append(c.key[:0], r.name...), 0)
	key = binary.AppendVarint(key, int64(r.variant))
	for _, n := range r.numbers {
		key = binary.AppendVarint(key, int64(n))
	}
	var parameter [maxNumbers]bool
	for i, v := range xs {
		switch a := v.a; {
		case a == nil:
			return Value{}, false
		case a.weak && t.IsFloat() && !t.IsHalf() && !ir.UsualNumber(a.num):
			parameter[i] = true
			c.bits[i] = ir.FloatBits(t, a.num)
			c.in = append(c.in, unsafe.Pointer(&c.bits[i]))
			key = append(key, 0xff)
		case a.weak:
			key = binary.AppendUvarint(append(key, 0xfe), math.Float64bits(a.num))
		case a.p == nil:
			return Value{}, false
		default:
			parameter[i] = true
			c.in = append(c.in, a.fetched().p)
			key = append(key, 0xfd, byte(a.t), byte(len(a.dims)))
			for _, d := range a.dims {
				key = binary.AppendUvarint(key, uint64(d))
			}
		}
	}
	c.key = append(key, byte(t))
	found := programs.find(c.key)
	if found.p == nil {
		found = r.compile(op, f, t, xs, parameter)
		found.key = string(c.key)
		programs.add(found)
	}
	a := alike(found.t, found.dims)
	c.out[0] = a.p
	if err := found.p.Run(context.Background(), 1, c.in, c.out[:]); err != nil {
		panic(err)
	}
	return Value{a: a}, true
}

// done gives the room back, without what it held on to.
func (c *call) done() {
	clear(c.in)
	c.in, c.out[0] = c.in[:0], nil
	calls.Put(c)
}

func (r recipe) compile(op string, f func(g *ir.Graph, x []*ir.Node) *ir.Node, t dtype.Type, xs []Value, parameter [maxNumbers]bool) cached {
	g := newGraph(nil)
	var inputs []runtime.Input
	in := make([]*ir.Node, len(xs))
	for i, v := range xs {
		if !parameter[i] {
			in[i] = v.node(g, op, t)
			continue
		}
		x := runtime.Input{Type: t}
		if !v.a.weak {
			x = runtime.Input{Type: v.a.t, Shape: v.a.shape()}
		}
		in[i] = g.Param(len(inputs), x.Type, x.Shape)
		inputs = append(inputs, x)
	}
	y := f(g, in)
	p, err := runtime.Compile([]*ir.Node{y}, inputs, onHost)
	if err != nil {
		panic(err)
	}
	return cached{p: p, t: y.Type, dims: y.Shape.At(1)}
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
	// The result's type and shape, of a recipe.
	t    dtype.Type
	dims []int
}

func (c *programCache) get(outs []*ir.Node, inputs []runtime.Input) (*runtime.Program, error) {
	key := ir.Key(outs)
	for _, in := range inputs {
		key += in.Type.String() + in.Shape.String()
	}
	if found := c.find([]byte(key)); found.p != nil {
		return found.p, nil
	}
	p, err := runtime.Compile(outs, inputs, onHost)
	if err == nil {
		c.add(cached{key: key, p: p})
	}
	return p, err
}

// find is the program for a key, none where there is none.
func (c *programCache) find(key []byte) cached {
	c.Lock()
	defer c.Unlock()
	e := c.byKey[string(key)]
	if e == nil {
		c.misses++
		return cached{}
	}
	c.order.MoveToFront(e)
	c.hits++
	return e.Value.(cached)
}

func (c *programCache) add(x cached) {
	c.Lock()
	defer c.Unlock()
	if c.byKey[x.key] == nil {
		c.byKey[x.key] = c.order.PushFront(x)
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
