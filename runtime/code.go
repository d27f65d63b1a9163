package runtime

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
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
const maxCode = 1000

// isaOf returns the instructions that code for level is made of, nil where there is none.
func isaOf(level *kernels.Level) (*jit.ISA, error) {
	switch s := os.Getenv("ADJOINT_JIT"); s {
	case "", "on":
	case "off":
		return nil, nil
	default:
		return nil, &ir.Error{Op: "Compile", Msg: fmt.Sprintf("ADJOINT_JIT=%s is neither on nor off", s)}
	}
	name := level.Name
	if level.Base != "" {
		name = level.Base
	}
	for _, isa := range []jit.ISA{jit.AVX2, jit.AVX512} {
		if isa.String() == name && isa.Supported() && executable() {
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

// generates reports whether code can be made of some of m. Its other operations run as tiles.
func (m *mapCode) generates() bool {
	return slices.ContainsFunc(m.ops, func(op mapOp) bool { return op.f != nil && !op.tiled })
}

func hasBody(n *ir.Node) bool {
	if n.Kind == ir.Convert {
		return vec.Conversion(n.In[0].Type, n.Type) != nil
	}
	return vec.Body(n.Op, n.In[len(n.In)-1].Type) != nil
}

// code is a cluster as machine code, the same for all clusters of one structure.
type code struct {
	key   string
	name  string // in profiles
	segs  []segment
	slot  []int // by value: the tile that it lies in, -1 for none
	tiles int
	bytes int // of scratch besides tiles: spilled registers, or a last iteration's arrays
	words int
	size  int  // of all machine code
	kept  int  // of the pages that it lies in
	tiled bool // some segment is an operation on tiles
	folds bool // is done by code, in one segment
}

// segment is a loop of machine code, or an operation on tiles.
type segment struct {
	f     *jit.Func // nil: op
	op    int
	loads []int // operations: leaves that are copied before
	args  []int // values: inputs, then outputs; those from -1 down are folds 0 …, of columns inputs, too
	ins   int
}

// whole reports whether nothing of it need stay in L1, so that an entry may take many elements.
func (c *code) whole() bool { return c.tiles == 0 && !c.tiled }

// most bounds the elements of an entry: code is not interrupted, so that it may take some tens of microseconds.
func (c *code) most() int { return min(1<<15, max(1<<11, 1<<26/c.size)) }

// feed is how code takes a leaf.
type feed uint8

const (
	noFeed     feed = iota
	constFeed       // known when the code is made
	splatFeed       // one element for all
	arrayFeed       // in place
	stillFeed       // in place, the same in every row, read once for a strip of columns
	listFeed        // in place, by a list of its rows
	apartFeed       // in place, elements that lie evenly apart
	tileFeed        // copied to a tile
	copyFeed        // copied to an array of its own
	gatherFeed      // in place, by an array of indices
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
	case l.isSplat && l.t.Size() >= 4:
		return splatFeed
	case l.isSplat:
		return tileFeed
	case l.direct:
		return arrayFeed
	}
	r := l.byRows(u.cols)
	if r.feed == apartFeed && u.together {
		return tileFeed
	}
	return r.feed
}

// leastSpan is the number of elements that an entry of code is worth.
const leastSpan = 512

// byRows is how code reads a leaf by rows: where they are, and the elements from one of a row to the next. A tile's leaf
// that has a step is one that is better read in blocks.
type byRows struct {
	feed
	row  kernels.View
	step int
}

// byRows reports how rows of cols elements read l.
func (l *leaf) byRows(cols int) byRows {
	tiles := byRows{feed: tileFeed}
	if l.index != nil {
		if cols > 1 && l.inner > 0 && l.inner%cols == 0 {
			return byRows{feed: listFeed, step: 1}
		}
		return tiles
	}
	k, n := len(l.dims), 1
	for k > 0 && n < cols {
		k--
		n *= l.dims[k]
	}
	if n != cols {
		return tiles
	}
	row, ok := kernels.MakeView(l.dims[:k], l.strides[:k])
	if !ok || row.Rank > 1 && row.Dim[row.Rank-1]*cols < leastSpan {
		return tiles
	}
	col, ok := kernels.MakeView(l.dims[k:], l.strides[k:])
	step := max(col.Stride[0], -col.Stride[0])
	switch {
	case !ok:
	case col.Contiguous() && cols > 1:
		return byRows{arrayFeed, row, 1}
	case l.t.Size() < 4:
	case col.Splat():
		return byRows{splatFeed, row, 0}
	case col.Rank > 1:
	case closer(&row, step):
		if row.Rank < kernels.MaxRank {
			return byRows{tileFeed, row, col.Stride[0]}
		}
	case step*l.t.Size() <= farApart:
		return byRows{apartFeed, row, col.Stride[0]}
	}
	return tiles
}

// farApart is how many bytes apart elements are from which on reading them one by one in the loop gains nothing.
const farApart = 2048

// closer reports whether some rows are closer together than elements that are step apart: then a tile that has several
// of them is read line by line of the cache.
func closer(row *kernels.View, step int) bool {
	for i, s := range row.Stride[:row.Rank] {
		if s = max(s, -s); s > 0 && s < step && row.Dim[i] > 1 {
			return true
		}
	}
	return false
}

// near reports whether all elements that l gathers are near enough for code.
func (l *leaf) near() bool { return l.size*max(l.by, -l.by) < 1<<31 }

// goodRow reports whether rows of n elements are worth the loop around each: they are not short, and their last elements
// are done under masks, if need be.
func (u *mapUnit) goodRow(isa jit.ISA, n int) bool {
	return n >= 16 && (isa == jit.AVX512 || n%kernels.Pad == 0 || u.masks())
}

// masks reports whether AVX2, too, masks all that u reads and writes: it has no masks for narrow elements and gathers.
func (u *mapUnit) masks() bool {
	return !slices.ContainsFunc(u.ops, func(op mapOp) bool {
		return (op.f == nil || op.buffer >= 0) && op.size < 4 || op.gathers
	})
}

// chooseRows sets the length of the rows that code goes by: that by which most leaves are read in place.
func (u *mapUnit) chooseRows(isa jit.ISA, dims []int) {
	u.cols = u.elems
	var uneven []*leaf
	for i := range u.ops {
		if op := &u.ops[i]; op.f == nil && (op.buffer < 0 || !u.generates()) {
			if l := &u.leaf[op.leaf]; !l.isSplat && !l.direct {
				uneven = append(uneven, l)
			}
		}
	}
	if len(uneven) == 0 {
		return
	}
	best, n := 0, u.elems
	for _, d := range dims {
		read := 0
		for _, l := range uneven {
			if l.byRows(n).feed != tileFeed || n > blockWidth && l.turned(n) {
				read++
			}
		}
		if u.goodRow(isa, n) && read > best {
			best, u.cols = read, n
		}
		n /= d
	}
}

// leastStill is the number of inputs that are the same in every row from which on code keeps them in registers.
const leastStill = 4

const (
	lineBytes = 64
	farStrip  = 1 << 10 // bytes from one row to the next; strips of rows further apart fall out of the first cache
)

// chooseStrip is the number of columns that code does for many rows before it goes on, because as much of what it reads is the same in every
// row as not, and has room in registers: a line of the cache at least, 0 for all columns. What has fewer arrays waits for memory, which is
// read faster by whole rows.
func (u *mapUnit) chooseStrip(isa jit.ISA) int {
	if u.mode != flat || u.cols == u.elems || u.cols*u.size > farStrip || len(u.placed) > 0 {
		return 0
	}
	still, moving, t := 0, 0, u.ops[0].node.Type
	for i := range u.ops {
		op := &u.ops[i]
		f := u.feed(op)
		if op.node.Type != t || t != dtype.F32 && t != dtype.F64 || op.tiled || f > arrayFeed {
			return 0
		}
		switch {
		case f != arrayFeed:
		case u.still(op):
			still++
		default:
			moving++
		}
	}
	if still < leastStill || still > moving {
		return 0
	}
	for vectors := 2; vectors*isa.VectorBytes() >= lineBytes; vectors-- {
		if n := vectors * isa.VectorBytes() / t.Size(); still*vectors <= isa.MostStill() && u.cols%n == 0 {
			return n
		}
	}
	return 0
}

// still reports whether op, a leaf read in place, is the same in every row.
func (u *mapUnit) still(op *mapOp) bool {
	l := &u.leaf[op.leaf]
	r := l.byRows(u.cols).row
	return !l.direct && r.Splat()
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
func (b *binding) generate(u *mapUnit, cols int) {
	if b.isa == nil || !u.generates() || u.elems == 0 || u.mode == fill {
		return
	}
	u.cols = u.elems
	switch {
	case u.mode == rows || u.mode == chunks:
		if u.goodRow(*b.isa, u.run) || u.run >= longFold {
			u.cols = u.run
		}
	case u.mode == columns && u.goodRow(*b.isa, u.inner):
		u.cols = u.inner
		if _, key := u.structure(*b.isa); key[0] != foldedColumns {
			u.chooseRows(*b.isa, u.cluster.shape.At(b.batch))
		}
	case cols > 0:
		if u.goodRow(*b.isa, cols) {
			u.cols = cols
		}
	default:
		u.chooseRows(*b.isa, u.cluster.shape.At(b.batch))
		u.strip = u.chooseStrip(*b.isa)
	}
	u.oneByOne = u.strip == 0 && len(u.placed) == 0 && (u.mode == rows && u.cols == u.run && u.run < shortFold || u.mode == flat && cols == 0 && u.cols < u.elems && u.cols <= wholeElems)
	feeds := b.findCode(u)
	if u.cols < u.elems && u.mode != flat && !u.code.folds && !u.goodRow(*b.isa, u.cols) { // rows that code alone can fold
		u.cols, u.oneByOne = u.elems, false
		feeds = b.findCode(u)
	}
	by := u.maker()
	args := 0
	for i := range u.code.segs {
		args += len(u.code.segs[i].args)
	}
	all := make([]ref, 0, args)
	u.refs = make([][]ref, 0, len(u.code.segs))
	for i := range u.code.segs {
		refs, listed := all[len(all):], 0
		for _, v := range u.code.segs[i].args {
			if v < 0 {
				refs = append(refs, u.result(-1-v))
			} else {
				x := u.ref(by[v], feeds[v])
				if x.rows != nil {
					u.even = gcd(u.even, x.rows.Dim[x.rows.Rank-1])
				}
				if x.listed {
					listed++
				}
				refs = append(refs, x)
			}
		}
		u.refs, all = append(u.refs, refs[:len(refs):len(refs)]), all[:len(all)+len(refs)]
		u.listed = max(u.listed, listed)
	}
	for j := range u.folds {
		v := u.folds[j].value
		u.folded = append(u.folded, u.ref(by[v], feeds[v]))
	}
	for i := range u.placed {
		if v := u.placed[i].value; v >= 0 {
			u.placed[i].ref = u.ref(by[v], feeds[v])
		}
	}
	u.plain = u.plainRefs()
	b.placeArrays(u)
	for _, f := range feeds {
		u.copies = u.copies || f == copyFeed
	}
	if u.mode == flat {
		group := u.cols * max(1, u.even) // elements of rows that a call takes, which finds the addresses of all
		switch {
		case u.code.whole():
			u.grain = max(u.grain, min(1<<15, 1<<23/u.code.size)) // some microseconds
			if u.even > 0 {
				u.grain = max(u.grain, min(group, u.code.most()))
			}
			u.tile = min(u.grain, u.code.most())
		case u.passing():
			values := max(1, u.code.tiles*tileBytes/placedStep)
			u.roomy = max(1, min(placedBytes/tileBytes/values, u.code.most()/u.tile))
			u.tile, u.grain = u.tile*u.roomy, u.grain*u.roomy
		}
		if u.code.whole() && (u.strip > 0 || u.even > 0) || u.roomy > 1 {
			for _, n := range []int{group, u.cols, max(1, u.strip)} {
				if n <= u.tile {
					u.tile -= u.tile % n
				}
			}
			u.grain -= u.grain % u.tile
		}
	}
	if u.oneByOne && u.mode == flat {
		u.tile -= u.tile % u.cols
		u.grain = max(1, u.grain/u.tile) * u.tile
	}
	b.words = max(b.words, u.code.words+u.listed*listRows)
	if u.strip > 0 {
		b.words = max(b.words, 2*u.code.words)
	}
}

// passing reports whether all that u's code puts in tiles goes on past the caches, so that tiles may be as large as the first cache
// allows, and an entry do as much.
func (u *mapUnit) passing() bool {
	return !u.code.tiled && len(u.arrays) > 0 && !slices.ContainsFunc(u.arrays, func(a placedArray) bool { return !a.lined && (!a.streamed || a.width > 1) })
}

// findCode gives u its code, made if need be, and returns how its values come about.
func (b *binding) findCode(u *mapUnit) []feed {
	feeds, key := u.structure(*b.isa)
	if u.code = codes.find(string(key)); u.code == nil {
		for _, c := range b.pending {
			if c.key == string(key) {
				u.code = c
			}
		}
	}
	if u.code == nil {
		a, c := u.write(*b.isa, feeds, keyFolds(key))
		if !a.assembles(*b.isa) {
			u.together = true
			return b.findCode(u)
		}
		c.assemble(a, *b.isa)
		u.code, c.key = c, string(key)
		if b.p.profile {
			u.code.name = u.name()
		}
		b.pending = append(b.pending, u.code)
	}
	return feeds
}

// mapCode makes the new code executable.
func (b *binding) mapCode() error {
	var fs []*jit.Func
	for _, c := range b.pending {
		for i := range c.segs {
			if c.segs[i].f != nil {
				fs = append(fs, c.segs[i].f)
			}
		}
	}
	if err := jit.Map(fs...); err != nil {
		return err
	}
	if b.p.profile {
		if err := b.named(); err != nil {
			panic(err)
		}
	}
	for _, c := range b.pending {
		c.kept = max(c.size, pageBytes/len(b.pending)) // pages are shared by those mapped together
		if c.key != "" {
			codes.add(c)
		}
	}
	b.pending = nil
	return nil
}

// codes holds code by structure, so that equal clusters share it.
var codes codeCache

const (
	maxCodeBytes = 8 << 20 // of machine code that is kept though no program may need it
	pageBytes    = 4096
)

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
	c.by[x.key], c.queue, c.bytes = x, append(c.queue, x), c.bytes+x.kept
	for c.bytes > maxCodeBytes && len(c.queue) > 1 {
		old := c.queue[0]
		c.queue[0] = nil
		c.queue, c.bytes = c.queue[1:], c.bytes-old.kept
		delete(c.by, old.key)
	}
}

// shortFold is the length of a row below which it is faster to fold many rows at a time, from a tile.
const shortFold = 64

// longFold is the length of a row from which on code without masks folds it though it has last elements to do apart.
const longFold = 512

// What the key of a structure begins with.
const (
	flatElems = iota
	foldedRows
	foldedColumns
	maskedRows
)

// keyFolds reports whether code of a structure folds.
func keyFolds(key []byte) bool { return key[0] == foldedRows || key[0] == foldedColumns }

func foldOf(k kernels.Reduction) jit.Fold { return jit.Sum + jit.Fold(k) }

// structure returns how u's values come about, and a key of all that code for it depends on, which begins with what
// the code folds, rows or columns, if anything.
func (u *mapUnit) structure(isa jit.ISA) (feeds []feed, key []byte) {
	feeds = make([]feed, u.values)
	key = append(make([]byte, 0, 16*len(u.ops)), flatElems, byte(isa), byte(u.size))
	folds := u.foldsRows() || u.foldsColumns(isa)
	packed := make([]bool, u.values)
	for i := range u.ops {
		if op := &u.ops[i]; op.tiled {
			for _, v := range op.arg {
				packed[v] = true
			}
		}
	}
	for i := range u.ops {
		op := &u.ops[i]
		n, f := op.node, u.feed(op)
		if l := op.leaf; op.f == nil && packed[op.dst] && f != copyFeed && !u.leaf[l].isSplat && !u.leaf[l].direct {
			f = tileFeed
		} else if op.gathers && feeds[op.arg[0]] != splatFeed && u.leaf[l].near() {
			f = gatherFeed
		} else if u.strip > 0 && f == arrayFeed && u.still(op) {
			f = stillFeed
		}
		folds = folds && f != copyFeed && (f != tileFeed || !packed[op.dst] && !u.leaf[op.leaf].isSplat && (u.mode == chunks || u.leaf[op.leaf].turned(u.cols)))
		feeds[op.dst] = f
		key = append(key, byte(f), byte(n.Type))
		switch {
		case f == constFeed:
			key = binary.LittleEndian.AppendUint64(key, u.leaf[op.leaf].bits)
			continue
		case f == apartFeed:
			key = binary.AppendVarint(key, int64(u.leaf[op.leaf].byRows(u.cols).step))
			continue
		case f == gatherFeed:
			key = binary.AppendVarint(binary.AppendUvarint(key, uint64(op.arg[0])), int64(u.leaf[op.leaf].by))
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
		if op.tiled {
			stored |= 2
		}
		if op.placed {
			stored |= 4
		}
		key = append(key, byte(stored))
		for j := range n.In {
			key = binary.AppendUvarint(key, uint64(op.arg[j]))
		}
	}
	for i := range u.folds {
		f := &u.folds[i]
		key = append(binary.AppendUvarint(key, uint64(f.value)), byte(f.k))
		if u.mode == columns {
			folds = folds && f.t.Size() >= 4 && vec.Body(combines[f.k], f.t) != nil
		} else {
			folds = folds && jit.Folds(foldOf(f.k), f.t) && len(u.folds) <= isa.MaxFolds()
		}
	}
	switch {
	case folds && u.mode == columns:
		key[0] = foldedColumns
		key = binary.AppendUvarint(key, uint64(u.wholeRow()))
	case folds:
		key[0] = foldedRows
	case u.odd() && isa == jit.AVX2: // rows, whose last elements are masked
		key[0] = maskedRows
	}
	if u.strip > 0 {
		key = binary.AppendUvarint(key, uint64(u.strip))
	}
	if u.oneByOne {
		key = append(binary.AppendUvarint(key, uint64(u.cols)), 'w')
	}
	return feeds, key
}

// odd reports whether code is worth masks for the last elements of its rows: there are several, or so few elements that
// copies of the last ones would be dear.
func (u *mapUnit) odd() bool {
	return u.cols < u.elems || u.mode == flat && u.elems < leastSpan && u.elems%kernels.Pad != 0 && u.masks()
}

// foldsRows reports whether the rows that code goes by are what is folded, and worth it.
func (u *mapUnit) foldsRows() bool {
	return u.cols == u.run && (u.mode == chunks || u.mode == rows && u.run >= shortFold)
}

// foldsColumns reports whether the rows that code goes by are added up, element by element. It adds to what lies in
// memory, as a carry whose place is the same in every row.
func (u *mapUnit) foldsColumns(isa jit.ISA) bool {
	return u.mode == columns && u.cols == u.inner && u.goodRow(isa, u.inner)
}

// wholeElems is the elements of a row at most that code does at once.
const wholeElems = 64

// wholeRow is the length of a row that is added up, where it is the same for all and short, 0 where not.
func (u *mapUnit) wholeRow() int {
	if u.inner <= wholeElems {
		return u.inner
	}
	return 0
}

// combines is the operation of each reduction.
var combines = [...]ops.ID{kernels.Sum: ops.Add, kernels.Prod: ops.Mul, kernels.Max: ops.Max, kernels.Min: ops.Min}

// assembler writes a cluster's vector programs.
type assembler struct {
	wide bool // AVX-512
	*mapUnit
	by     []*mapOp // by value
	feeds  []feed   // by value
	segs   []draft
	val    []vec.Value // by value: in the segment under way
	number []int       // by value: of the segment's input that it is, and one more
	last   []int       // by value: the last segment that reads it
	result []jit.Out   // by value: of those computed
	seg    []int       // by value: the segment that computes it
	sums   []jit.Out   // by fold, of columns
}

type draft struct {
	b   *vec.Builder // nil: op is a tile's
	op  int
	ins []int // values
	p   *jit.Program
}

// assembles reports whether there is code for all segments as they are written.
func (a *assembler) assembles(isa jit.ISA) bool {
	return !slices.ContainsFunc(a.segs, func(d draft) bool { return d.p != nil && !d.p.Assembles(isa) })
}

// assemble makes the segments' code of their vector programs.
func (c *code) assemble(a *assembler, isa jit.ISA) {
	for s := range c.segs {
		seg := &c.segs[s]
		if a.segs[s].b == nil {
			c.tiled = true
			c.bytes = max(c.bytes, 4*tileBytes)
			continue
		}
		seg.f = a.segs[s].p.Assemble(isa)
		c.size += seg.f.Size()
		c.words = max(c.words, seg.f.Words())
		c.bytes = max(c.bytes, seg.f.SpillBytes())
		if seg.f.Step() > 1 {
			c.bytes = max(c.bytes, seg.f.SpillBytes()+lastBytes*len(seg.args))
		}
	}
}

// write makes the vector programs of the code's segments; where folds is set, it reduces rows if it is of one.
func (u *mapUnit) write(isa jit.ISA, feeds []feed, folds bool) (*assembler, *code) {
	a := &assembler{mapUnit: u, wide: isa == jit.AVX512, by: u.maker(), feeds: feeds, val: make([]vec.Value, u.values), number: make([]int, u.values), last: make([]int, u.values),
		result: make([]jit.Out, u.values), seg: make([]int, u.values)}
	for i := range u.ops {
		switch op := &u.ops[i]; {
		case op.f == nil:
		case op.tiled:
			for _, v := range op.arg {
				a.last[v] = len(a.segs)
			}
			a.seg[op.dst] = len(a.segs)
			a.segs = append(a.segs, draft{op: i, ins: op.arg[:]})
		default:
			if len(a.segs) == 0 || a.b() == nil || len(a.b().Code()) > maxCode {
				a.begin()
			}
			a.emit(op)
		}
	}
	if folds = folds && len(a.segs) == 1; folds {
		for j := range u.folds {
			f := &u.folds[j]
			if a.feeds[f.value] != noFeed {
				a.result[f.value] = jit.Out{T: f.t, V: a.read(f.value, 0)}
				a.result[f.value].At = len(a.b().Code())
			}
		}
		if u.mode == columns {
			a.accumulate()
		}
	} else {
		for j := range u.folds {
			a.last[u.folds[j].value] = len(a.segs)
		}
	}
	for i := range u.placed {
		if v := u.placed[i].value; v >= 0 {
			a.last[v] = len(a.segs)
		}
	}
	return a, a.finish(folds)
}

func (a *assembler) b() *vec.Builder { return a.segs[len(a.segs)-1].b }

func (a *assembler) begin() {
	b := vec.NewBuilder()
	b.Wide = a.wide
	a.segs = append(a.segs, draft{b: b})
	for v := range a.val {
		a.val[v] = vec.None
	}
	clear(a.number)
}

// input makes v an input of the segment under way.
func (a *assembler) input(v int) int {
	a.last[v] = len(a.segs) - 1
	if a.number[v] == 0 {
		s := &a.segs[len(a.segs)-1]
		s.ins = append(s.ins, v)
		a.number[v] = 1 + a.b().AddInput(a.by[v].node.Type)
	}
	return a.number[v] - 1
}

// read is value v in the segment under way, a Bool as a mask of type t.
func (a *assembler) read(v int, t vec.Type) vec.Value {
	b, typ := a.b(), a.by[v].node.Type
	a.last[v] = len(a.segs) - 1
	if a.feeds[v] == constFeed {
		bits := a.leaf[a.by[v].leaf].bits
		if typ == dtype.Bool {
			return b.I(t, -int64(bits&1))
		}
		if typ.IsHalf() {
			bits = uint64(math.Float32bits(dtype.HalfFloat(typ, uint16(bits))))
		}
		return b.Bits(vec.Lane(typ), bits)
	}
	if a.val[v] == vec.None {
		if a.feeds[v] == gatherFeed {
			a.input(a.by[v].arg[0])
		}
		if in := a.input(v); typ == dtype.Bool {
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
	a.result[op.dst] = jit.Out{T: n.Type, V: b.Stored(n.Type, r), At: len(b.Code())}
	a.seg[op.dst] = len(a.segs) - 1
}

// accumulate adds each fold's value to an input that it is in the next row.
func (a *assembler) accumulate() {
	d := &a.segs[0]
	for j := range a.folds {
		f := &a.folds[j]
		in := d.b.AddInput(f.t)
		d.ins = append(d.ins, -1-j)
		sum := vec.Emit(d.b, combines[f.k], vec.Lane(f.t), d.b.Input(in), a.result[f.value].V)
		a.sums = append(a.sums, jit.Out{T: f.t, V: sum, Carry: 1 + in})
	}
	for j := range a.sums {
		a.sums[j].At = len(d.b.Code())
	}
}

// finish finds what crosses from one segment to a later one, and gives it tiles.
func (a *assembler) finish(folds bool) *code {
	c := &code{slot: make([]int, a.values), folds: folds}
	for v := range c.slot {
		c.slot[v] = -1
	}
	for i := range a.placed {
		if v := a.placed[i].value; v >= 0 && c.slot[v] < 0 {
			c.slot[v] = c.tiles * placedStep
			c.tiles++
		}
	}
	c.tiles = ceil(c.tiles*placedStep, tileBytes)
	outs, loads := make([][]int, len(a.segs)), make([][]int, len(a.segs))
	first := make([]int, a.values) // by value: the first segment that reads it
	for s := range a.segs {
		for _, v := range a.segs[len(a.segs)-1-s].ins {
			if v >= 0 {
				first[v] = len(a.segs) - 1 - s
			}
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
	result := func(v int) jit.Out {
		if v >= 0 {
			return a.result[v]
		}
		if a.mode == columns {
			return a.sums[-1-v]
		}
		f := &a.folds[-1-v]
		o := a.result[f.value]
		o.Fold = foldOf(f.k)
		return o
	}
	if folds {
		for j := range a.folds {
			outs[0] = append(outs[0], -1-j)
		}
		slices.SortStableFunc(outs[0], func(v, w int) int { return result(v).At - result(w).At })
	}
	var free []int
	for s := range a.segs {
		d := &a.segs[s]
		seg := segment{op: d.op, loads: loads[s], args: append(d.ins[:len(d.ins):len(d.ins)], outs[s]...), ins: len(d.ins)}
		p := &jit.Program{}
		if d.b != nil {
			p.Code, p.Masks = d.b.Code(), folds || a.odd() || slices.Contains(a.feeds, apartFeed)
			if folds && a.mode == columns {
				p.N = a.wholeRow()
			}
			if a.strip > 0 {
				p.N, p.Masks = a.strip, false
			}
			if a.oneByOne {
				p.N = a.cols
			}
			for _, v := range d.ins {
				if v < 0 {
					p.In = append(p.In, jit.In{T: a.folds[-1-v].t})
					continue
				}
				in := jit.In{T: a.by[v].node.Type, Splat: a.feeds[v] == splatFeed, Still: a.feeds[v] == stillFeed, Listed: a.feeds[v] == listFeed}
				switch l := a.by[v].leaf; a.feeds[v] {
				case gatherFeed:
					in.Index, in.Stride = 1+slices.Index(d.ins, a.by[v].arg[0]), int32(a.leaf[l].by)
				case apartFeed:
					in.Stride = int32(a.leaf[l].byRows(a.cols).step)
				}
				p.In = append(p.In, in)
			}
		}
		tile := func(v int) {
			if a.by[v].buffer >= 0 || a.by[v].placed {
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
			p.Out = append(p.Out, result(v))
			if v >= 0 {
				tile(v)
			}
		}
		for v, slot := range c.slot {
			if slot >= 0 && a.last[v] == s && !a.by[v].placed {
				free = append(free, slot)
			}
		}
		d.p = p
		c.segs = append(c.segs, seg)
	}
	return c
}

// lastBytes has room for an array's part of an iteration.
const lastBytes = 64

// ref is where an argument of code lies: elements of an array, of a leaf's, or a tile.
type ref struct {
	leaf     int // -1 for none
	buffer   int // -1 for a tile
	slot     int
	size     int
	col, row int           // bytes from one element to the next, and from one row to the next
	splat    bool          // of a tile full of one value
	result   bool          // one element per row, counted apart, or, of columns, a row for all of them
	listed   bool          // its rows lie anywhere
	rows     *kernels.View // of more than one axis: where the rows are, in elements; row is from one of the last axis to the next
}

func (u *mapUnit) ref(op *mapOp, f feed) ref {
	x := ref{leaf: -1, buffer: op.buffer, slot: u.code.slot[op.dst], size: op.size, col: op.size, row: op.size * u.cols}
	switch f {
	case constFeed:
		x.leaf, x.col, x.row, x.splat = op.leaf, 0, 0, true
	case splatFeed:
		l := &u.leaf[op.leaf]
		x.leaf, x.col, x.row, x.splat = op.leaf, 0, 0, l.isSplat
		if !l.isSplat {
			x.setRows(l, u.cols)
		}
	case gatherFeed:
		x.leaf, x.col, x.row = op.leaf, 0, 0
	case arrayFeed, stillFeed, apartFeed, listFeed:
		l := &u.leaf[op.leaf]
		x.leaf, x.listed = op.leaf, f == listFeed
		if !l.direct {
			x.setRows(l, u.cols)
		}
	}
	return x
}

// plainRef is where an argument of code is: fixed, or elements of col bytes from a place in an array on.
type plainRef struct {
	fixed               unsafe.Pointer
	buffer, offset, col int
}

// plainRefs are the arguments of code that is one loop over all elements, in place, nil where u's is more than that.
func (u *mapUnit) plainRefs() []plainRef {
	if u.code == nil {
		return nil
	}
	if s := u.code.segs; u.mode != flat || u.cols < u.elems || len(s) != 1 || s[0].f == nil || len(s[0].loads) > 0 || len(u.placed) > 0 {
		return nil
	}
	var refs []plainRef
	for _, x := range u.refs[0] {
		y := plainRef{buffer: x.buffer, col: x.col}
		switch {
		case x.splat:
			y.fixed = u.leaf[x.leaf].splat
		case x.listed:
			return nil
		case x.leaf >= 0:
			y.buffer, y.offset = u.leaf[x.leaf].buffer, u.leaf[x.leaf].offset
		case x.buffer < 0:
			return nil
		}
		refs = append(refs, y)
	}
	return refs
}

// enterPlain is enter for code whose arguments are plain.
func (u *mapUnit) enterPlain(r *run, w *worker, start, n int) {
	args := w.args[jit.ArgArrays:]
	for k := range u.plain {
		x := &u.plain[k]
		p := x.fixed
		if p == nil {
			p = unsafe.Add(r.ptr[x.buffer], x.offset+start*x.col)
		}
		args[2*k] = uintptr(p)
	}
	args, f := w.args, u.code.segs[0].f
	args[jit.ArgN], args[jit.ArgTail] = f.Split(n)
	args[jit.ArgRows], args[jit.ArgSpill] = 1, u.spill(w)
	f.Run(args)
}

// setRows says where rows of cols elements of l are.
func (x *ref) setRows(l *leaf, cols int) {
	r := l.byRows(cols)
	v := r.row
	x.col, x.row = r.step*x.size, 0
	if v.Rank > 0 {
		x.row = v.Stride[v.Rank-1] * x.size
	}
	if v.Rank > 1 {
		x.rows = &v
	}
}

// result is where fold j's results go.
func (u *mapUnit) result(j int) ref {
	f := &u.folds[j]
	x := ref{leaf: -1, buffer: f.buffer, size: f.size, row: f.size, result: true}
	if u.mode == columns {
		x.col, x.row = f.size, 0
	}
	if u.parts > 1 {
		x.buffer = u.part[j]
	}
	return x
}

// at is a part of a cluster's elements: rows of n elements each, from column col of a row on. Tiles start at
// element base.
type at struct {
	base, row, col, n, rows, result int
	top, left, wide                 int // of a block: its first row and column; wide is 0 for none
}

// addr is the address of x's elements.
func (u *mapUnit) addr(r *run, w *worker, x *ref, p *at) unsafe.Pointer {
	switch {
	case x.splat:
		return u.leaf[x.leaf].splat
	case x.result:
		return unsafe.Add(r.ptr[x.buffer], p.result*x.size+p.col*x.col)
	case x.leaf >= 0:
		l := &u.leaf[x.leaf]
		array, i := r.ptr[l.buffer], p.row
		if l.padded {
			array, i = w.near.at, i-w.near.first/u.cols
		}
		row := i * x.row
		switch {
		case x.listed:
			per := l.inner / u.cols
			row = (l.gatheredAt(l.index.indices(r), i/per) + i%per*u.cols) * x.size
		case x.rows != nil:
			row = x.rows.At(i) * x.size
		}
		return unsafe.Add(array, l.offset+row+p.col*x.col)
	case x.buffer >= 0:
		return unsafe.Add(r.ptr[x.buffer], p.row*x.row+p.col*x.col)
	}
	if p.wide > 0 {
		return unsafe.Add(w.scratch, u.base+u.roomy*x.slot+((p.row-p.top)*p.wide+p.col-p.left)*x.size)
	}
	return unsafe.Add(w.scratch, u.base+u.roomy*x.slot+p.row*x.row+p.col*x.col-p.base*x.size)
}

// step is the bytes from one row of x to the next.
func (x *ref) step(p *at) int {
	if p.wide > 0 && x.leaf < 0 && x.buffer < 0 {
		return p.wide * x.size
	}
	return x.row
}

// scratchBytes is what u needs of a worker's scratch.
func (u *mapUnit) scratchBytes() int {
	n := u.slots * tileBytes
	if u.copying != nil {
		n = max(n, u.copying.room(u.size))
	}
	if u.code != nil {
		n = u.tileRoom() + u.code.bytes + u.blockBytes()
	}
	if u.wide > 0 { // for a block on its way to an array
		n += u.roomy * tileBytes
	}
	return n
}

// tileRoom is the size of all tiles of u's code.
func (u *mapUnit) tileRoom() int { return u.code.tiles * tileBytes * u.roomy }

// spill is the address of the place of spilled registers, which may have no size.
func (u *mapUnit) spill(w *worker) uintptr {
	return uintptr(w.scratch) + uintptr(u.base+u.tileRoom())
}

// enter runs the code for n elements from start.
func (u *mapUnit) enter(r *run, w *worker, start, n int) {
	if len(u.plain) > 0 && n&(u.code.segs[0].f.Step()-1) == 0 { // a power of two
		u.enterPlain(r, w, start, n)
		return
	}
	for i := range u.code.segs {
		for _, k := range u.code.segs[i].loads {
			op := &u.ops[k]
			var dst unsafe.Pointer
			if op.buffer >= 0 {
				dst = unsafe.Add(r.ptr[op.buffer], start*op.size)
			} else {
				dst = unsafe.Add(w.scratch, u.base+u.roomy*u.code.slot[op.dst])
			}
			if l := &u.leaf[op.leaf]; l.splat != nil {
				kernels.Fill(dst, l.bits, op.size, n)
			} else {
				l.load(r, w, dst, op.size, start, n)
			}
		}
		if u.code.segs[i].f == nil {
			u.runTile(r, w, i, start, n)
			continue
		}
		// Whole rows together, what is before and after them alone.
		for from, end := start, start+n; from < end; {
			p := at{base: start, col: from, rows: 1}
			if u.cols < u.elems {
				p.row, p.col = from/u.cols, from%u.cols
			}
			p.n = min(u.cols-p.col, end-from)
			if p.n == u.cols && p.n < end-from {
				p.rows = (end - from) / u.cols
			}
			u.call(r, w, i, &p)
			from += p.n * p.rows
		}
	}
	if len(u.placed) > 0 {
		u.place(r, w, start, n)
	}
	if !u.code.folds && len(u.folded) > 0 {
		p := at{base: start, row: start / u.cols, col: start % u.cols}
		for j := range u.folded {
			w.ptr[u.folds[j].value] = u.addr(r, w, &u.folded[j], &p)
		}
	}
}

// runTile runs a segment that is an operation on tiles. It computes n rounded up to whole pads, so that
// what is in arrays is copied where n is not.
func (u *mapUnit) runTile(r *run, w *worker, seg, start, n int) {
	s, refs := &u.code.segs[seg], u.refs[seg]
	p := at{base: start, col: start}
	if u.cols < u.elems {
		p.row, p.col = start/u.cols, start%u.cols
	}
	padded := roundUp(n)
	var x, room [4]unsafe.Pointer
	for k := range refs {
		y := &refs[k]
		x[k] = u.addr(r, w, y, &p)
		if n < padded && y.slot < 0 && !y.splat {
			room[k] = unsafe.Add(w.scratch, u.base+u.tileRoom()+k*tileBytes)
			if k < s.ins {
				move(room[k], x[k], n*y.size)
			}
		} else {
			room[k] = x[k]
		}
	}
	u.ops[s.op].f(room[3], room[0], room[1], room[2], padded)
	if room[3] != x[3] {
		move(x[3], room[3], n*refs[3].size)
	}
}

// listRows is how many rows of an input that lie anywhere an entry of code takes.
const listRows = 64

// call runs the code of a segment.
func (u *mapUnit) call(r *run, w *worker, seg int, p *at) {
	if u.even == 0 && u.listed == 0 {
		u.callStrips(r, w, seg, p)
		return
	}
	q := *p
	for rows := p.rows; rows > 0; rows -= q.rows {
		q.rows = rows
		if u.even > 0 {
			q.rows = min(q.rows, u.even-q.row%u.even)
		}
		if u.listed > 0 {
			q.rows = min(q.rows, listRows)
		}
		u.callStrips(r, w, seg, &q)
		if q.row += q.rows; u.mode != columns {
			q.result += q.rows
		}
	}
}

// callStrips enters the code of a segment for one strip of the columns after the other.
func (u *mapUnit) callStrips(r *run, w *worker, seg int, p *at) {
	if u.strip == 0 {
		u.callEven(r, w, seg, p)
		return
	}
	s, args, refs := &u.code.segs[seg], w.args, u.refs[seg]
	f, next := s.f, args[u.code.words:]
	for k := range refs {
		x := &refs[k]
		at, step := u.addr(r, w, x, p), x.step(p)
		if k >= s.ins && u.far {
			kernels.Touch(at, (p.rows-1)*step+p.n*x.size)
		}
		next[k], args[jit.ArgArrays+2*k+1] = uintptr(at), uintptr(step)
	}
	for col := 0; col < p.n; col += u.strip {
		for k := range refs {
			args[jit.ArgArrays+2*k] = next[k]
			next[k] += uintptr(u.strip * refs[k].col)
		}
		args[jit.ArgN], args[jit.ArgTail] = f.Split(u.strip)
		args[jit.ArgRows], args[jit.ArgSpill] = uintptr(p.rows), u.spill(w)
		f.Run(args)
	}
}

// callEven enters the code of a segment for rows that lie evenly in every array.
func (u *mapUnit) callEven(r *run, w *worker, seg int, p *at) {
	s, args, refs := &u.code.segs[seg], w.args, u.refs[seg]
	lists := args[u.code.words:]
	last := 0
	if step := s.f.Step(); step > 1 {
		last = p.n % step
	}
	if last > 0 && u.code.folds {
		u.callFolding(r, w, seg, *p, last)
		return
	}
	if last > 0 && p.rows > 1 { // the last elements of each are copied
		row := *p
		for row.rows = 1; row.row < p.row+p.rows; row.row++ {
			u.callEven(r, w, seg, &row)
		}
		return
	}
	if last < p.n {
		for k := range refs {
			x := &refs[k]
			if x.listed {
				u.rowsAt(r, x, p, lists[:p.rows])
				args[jit.ArgArrays+2*k] = lists[0]
				args[jit.ArgArrays+2*k+1] = uintptr(unsafe.Pointer(unsafe.SliceData(lists[1:])))
				lists = lists[listRows:]
			} else {
				args[jit.ArgArrays+2*k] = uintptr(u.addr(r, w, x, p))
				args[jit.ArgArrays+2*k+1] = uintptr(x.step(p))
			}
		}
		args[jit.ArgN], args[jit.ArgTail] = s.f.Split(p.n - last)
		args[jit.ArgRows], args[jit.ArgSpill] = uintptr(p.rows), u.spill(w)
		s.f.Run(args)
	}
	if last > 0 {
		end := *p
		end.col += p.n - last
		u.copyLast(r, w, seg, &end, last, args[jit.ArgArrays:])
		args[jit.ArgN], args[jit.ArgRows], args[jit.ArgSpill] = uintptr(s.f.Step()), 1, u.spill(w)
		s.f.Run(args)
		u.storeLast(r, w, seg, &end, last)
	}
}

// rowsAt sets rows to the addresses of the rows that x gathers, from p's first one on.
func (u *mapUnit) rowsAt(r *run, x *ref, p *at, rows []uintptr) {
	l := &u.leaf[x.leaf]
	per, at, bytes := l.inner/u.cols, l.index.indices(r), uintptr(l.inner*x.size)
	row, part := p.row/per, p.row%per
	j, from := row%l.count, uintptr(l.ptr(r))+uintptr(row/l.count*l.size)*bytes+uintptr(p.col*x.size)
	for len(rows) > 0 {
		n := len(rows)
		switch {
		case per > 1:
			n = min(n, per-part)
			for i := range n {
				rows[i] = from + uintptr(at.at(j))*bytes + uintptr((part+i)*u.cols*x.size)
			}
			if part += n; part == per {
				part, j = 0, j+1
			}
		case at.wide:
			n = min(n, l.count-j)
			rowsBy(rows[:n], unsafe.Slice((*int64)(at.p), l.count)[j:], from, bytes)
			j += n
		default:
			n = min(n, l.count-j)
			rowsBy(rows[:n], unsafe.Slice((*int32)(at.p), l.count)[j:], from, bytes)
			j += n
		}
		if rows = rows[n:]; j == l.count {
			j, from = 0, from+uintptr(l.size)*bytes
		}
	}
}

// rowsBy is rows[i] = from + at[i]·bytes.
func rowsBy[I int32 | int64](rows []uintptr, at []I, from, bytes uintptr) {
	at = at[:len(rows)]
	for i := range rows {
		rows[i] = from + uintptr(at[i])*bytes
	}
}

// callFolding folds rows one by one, the last elements of each, fewer than an iteration's, on copies.
func (u *mapUnit) callFolding(r *run, w *worker, seg int, p at, last int) {
	s, args, refs := &u.code.segs[seg], w.args, u.refs[seg]
	for range p.rows {
		for k := range refs {
			args[jit.ArgArrays+2*k] = uintptr(u.addr(r, w, &refs[k], &p))
		}
		end := p
		end.col += p.n - last
		u.copyLast(r, w, seg, &end, last, args[jit.ArgArrays+1:])
		args[jit.ArgN], args[jit.ArgRows], args[jit.ArgSpill], args[jit.ArgTail] = uintptr(p.n-last), 1, u.spill(w), jit.TailLanes(last)
		s.f.Run(args)
		u.storeLast(r, w, seg, &end, last)
		p.row++
		p.result++
	}
}

// copyLast copies n elements, fewer than an iteration's, of a segment's inputs, and has every other one of args be the
// arguments' addresses.
func (u *mapUnit) copyLast(r *run, w *worker, seg int, p *at, n int, args []uintptr) {
	s, refs := &u.code.segs[seg], u.refs[seg]
	for k := range refs {
		x := &refs[k]
		copied := u.room(w, s, k)
		if from := u.addr(r, w, x, p); x.result || k < s.ins && x.col == 0 {
			copied = from
		} else if k < s.ins {
			*(*[lastBytes]byte)(copied) = [lastBytes]byte{} // what is an index in an element beyond must be one
			move(copied, from, n*x.size)
		}
		args[2*k] = uintptr(copied)
	}
}

// storeLast puts what was made of such copies where it belongs.
func (u *mapUnit) storeLast(r *run, w *worker, seg int, p *at, n int) {
	s, refs := &u.code.segs[seg], u.refs[seg]
	for k := s.ins; k < len(refs); k++ {
		if x := &refs[k]; !x.result {
			move(u.addr(r, w, x, p), u.room(w, s, k), n*x.size)
		}
	}
}

// room is where argument k of the last elements is copied.
func (u *mapUnit) room(w *worker, s *segment, k int) unsafe.Pointer {
	return unsafe.Add(w.scratch, u.base+u.tileRoom()+s.f.SpillBytes()+k*lastBytes)
}
