package kernels

import (
	"runtime"
	"unsafe"
)

// Windows has a product of windows of 3×3 places of pictures made by Winograd's algorithm F(2×2, 3×3): of each tile of 2×2 windows, a square of
// 4×4 places, and of the filter, maps of 16 numbers are multiplied, for 36 products of numbers otherwise (S. Winograd, "Arithmetic complexity of
// computations", 1980; A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks", 2016, whose matrices these are but for a sign).
//
// A's rows are the windows of pictures of H rows of W, its columns 3×3 places of C channels each, B's rows; C and N are multiples of 16, H and W at
// least 2, the type is F32. With Gradient A is the transpose of that and the product the filter's gradient, by the transposed maps.
//
// For each of the 16 the order of sums is Gemm's, over the channels in blocks of KC, or over the tiles in blocks of tileBlock. Outside of the
// pictures windows are zeros.
type Windows struct {
	H, W     int
	Gradient bool
}

// tileBlock is the length of the blocks that sums over tiles are made of: part of the result's definition.
const tileBlock = 64

// WinogradMap maps squares of vectors, rows first: place i, j of one is n float32s at src + i·srcRow + j·srcCol, those of the next one srcNext
// further; n is a multiple of 16, and steps are in bytes.
type WinogradMap func(dst unsafe.Pointer, dstRow, dstCol, dstNext int, src unsafe.Pointer, srcRow, srcCol, srcNext, n, count int)

// The maps, by what they are of.
const (
	ofPatch = iota
	ofFilter
	ofResult
	ofCotangent
	ofFilterGrad
	numWinogradMaps
)

// WinogradMaps is a level's maps; nil are Go's.
type WinogradMaps [numWinogradMaps]WinogradMap

// square is a map in Go: in and out are its sizes.
type square struct {
	in, out int
	line    func(x *[4]float32)
}

var squares = [numWinogradMaps]square{
	ofPatch:     {4, 4, func(x *[4]float32) { x[0], x[1], x[2], x[3] = x[0]-x[2], x[1]+x[2], x[2]-x[1], x[3]-x[1] }},
	ofFilter:    {3, 4, func(x *[4]float32) { s := x[0] + x[2]; x[1], x[2], x[3] = half(s+x[1]), half(s-x[1]), x[2] }},
	ofResult:    {4, 2, func(x *[4]float32) { x[0], x[1] = (x[0]+x[1])+x[2], (x[1]-x[2])+x[3] }},
	ofCotangent: {2, 4, func(x *[4]float32) { x[1], x[2], x[3] = x[0]+x[1], x[0]-x[1], x[1] }},
	ofFilterGrad: {4, 3, func(x *[4]float32) {
		h := half(x[1] + x[2])
		x[0], x[1], x[2] = x[0]+h, half(x[1]-x[2]), h+x[3]
	}},
}

// half is not to be fused with what follows.
func half(x float32) float32 { return float32(x * 0.5) }

func (q *square) apply(dst unsafe.Pointer, dstRow, dstCol, dstNext int, src unsafe.Pointer, srcRow, srcCol, srcNext, n, count int) {
	at := func(p unsafe.Pointer, row, col, i, j int) *float32 { return (*float32)(unsafe.Add(p, i*row+j*col)) }
	for range count {
		for e := 0; e < 4*n; e += 4 {
			var x [4][4]float32 // columns
			for j := range q.in {
				for i := range q.in {
					x[j][i] = *at(unsafe.Add(src, e), srcRow, srcCol, i, j)
				}
				q.line(&x[j])
			}
			for i := range q.out {
				row := [4]float32{x[0][i], x[1][i], x[2][i], x[3][i]}
				q.line(&row)
				for j := range q.out {
					*at(unsafe.Add(dst, e), dstRow, dstCol, i, j) = row[j]
				}
			}
		}
		dst, src = unsafe.Add(dst, dstNext), unsafe.Add(src, srcNext)
	}
}

// winograd is the plan of such a product. Places of windows are in elements.
type winograd struct {
	Windows
	maps       WinogradMaps
	c, f       int // channels and filters
	down, over int // tiles of a picture
	lines      int // rows of tiles of all pictures

	window           func(i int) int // where window i begins
	x, y, row, col   int             // from a window to the next one in its row and to that below, from a place in it to those
	channel          int             // from one channel to the next
	block            int             // lines of tiles of a task; with Gradient, channels
	part             int             // tiles of a line that are made at once, all of them where there are several lines
	blockF           int             // with Gradient, filters of a task
	lane, laneF      int             // from one tile's numbers to those of the next
	patches, results int             // bytes of a worker's scratch: maps of patches, and sums
}

// tileBytes bounds what a worker has of patches' maps and sums: it stays in the second cache. Only tests change it.
var tileBytes = 1 << 19

// apart is added to a tile's numbers, lest those of several tiles meet in a set of the first cache.
const apart = 16

func (p *GemmPlan) planTiles(l *Level) {
	g := &p.g
	t := &winograd{Windows: *g.Windows, maps: l.Winograd, f: g.N}
	for i := range t.maps {
		if t.maps[i] == nil {
			t.maps[i] = squares[i].apply
		}
	}
	rows, place, tap := g.M, func(i int) int { return i * g.ARow }, func(i int) int { return i * g.ACol }
	t.c = g.K / 9
	if g.AGrid != nil {
		place, tap = g.AGrid.Rows.At, g.AGrid.Cols.At
	}
	if t.Gradient {
		rows, t.c = g.K, g.M/9
		place, tap = tap, place
	}
	if t.c == 0 || t.c%16 != 0 || t.f == 0 || t.f%16 != 0 || t.H < 2 || t.W < 2 || rows%(t.H*t.W) != 0 || g.Batch != 1 || g.BCol != 1 || p.size != 4 || g.Scaled {
		panic("kernels: Gemm of windows of such sizes")
	}
	t.down, t.over = ceil(t.H, 2), ceil(t.W, 2)
	t.lines = rows / (t.H * t.W) * t.down
	t.window, t.x, t.y = place, place(1)-place(0), place(t.W)-place(0)
	t.channel, t.col, t.row = tap(1)-tap(0), tap(t.c)-tap(0), tap(3*t.c)-tap(0)
	p.winograd = t
	if t.Gradient {
		t.planGradient(p)
		return
	}
	// As many lines of tiles as stay in the cache, and of those numbers the one that leaves least of the last panel of rows unused; of a
	// line that does not, some tiles at a time.
	kc := min(KC, t.c)
	tiles := max(2*p.k.MR, tileBytes/(64*(kc+t.f))/p.k.MR*p.k.MR)
	t.part = min(t.over, tiles)
	most := max(1, min(tiles/t.over, ceil(t.lines, 4*runtime.GOMAXPROCS(0))))
	t.block = most
	waste := func(lines int) int { n := lines * t.over; return (ceil(n, p.k.MR)*p.k.MR - n) * 1000 / n }
	for lines := most - 1; 2*lines >= most; lines-- {
		if lines > 0 && waste(lines) < waste(t.block) {
			t.block = lines
		}
	}
	t.lane, t.laneF = kc+apart, t.f
	t.patches, t.results = 64*t.block*t.part*t.lane, 64*t.block*t.part*t.laneF
	p.WorkerBytes = t.patches + t.results + 64*max(kc, t.f)
	p.SharedBytes = 64 * t.c * ceil(t.f, p.k.NR) * p.k.NR
}

func (t *winograd) planGradient(p *GemmPlan) {
	even := func(n, most int) int { return ceil(n/16, ceil(n, most)) * 16 }
	t.block, t.blockF = even(t.c, 64), even(t.f, 64)
	for t.block > 32 && ceil(t.c, t.block)*ceil(t.f, t.blockF) < runtime.GOMAXPROCS(0) {
		t.block = even(t.c, t.block/2)
	}
	t.lane, t.laneF = t.block+apart, t.blockF+apart
	t.patches, t.results = 64*tileBlock*t.lane, 64*tileBlock*t.laneF
	p.WorkerBytes = t.patches + t.results + 64*t.block*t.blockF + 64*max(t.block, t.blockF)
}

func (t *winograd) phases() int {
	switch {
	case t.lines == 0 && !t.Gradient:
		return 0
	case t.Gradient:
		return 1
	}
	return 2
}

func (t *winograd) tasks(p *GemmPlan, phase int) int {
	switch {
	case t.Gradient:
		return ceil(t.c, t.block) * ceil(t.f, t.blockF)
	case phase == 0:
		return ceil(t.f, p.k.NR)
	}
	return ceil(t.lines, t.block)
}

func (r *GemmRun) doTiles(phase, worker, task int) {
	t := r.Plan.winograd
	switch {
	case t.Gradient:
		blocks := ceil(t.f, t.blockF)
		r.filterGradient(worker, task/blocks*t.block, task%blocks*t.blockF)
	case phase == 0:
		// A panel of the 16 maps of the filter: its columns of all channels.
		nr, j := r.Plan.k.NR, task*r.Plan.k.NR
		row := 4 * r.Plan.g.BRow
		t.maps[ofFilter](unsafe.Add(r.Shared, 4*j*t.c), 4*t.filters(r.Plan), t.filters(r.Plan), 4*nr, unsafe.Add(r.B, 4*j), 3*t.c*row, t.c*row, row, min(nr, t.f-j), t.c)
	default:
		r.pictures(worker, task*t.block, min((task+1)*t.block, t.lines))
	}
}

// filters is the bytes of one of the 16 maps of the filter.
func (t *winograd) filters(p *GemmPlan) int { return p.SharedBytes / 16 }

// line is the first window of a line of tiles, and how many rows of windows it has.
func (t *winograd) line(line int) (first, rows int) {
	y := line % t.down * 2
	return (line/t.down*t.H + y) * t.W, min(2, t.H-y)
}

// pictures makes the results of lines i to end of tiles.
func (r *GemmRun) pictures(worker, i, end int) {
	p, t := r.Plan, r.Plan.winograd
	for x := 0; x < t.over; x += t.part {
		r.tiles(worker, i, end, x, min(x+t.part, t.over))
	}
	if r.Epilogue != nil {
		first, _ := t.line(i)
		last, rows := t.line(end - 1)
		r.Epilogue.Done(worker, 0, first, last+rows*t.W, 0, p.g.N)
	}
}

// tiles makes the results of tiles x to xEnd of lines i to end.
func (r *GemmRun) tiles(worker, i, end, x, xEnd int) {
	p, t := r.Plan, r.Plan.winograd
	k := &p.k
	patches := r.Worker[worker]
	sums, room := unsafe.Add(patches, t.patches), unsafe.Add(patches, t.patches+t.results)
	tiles := (end - i) * (xEnd - x)
	mapBytes, sumBytes := 4*tiles*t.lane, 4*tiles*t.laneF
	for k0 := 0; k0 < t.c; k0 += KC {
		kc := min(KC, t.c-k0)
		for line := i; line < end; line++ {
			r.patches(unsafe.Add(patches, 4*(line-i)*t.part*t.lane), mapBytes, room, line, x, xEnd, k0, kc)
		}
		for m := range 16 {
			a, b, c := unsafe.Add(patches, m*mapBytes), unsafe.Add(r.Shared, m*t.filters(p)+4*k0*k.NR), unsafe.Add(sums, m*sumBytes)
			for j := 0; j < t.f; j += k.NR {
				k.Strip(kc, a, 4*t.lane, 4, 4*t.lane*k.MR, unsafe.Add(b, 4*j*t.c), 4*k.NR, unsafe.Add(c, 4*j), 4*t.laneF, tiles, min(k.NR, t.f-j), k0 > 0,
					nil, 0, 0)
			}
		}
	}
	for line := i; line < end; line++ {
		r.results(unsafe.Add(sums, 4*(line-i)*t.part*t.laneF), sumBytes, room, line, x, xEnd)
	}
}

// patches maps the patches of tiles x to end of a line, of n channels from c0 on. Where windows do not overlap as in a picture, or one is
// outside of it, a copy in room is mapped.
func (r *GemmRun) patches(dst unsafe.Pointer, mapBytes int, room unsafe.Pointer, line, x, end, c0, n int) {
	t := r.Plan.winograd
	first, rows := t.line(line)
	src := unsafe.Add(r.A, 4*(t.window(first)+c0*t.channel))
	whole := x
	if t.channel == 1 && t.x == t.col && t.y == t.row && rows == 2 {
		if whole = max(x, min(end, t.W/2)); whole > x {
			t.maps[ofPatch](dst, 4*mapBytes, mapBytes, 4*t.lane, unsafe.Add(src, 8*x*t.x), 4*t.row, 4*t.col, 8*t.x, n, whole-x)
		}
	}
	for tile := whole; tile < end; tile++ {
		for i := range 4 {
			for j := range 4 {
				at := unsafe.Slice((*float32)(unsafe.Add(room, 4*(4*i+j)*n)), n)
				down, over := i/3, j/3 // the window that has the place
				if down >= rows || 2*tile+over >= t.W {
					clear(at)
					continue
				}
				from := unsafe.Add(src, 4*((2*tile+over)*t.x+down*t.y+(i-down)*t.row+(j-over)*t.col))
				for e := range at {
					at[e] = *(*float32)(unsafe.Add(from, 4*e*t.channel))
				}
			}
		}
		t.maps[ofPatch](unsafe.Add(dst, 4*(tile-x)*t.lane), 4*mapBytes, mapBytes, 0, room, 16*n, 4*n, 0, n, 1)
	}
}

// results maps the sums of tiles x to end of a line to C.
func (r *GemmRun) results(src unsafe.Pointer, sumBytes int, room unsafe.Pointer, line, x, end int) {
	t := r.Plan.winograd
	first, rows := t.line(line)
	col := 4 * r.Plan.g.CRow
	dst := unsafe.Add(r.C, first*col)
	whole := x
	if rows == 2 {
		if whole = max(x, min(end, t.W/2)); whole > x {
			t.maps[ofResult](unsafe.Add(dst, 2*x*col), t.W*col, col, 2*col, src, 4*sumBytes, sumBytes, 4*t.laneF, t.f, whole-x)
		}
	}
	for tile := whole; tile < end; tile++ {
		t.maps[ofResult](room, 8*t.f, 4*t.f, 0, unsafe.Add(src, 4*(tile-x)*t.laneF), 4*sumBytes, sumBytes, 0, t.f, 1)
		for i := range rows {
			for j := range min(2, t.W-2*tile) {
				copy(unsafe.Slice((*float32)(unsafe.Add(dst, (i*t.W+2*tile+j)*col)), t.f), unsafe.Slice((*float32)(unsafe.Add(room, 4*(2*i+j)*t.f)), t.f))
			}
		}
	}
}

// filterGradient makes C's rows of a block of channels from c0 on and its columns of one of filters from f0 on.
func (r *GemmRun) filterGradient(worker, c0, f0 int) {
	p, t := r.Plan, r.Plan.winograd
	k := &p.k
	n, nf := min(t.block, t.c-c0), min(t.blockF, t.f-f0)
	patches := r.Worker[worker]
	cts := unsafe.Add(patches, t.patches)
	sums := unsafe.Add(cts, t.results)
	room := unsafe.Add(sums, 64*t.block*t.blockF)
	mapBytes, ctBytes, sumBytes := 4*tileBlock*t.lane, 4*tileBlock*t.laneF, 4*n*nf
	tiles := t.lines * t.over
	for t0 := 0; t0 < tiles; t0 += tileBlock {
		end := min(t0+tileBlock, tiles)
		for i := t0; i < end; {
			line, x := i/t.over, i%t.over
			to := min(t.over, x+end-i)
			r.patches(unsafe.Add(patches, 4*(i-t0)*t.lane), mapBytes, room, line, x, to, c0, n)
			r.cotangents(unsafe.Add(cts, 4*(i-t0)*t.laneF), ctBytes, room, line, x, to, f0, nf)
			i += to - x
		}
		for m := range 16 {
			for j := 0; j < nf; j += k.NR {
				k.Strip(end-t0, unsafe.Add(patches, m*mapBytes), 4, 4*t.lane, 4*k.MR, unsafe.Add(cts, m*ctBytes+4*j), 4*t.laneF, unsafe.Add(sums, m*sumBytes+4*j), 4*nf,
					n, min(k.NR, nf-j), t0 > 0, nil, 0, 0)
			}
		}
	}
	if tiles == 0 {
		clear(unsafe.Slice((*byte)(sums), 16*sumBytes))
	}
	row := 4 * p.g.CRow
	t.maps[ofFilterGrad](unsafe.Add(r.C, c0*row+4*f0), 3*t.c*row, t.c*row, row, sums, 4*sumBytes, sumBytes, 4*nf, nf, n)
	if r.Epilogue != nil {
		for tap := range 9 {
			r.Epilogue.Done(worker, 0, tap*t.c+c0, tap*t.c+c0+n, f0, f0+nf)
		}
	}
}

// cotangents maps those of the results of tiles x to end of a line, n filters from f0 on.
func (r *GemmRun) cotangents(dst unsafe.Pointer, ctBytes int, room unsafe.Pointer, line, x, end, f0, n int) {
	t := r.Plan.winograd
	first, rows := t.line(line)
	col := 4 * r.Plan.g.BRow
	src := unsafe.Add(r.B, first*col+4*f0)
	whole := x
	if rows == 2 {
		if whole = max(x, min(end, t.W/2)); whole > x {
			t.maps[ofCotangent](dst, 4*ctBytes, ctBytes, 4*t.laneF, unsafe.Add(src, 2*x*col), t.W*col, col, 2*col, n, whole-x)
		}
	}
	for i := whole; i < end; i++ {
		for k := range 4 {
			at := unsafe.Slice((*float32)(unsafe.Add(room, 4*k*n)), n)
			if k/2 >= rows || 2*i+k%2 >= t.W {
				clear(at)
				continue
			}
			copy(at, unsafe.Slice((*float32)(unsafe.Add(src, (k/2*t.W+2*i+k%2)*col)), n))
		}
		t.maps[ofCotangent](unsafe.Add(dst, 4*(i-x)*t.laneF), 4*ctBytes, ctBytes, 0, room, 8*n, 4*n, 0, n, 1)
	}
}
