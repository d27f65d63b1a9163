package runtime

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/memory"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/kernels"
)

// Reference computes outs for a batch, node by node with the pure-Go kernels: slow and obvious, the oracle
// that compiled programs must match bit for bit. inputs[i] holds the elements of Param i, and is not
// kept or changed.
func Reference(outs []*ir.Node, batch int, inputs [][]byte) (res [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*ir.Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	at := referenceValues(outs, batch, inputs)
	for _, o := range outs {
		res = append(res, append([]byte(nil), at[o].bytes...))
	}
	return res, nil
}

// referenceValues are the values of all nodes that outs need, by a panic with an *ir.Error where one has none.
func referenceValues(outs []*ir.Node, batch int, inputs [][]byte) map[*ir.Node]array {
	at := map[*ir.Node]array{}
	results := map[*ir.Node][]array{} // of loops and branches
	for _, n := range ir.Reachable(outs) {
		if several(n) {
			in := make([]array, len(n.In))
			for i, x := range n.In {
				in[i] = at[x]
			}
			results[n] = referenceNested(n, in, batch, nil)
			continue
		}
		if n.Kind == ir.Out {
			at[n] = results[n.In[0]][n.Bits]
			continue
		}
		r := reference{n: n, batch: batch, inputs: inputs, y: newArray(n.Type, n.Shape.At(batch))}
		for _, x := range n.In {
			r.in = append(r.in, at[x])
		}
		f := referenceKinds[n.Kind]
		if f == nil {
			panic(&ir.Error{Op: n.Name(), Msg: fmt.Sprintf("%v has no value", n.Shape)})
		}
		f(&r)
		at[n] = r.y
	}
	return at
}

// array is an array with room for a whole number of pads behind it.
type array struct {
	t     dtype.Type
	dims  []int
	bytes []byte
}

func newArray(t dtype.Type, dims []int) array {
	n := t.Size()
	for _, d := range dims {
		n *= d
	}
	return array{t, dims, padded(n, t)}
}

// padded makes n zero bytes with room for a whole pad of elements of type t, aligned to 64.
func padded(n int, t dtype.Type) []byte {
	return unsafe.Slice((*byte)(memory.Make(n+kernels.Pad*t.Size())), n)
}

func (a array) len() int                   { return len(a.bytes) / a.t.Size() }
func (a array) ptr() unsafe.Pointer        { return unsafe.Pointer(unsafe.SliceData(a.bytes)) }
func (a array) elem(i int) []byte          { return a.bytes[i*a.t.Size() : (i+1)*a.t.Size()] }
func (a array) copy(i int, b array, j int) { copy(a.elem(i), b.elem(j)) }

// index is element i of an integer array.
func (a array) index(i int) int { return int(a.integer(i)) }

// bits is element i, zero-extended.
func (a array) bits(i int) uint64 {
	switch e := a.elem(i); len(e) {
	case 1:
		return uint64(e[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(e))
	case 4:
		return uint64(binary.NativeEndian.Uint32(e))
	default:
		return binary.NativeEndian.Uint64(e)
	}
}

// integer is element i of an integer or Bool array.
func (a array) integer(i int) int64 {
	if a.t == dtype.I32 {
		return int64(int32(a.bits(i)))
	}
	return int64(a.bits(i))
}

// setBits stores the low bytes of bits.
func (a array) setBits(i int, bits uint64) {
	switch e := a.elem(i); len(e) {
	case 1:
		e[0] = byte(bits)
	case 2:
		binary.NativeEndian.PutUint16(e, uint16(bits))
	case 4:
		binary.NativeEndian.PutUint32(e, uint32(bits))
	default:
		binary.NativeEndian.PutUint64(e, bits)
	}
}

// around splits the sizes at axes lo … hi-1: those before, the run, those behind.
func around(dims []int, lo, hi int) (outer, run, inner int) {
	return product(dims[:lo]), product(dims[lo:hi]), product(dims[hi:])
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// each calls f with every index of dims, row-major.
func each(dims []int, f func(i int, at []int)) {
	at := make([]int, len(dims))
	for i := range product(dims) {
		f(i, at)
		for a := len(dims) - 1; a >= 0; a-- {
			if at[a]++; at[a] < dims[a] {
				break
			}
			at[a] = 0
		}
	}
}

func offset(dims, at []int) int {
	i := 0
	for a, d := range dims {
		i = i*d + at[a]
	}
	return i
}

// reference is the computation of one node.
type reference struct {
	n      *ir.Node
	batch  int
	inputs [][]byte
	in     []array
	y      array
}

func (r *reference) fail(format string, args ...any) {
	name := r.n.Name()
	switch r.n.Kind {
	case ir.Take:
		name = "Take"
	case ir.Scatter:
		name = "ScatterAdd"
	}
	panic(&ir.Error{Op: name, Msg: fmt.Sprintf(format, args...), Pos: r.n.Pos})
}

var referenceKinds = [ir.NumKinds]func(r *reference){
	ir.Param: func(r *reference) {
		i := int(r.n.Bits)
		if i >= len(r.inputs) || len(r.inputs[i]) != len(r.y.bytes) {
			r.fail("%v: input %d of %d bytes is needed", r.n.Shape, i, len(r.y.bytes))
		}
		copy(r.y.bytes, r.inputs[i])
	},
	ir.Data:    func(r *reference) { copy(r.y.bytes, r.n.Data.Bytes) },
	ir.Const:   func(r *reference) { r.fill(r.n.Bits) },
	ir.DimSize: func(r *reference) { r.fill(ir.FloatBits(r.n.Type, float64(r.n.Size.At(r.batch)))) },
	ir.Iota: func(r *reference) {
		each(r.y.dims, func(i int, at []int) {
			r.y.setBits(i, ir.FloatBits(r.n.Type, float64(at[r.n.Axes[0]])))
		})
	},
	ir.Pointwise: func(r *reference) {
		t := r.in[len(r.in)-1].t
		r.tile(kernels.Purego.Tile(r.n.Op, t))
	},
	ir.Convert: func(r *reference) { r.tile(kernels.Purego.ConvertTile(r.in[0].t, r.y.t)) },
	ir.Reshape: same,
	ir.Stop:    same,
	ir.Alias:   same,
	ir.Broadcast: func(r *reference) {
		r.gather(func(at, from []int) {
			for a, d := range r.in[0].dims {
				from[a] = at[a]
				if d == 1 {
					from[a] = 0
				}
			}
		})
	},
	ir.Transpose: func(r *reference) {
		r.gather(func(at, from []int) {
			for i, a := range r.n.Axes {
				from[a] = at[i]
			}
		})
	},
	ir.Slice: func(r *reference) {
		r.gather(func(at, from []int) {
			for a := range from {
				from[a] = r.n.Start[a].At(r.batch) + at[a]*r.n.Step[a]
			}
		})
	},
	ir.Reverse: func(r *reference) {
		r.gather(func(at, from []int) {
			copy(from, at)
			for _, a := range r.n.Axes {
				from[a] = r.y.dims[a] - 1 - at[a]
			}
		})
	},
	ir.Windows: func(r *reference) {
		r.gather(func(at, from []int) { windowed(r.n, at, from) })
	},
	ir.Fold:     fold,
	ir.Place:    place,
	ir.Take:     takeRows,
	ir.Scatter:  scatter,
	ir.Cumulate: cumulate,
	ir.MatMul:   matMul,
	ir.Call:     referenceCall,
	ir.Hosted:   referenceHost,
	ir.Reduce:   reduce,
}

func same(r *reference) { copy(r.y.bytes, r.in[0].bytes) }

func (r *reference) fill(bits uint64) {
	for i := range r.y.len() {
		r.y.setBits(i, bits)
	}
}

func (r *reference) gather(source func(at, from []int)) {
	x := r.in[0]
	from := make([]int, len(x.dims))
	each(r.y.dims, func(i int, at []int) {
		source(at, from)
		r.y.copy(i, x, offset(x.dims, from))
	})
}

// tile runs a tile over whole arrays, their padding included.
func (r *reference) tile(f kernels.Tile) {
	if f == nil {
		r.fail("%v: no kernel for %v", r.n.Shape, r.in[len(r.in)-1].t)
	}
	var p [3]unsafe.Pointer
	for i, x := range r.in {
		p[i] = x.ptr()
	}
	f(r.y.ptr(), p[0], p[1], p[2], roundUp(r.y.len()))
}

func roundUp(n int) int { return (n + kernels.Pad - 1) / kernels.Pad * kernels.Pad }

// adder adds to chosen elements of an array: y[to[i]] += x[from[i]].
type adder struct {
	y, x     array
	to, from []int
}

func (a *adder) add(to, from int) { a.to, a.from = append(a.to, to), append(a.from, from) }

// flush does what has been added so far; no element of y twice.
func (a *adder) flush() {
	acc, v := newArray(a.y.t, []int{len(a.to)}), newArray(a.y.t, []int{len(a.to)})
	for i := range a.to {
		acc.copy(i, a.y, a.to[i])
		v.copy(i, a.x, a.from[i])
	}
	kernels.Purego.Tile(ops.Add, a.y.t)(acc.ptr(), acc.ptr(), v.ptr(), nil, roundUp(len(a.to)))
	for i, to := range a.to {
		a.y.copy(to, acc, i)
	}
	a.to, a.from = a.to[:0], a.from[:0]
}

func place(r *reference) {
	r.fill(r.n.Bits)
	rank := r.n.Rank()
	to := make([]int, rank)
	for p, x := range r.in {
		sum := adder{y: r.y, x: x}
		each(x.dims, func(i int, at []int) {
			for a := range to {
				to[a] = r.n.Start[p*rank+a].At(r.batch) + at[a]*r.n.Step[p*rank+a]
			}
			if r.n.Flag {
				sum.add(offset(r.y.dims, to), i)
			} else {
				r.y.copy(offset(r.y.dims, to), x, i)
			}
		})
		if r.n.Flag {
			sum.flush()
		}
	}
}

// windowed finds where element at of the windows n, or of what n folds, stands.
func windowed(n *ir.Node, at, to []int) {
	lo, k := n.Axes[0], n.Axes[1]-n.Axes[0]
	copy(to, at[:lo])
	for a := range k {
		to[lo+a] = at[lo+a]*n.Step[a] + at[lo+k+a]*n.Step[k+a]
	}
	copy(to[lo+k:], at[lo+2*k:])
}

func fold(r *reference) {
	x, lo, k := r.in[0], r.n.Axes[0], r.n.Axes[1]-r.n.Axes[0]
	to, full := make([]int, len(r.y.dims)), make([]int, len(x.dims))
	each(x.dims[lo+k:lo+2*k], func(_ int, element []int) { // of one place of the windows, no element twice
		sum := adder{y: r.y, x: x}
		rest := append(append([]int(nil), x.dims[:lo+k]...), x.dims[lo+2*k:]...)
		each(rest, func(_ int, at []int) {
			copy(full, at[:lo+k])
			copy(full[lo+k:], element)
			copy(full[lo+2*k:], at[lo+k:])
			windowed(r.n, full, to)
			sum.add(offset(r.y.dims, to), offset(x.dims, full))
		})
		sum.flush()
	})
}

func (r *reference) checkIndex(k, size int) {
	if k < 0 || k >= size {
		r.fail("index %d is not in 0 … %d", k, size-1)
	}
}

func takeRows(r *reference) {
	x, idx := r.in[0], r.in[1]
	outer, d, inner := around(x.dims, r.n.Axes[0], r.n.Axes[0]+1)
	ids := r.n.Indices(idx.len(), outer, inner)
	for o := range outer {
		for j := range ids.Count {
			for i := range inner {
				k := idx.index(ids.At(o, j, i))
				r.checkIndex(k, d)
				r.y.copy((o*ids.Count+j)*inner+i, x, (o*d+k)*inner+i)
			}
		}
	}
}

func scatter(r *reference) {
	idx, upd := r.in[0], r.in[1]
	outer, d, inner := around(r.y.dims, r.n.Axes[0], r.n.Axes[0]+1)
	ids := r.n.Indices(idx.len(), outer, inner)
	if len(r.in) > 2 {
		copy(r.y.bytes, r.in[2].bytes)
	}
	sum := adder{y: r.y, x: upd}
	for j := range ids.Count {
		for o := range outer {
			for i := range inner {
				k := idx.index(ids.At(o, j, i))
				r.checkIndex(k, d)
				sum.add((o*d+k)*inner+i, (o*ids.Count+j)*inner+i)
			}
		}
		sum.flush()
	}
}

// cumulate starts from the first element itself.
func cumulate(r *reference) {
	copy(r.y.bytes, r.in[0].bytes)
	outer, d, inner := around(r.y.dims, r.n.Axes[0], r.n.Axes[0]+1)
	if r.n.Reduction != ir.Sum {
		times := kernels.Purego.Accumulate(kernels.Prod, r.y.t)
		next, row := kernels.Purego.SoFarOf(r.y.t, r.n.Reduction == ir.Max).Next, inner*r.y.t.Size()
		for k := range outer * d {
			switch y := unsafe.Add(r.y.ptr(), k*row); {
			case k%d == 0:
			case r.n.Reduction == ir.Prod:
				times(y, unsafe.Add(y, -row), inner)
			default:
				next(y, unsafe.Add(y, -row), y, inner)
			}
		}
		return
	}
	sum := adder{y: r.y, x: r.y}
	for j := 1; j < d; j++ {
		to, from := j, j-1
		if r.n.Flag {
			to, from = d-1-j, d-j
		}
		for o := range outer {
			for i := range inner {
				if at := (o*d+to)*inner + i; len(r.in) == 1 || r.in[1].bits(at) == 0 {
					sum.add(at, (o*d+from)*inner+i)
				}
			}
		}
		sum.flush()
	}
}

func matMul(r *reference) {
	rank := r.n.Rank()
	x, y := r.in[0], r.in[1]
	m, k, n := x.dims[rank-2], x.dims[rank-1], y.dims[rank-1]
	plan := kernels.Purego.PlanGemm(kernels.Gemm{
		Type: x.t, Batch: product(x.dims[:rank-2]), M: m, N: n, K: k,
		ARow: k, ACol: 1, ABatch: m * k, BRow: n, BCol: 1, BBatch: k * n, CRow: n, CBatch: m * n,
		Windows: windowsOf(r.n),
	})
	run := kernels.GemmRun{
		Plan: plan, A: x.ptr(), B: y.ptr(), C: r.y.ptr(),
		Shared: scratch(plan.SharedBytes), Worker: []unsafe.Pointer{scratch(plan.WorkerBytes)},
	}
	for phase := range plan.Phases() {
		for task := range plan.Tasks(phase) {
			run.Do(phase, 0, task)
		}
	}
}

func scratch(n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(padded(n, dtype.F64))) }
