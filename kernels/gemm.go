package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Gemm is one product C = A·B, or a batch of them, in F32, F64 or, with C in F32, BF16 or F16:
//
//	C[b,i,j] = Σ_k A[b,i,k]·B[b,k,j]
//
// Strides are in elements and may be anything, so that a transposed or sliced operand needs no copy;
// a batch stride of 0 shares the operand. C's columns are contiguous. C may not overlap A or B.
//
// The order of every sum is fixed, whatever the level, the threads, M, the batch, the strides:
//   - N > 1: inside each block of KC consecutive k, s = 0, then s = fma(a, b, s) for k upwards; the
//     blocks' sums are added in order, c = s0, c = c+s1, …
//   - N == 1: inside each block of DotBlock consecutive k, the lanes s[k mod L] = fma(a, b, s[k mod L])
//     with L = 32 for F32 and 16 for F64 (the last L of a block filled up with zeros), added up by
//     halving, s[l] += s[l+h], h = L/2 … 1; the blocks' sums are added in order.
//
// N == 1 alone decides between the two because M and K may be the symbolic batch size.
//
// BF16 has the first of these for every N, with the instruction VDPBF16PS's pairs: k = 1, 0, 3, 2, 5, 4 … (an odd K
// with a zero behind), and arithmetic that takes and makes zeros instead of denormals, in sums of blocks, too. F16 has the
// first for every N, too: the bits of the F32s that its elements are.
type Gemm struct {
	Type               dtype.Type
	Batch, M, N, K     int // any may be 0; K == 0 gives zeros
	ARow, ACol, ABatch int
	BRow, BCol, BBatch int
	CRow, CBatch       int
	CRows              *View    // where not nil, says where C's rows lie, if the plan is of AGrid's rows in place (InPlace), in the place of CRow
	AGrid              *Grid    // where not nil, says where A's elements lie in the place of ARow and ACol; N is not 1; not of BF16 or F16
	Windows            *Windows // where not nil, A is windows of pictures and the product made so; Batch is 1, and B's columns are contiguous
	Scaled             bool     // by the run's Alpha: A's elements, or B's where N == 1, before they are multiplied; not of BF16 or F16
	Minus              bool     // Scaled by -1, as in factorizations: of which makes no difference
}

// KC and DotBlock are the lengths, in k, of the blocks that sums are made of: part of the result's
// definition, not tuning.
const (
	KC       = 256
	DotBlock = 4096
)

// RowPad is the granule of Row, in elements of any type.
const RowPad = 64

// GemmKernel is what a level brings to a product in one type. Strides are in bytes.
type GemmKernel struct {
	MR, NR int // rows and columns of the register tile

	// Strip is one column strip, n ≤ NR wide: for each i < m, j < n, s = Σ a[i,k]·b[k,j] in order, then
	// c[i,j] = s, or c[i,j] += s if add. Row i of a is at (i/MR)·aPanel + (i%MR)·aRow, its element k
	// aCol further each; b's rows are bRow apart and contiguous, as are c's. Nothing outside is touched. What is read
	// next may be asked for meanwhile: steps rows of NR elements, step apart, the first at next, or none where that is nil.
	Strip func(k int, a unsafe.Pointer, aRow, aCol, aPanel int, b unsafe.Pointer, bRow int,
		c unsafe.Pointer, cRow int, m, n int, add bool, next unsafe.Pointer, step, steps int)

	// Lines, where not nil, is Strip for 0 < m ≤ MR rows of A, whose k lie in as many lines, at least one: line is the
	// first line's start, step (not read: it is aCol) and length, in elements.
	Lines func(line, a unsafe.Pointer, aRow, aCol, lines int, b unsafe.Pointer, bRow int,
		c unsafe.Pointer, cRow int, m, n int, add bool, next unsafe.Pointer, step int)
	LinesN int // the most columns for which it is better than to pack A, 0 for any

	// Batch, where not nil, is Strip, not to be added, for batch > 0 products of the size of tile, a *BatchTile.
	// It may ask for what comes next in the batch.
	Batch                 func(batch int, tile, a, b, c unsafe.Pointer)
	BatchRows, BatchTiles int // the most rows that it takes; the most tiles of up to MR rows for which it is better than Strip

	// Narrow, where not nil, is better than Batch where C has up to NarrowRows rows of up to NarrowBytes.
	Narrow func(batch int, tile, a, b, c unsafe.Pointer)

	// Row, where not nil, is Strip for m == 1 and n any multiple of RowPad.
	Row func(k int, a unsafe.Pointer, aCol int, b unsafe.Pointer, bRow int, c unsafe.Pointer, n int, add bool)

	// Dot is c[i] = Σ a[i,k]·b[k] in lanes, or += if add, for i < m and k < k ≤ DotBlock, both contiguous.
	Dot func(k int, a unsafe.Pointer, aRow int, b unsafe.Pointer, c unsafe.Pointer, cRow int, m int, add bool)

	// PackA and PackB, where not nil, lay MR (NR) rows of k contiguous elements, lane bytes apart, into
	// a panel: dst[k·MR+l] = src[l, k]. k is a multiple of Pad.
	PackA, PackB func(dst, src unsafe.Pointer, lane, k int)

	// Lanes, where not nil, lays k > 0 rows of w ≤ 128 contiguous bytes, step bytes apart, where they are r bytes apart.
	Lanes func(dst, src unsafe.Pointer, step, k, r, w int)

	pairing
}

// BatchTile is a product with m ≤ BatchRows and n ≤ NR/2, or m ≤ MR and n ≤ NR, and the distances in a batch of them.
type BatchTile struct{ k, aRow, aCol, aBatch, bRow, bBatch, cRow, cBatch, m, n int }

// NarrowBytes and NarrowRows are the largest C of GemmKernel's Narrow.
const NarrowBytes, NarrowRows = 32, 12

// Epilogue is told of each block of C as it becomes final, while it is in cache: exactly once per
// block, from the worker that computed it. The blocks tile C.
type Epilogue interface {
	Done(worker, batch, i0, i1, j0, j1 int)
}

// GemmRun is one run of a plan. Shared and each Worker's scratch are 64-byte aligned; a nil Epilogue
// is none.
type GemmRun struct {
	Plan     *GemmPlan
	A, B, C  unsafe.Pointer
	Shared   unsafe.Pointer   // Plan.SharedBytes
	Worker   []unsafe.Pointer // Plan.WorkerBytes for each worker
	Epilogue Epilogue

	Alpha float64 // see Gemm.Scaled
	Beta  float64 // the blocks' sums are added to Beta·C, as if it were the first of them; 0 does not read C
}

// Do runs one task. A phase's tasks may run in any order and at once, one at a time per worker; a
// phase starts when the one before it has ended.
func (r *GemmRun) Do(phase, worker, task int) {
	p := r.Plan
	if p.winograd != nil {
		r.doTiles(phase, worker, task)
		return
	}
	if p.small && r.Beta == 0 {
		r.doSmall(worker, task*p.group, min((task+1)*p.group, p.g.Batch))
		return
	}
	if p.direct && r.Beta == 0 {
		r.doDirect()
		if r.Epilogue != nil {
			r.Epilogue.Done(worker, 0, 0, p.g.M, 0, p.g.N)
		}
		return
	}
	if p.single && !p.dot && p.g.K > 0 {
		ch := chunk{0, p.g.Batch, 0, p.g.N, 0, p.g.K}
		for b := range p.g.Batch {
			r.block(ch, worker, b, 0, p.g.M, 0, p.g.N, false)
			if r.Epilogue != nil {
				r.Epilogue.Done(worker, b, 0, p.g.M, 0, p.g.N)
			}
		}
		return
	}
	if p.b == shared {
		r.doShared(p.chunk(phase/2), worker, task, phase%2 == 0)
		return
	}
	ch := p.chunk(phase)
	blocks, blocksN := p.blocks(ch), p.blocksN(ch)
	i, j := task%blocks/blocksN, ch.n0+task%blocksN*p.nc
	first := ch.b0 + task/blocks*p.group
	for b := first; b < min(first+p.group, ch.b1); b++ {
		r.finish(ch, worker, b, i, j, p.nc, false)
	}
}

// doDirect computes a product that is a few calls of kernels.
func (r *GemmRun) doDirect() {
	p := r.Plan
	g, k, size := &p.g, &p.k, p.size
	if p.dot {
		k.Dot(g.K, r.A, size*g.ARow, r.B, r.C, size*g.CRow, g.M, false)
		return
	}
	j := 0
	if g.M == 1 && k.Row != nil && g.N >= RowPad {
		j = g.N &^ (RowPad - 1)
		k.Row(g.K, r.A, size*g.ACol, r.B, size*g.BRow, r.C, j, false)
	}
	for ; j < g.N; j += k.NR {
		k.Strip(g.K, r.A, size*g.ARow, size*g.ACol, size*g.ARow*k.MR, unsafe.Add(r.B, size*j), size*g.BRow,
			unsafe.Add(r.C, size*j), size*g.CRow, g.M, min(k.NR, g.N-j), false, nil, 0, 0)
	}
}

// doSmall computes the products of some batch elements.
func (r *GemmRun) doSmall(worker, b0, b1 int) {
	p := r.Plan
	g, size := &p.g, p.size
	for n := p.few; b0 < b1; b0 += n {
		n = min(n, b1-b0)
		p.batch(n, unsafe.Add(r.A, size*b0*g.ABatch), unsafe.Add(r.B, size*b0*g.BBatch), unsafe.Add(r.C, size*b0*g.CBatch))
		if r.Epilogue != nil {
			for b := range n {
				r.Epilogue.Done(worker, b0+b, 0, g.M, 0, g.N)
			}
		}
	}
}

// batch computes n products by Batch, tile by tile.
func (p *GemmPlan) batch(n int, a, b, c unsafe.Pointer) {
	t := &p.tile
	for j := p.g.N; ; j -= t.n {
		ai, ci, i := a, c, p.g.M
		for ; i > t.m; i -= t.m {
			p.mul(n, unsafe.Pointer(t), ai, b, ci)
			ai, ci = unsafe.Add(ai, t.m*t.aRow), unsafe.Add(ci, t.m*t.cRow)
		}
		p.mul(n, unsafe.Pointer(&p.last), ai, b, ci)
		if j <= t.n {
			return
		}
		b, c = unsafe.Add(b, t.n*p.size), unsafe.Add(c, t.n*p.size)
	}
}

// Small reports whether Multiply computes all of the product.
func (p *GemmPlan) Small() bool { return p.small && p.g.Batch == 1 }

// Multiply is a run of a plan that is Small, without an epilogue.
func (p *GemmPlan) Multiply(a, b, c unsafe.Pointer) { p.batch(1, a, b, c) }

// doShared is Do where B is packed for many tasks: the blocks of the first rows are computed as their columns are
// packed, then those of the others.
func (r *GemmRun) doShared(ch chunk, worker, task int, pack bool) {
	p := r.Plan
	if pack {
		groups := ceil(ch.n1-ch.n0, p.packN)
		r.finish(ch, worker, ch.b0+task/groups, 0, ch.n0+task%groups*p.packN, p.packN, true)
		return
	}
	blocks, blocksN := p.blocks(ch), p.blocksN(ch)
	if task += blocksN; p.copies(ch) > 1 { // each batch element has had its first rows, not only the first one
		task += (task - blocksN) / (blocks - blocksN) * blocksN
	}
	r.finish(ch, worker, ch.b0+task/blocks, task%blocks/blocksN, ch.n0+task%blocksN*p.nc, p.nc, false)
}

// finish computes block i of C's rows, cols columns of it from j0 on, and tells the epilogue.
func (r *GemmRun) finish(ch chunk, worker, b, i, j0, cols int, pack bool) {
	p := r.Plan
	i0, i1 := p.rows(i)
	j1 := min(j0+cols, ch.n1)
	switch {
	case p.g.K == 0:
		r.zero(b, i0, i1, j0, j1)
	case p.dot:
		r.dot(worker, b, i0, i1)
	default:
		r.block(ch, worker, b, i0, i1, j0, j1, pack)
	}
	if r.Epilogue != nil && ch.k1 == p.g.K {
		r.Epilogue.Done(worker, b, i0, i1, j0, j1)
	}
}

// The five loops: Do's tasks are the outer two, over columns and rows; block has the one over k and
// the one over strips; the level's Strip has the one over A's panels around its microkernel. Where pack is set,
// strips of shared B are packed before they are used.
func (r *GemmRun) block(ch chunk, worker, batch, i0, i1, j0, j1 int, pack bool) {
	p := r.Plan
	g, k, size, in := &p.g, &p.k, p.size, p.g.Type.Size()
	A := unsafe.Add(r.A, in*(batch*g.ABatch+i0*g.ARow))
	B := unsafe.Add(r.B, in*batch*g.BBatch)
	C := unsafe.Add(r.C, size*(batch*g.CBatch+i0*g.CRow))
	if ch.k0 == 0 && r.Beta != 0 {
		r.begin(batch, i0, i1, j0, j1)
	}
	packed := p.b == shared && !pack
	for k0 := ch.k0; ; k0 += KC {
		add := k0 > 0 || r.Beta != 0
		kc := min(KC, ch.k1-k0)
		rows := p.depth(kc)
		a, aRow, aCol, aPanel := unsafe.Add(A, in*k0*g.ACol), in*g.ARow, in*g.ACol, in*g.ARow*k.MR
		if p.packA && !(pack && p.rowsA) {
			to := r.Worker[worker]
			if g.AGrid != nil {
				g.AGrid.pack(to, unsafe.Add(r.A, size*batch*g.ABatch), i0, i1-i0, k0, kc, k.MR, size, k.PackA, k.Lanes)
			} else {
				p.panels(to, a, aRow, aCol, i1-i0, kc, false)
			}
			if g.Scaled && !p.minusB {
				r.scaleA(to, i1-i0, kc)
			}
			a, aRow, aCol, aPanel = to, size, size*k.MR, size*k.MR*rows
		} else if in < size {
			aCol = size // a pair
		}
		var cols []line
		if p.lines {
			cols = g.AGrid.Cols.lines(unsafe.Slice((*line)(r.Worker[worker]), KC)[:0], k0, kc)
		}
		j := j0
		if i1-i0 == 1 && k.Row != nil && p.b == inPlace && !p.lines && j1-j0 >= RowPad {
			n := (j1 - j0) &^ (RowPad - 1)
			k.Row(kc, a, aCol, unsafe.Add(B, size*(k0*g.BRow+j)), size*g.BRow, unsafe.Add(C, size*j), n, add)
			j += n
		}
		for ; j < j1; j += k.NR {
			n := min(k.NR, j1-j)
			b, bRow := unsafe.Add(B, in*(k0*g.BRow+j*g.BCol)), in*g.BRow
			next, step, steps := unsafe.Pointer(nil), 0, kc
			if nk, nj := r.after(k0, j, j0, j1); nk < ch.k1 {
				steps = min(kc, ch.k1-nk)
				switch {
				case packed:
					next, step = r.shared(ch, batch, nk, nj), size*k.NR
				case g.BCol == 1:
					next, step = unsafe.Add(B, in*(nk*g.BRow+nj)), bRow
				}
			}
			if p.ahead && batch+1 < g.Batch {
				next, step, steps = r.nextElement(batch+1, j/k.NR)
			}
			switch {
			case packed:
				b, bRow = r.shared(ch, batch, k0, j), size*k.NR
			case p.b != inPlace:
				to := unsafe.Add(r.Worker[worker], p.aBytes)
				if pack {
					to = r.shared(ch, batch, k0, j)
				}
				p.panels(to, b, in*g.BCol, bRow, n, kc, true)
				if p.minusB {
					p.negate(to, to, nil, nil, k.NR*kc)
				}
				b, bRow = to, size*k.NR
			}
			if p.lines {
				r.stripLines(batch, i0, i1, cols, kc, b, bRow, j, n, add, next, step, steps)
				continue
			}
			k.Strip(rows, a, aRow, aCol, aPanel, b, bRow, unsafe.Add(C, size*j), size*g.CRow, i1-i0, n, add, next, step, steps)
		}
		if k0+KC >= ch.k1 {
			return
		}
	}
}

// after is the strip that block comes to after that of k0 and column j.
func (r *GemmRun) after(k0, j, j0, j1 int) (int, int) {
	if j += r.Plan.k.NR; j < j1 {
		return k0, j
	}
	return k0 + KC, j0
}

// stripLines is Strip for rows i0 … i1-1 of a grid, whose columns lie in cols, and n columns of C from j on: as many rows at once as lie
// evenly, in C, too. steps are those that may be asked for.
func (r *GemmRun) stripLines(batch, i0, i1 int, cols []line, kc int, b unsafe.Pointer, bRow, j, n int, add bool, next unsafe.Pointer, step, steps int) {
	g, k, size := &r.Plan.g, &r.Plan.k, r.Plan.size
	A, C, asked := unsafe.Add(r.A, size*batch*g.ABatch), unsafe.Add(r.C, size*(batch*g.CBatch+j)), 0
	var rowLines, toLines [8 * maxMR]line
	for i0 < i1 {
		m := min(8*k.MR, i1-i0)
		to := r.Plan.rowsC.lines(toLines[:0], i0, m)
		for _, row := range g.AGrid.Rows.lines(rowLines[:0], i0, m) {
			for row.n > 0 {
				c := &to[0]
				m := min(row.n, c.n)
				m = ceil(m, ceil(m, k.MR))
				k.Lines(unsafe.Pointer(&cols[0]), unsafe.Add(A, size*row.start), size*row.step, size*cols[0].step, len(cols),
					b, bRow, unsafe.Add(C, size*c.start), size*c.step, m, n, add, next, step)
				if asked += kc / 2; asked < steps {
					next = unsafe.Add(next, kc/2*step)
				} else {
					next, step = nil, 0
				}
				for _, l := range []*line{&row, c} {
					l.start += m * l.step
					l.n -= m
				}
				if c.n == 0 {
					to = to[1:]
				}
			}
		}
		i0 += m
	}
}

// askBytes is what a strip asks for in one step.
const askBytes = 128

// nextElement is what a strip is to ask for of the given batch element's operands, which are contiguous: the first half of
// the strips A, the others B, in equal parts; all of them A where B is shared.
func (r *GemmRun) nextElement(batch, strip int) (next unsafe.Pointer, step, steps int) {
	p := r.Plan
	g, size := &p.g, p.g.Type.Size()
	x, at, elems, strips := r.A, batch*g.ABatch, g.M*g.K, ceil(g.N, p.k.NR)
	if g.BBatch != 0 {
		half := ceil(strips, 2)
		if strip < half {
			strips = half
		} else {
			x, at, elems, strips, strip = r.B, batch*g.BBatch, g.K*g.N, strips-half, strip-half
		}
	}
	steps = ceil(elems*size, strips*askBytes)
	return unsafe.Add(x, at*size+min(strip*steps*askBytes, elems*size-1)), askBytes, steps // inside: it is a pointer
}

// dot is block for N == 1.
func (r *GemmRun) dot(worker, batch, i0, i1 int) {
	p := r.Plan
	g, k, size := &p.g, &p.k, p.size
	A := unsafe.Add(r.A, size*(batch*g.ABatch+i0*g.ARow))
	B := unsafe.Add(r.B, size*batch*g.BBatch)
	C := unsafe.Add(r.C, size*(batch*g.CBatch+i0*g.CRow))
	if r.Beta != 0 {
		r.begin(batch, i0, i1, 0, 1)
	}
	for k0 := 0; ; k0 += DotBlock {
		add := k0 > 0 || r.Beta != 0
		kc := min(DotBlock, g.K-k0)
		a, b := unsafe.Add(A, size*k0*g.ACol), unsafe.Add(B, size*k0*g.BRow)
		if p.b == local {
			to := unsafe.Add(r.Worker[worker], p.aBytes)
			pack(to, b, 0, size*g.BRow, 1, kc, 1, size, nil, nil)
			if g.Scaled {
				scale(to, r.Alpha, kc, size)
			}
			b = to
		}
		rows := i1 - i0
		if p.packA {
			rows = dotRows
		}
		apart := kc + 2*Pad // not kc, for rows a power of two apart share a cache set
		for i := 0; i < i1-i0; i += rows {
			m := min(rows, i1-i0-i)
			ai, aRow := unsafe.Add(a, size*i*g.ARow), size*g.ARow
			if p.packA { // rows and k change places: each row is to be contiguous
				to := r.Worker[worker]
				pack(to, ai, size*g.ACol, aRow, kc, m, apart, size, nil, nil)
				ai, aRow = to, size*apart
			}
			k.Dot(kc, ai, aRow, b, unsafe.Add(C, size*i*g.CRow), size*g.CRow, m, add)
		}
		if k0+DotBlock >= g.K {
			return
		}
	}
}

// zero is block for K == 0, where A and B have no elements and may have no address.
func (r *GemmRun) zero(batch, i0, i1, j0, j1 int) {
	if r.Beta != 0 {
		r.begin(batch, i0, i1, j0, j1)
		return
	}
	g, size := &r.Plan.g, r.Plan.size
	for i := i0; i < i1; i++ {
		Fill(unsafe.Add(r.C, size*(batch*g.CBatch+i*g.CRow+j0)), 0, size, j1-j0)
	}
}

// begin multiplies a block of C by Beta, before the first sum is added.
func (r *GemmRun) begin(batch, i0, i1, j0, j1 int) {
	if r.Beta == 1 {
		return
	}
	g, size := &r.Plan.g, r.Plan.size
	for i := i0; i < i1; i++ {
		scale(unsafe.Add(r.C, size*(batch*g.CBatch+i*g.CRow+j0)), r.Beta, j1-j0, size)
	}
}

// scaleA multiplies packed rows of A by Alpha: not the places in the last panel that hold none, which would
// become denormals in time.
func (r *GemmRun) scaleA(a unsafe.Pointer, rows, kc int) {
	mr, size := r.Plan.k.MR, r.Plan.size
	full := rows / mr * mr
	if n := full * kc; r.Plan.g.Minus && n > 0 && n%Pad == 0 {
		r.Plan.negate(a, a, nil, nil, n)
	} else {
		scale(a, r.Alpha, n, size)
	}
	if full < rows {
		for i := range kc {
			scale(unsafe.Add(a, (full*kc+i*mr)*size), r.Alpha, rows-full, size)
		}
	}
}

// scale multiplies n contiguous elements by s.
func scale(p unsafe.Pointer, s float64, n, size int) {
	if size == 4 {
		scaleBy(unsafe.Slice((*float32)(p), n), float32(s))
	} else {
		scaleBy(unsafe.Slice((*float64)(p), n), s)
	}
}

func scaleBy[T float32 | float64](x []T, s T) {
	for i := range x {
		x[i] *= s
	}
}

// shared is where the packed strip at k0, j of batch stands: all strips of a KC block, block by block.
func (r *GemmRun) shared(ch chunk, batch, k0, j int) unsafe.Pointer {
	p := r.Plan
	if p.g.BBatch == 0 {
		batch = ch.b0
	}
	n := ceil(ch.n1-ch.n0, p.k.NR) * p.k.NR
	kc := p.depth(min(KC, ch.k1-k0))
	return unsafe.Add(r.Shared, p.size*(n*((batch-ch.b0)*p.depth(ch.k1-ch.k0)+p.depth(k0-ch.k0))+(j-ch.n0)*kc))
}

// panels packs n lanes of k elements: rows of A, or columns of B.
func (p *GemmPlan) panels(dst, src unsafe.Pointer, lane, step, n, k int, ofB bool) {
	r, fast, zip, split := p.k.MR, p.k.PackA, p.k.ZipA, p.k.SplitA
	if ofB {
		r, fast, zip, split = p.k.NR, p.k.PackB, p.k.ZipB, p.k.SplitB
	}
	switch {
	case p.k.ByRows && !ofB:
		packRows(dst, src, lane, step, n, k, r, p.depth(k), zip, unsafe.Add(dst, p.aBytes-p.rowsRoom()))
	case p.g.Type.IsHalf():
		packPairs(dst, src, lane, step, n, k, r, p.depth(k), fast, zip, split)
	default:
		pack(dst, src, lane, step, n, k, r, p.size, fast, p.k.Lanes)
	}
}

// pack lays n lanes of k elements into panels of r lanes: dst[(l/r)·r·k + i·r + l%r] = src[l·lane+i·step].
// A last panel with fewer lanes keeps the distance r. fast is for full panels with contiguous k.
func pack(dst, src unsafe.Pointer, lane, step, n, k, r, size int, fast func(dst, src unsafe.Pointer, lane, k int), lanes func(dst, src unsafe.Pointer, step, k, r, w int)) {
	rows := k
	if lane == size {
		rows = 16 // across the panels in bands, so that each of src's lines and pages is read once
	}
	for i := 0; i < k; i += rows {
		band := min(rows, k-i)
		for l := 0; l < n; l += r {
			w, done := min(n-l, r), 0
			d, s := unsafe.Add(dst, (l*k+i*r)*size), unsafe.Add(src, l*lane+i*step)
			if fast != nil && w == r && step == size && lane != size {
				if done = k &^ (Pad - 1); done > 0 {
					fast(d, s, lane, done)
				}
			}
			d, s = unsafe.Add(d, done*r*size), unsafe.Add(s, done*step)
			if size == 4 {
				packPanel[uint32](d, s, lane, step, w, band-done, r, lanes)
			} else {
				packPanel[uint64](d, s, lane, step, w, band-done, r, lanes)
			}
		}
	}
}

func packPanel[T uint32 | uint64](dst, src unsafe.Pointer, lane, step, w, k, r int, lanes func(dst, src unsafe.Pointer, step, k, r, w int)) {
	size := int(unsafe.Sizeof(T(0)))
	switch {
	case lane == size && lanes != nil && k > 0 && w*size <= 128:
		lanes(dst, src, step, k, r*size, w*size)
	case lane == size && w == r && r*size == 64: // constant lengths copy without a call
		for i := range k {
			*(*[64]byte)(unsafe.Add(dst, i*64)) = *(*[64]byte)(unsafe.Add(src, i*step))
		}
	case lane == size && w == r && r*size == 48:
		for i := range k {
			*(*[48]byte)(unsafe.Add(dst, i*48)) = *(*[48]byte)(unsafe.Add(src, i*step))
		}
	case lane == size && w == r && r*size == 24:
		for i := range k {
			*(*[24]byte)(unsafe.Add(dst, i*24)) = *(*[24]byte)(unsafe.Add(src, i*step))
		}
	case lane == size:
		for i := range k {
			copy(unsafe.Slice((*T)(unsafe.Add(dst, i*r*size)), w), unsafe.Slice((*T)(unsafe.Add(src, i*step)), w))
		}
	case step == size && min(k, w) >= 32/size:
		Transpose(dst, r*size, src, lane, k, w, size)
	case step == size && k >= w:
		for l := range w {
			moveRun[T](unsafe.Add(dst, l*size), r*size, unsafe.Add(src, l*lane), size, k)
		}
	default:
		for i := range k {
			for l := range w {
				*(*T)(unsafe.Add(dst, (i*r+l)*size)) = *(*T)(unsafe.Add(src, i*step+l*lane))
			}
		}
	}
}
