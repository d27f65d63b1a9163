package runtime

import (
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// tileBytes is the size of a tile's slots: a dozen of them stay in L1.
const tileBytes = 4096

// mapCode is a cluster as a list of operations on tiles, the same for every batch.
type mapCode struct {
	cluster *cluster
	size    int // bytes of the largest element: a tile has tileBytes/size elements
	leaves  []mapLeaf
	ops     []mapOp
	folds   []mapFold
	placed  []placedValue
	values  int
	slots   int
	stores  []int // operations that an array is made by
}

// mapLeaf is a node that is read: its elements, or, where the cluster copies it, those of its operand.
type mapLeaf struct {
	node   *ir.Node
	copied bool
	op     int // that loads it
}

// mapOp computes value dst by f, or, where f is nil, loads it from a leaf.
type mapOp struct {
	node     *ir.Node
	f        kernels.Tile
	leaf     int
	dst      int
	arg      [3]int
	slot     int  // where dst lies if not in an array
	buffer   int  // the array that dst goes to, -1 for none
	size     int  // of an element of dst
	lastRead int  // of a load: the last operation that reads it
	tiled    bool // there is no vector program to make code of
	gathers  bool // of a load: by the indices that arg[0] is
	placed   bool // it goes from its tile to its place in an array
}

// mapFold is a reduction of a value.
type mapFold struct {
	value, buffer int
	k             kernels.Reduction
	t             dtype.Type
	size          int
	start         [kernels.LaneBytes]byte // lanes that nothing has been folded into
	fold          kernels.Fold
	foldRows      kernels.FoldRows
	accumulate    kernels.AccumulateRows
}

// emit orders c's operations, loads just before their first use, and gives their results slots.
func (l *lowering) emit(level *kernels.Level, c *cluster) *mapCode {
	m := &mapCode{cluster: c, size: 4, ops: make([]mapOp, 0, len(c.nodes)+len(c.nodes)/4+4)}
	value := make(map[*ir.Node]int, cap(m.ops))
	produce := func(n *ir.Node, op mapOp) int {
		op.dst, op.size = m.values, n.Type.Size()
		m.size = max(m.size, op.size)
		m.ops = append(m.ops, op)
		value[n] = op.dst
		m.values++
		return op.dst
	}
	load := func(n *ir.Node, buffer int) int {
		m.leaves = append(m.leaves, mapLeaf{n, buffer >= 0, len(m.ops)})
		return produce(n, mapOp{node: n, leaf: len(m.leaves) - 1, buffer: buffer})
	}
	var read func(n *ir.Node) int
	read = func(n *ir.Node) int {
		if v, ok := value[n]; ok {
			return v
		}
		at := l.indicesOf(n)
		if at == nil {
			return load(n, -1)
		}
		index := read(at)
		v := load(n, -1)
		m.ops[len(m.ops)-1].gathers, m.ops[len(m.ops)-1].arg[0] = true, index
		return v
	}
	for _, n := range c.nodes {
		if n.Kind != ir.Pointwise && n.Kind != ir.Convert {
			load(n, l.root[n.ID])
			continue
		}
		op := mapOp{node: n, buffer: l.root[n.ID], tiled: !hasBody(n) || vec.PartialOf(n.Op, n.Type) != nil}
		for i, x := range n.In {
			op.arg[i] = read(x)
		}
		for i := len(n.In); i < 3 && len(n.In) > 0; i++ {
			op.arg[i] = op.arg[0]
		}
		if n.Kind == ir.Convert {
			op.f = level.ConvertTile(n.In[0].Type, n.Type)
		} else {
			op.f = level.Tile(n.Op, n.In[len(n.In)-1].Type)
		}
		if op.f == nil {
			ir.Fail(n.Name(), "%v: no kernel for %v", n.Shape, n.In[len(n.In)-1].Type)
		}
		produce(n, op)
	}
	for _, n := range c.reduces {
		t := n.Type
		k := kernels.Reduction(n.Reduction)
		f := mapFold{value: read(n.In[0]), buffer: l.root[n.ID], k: k, t: t, size: t.Size(),
			fold: level.Fold(k, t), foldRows: level.FoldRows(k, t), accumulate: level.AccumulateRows(k, t)}
		if f.fold == nil {
			ir.Fail(n.Name(), "%v: no kernel for %v", n.In[0].Shape, t)
		}
		kernels.InitLanes(unsafe.Pointer(&f.start), k, t)
		m.folds = append(m.folds, f)
	}
	m.assignSlots()
	return m
}

// assignSlots gives each value a slot until its last use. A result may take the slot of an argument of
// its own size.
func (m *mapCode) assignSlots() {
	last := make([]int, m.values)
	for i, op := range m.ops {
		last[op.dst] = i
		if op.gathers {
			last[op.arg[0]] = i
		}
		if op.f != nil {
			for _, a := range op.arg {
				last[a] = i
			}
		}
	}
	for _, f := range m.folds {
		last[f.value] = len(m.ops)
	}
	var free []int
	slot := make([]int, m.values)
	size := make([]int, m.values)
	for i := range m.ops {
		op := &m.ops[i]
		if op.buffer >= 0 {
			m.stores = append(m.stores, i)
		}
		op.lastRead = last[op.dst]
		size[op.dst] = op.size
		var few [3]int
		dying := few[:0]
		if op.f != nil {
			for _, a := range op.arg {
				if last[a] == i && !slices.Contains(dying, a) {
					dying = append(dying, a)
				}
			}
		}
		for _, a := range dying {
			if size[a] == op.size {
				free = append(free, slot[a])
			}
		}
		if len(free) > 0 {
			op.slot = free[len(free)-1]
			free = free[:len(free)-1]
		} else {
			op.slot = m.slots
			m.slots++
		}
		slot[op.dst] = op.slot
		for _, a := range dying {
			if size[a] != op.size {
				free = append(free, slot[a])
			}
		}
		if last[op.dst] == i {
			free = append(free, op.slot)
		}
	}
	for i := range m.ops {
		m.ops[i].slot *= tileBytes
	}
}

// mapMode is how a cluster's elements are walked.
type mapMode uint8

const (
	flat    mapMode = iota // nothing is reduced
	fill                   // every run is empty
	rows                   // runs of at most ChunkElems at the end
	chunks                 // longer ones, in chunks
	columns                // runs before other axes
)

// mapUnit is a cluster for one batch: elements [outer, run, inner].
type mapUnit struct {
	*mapCode
	mode              mapMode
	base              int // of the slots in a worker's scratch
	leaf              []leaf
	bare              bool // nothing is computed, and leaves are read where they are
	outer, run, inner int
	elems             int      // outer·run·inner
	tile              int      // elements of a tile
	step              int      // tiles: elements (flat, chunks), rows, or, of columns, rows
	grain             int      // tasks: tiles' elements (flat), lines (rows), chunks (chunks), blocks (columns)
	parts             int      // partial results per run
	part              []int    // by fold: the buffer of its partial results
	code              *code    // nil: the tiles run
	copies            bool     // some leaf is copied to an array of its own
	streamed          bool     // some results go past the caches; of copying, all
	cols              int      // of code: the elements of its rows
	listed            int      // of code: inputs of a segment whose rows lie anywhere, at most
	strip             int      // of code: the elements of a row that it does for all rows before it goes on, 0: all
	far               bool     // of strips: lines of results come in order before them
	copying           *copying // nil: there is more to do
	oneByOne          bool     // of code: rows are short, and no call is for a part of one
	together          bool     // of code: it reads no elements that are apart
	blocks
	arrays []placedArray // that placed values go to
	even   int           // of code: its rows lie evenly in groups of so many, 0: all of them do
	refs   [][]ref       // of code, by segment and argument
	plain  []plainRef    // of code that is one loop over all elements, by argument
	folded []ref         // of code, by fold: the value
}

// leaf is what a load reads.
type leaf struct {
	operand
	view   kernels.View
	direct bool           // its elements lie one behind the other
	padded bool           // its array is the part that the worker has near
	splat  unsafe.Pointer // a tile of its one value
}

// newMap makes the unit of m. Its code goes by rows of cols elements, or, where that is 0, as suits.
func (b *binding) newMap(m *mapCode, cols int) *mapUnit {
	u := b.layOut(m)
	if cols == 0 {
		if u.copying = u.newCopying(); u.copying != nil {
			return u
		}
	}
	b.generate(u, cols)
	if cols == 0 {
		if u.code == nil && u.mode == flat && u.elems > 0 {
			u.chooseRows(jit.AVX512, u.cluster.shape.At(b.batch)) // tiles need no masks
		}
		b.inBlocks(u)
	}
	return u
}

func (b *binding) layOut(m *mapCode) *mapUnit {
	u := &mapUnit{mapCode: m, tile: tileBytes / m.size, parts: 1, blocks: blocks{roomy: 1}}
	dims := m.cluster.shape.At(b.batch)
	u.elems = product(dims)
	for _, n := range m.leaves {
		u.leaf = append(u.leaf, b.leaf(n))
	}
	u.bare = !slices.ContainsFunc(m.ops, func(op mapOp) bool {
		return op.f != nil || op.buffer >= 0 || u.leaf[op.leaf].index != nil || !u.leaf[op.leaf].direct
	})
	weight := max(1, 64/max(1, len(m.ops)+len(m.folds))) * u.tile // elements of a task
	if len(m.folds) == 0 {
		u.grain = weight
		u.streamed = !slices.ContainsFunc(m.ops, func(op mapOp) bool { return op.f != nil || op.buffer < 0 || !b.streamed(op.node) })
		return u
	}
	fold := m.cluster.fold
	u.outer, u.run, u.inner = around(dims, fold.lo, fold.hi)
	switch {
	case u.elems == 0:
		u.mode, u.elems = fill, u.outer*u.inner
		if u.run != 0 {
			u.elems = 0
		}
	case fold.hi < len(dims):
		u.mode = columns
		rows := columnRows(m.cluster.shape[fold.hi:].Size())
		u.parts = ceil(u.run, rows)
		u.step = rows
		u.grain = max(1, weight/(u.run*u.inner))
		if u.parts > 1 {
			u.grain = 1
		}
	case u.run <= ChunkElems:
		u.mode = rows
		u.step = even(u.tile / u.run)
		u.grain = roundUp(max(1, weight/u.run))
	default:
		u.mode = chunks
		u.parts = ceil(u.run, ChunkElems)
		u.grain = max(1, weight/ChunkElems)
	}
	if u.parts > 1 {
		for _, f := range m.folds {
			u.part = append(u.part, b.temporary(u.outer*u.parts*u.inner*f.size))
		}
	}
	return u
}

// even makes a count of rows, at least 1, such that whole rows make whole pads where that costs little.
func even(rows int) int {
	if rows >= kernels.Pad {
		return rows &^ (kernels.Pad - 1)
	}
	return max(1, rows)
}

func ceil(n, d int) int { return (n + d - 1) / d }

func (u *mapUnit) phases() int {
	switch {
	case u.elems == 0:
		return 0
	case u.parts > 1:
		return 2
	}
	return 1
}

func (u *mapUnit) tasks(phase int) int {
	switch u.mode {
	case flat:
		if u.copying != nil {
			return u.copying.tasks(u.elems)
		}
		if u.elems <= u.grain { // saves a small program the division
			return 1
		}
		return ceil(u.elems, u.grain)
	case fill:
		return 1
	case rows:
		return ceil(u.outer, u.grain)
	}
	if phase == 1 {
		return u.outer * ceil(u.inner, ChunkElems)
	}
	return ceil(u.outer*u.parts, u.grain)
}

func (u *mapUnit) do(r *run, phase, worker, task int) {
	w := &r.workers[worker]
	switch {
	case u.copying != nil:
		u.doCopying(r, w, task)
	case u.mode == flat:
		end := min((task+1)*u.grain, u.elems)
		if u.wide > 0 {
			u.doBlocks(r, w, task*u.grain, end)
			if u.streamed {
				kernels.StreamEnd()
			}
			return
		}
		u.computeSpan(r, w, task*u.grain, end)
		if u.streamed {
			kernels.StreamEnd()
		}
	case u.mode == fill:
		for _, f := range u.folds {
			kernels.InitAccumulator(r.ptr[f.buffer], f.k, f.t, u.elems)
		}
	case u.mode == rows:
		u.doRows(r, w, task*u.grain, min((task+1)*u.grain, u.outer))
	case u.mode == chunks && phase == 0 && u.span > 0:
		end := min((task+1)*u.grain, u.outer*u.parts)
		for i, n := task*u.grain, 0; i < end; i += n {
			n = min(u.span, end-i, u.parts-i%u.parts)
			u.doSpan(r, w, i, n)
		}
	case u.mode == chunks && phase == 0 && u.bare:
		u.doBareChunks(r, task*u.grain, min((task+1)*u.grain, u.outer*u.parts))
	case u.mode == chunks && phase == 0:
		for i := task * u.grain; i < min((task+1)*u.grain, u.outer*u.parts); i++ {
			u.doChunk(r, w, i)
		}
	case u.mode == chunks:
		u.finishRow(r, task)
	case phase == 0:
		for i := task * u.grain; i < min((task+1)*u.grain, u.outer*u.parts); i++ {
			u.doColumns(r, w, i)
		}
	default:
		blocks := ceil(u.inner, ChunkElems)
		u.finishColumns(r, task/blocks, task%blocks*ChunkElems)
	}
}

// computeSpan computes elements start … end-1.
func (u *mapUnit) computeSpan(r *run, w *worker, start, end int) {
	for ; start < end; start += u.tile {
		u.compute(r, w, start, min(u.tile, end-start))
	}
}

// compute runs the operations on n elements from start.
func (u *mapUnit) compute(r *run, w *worker, start, n int) {
	if u.code != nil {
		u.enter(r, w, start, n)
		return
	}
	padded := roundUp(n)
	whole := n == padded
	for i := range u.ops {
		op := &u.ops[i]
		dst := unsafe.Add(w.scratch, u.base+op.slot)
		if op.buffer >= 0 && whole {
			dst = unsafe.Add(r.ptr[op.buffer], start*op.size)
		}
		if op.f != nil {
			op.f(dst, w.ptr[op.arg[0]], w.ptr[op.arg[1]], w.ptr[op.arg[2]], padded)
		} else {
			switch l := &u.leaf[op.leaf]; {
			case l.splat != nil && op.buffer >= 0:
				kernels.Fill(dst, l.bits, op.size, n)
			case l.splat != nil:
				dst = l.splat
			case l.direct && whole && op.buffer < 0:
				dst = unsafe.Add(r.ptr[l.buffer], l.offset+start*op.size)
			default:
				l.load(r, w, dst, op.size, start, n)
			}
		}
		w.ptr[op.dst] = dst
		if op.buffer >= 0 && !whole {
			move(unsafe.Add(r.ptr[op.buffer], start*op.size), dst, n*op.size)
		}
	}
}

// load copies n elements from start on.
func (l *leaf) load(r *run, w *worker, dst unsafe.Pointer, size, start, n int) {
	if l.padded {
		l.view.Load(dst, unsafe.Add(w.near.at, l.offset), size, start-w.near.first, n)
		return
	}
	from := l.ptr(r)
	if l.index == nil {
		l.view.Load(dst, from, size, start, n)
		return
	}
	if l.inner > 0 {
		for at := l.index.indices(r); n > 0; {
			row, col := start/l.inner, start%l.inner
			k := min(n, l.inner-col)
			move(dst, unsafe.Add(from, (l.gatheredAt(at, row)+col)*size), k*size)
			dst, start, n = unsafe.Add(dst, k*size), start+k, n-k
		}
		return
	}
	if at := l.index.indices(r); size == 4 {
		takeElems[uint32](dst, from, at, start, n, l.by*4)
	} else {
		takeElems[uint64](dst, from, at, start, n, l.by*8)
	}
}

// gatheredAt is where a row that l gathers is, in elements.
func (l *leaf) gatheredAt(at indexArray, row int) int {
	return (row/l.count*l.size + at.at(row%l.count)) * l.inner
}

func move(dst, src unsafe.Pointer, n int) {
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
}

// doRows reduces lines i0 … i1-1.
func (u *mapUnit) doRows(r *run, w *worker, i0, i1 int) {
	if u.code != nil && u.code.folds {
		rows := u.rowsTogether(u.run)
		for ; i0 < i1; i0 += rows {
			u.callBlock(r, w, 0, at{base: i0 * u.run, row: i0, n: u.run, rows: min(rows, i1-i0), result: i0})
		}
		return
	}
	if u.bare {
		for j := range u.folds {
			f := &u.folds[j]
			x := &u.leaf[u.ops[f.value].leaf]
			f.foldRows(unsafe.Add(r.ptr[f.buffer], i0*f.size), unsafe.Add(x.ptr(r), i0*u.run*f.size), i1-i0, u.run)
		}
		return
	}
	if u.run > u.tile {
		for i := i0; i < i1; i++ {
			u.foldSpan(r, w, i*u.run, u.run)
			for j := range u.folds {
				u.finishLanes(w, j, r.ptr[u.folds[j].buffer], i)
			}
		}
		return
	}
	for i := i0; i < i1; i += u.step {
		lines := min(u.step, i1-i)
		u.compute(r, w, i*u.run, lines*u.run)
		for j := range u.folds {
			f := &u.folds[j]
			f.foldRows(unsafe.Add(r.ptr[f.buffer], i*f.size), w.ptr[f.value], lines, u.run)
		}
	}
}

// foldSpan folds n elements from start into fresh lanes.
func (u *mapUnit) foldSpan(r *run, w *worker, start, n int) {
	for j := range u.folds {
		*(*[kernels.LaneBytes]byte)(w.lane(j)) = u.folds[j].start
	}
	for at := 0; at < n; at += u.tile {
		m := min(u.tile, n-at)
		u.compute(r, w, start+at, m)
		for j := range u.folds {
			f := &u.folds[j]
			f.fold(w.lane(j), w.ptr[f.value], m)
		}
	}
}

// finishLanes makes the lanes of fold j element i of dst: the lanes folded into fresh ones are those lanes.
func (u *mapUnit) finishLanes(w *worker, j int, dst unsafe.Pointer, i int) {
	f := &u.folds[j]
	f.foldRows(unsafe.Add(dst, i*f.size), w.lane(j), 1, kernels.LaneBytes/f.size)
}

func (u *mapUnit) doChunk(r *run, w *worker, i int) {
	line, from := i/u.parts, i%u.parts*ChunkElems
	n := min(ChunkElems, u.run-from)
	u.foldSpan(r, w, line*u.run+from, n)
	for j := range u.folds {
		u.finishLanes(w, j, r.ptr[u.part[j]], i)
	}
}

// doBareChunks reduces chunks i … end-1 of what is there, a line's whole ones in one call.
func (u *mapUnit) doBareChunks(r *run, i, end int) {
	for rows := 0; i < end; i += rows {
		line, at := i/u.parts, i%u.parts
		n := min(ChunkElems, u.run-at*ChunkElems)
		rows = 1
		if n == ChunkElems {
			rows = min(end-i, u.run/ChunkElems-at)
		}
		for j := range u.folds {
			f := &u.folds[j]
			x := &u.leaf[u.ops[f.value].leaf]
			f.foldRows(unsafe.Add(r.ptr[u.part[j]], i*f.size), unsafe.Add(x.ptr(r), (line*u.run+at*ChunkElems)*f.size), rows, n)
		}
	}
}

// finishRow reduces a line's partial results by the same rule, in place.
func (u *mapUnit) finishRow(r *run, line int) {
	for j := range u.folds {
		f := &u.folds[j]
		part := unsafe.Add(r.ptr[u.part[j]], line*u.parts*f.size)
		for n := u.parts; n > 1; n = ceil(n, ChunkElems) {
			for i := 0; i*ChunkElems < n; i++ {
				f.foldRows(unsafe.Add(part, i*f.size), unsafe.Add(part, i*ChunkElems*f.size), 1, min(ChunkElems, n-i*ChunkElems))
			}
		}
		move(unsafe.Add(r.ptr[f.buffer], line*f.size), part, f.size)
	}
}

// doColumns accumulates part i: rows of one of outer.
func (u *mapUnit) doColumns(r *run, w *worker, i int) {
	row0 := i % u.parts * u.step
	row1 := min(row0+u.step, u.run)
	for j := range u.folds {
		f := &u.folds[j]
		kernels.InitAccumulator(u.accumulator(r, j, i), f.k, f.t, u.inner)
	}
	row0, row1 = row0+i/u.parts*u.run, row1+i/u.parts*u.run
	if u.bare {
		for j := range u.folds {
			f := &u.folds[j]
			x := &u.leaf[u.ops[f.value].leaf]
			f.accumulate(u.accumulator(r, j, i), unsafe.Add(x.ptr(r), row0*u.inner*f.size), row1-row0, u.inner)
		}
		return
	}
	if u.code != nil && u.code.folds {
		for col := 0; col < u.inner; col += maxBlock {
			n := min(maxBlock, u.inner-col)
			rows := u.rowsTogether(n)
			for row := row0; row < row1; row += rows {
				u.callBlock(r, w, 0, at{row: row, col: col, n: n, rows: min(rows, row1-row), result: i * u.inner})
			}
		}
		return
	}
	if u.inner > u.tile {
		for row := row0; row < row1; row++ {
			for at := 0; at < u.inner; at += u.tile {
				n := min(u.tile, u.inner-at)
				u.compute(r, w, row*u.inner+at, n)
				for j := range u.folds {
					f := &u.folds[j]
					f.accumulate(unsafe.Add(u.accumulator(r, j, i), at*f.size), w.ptr[f.value], 1, n)
				}
			}
		}
		return
	}
	step := even(u.tile / u.inner)
	for row := row0; row < row1; row += step {
		n := min(step, row1-row)
		u.compute(r, w, row*u.inner, n*u.inner)
		for j := range u.folds {
			f := &u.folds[j]
			f.accumulate(u.accumulator(r, j, i), w.ptr[f.value], n, u.inner)
		}
	}
}

// accumulator is where part i of fold j goes.
func (u *mapUnit) accumulator(r *run, j, i int) unsafe.Pointer {
	buffer := u.folds[j].buffer
	if u.parts > 1 {
		buffer = u.part[j]
	}
	return unsafe.Add(r.ptr[buffer], i*u.inner*u.folds[j].size)
}

// finishColumns adds up the parts of one of outer, a block of columns from at.
func (u *mapUnit) finishColumns(r *run, outer, at int) {
	n := min(ChunkElems, u.inner-at)
	for j := range u.folds {
		f := &u.folds[j]
		dst := unsafe.Add(r.ptr[f.buffer], (outer*u.inner+at)*f.size)
		for p := range u.parts {
			src := unsafe.Add(u.accumulator(r, j, outer*u.parts+p), at*f.size)
			if p == 0 {
				move(dst, src, n*f.size)
			} else {
				f.accumulate(dst, src, 1, n)
			}
		}
	}
}
