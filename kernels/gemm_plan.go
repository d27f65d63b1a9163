package kernels

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// GemmPlan is how one Gemm runs on one level: what is packed, how C is cut into tasks, how much
// scratch that takes. It does not change once made; any number of runs may use it at once.
type GemmPlan struct {
	g    Gemm
	k    GemmKernel
	size int // bytes of an element of C and of what is packed

	dot    bool
	packA  bool // each worker packs its block of A
	rowsA  bool // but not where few strips are multiplied: A could be read in place
	lines  bool // A is a grid that is read in place
	rowsC  View // of lines
	negate Tile // of the elements' type
	minusB bool // B, which is packed, is negated, so that A need not be packed for it
	b      packing
	mc, nc int // a task's block of C, at most
	nm     int // blocks of C's rows, which differ by a panel at most
	group  int // batch elements per task; more than 1 only where a block is a whole product
	packN  int // columns per task of those that pack shared B
	aBytes int // of the worker's scratch, those for A

	winograd *winograd // of a product of windows that is made tile by tile

	chunkB, chunkN, chunkK int // what of B is packed at once

	ahead bool // each product is one block, whose strips ask for the next one's operands

	small      bool // by mul, Batch or Narrow: one call does a tile of
	mul        func(batch int, tile, a, b, c unsafe.Pointer)
	few        int // batch elements, which stay in L1
	tile, last BatchTile

	phases int
	single bool // a task for all of it: small products are to start at once
	direct bool // and that a few calls of kernels

	SharedBytes, WorkerBytes int
}

// packing says where strips of B are read from.
type packing uint8

const (
	inPlace packing = iota
	local           // packed by the worker just before use: each strip is used by one task only
	shared          // packed by all workers in a phase of its own: strips are used by many tasks
)

// The cuts below are tuning: none of them changes a bit of the result. Only tests change them.
var (
	blockBytes = 96 << 10 // of A, packed, per task: stays in L2 beside C's block
	taskWork   = 1 << 20  // fused multiply-adds per task that make its start negligible
	chunkBytes = 8 << 20  // of B, packed, shared: stays in L3
)

const splitRoom = 64 // see pairing

const dotRows = 8 // rows packed at once for Dot

// PlanGemm plans g on level l. It panics on a type that is no float.
func (l *Level) PlanGemm(g Gemm) *GemmPlan {
	p := new(GemmPlan)
	p.Make(l, g)
	return p
}

// Make is PlanGemm into a plan that no run uses any more.
func (p *GemmPlan) Make(l *Level, g Gemm) {
	if !g.Type.IsFloat() {
		panic(fmt.Sprintf("kernels: Gemm of type %v", g.Type))
	}
	if g.AGrid != nil && (g.N == 1 || g.Type.IsHalf()) {
		panic("kernels: Gemm of a grid and one column, or of halves")
	}
	*p = GemmPlan{g: g, k: l.Kernel(g.Type), size: g.Type.Size(), group: 1, dot: g.N == 1 && !g.Type.IsHalf()}
	if g.Type.IsHalf() {
		p.size = dtype.F32.Size()
	}
	if g.Scaled {
		p.negate = l.Tile(ops.Neg, g.Type)
	}
	p.chunkB, p.chunkN, p.chunkK = g.Batch, g.N, g.K
	switch {
	case g.Windows != nil:
		p.planTiles(l)
		p.phases = p.winograd.phases()
		return
	case p.empty():
	case p.dot:
		p.planDot()
	default:
		p.planBlocks()
	}
	p.phases = p.countPhases()
	p.single = p.phases == 1 && p.Tasks(0) == 1
	p.direct = p.isDirect()
}

// isDirect reports whether kernels compute all where the operands lie, of which strips that lie in L1 need not be asked for.
func (p *GemmPlan) isDirect() bool {
	g := &p.g
	if !p.single || g.Batch != 1 || g.K == 0 || p.WorkerBytes > 0 || p.b != inPlace {
		return false
	}
	if p.dot {
		return g.K <= DotBlock
	}
	left := g.N
	if g.M == 1 && p.k.Row != nil && g.N >= RowPad {
		left = g.N % RowPad
	}
	return g.K <= KC && (left <= p.k.NR || left*g.K*p.size <= 16<<10)
}

// InPlace reports whether A is a grid that is multiplied where it lies.
func (p *GemmPlan) InPlace() bool { return p.lines }

// Gemm returns the product that is planned.
func (p *GemmPlan) Gemm() Gemm { return p.g }

// Kernel returns what products of t, a float, are made of.
func (l *Level) Kernel(t dtype.Type) GemmKernel {
	if k := l.Gemm[t]; k.Strip != nil {
		return k
	}
	return pureGemm[t]
}

func (p *GemmPlan) planDot() {
	g := &p.g
	p.nc = 1
	p.mc = min(g.M, ceil(taskWork/4, max(g.K, 1)))
	p.nm = ceil(g.M, p.mc)
	if p.nm == 1 {
		p.group = ceil(taskWork/4, max(g.K, 1)*g.M)
	}
	kc := min(g.K, DotBlock)
	if p.packA = g.ACol != 1 && g.K > 1; p.packA {
		p.aBytes = align(dotRows * (kc + 2*Pad) * p.size)
	}
	p.WorkerBytes = p.aBytes
	if g.BRow != 1 && g.K > 1 || g.Scaled && g.K > 0 {
		p.b = local
		p.WorkerBytes += align(kc * p.size)
	}
}

func (p *GemmPlan) planBlocks() {
	g, k, size := &p.g, &p.k, p.size
	kc := max(1, min(g.K, KC))
	half := g.Type.IsHalf() // packed always, but for A where its pairs are words and lie whole in its rows
	words := half && k.SplitB == nil && !k.ByRows && g.ACol == 1 && g.K%2 == 0
	if work := g.M * g.N * max(g.K, 1); work <= taskWork/4 {
		// Small products: one block each, several to a task.
		p.mc, p.nc, p.nm = g.M, g.N, 1
		p.group = ceil(taskWork/4, work)
	} else {
		// Blocks of C as large as A's block in L2 allows, then smaller ones until the threads share them
		// evenly: good sizes give four tasks to each, poor ones (a block of rows reads all of B, one of
		// columns packs A again) at least one.
		procs := runtime.GOMAXPROCS(0)
		unit := k.NR
		if g.M == 1 {
			unit = RowPad
		}
		rows := min(blockBytes/(kc*p.size), 2048)
		if k.ByRows { // half as large and multiplied so fast that more of B is to be spared
			rows *= 4
		}
		nm, nn := ceil(g.M, rows), ceil(g.N, max(8192/p.size, ceil(taskWork, rows*max(g.K, 1))))
		for _, to := range []struct{ tasks, rows, cols int }{
			{4 * procs, 10 * k.MR, 256},
			{procs, 4 * k.MR, 4 * unit},
		} {
			want := min(to.tasks, ceil(g.Batch*work, taskWork/2))
			odd := func() bool { n := g.Batch * nm * nn; return n < 4*want && n%2 != 0 && n > 1 }
			few := func() bool { return g.Batch*nm*nn < want || odd() }
			if nm > 8 && odd() { // an eighth more rows
				nm--
			}
			for few() && g.M/(nm+1) >= to.rows {
				nm++
			}
			for few() && g.N/(nn+1) >= to.cols {
				nn++
			}
		}
		p.nm = min(nm, ceil(g.M, k.MR))
		p.mc, p.nc = ceil(ceil(g.M, k.MR), p.nm)*k.MR, ceil(ceil(g.N, nn), unit)*unit
	}

	// Packing costs about as much as a product of depth ten, so it pays where each packed element is used
	// often. Unpacked, long strides use few of a cache's sets: what is large is packed earlier. A strip whose
	// rows are two whole lines costs the caches least.
	bytesA, bytesB := kc*g.M*p.size, kc*g.N*p.size
	lines := k.NR*p.size >= 128 && g.BRow*p.size%64 == 0
	// A strip of one vector is bound by its loads, of which those that cross lines are two.
	thin := k.Lanes != nil && g.N <= k.NR/2 && g.BRow*p.size%64 != 0 && g.M > 8*k.MR && kc >= 32
	switch {
	case g.K == 0 || !half && g.BCol == 1 && !thin && (g.M <= 8*k.MR || bytesB <= 16<<10 || bytesB <= 256<<10 && g.M <= 256 || bytesB <= 512<<10 && lines):
		p.b = inPlace
	case p.nm == 1:
		p.b = local
	default:
		p.b = shared
	}
	// Where its rows are contiguous, A is as good as packed, unless they are pages apart, all in one of the first cache's
	// sets. Where its columns are, a tile reads MR elements from each: the more, the better its use of the lines. A short K
	// pays for packing later.
	least := k.MR << 12
	if kc < 128 {
		least = k.MR << 16
	}
	p.minusB = g.Minus && p.b != inPlace && k.NR%Pad == 0 && g.ACol == 1 && g.ARow*size%2048 != 0
	scaled := g.Scaled && !p.minusB
	p.lines = g.AGrid != nil && k.Lines != nil && (k.LinesN == 0 || g.N <= k.LinesN) && !g.Scaled && g.K > 0 && g.AGrid.even()
	if p.rowsC, _ = MakeView([]int{g.M}, []int{g.CRow}); g.CRows != nil {
		p.rowsC = *g.CRows
	}
	p.packA = !p.lines && (g.ACol != 1 && g.M > 8*k.MR && min(p.nc, g.N) > 128 && kc > 8 && bytesA > least ||
		g.ACol == 1 && g.ARow*g.Type.Size()%4096 == 0 && g.M > 8*k.MR && g.N >= 512 && kc >= 128 ||
		(scaled || g.AGrid != nil || half && !words) && g.K > 0)
	p.rowsA = g.ACol == 1 && !scaled && g.AGrid == nil && (!half || words)
	if p.packA {
		p.aBytes = align(ceil(min(p.mc, g.M), k.MR)*k.MR*p.depth(kc)*p.size) + splitRoom + p.rowsRoom()
	}
	if p.lines {
		p.aBytes = align(KC * int(unsafe.Sizeof(line{})))
	}
	rows, most := max(1, k.BatchRows), 2*k.BatchRows
	p.mul = k.Batch
	switch {
	case g.N > k.NR/2:
		rows, most = k.MR, k.BatchTiles*k.MR
	case k.Narrow != nil && g.N*size <= NarrowBytes && g.M <= NarrowRows:
		p.mul = k.Narrow
	}
	if p.small = k.Batch != nil && (g.N <= k.NR || g.N == 2*k.NR) && g.M <= most && p.mc >= g.M && p.nc >= g.N &&
		0 < g.K && g.K <= KC && p.b == inPlace && !p.packA && !p.lines; p.small {
		p.few = max(1, (16<<10)/(size*(g.M*g.K+g.K*g.N+g.M*g.N)))
		p.tile = BatchTile{g.K, size * g.ARow, size * g.ACol, size * g.ABatch, size * g.BRow, size * g.BBatch, size * g.CRow, size * g.CBatch,
			ceil(g.M, ceil(g.M, rows)), min(g.N, k.NR)}
		if g.Batch == 1 { // what Batch asks for is to be its own
			p.tile.aBatch, p.tile.bBatch, p.tile.cBatch = 0, 0, 0
		}
		p.last = p.tile
		p.last.m = g.M - (g.M-1)/p.tile.m*p.tile.m
	}
	// The hardware does not see across pages where a batch goes on.
	p.ahead = g.Batch > 1 && p.mc >= g.M && p.nc >= g.N && 0 < g.K && g.K <= KC && g.M >= 2*k.MR && p.b != shared &&
		g.AGrid == nil && g.ABatch == g.M*g.K && (g.BBatch == 0 || g.BBatch == g.K*g.N && g.N > k.NR)
	p.WorkerBytes = p.aBytes
	switch p.b {
	case local:
		p.WorkerBytes += align(k.NR*p.depth(kc)*p.size) + splitRoom
	case shared:
		p.cutB()
	}
}

// cutB chooses how much of B is packed at once.
func (p *GemmPlan) cutB() {
	g, nr := &p.g, p.k.NR
	fit := func(unit int) int { return max(1, chunkBytes/(unit*p.size)) }
	if p.chunkN = min(g.N, max(p.nc, fit(min(g.K, KC))/p.nc*p.nc)); p.chunkN < g.N {
		p.chunkK = min(g.K, KC)
	} else {
		p.chunkK = min(g.K, max(KC, fit(g.N)/KC*KC))
	}
	panel := ceil(p.chunkN, nr) * nr * p.depth(p.chunkK)
	copies := 1
	if g.BBatch != 0 {
		p.chunkB = min(g.Batch, fit(panel))
		copies = p.chunkB
	}
	p.packN = 4 * nr
	if p.packA && !p.rowsA { // each of these tasks packs it again
		p.packN *= 2
	}
	p.SharedBytes = align(panel*copies*p.size) + splitRoom
}

// rowsRoom is the scratch of packRows.
func (p *GemmPlan) rowsRoom() int {
	if !p.k.ByRows {
		return 0
	}
	return p.k.MR * p.depth(min(p.g.K, KC)) * p.size
}

func (p *GemmPlan) empty() bool { return p.g.Batch == 0 || p.g.M == 0 || p.g.N == 0 }

// A chunk is the part of the product that runs between two packings of B: batch elements, columns, k.
type chunk struct{ b0, b1, n0, n1, k0, k1 int }

func (p *GemmPlan) chunk(i int) chunk {
	nk, nn := max(1, ceil(p.g.K, max(1, p.chunkK))), ceil(p.g.N, p.chunkN)
	k, n, b := i%nk*p.chunkK, i/nk%nn*p.chunkN, i/nk/nn*p.chunkB
	return chunk{b, min(b+p.chunkB, p.g.Batch), n, min(n+p.chunkN, p.g.N), k, min(k+p.chunkK, p.g.K)}
}

func (p *GemmPlan) blocksN(ch chunk) int { return ceil(ch.n1-ch.n0, p.nc) }
func (p *GemmPlan) blocks(ch chunk) int  { return p.nm * p.blocksN(ch) }

// rows is block i of C's rows.
func (p *GemmPlan) rows(i int) (i0, i1 int) {
	unit := p.k.MR
	if p.dot {
		unit = 1
	}
	panels := ceil(p.g.M, unit)
	return i * panels / p.nm * unit, min((i+1)*panels/p.nm*unit, p.g.M)
}

// copies is how many matrices B chunk ch has.
func (p *GemmPlan) copies(ch chunk) int {
	if p.g.BBatch == 0 {
		return 1
	}
	return ch.b1 - ch.b0
}

// Phases returns the number of phases, which run one after the other.
func (p *GemmPlan) Phases() int { return p.phases }

func (p *GemmPlan) countPhases() int {
	if p.empty() {
		return 0
	}
	n := max(1, ceil(p.g.K, max(1, p.chunkK))) * ceil(p.g.N, p.chunkN) * ceil(p.g.Batch, p.chunkB)
	if p.b == shared {
		n *= 2
	}
	return n
}

// Tasks returns the number of independent tasks in a phase.
func (p *GemmPlan) Tasks(phase int) int {
	if p.winograd != nil {
		return p.winograd.tasks(p, phase)
	}
	if p.single {
		return 1
	}
	if p.b == shared {
		ch := p.chunk(phase / 2)
		if phase%2 == 0 {
			return p.copies(ch) * ceil(ch.n1-ch.n0, p.packN)
		}
		return (ch.b1-ch.b0)*p.blocks(ch) - p.copies(ch)*p.blocksN(ch)
	}
	ch := p.chunk(phase)
	return ceil(ch.b1-ch.b0, p.group) * p.blocks(ch)
}

func ceil(n, d int) int { return (n + d - 1) / d }
func align(n int) int   { return (n + 63) &^ 63 }
