package runtime

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// maxCode is the number of vector instructions at which a cluster's code is cut: a loop stays in the first
// levels of the processor's instruction cache. What crosses a cut goes through a tile.
const maxCode = 1500

// isaOf returns the instructions that code for level is made of, nil where there is none.
func isaOf(level *kernels.Level) (*jit.ISA, error) {
	switch s := os.Getenv("ADJOINT_JIT"); s {
	case "", "on":
	case "off":
		return nil, nil
	default:
		return nil, &ir.Error{Op: "Compile", Msg: fmt.Sprintf("ADJOINT_JIT=%s is neither on nor off", s)}
	}
	for _, isa := range []jit.ISA{jit.AVX2, jit.AVX512} {
		if isa.String() == level.Name && isa.Supported() && executable() {
			return &isa, nil
		}
	}
	return nil, nil
}

// executable reports whether the system lets a process make code.
var executable = sync.OnceValue(func() bool {
	b := vec.NewBuilder(dtype.F32)
	p := &jit.Program{In: []jit.In{{T: dtype.F32}}, Out: []jit.Out{{T: dtype.F32, V: b.Input(0), At: 1}}, Code: b.Code()}
	return jit.Available && jit.Map(p.Assemble(jit.AVX2)) == nil
})

// generates reports whether code can be made of m.
func (m *mapCode) generates() bool { return m.bodies && len(m.ops) > len(m.leaves) }

func hasBody(n *ir.Node) bool {
	if n.Kind == ir.Convert {
		return vec.Conversion(n.In[0].Type, n.Type) != nil
	}
	return vec.Body(n.Op, n.In[len(n.In)-1].Type) != nil
}

// code is a cluster as machine code, the same for all clusters of one structure.
type code struct {
	key   string
	segs  []segment
	slot  []int // by value: the tile that it lies in, -1 for none
	tiles int
	bytes int // of scratch besides tiles: spilled registers, or a last iteration's arrays
	words int
	size  int // of all machine code
}

// segment is a loop of machine code.
type segment struct {
	f     *jit.Func
	loads []int // operations: leaves that are copied before
	args  []int // values: inputs, then outputs
	ins   int
}

// feed is how code takes a leaf.
type feed uint8

const (
	noFeed    feed = iota
	constFeed      // known when the code is made
	splatFeed      // one element for all
	arrayFeed      // in place
	tileFeed       // copied to a tile
	copyFeed       // copied to an array of its own
)

func (u *mapUnit) feed(op *mapOp) feed {
	if op.f != nil {
		return noFeed
	}
	l := &u.leaf[op.leaf]
	switch {
	case op.buffer >= 0:
		return copyFeed
	case l.isSplat && isConst(op.node):
		return constFeed
	case l.isSplat && l.t != dtype.Bool:
		return splatFeed
	case l.isSplat:
		return tileFeed
	case l.direct:
		return arrayFeed
	case l.view.Splat() && l.t != dtype.Bool:
		return splatFeed
	}
	return tileFeed
}

// isConst reports whether a splat is the same for every batch.
func isConst(n *ir.Node) bool {
	for n.Kind != ir.Const && n.Kind != ir.DimSize {
		n = n.In[0]
	}
	return n.Kind == ir.Const
}

// maker is the operation that makes each value.
func (m *mapCode) maker() []*mapOp {
	by := make([]*mapOp, m.values)
	for i := range m.ops {
		by[m.ops[i].dst] = &m.ops[i]
	}
	return by
}

// generate gives u its code, which mapCode makes executable.
func (b *binding) generate(u *mapUnit) {
	if b.isa == nil || !u.generates() || u.elems == 0 {
		return
	}
	feeds, key := u.structure(*b.isa)
	if u.code = codes.find(string(key)); u.code == nil {
		for _, c := range b.pending {
			if c.key == string(key) {
				u.code = c
			}
		}
	}
	if u.code == nil {
		u.code = u.assemble(*b.isa, feeds)
		u.code.key = string(key)
		b.pending = append(b.pending, u.code)
	}
	by := u.maker()
	for i := range u.code.segs {
		var refs []ref
		for _, v := range u.code.segs[i].args {
			refs = append(refs, u.ref(by[v], feeds[by[v].dst]))
		}
		u.refs = append(u.refs, refs)
	}
	for j := range u.folds {
		op := by[u.folds[j].value]
		u.folded = append(u.folded, u.ref(op, feeds[op.dst]))
	}
	b.words = max(b.words, u.code.words)
}

// mapCode makes the new code executable.
func (b *binding) mapCode() error {
	var fs []*jit.Func
	for _, c := range b.pending {
		for i := range c.segs {
			fs = append(fs, c.segs[i].f)
		}
	}
	if err := jit.Map(fs...); err != nil {
		return err
	}
	for _, c := range b.pending {
		codes.add(c)
	}
	b.pending = nil
	return nil
}

// codes holds code by structure, so that equal clusters share it.
var codes codeCache

const maxCodeBytes = 8 << 20 // of machine code that is kept though no program may need it

type codeCache struct {
	mu    sync.Mutex
	by    map[string]*code
	queue []*code // the oldest comes first, and leaves first
	bytes int
}

func (c *codeCache) find(key string) *code {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[key]
}

func (c *codeCache) add(x *code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]*code{}
	}
	if c.by[x.key] != nil {
		return
	}
	c.by[x.key], c.queue, c.bytes = x, append(c.queue, x), c.bytes+x.size
	for c.bytes > maxCodeBytes && len(c.queue) > 1 {
		old := c.queue[0]
		c.queue[0] = nil
		c.queue, c.bytes = c.queue[1:], c.bytes-old.size
		delete(c.by, old.key)
	}
}

// structure returns how u's values come about, and a key of all that code for it depends on.
func (u *mapUnit) structure(isa jit.ISA) (feeds []feed, key []byte) {
	feeds = make([]feed, u.values)
	key = append(make([]byte, 0, 16*len(u.ops)), byte(isa), byte(u.size))
	for i := range u.ops {
		op := &u.ops[i]
		n, f := op.node, u.feed(op)
		feeds[op.dst] = f
		key = append(key, byte(f), byte(n.Type))
		switch {
		case f == constFeed:
			key = binary.LittleEndian.AppendUint64(key, u.leaf[op.leaf].bits)
			continue
		case f != noFeed:
			continue
		case n.Kind == ir.Convert:
			key = append(key, byte(ops.Count))
		default:
			key = append(key, byte(n.Op))
		}
		stored := 0
		if op.buffer >= 0 {
			stored = 1
		}
		key = append(key, byte(stored))
		for j := range n.In {
			key = binary.AppendUvarint(key, uint64(op.arg[j]))
		}
	}
	for i := range u.folds {
		key = binary.AppendUvarint(key, uint64(u.folds[i].value))
	}
	return feeds, key
}

// assembler writes a cluster's vector programs.
type assembler struct {
	*mapUnit
	by     []*mapOp // by value
	feeds  []feed   // by value
	segs   []draft
	val    []vec.Value // by value: in the segment under way
	last   []int       // by value: the last segment that reads it
	result []jit.Out   // by value: of those computed
	seg    []int       // by value: the segment that computes it
}

type draft struct {
	b   *vec.Builder
	ins []int // values
}

func (u *mapUnit) assemble(isa jit.ISA, feeds []feed) *code {
	a := &assembler{mapUnit: u, by: u.maker(), feeds: feeds, val: make([]vec.Value, u.values), last: make([]int, u.values),
		result: make([]jit.Out, u.values), seg: make([]int, u.values)}
	a.begin()
	for i := range u.ops {
		if op := &u.ops[i]; op.f != nil {
			if len(a.b().Code()) > maxCode {
				a.begin()
			}
			a.emit(op)
		}
	}
	for j := range u.folds {
		a.last[u.folds[j].value] = len(a.segs)
	}
	return a.finish(isa)
}

func (a *assembler) b() *vec.Builder { return a.segs[len(a.segs)-1].b }

func (a *assembler) begin() {
	a.segs = append(a.segs, draft{b: vec.NewBuilder()})
	for v := range a.val {
		a.val[v] = vec.None
	}
}

// read is value v in the segment under way, a Bool as a mask of type t.
func (a *assembler) read(v int, t vec.Type) vec.Value {
	s, b, typ := &a.segs[len(a.segs)-1], a.b(), a.by[v].node.Type
	a.last[v] = len(a.segs) - 1
	if a.feeds[v] == constFeed {
		bits := a.leaf[a.by[v].leaf].bits
		if typ == dtype.Bool {
			return b.I(t, -int64(bits&1))
		}
		return b.Bits(vec.Lane(typ), bits)
	}
	if a.val[v] == vec.None {
		s.ins = append(s.ins, v)
		if in := b.AddInput(typ); typ == dtype.Bool {
			a.val[v] = b.InputMask(in, t)
		} else {
			a.val[v] = b.Input(in)
		}
	}
	if typ == dtype.Bool {
		switch have := b.TypeOf(a.val[v]); {
		case have.Bits() < t.Bits():
			return b.Widen(a.val[v])
		case have.Bits() > t.Bits():
			return b.Narrow(a.val[v])
		}
	}
	return a.val[v]
}

// laneOf is the type of an operation's lanes, that of the masks where it takes Bools alone.
func laneOf(t dtype.Type) vec.Type {
	if t == dtype.Bool {
		return vec.I32
	}
	return vec.Lane(t)
}

func (a *assembler) emit(op *mapOp) {
	n, b := op.node, a.b()
	var r vec.Value
	if n.Kind == ir.Convert {
		r = vec.Convert(b, a.read(op.arg[0], laneOf(n.Type).Int()), n.In[0].Type, n.Type)
	} else {
		lane := laneOf(n.In[len(n.In)-1].Type)
		var x [3]vec.Value
		for j := range n.In {
			x[j] = a.read(op.arg[j], lane.Int())
		}
		r = vec.Emit(b, n.Op, lane, x[:len(n.In)]...)
	}
	a.val[op.dst] = r
	a.result[op.dst] = jit.Out{T: n.Type, V: r, At: len(b.Code())}
	a.seg[op.dst] = len(a.segs) - 1
}

// finish finds what crosses from one segment to a later one, gives it tiles, and makes the code.
func (a *assembler) finish(isa jit.ISA) *code {
	c := &code{slot: make([]int, a.values)}
	for v := range c.slot {
		c.slot[v] = -1
	}
	outs, loads := make([][]int, len(a.segs)), make([][]int, len(a.segs))
	first := make([]int, a.values) // by value: the first segment that reads it
	for s := range a.segs {
		for _, v := range a.segs[len(a.segs)-1-s].ins {
			first[v] = len(a.segs) - 1 - s
		}
	}
	for i := range a.ops {
		op := &a.ops[i]
		switch v := op.dst; a.feeds[v] {
		case noFeed:
			if op.buffer >= 0 || a.last[v] > a.seg[v] {
				outs[a.seg[v]] = append(outs[a.seg[v]], v)
			}
		case copyFeed:
			loads[0] = append(loads[0], i)
		case tileFeed:
			loads[first[v]] = append(loads[first[v]], i)
		}
	}
	var free []int
	for s := range a.segs {
		d := &a.segs[s]
		seg := segment{loads: loads[s], args: append(d.ins[:len(d.ins):len(d.ins)], outs[s]...), ins: len(d.ins)}
		p := &jit.Program{Code: d.b.Code()}
		for _, v := range d.ins {
			p.In = append(p.In, jit.In{T: a.by[v].node.Type, Splat: a.feeds[v] == splatFeed})
		}
		tile := func(v int) {
			if a.by[v].buffer >= 0 {
				return
			}
			if k := len(free); k > 0 {
				c.slot[v], free = free[k-1], free[:k-1]
			} else {
				c.slot[v] = c.tiles * tileBytes
				c.tiles++
			}
		}
		for _, i := range seg.loads {
			tile(a.ops[i].dst)
		}
		for _, v := range outs[s] {
			p.Out = append(p.Out, a.result[v])
			tile(v)
		}
		for v, slot := range c.slot {
			if slot >= 0 && a.last[v] == s {
				free = append(free, slot)
			}
		}
		seg.f = p.Assemble(isa)
		c.size += seg.f.Size()
		c.words = max(c.words, seg.f.Words())
		c.bytes = max(c.bytes, seg.f.SpillBytes())
		if seg.f.Step() > 1 {
			c.bytes = max(c.bytes, seg.f.SpillBytes()+lastBytes*len(seg.args))
		}
		c.segs = append(c.segs, seg)
	}
	return c
}

// lastBytes has room for an array's part of an iteration.
const lastBytes = 64

// ref is where an argument of code lies: elements of an array, of a leaf's, or a tile.
type ref struct {
	leaf   int // -1 for none
	buffer int // -1 for a tile
	slot   int
	size   int
	step   int // bytes from one element to the next
	splat  bool
}

func (u *mapUnit) ref(op *mapOp, f feed) ref {
	x := ref{leaf: -1, buffer: op.buffer, slot: u.code.slot[op.dst], size: op.size, step: op.size}
	switch f {
	case constFeed, splatFeed:
		x.leaf, x.step, x.splat = op.leaf, 0, u.leaf[op.leaf].isSplat
	case arrayFeed:
		x.leaf = op.leaf
	}
	return x
}

// at is x's address from element start on.
func (u *mapUnit) at(r *run, w *worker, x *ref, start int) unsafe.Pointer {
	switch {
	case x.splat:
		return u.leaf[x.leaf].splat
	case x.leaf >= 0:
		l := &u.leaf[x.leaf]
		return unsafe.Add(r.ptr[l.buffer], l.offset+start*x.step)
	case x.buffer >= 0:
		return unsafe.Add(r.ptr[x.buffer], start*x.step)
	}
	return unsafe.Add(w.scratch, u.base+x.slot)
}

// scratchBytes is what u needs of a worker's scratch.
func (u *mapUnit) scratchBytes() int {
	if u.code == nil {
		return u.slots * tileBytes
	}
	return u.code.tiles*tileBytes + u.code.bytes
}

// spill is the address of the place of spilled registers, which may have no size.
func (u *mapUnit) spill(w *worker) uintptr {
	return uintptr(w.scratch) + uintptr(u.base+u.code.tiles*tileBytes)
}

// enter runs the code for n elements from start.
func (u *mapUnit) enter(r *run, w *worker, start, n int) {
	for i := range u.code.segs {
		s := &u.code.segs[i]
		for _, k := range s.loads {
			op := &u.ops[k]
			var dst unsafe.Pointer
			if op.buffer >= 0 {
				dst = unsafe.Add(r.ptr[op.buffer], start*op.size)
			} else {
				dst = unsafe.Add(w.scratch, u.base+u.code.slot[op.dst])
			}
			if l := &u.leaf[op.leaf]; l.splat != nil {
				kernels.Fill(dst, l.bits, op.size, n)
			} else {
				l.view.Load(dst, unsafe.Add(r.ptr[l.buffer], l.offset), op.size, start, n)
			}
		}
		args, refs := w.args, u.refs[i]
		last := n % s.f.Step()
		if last < n {
			for k := range refs {
				args[jit.ArgArrays+2*k] = uintptr(u.at(r, w, &refs[k], start))
			}
			args[jit.ArgN], args[jit.ArgRows], args[jit.ArgSpill] = uintptr(n-last), 1, u.spill(w)
			s.f.Run(args)
		}
		if last > 0 {
			u.enterLast(r, w, i, start, n-last, last)
		}
	}
	for j := range u.folded {
		w.ptr[u.folds[j].value] = u.at(r, w, &u.folded[j], start)
	}
}

// enterLast computes the last n elements, fewer than an iteration's, of those from start on, on copies.
func (u *mapUnit) enterLast(r *run, w *worker, seg, start, done, n int) {
	s, refs, args := &u.code.segs[seg], u.refs[seg], w.args
	room := unsafe.Add(w.scratch, u.base+u.code.tiles*tileBytes+s.f.SpillBytes())
	at := func(k int) unsafe.Pointer { return unsafe.Add(u.at(r, w, &refs[k], start), done*refs[k].step) }
	for k := range refs {
		copied := unsafe.Add(room, k*lastBytes)
		if k < s.ins && refs[k].step == 0 {
			copied = at(k)
		} else if k < s.ins {
			move(copied, at(k), n*refs[k].size)
		}
		args[jit.ArgArrays+2*k] = uintptr(copied)
	}
	args[jit.ArgN], args[jit.ArgRows], args[jit.ArgSpill] = uintptr(s.f.Step()), 1, u.spill(w)
	s.f.Run(args)
	for k := s.ins; k < len(refs); k++ {
		move(at(k), unsafe.Add(room, k*lastBytes), n*refs[k].size)
	}
}
