package kernels

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

type float interface{ float32 | float64 }

func typeOf[T float]() dtype.Type {
	if unsafe.Sizeof(T(0)) == 4 {
		return dtype.F32
	}
	return dtype.F64
}

// gemmScratch returns n bytes, 64-byte aligned, filled with NaN: what is read before it is written shows.
func gemmScratch(n int) unsafe.Pointer {
	s := make([]uint64, n/8+16)
	for i := range s {
		s[i] = ^uint64(0)
	}
	p := unsafe.Pointer(&s[0])
	return unsafe.Add(p, -uintptr(p)&63)
}

// newRun returns a run of g on l with scratch for the workers.
func newRun(l *Level, g Gemm, a, b, c unsafe.Pointer, workers int) *GemmRun {
	p := l.PlanGemm(g)
	r := &GemmRun{Plan: p, A: a, B: b, C: c, Shared: gemmScratch(p.SharedBytes)}
	for range workers {
		r.Worker = append(r.Worker, gemmScratch(p.WorkerBytes))
	}
	return r
}

// runShuffled runs the tasks of each phase in an order of rng's, by workers of its choice.
func runShuffled(r *GemmRun, rng *rand.Rand) {
	for phase := range r.Plan.Phases() {
		for _, t := range rng.Perm(r.Plan.Tasks(phase)) {
			r.Do(phase, rng.IntN(len(r.Worker)), t)
		}
	}
}

// runThreads is what a runtime does: tasks handed out by a counter, a barrier after each phase.
func runThreads(r *GemmRun) {
	if len(r.Worker) == 1 {
		runAlone(r)
		return
	}
	for phase := range r.Plan.Phases() {
		n := int64(r.Plan.Tasks(phase))
		var next atomic.Int64
		var wg sync.WaitGroup
		for w := range r.Worker {
			wg.Go(func() {
				for t := next.Add(1) - 1; t < n; t = next.Add(1) - 1 {
					r.Do(phase, w, int(t))
				}
			})
		}
		wg.Wait()
	}
}

func runAlone(r *GemmRun) {
	for phase := range r.Plan.Phases() {
		for t := range r.Plan.Tasks(phase) {
			r.Do(phase, 0, t)
		}
	}
}

// naive is Gemm's definition.
func naive[T float](g Gemm, a, b, c []T) { naiveUpdate(g, a, b, 0, c) }

func naiveUpdate[T float](g Gemm, a, b []T, beta T, c []T) {
	lanes := 128 / int(unsafe.Sizeof(T(0)))
	for batch := range g.Batch {
		for i := range g.M {
			for j := range g.N {
				at := func(k int) T { return a[batch*g.ABatch+i*g.ARow+k*g.ACol] }
				bt := func(k int) T { return b[batch*g.BBatch+k*g.BRow+j*g.BCol] }
				to := &c[batch*g.CBatch+i*g.CRow+j]
				var sum T
				if beta != 0 {
					sum = beta * *to
				}
				block := KC
				if g.N == 1 {
					block = DotBlock
				}
				for k0 := 0; k0 < g.K; k0 += block {
					var s T
					if k1 := min(k0+block, g.K); g.N > 1 {
						for k := k0; k < k1; k++ {
							s = fma(at(k), bt(k), s)
						}
					} else {
						l := make([]T, lanes)
						for k := k0; k < ceil(k1, lanes)*lanes; k++ {
							var x, y T
							if k < k1 {
								x, y = at(k), bt(k)
							}
							l[k%lanes] = fma(x, y, l[k%lanes])
						}
						for ; len(l) > 1; l = l[:len(l)/2] {
							for i := range len(l) / 2 {
								l[i] += l[i+len(l)/2]
							}
						}
						s = l[0]
					}
					if k0 == 0 && beta == 0 {
						sum = s
					} else {
						sum += s
					}
				}
				*to = sum
			}
		}
	}
}

// layout is how a test lays out the operands.
type layout struct {
	ta, tb     int  // 0 rows contiguous, 1 columns contiguous, 2 neither
	pad        int  // elements between rows
	aOne, bOne bool // shared by the batch
}

func (l layout) String() string { return fmt.Sprintf("%c%c+%d", "NTS"[l.ta], "NTS"[l.tb], l.pad) }

func strides(t, rows, cols, pad int) (row, col, size int) {
	switch t {
	case 0:
		return cols + pad, 1, rows * (cols + pad)
	case 1:
		return 1, rows + pad, cols * (rows + pad)
	}
	return 2*cols + pad, 2, rows * (2*cols + pad)
}

func newGemm[T float](batch, m, n, k int, l layout) (g Gemm, na, nb, nc int) {
	g = Gemm{Type: typeOf[T](), Batch: batch, M: m, N: n, K: k}
	g.ARow, g.ACol, na = strides(l.ta, m, k, l.pad)
	g.BRow, g.BCol, nb = strides(l.tb, k, n, l.pad)
	g.CRow, g.CBatch, nc = n+l.pad, m*(n+l.pad), batch*m*(n+l.pad)
	if !l.aOne {
		g.ABatch, na = na, na*batch
	}
	if !l.bOne {
		g.BBatch, nb = nb, nb*batch
	}
	return g, na, nb, nc
}

// gemmGuarded returns n elements between guards, off elements after an aligned address.
const gemmGuard = 64

func gemmGuarded[T float](n, off int, at func(i int) T) (all, s []T) {
	all = make([]T, n+2*gemmGuard+off)
	for i := range all {
		all[i] = T(math.NaN())
	}
	s = all[gemmGuard+off : gemmGuard+off+n]
	for i := range s {
		s[i] = at(i)
	}
	return all, s
}

// gemmSame reports whether x and y are the same bits; all NaNs are one, since Go leaves their bits open.
func gemmSame[T float](x, y T) bool {
	return x == y && math.Signbit(float64(x)) == math.Signbit(float64(y)) || x != x && y != y
}

const untouched = -12345.5

func checkGemm[T float](t *testing.T, lv *Level, batch, m, n, k int, l layout, rng *rand.Rand, value func() T) {
	t.Helper()
	g, na, nb, nc := newGemm[T](batch, m, n, k, l)
	_, a := gemmGuarded(na, rng.IntN(4), func(int) T { return value() })
	_, b := gemmGuarded(nb, rng.IntN(4), func(int) T { return value() })
	all, c := gemmGuarded(nc, rng.IntN(4), func(int) T { return untouched })
	want := make([]T, nc)
	for i := range want {
		want[i] = untouched
	}
	naive(g, a, b, want)
	r := newRun(lv, g, unsafe.Pointer(unsafe.SliceData(a)), unsafe.Pointer(unsafe.SliceData(b)), unsafe.Pointer(unsafe.SliceData(c)), 2)
	tiles := &tiling{g: g, seen: make([]int, nc)}
	r.Epilogue = tiles
	runShuffled(r, rng)
	for i := range want {
		if !gemmSame(c[i], want[i]) {
			t.Fatalf("%s %v %d×(%d %d %d) %v: c[%d] = %v, want %v", lv.Name, g.Type, batch, m, n, k, l, i, c[i], want[i])
		}
	}
	for i, x := range all {
		if off := i - (len(all) - gemmGuard - nc); (off < 0 || off >= nc) && x == x {
			t.Fatalf("%s %v %d×(%d %d %d) %v: wrote outside C, at %d of %d", lv.Name, g.Type, batch, m, n, k, l, off, nc)
		}
	}
	if err := tiles.check(); err != "" {
		t.Fatalf("%s %v %d×(%d %d %d) %v: %s", lv.Name, g.Type, batch, m, n, k, l, err)
	}
}

// tiling is an Epilogue that counts how often each element of C was done.
type tiling struct {
	g    Gemm
	seen []int
}

func (e *tiling) Done(worker, batch, i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		for j := j0; j < j1; j++ {
			e.seen[batch*e.g.CBatch+i*e.g.CRow+j]++
		}
	}
}

func (e *tiling) check() string {
	for b := range e.g.Batch {
		for i := range e.g.M {
			for j := range e.g.N {
				if n := e.seen[b*e.g.CBatch+i*e.g.CRow+j]; n != 1 {
					return fmt.Sprintf("C[%d,%d,%d] was done %d times", b, i, j, n)
				}
			}
		}
	}
	return ""
}

func uniform[T float](rng *rand.Rand) func() T {
	return func() T { return T(rng.Float64()*2 - 1) }
}

func testGemm[T float](t *testing.T) {
	for _, lv := range distinct() {
		rng := rand.New(rand.NewPCG(1, 2))
		u := uniform[T](rng)
		layouts := func(f func(layout)) {
			for ta := range 3 {
				for tb := range 3 {
					f(layout{ta: ta, tb: tb, pad: rng.IntN(4)})
				}
			}
		}
		t.Run(lv.Name, func(t *testing.T) {
			for m := range 41 { // every edge in one dimension, some in the others
				layouts(func(l layout) {
					checkGemm(t, lv, 1, m, rng.IntN(41), rng.IntN(41), l, rng, u)
					checkGemm(t, lv, 1, rng.IntN(41), m, rng.IntN(41), l, rng, u)
					checkGemm(t, lv, 1+rng.IntN(3), rng.IntN(20), rng.IntN(20), m, l, rng, u)
					checkGemm(t, lv, 1, m, 1, rng.IntN(200), l, rng, u)
				})
			}
			for m := 1; m <= 32; m++ { // those that Batch takes
				for _, n := range []int{2, 3, 4, 5, 7, 8, 12, 13, 15, 16, 17, 31, 32, 64} {
					l := layout{ta: rng.IntN(3), tb: rng.IntN(3), pad: rng.IntN(4), aOne: rng.IntN(4) == 0, bOne: rng.IntN(4) == 0}
					checkGemm(t, lv, 5, m, n, 1+rng.IntN(9), l, rng, u)
				}
			}
			checkGemm(t, lv, 400, 5, 6, 7, layout{}, rng, u)
			sizes := [][4]int{
				{1, 1, 40, 600}, {1, 1, 64, 300}, {2, 1, 130, 257}, {1, 1, 210, 3}, {1, 2, 70, 256}, {1, 3, 100, 257}, {1, 100, 100, 300}, {1, 13, 50, 520},
				{1, 5, 1, 4095}, {1, 5, 1, 4096}, {1, 3, 1, 9000}, {3, 70, 1, 100}, {2, 30, 33, 511},
				{5, 4, 4, 4}, {4, 16, 16, 16}, {300, 3, 5, 2}, {3, 0, 4, 4}, {0, 4, 4, 4}, {2, 4, 3, 0}, {2, 4, 1, 0},
			}
			for _, s := range sizes {
				layouts(func(l layout) {
					l.aOne, l.bOne = rng.IntN(3) == 0, rng.IntN(3) == 0
					checkGemm(t, lv, s[0], s[1], s[2], s[3], l, rng, u)
				})
			}
			if !testing.Short() {
				for _, s := range [][4]int{{1, 270, 40, 300}, {1, 150, 560, 40}, {2, 270, 30, 260}, {1, 2100, 20, 7}, {1, 5000, 1, 70}} {
					checkGemm(t, lv, s[0], s[1], s[2], s[3], layout{ta: rng.IntN(3), tb: rng.IntN(3)}, rng, u)
				}
			}
			special := []T{T(math.NaN()), T(math.Inf(1)), T(math.Inf(-1)), 0, T(math.Copysign(0, -1)), 1, -1}
			some := func() T {
				if rng.IntN(4) == 0 {
					return special[rng.IntN(len(special))]
				}
				return u()
			}
			for n := range 35 {
				checkGemm(t, lv, 1, 7, n, 9, layout{}, rng, some)
			}
			for _, l := range []layout{{}, {aOne: true}, {bOne: true}} { // matrices that Batch takes whole
				for _, batch := range []int{1, 2, 9} {
					checkGemm(t, lv, batch, 4, 4, 4, l, rng, u)
					checkGemm(t, lv, batch, 4, 4, 4, l, rng, some)
				}
			}
			tiny := T(math.SmallestNonzeroFloat64)
			if typeOf[T]() == dtype.F32 {
				tiny = T(float64(math.SmallestNonzeroFloat32))
			}
			for _, n := range []int{1, 1, 9, 17} { // a −0 by underflow, a lane filled up, denormals
				for k := range 70 {
					checkGemm(t, lv, 1, 3, n, k, layout{}, rng, func() T { return tiny * T(rng.IntN(9)-4) })
				}
			}
		})
	}
}

func TestGemmF32(t *testing.T) { testGemm[float32](t) }
func TestGemmF64(t *testing.T) { testGemm[float64](t) }

// Small caches force the cuts that only huge operands would: several chunks in every direction.
func TestGemmChunks(t *testing.T) {
	defer func(b, c, w int) { blockBytes, chunkBytes, taskWork = b, c, w }(blockBytes, chunkBytes, taskWork)
	for _, lv := range distinct() {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, cut := range [][3]int{{4 << 10, 64 << 10, 4096}, {16 << 10, 300 << 10, 4096}, {4 << 10, 1, 16}} {
			blockBytes, chunkBytes, taskWork = cut[0], cut[1], cut[2]
			for range 6 {
				m, n, k := 1+rng.IntN(90), 1+rng.IntN(90), 1+rng.IntN(700)
				l := layout{ta: rng.IntN(3), tb: rng.IntN(3), bOne: rng.IntN(2) == 0}
				checkGemm(t, lv, 1+rng.IntN(3), m, n, k, l, rng, uniform[float32](rng))
				checkGemm(t, lv, 1+rng.IntN(3), m, n, k, l, rng, uniform[float64](rng))
			}
			checkGemm(t, lv, 2, 30, 600, 300, layout{}, rng, uniform[float32](rng))
			checkGemm(t, lv, 2, 30, 1030, 20, layout{tb: 1}, rng, uniform[float32](rng))
		}
	}
}

// An element depends on its row, its column and K alone, not on what it is computed beside.
func TestGemmRowAlone(t *testing.T) {
	for _, lv := range distinct() {
		rng := rand.New(rand.NewPCG(5, 6))
		const m, n, k = 131, 70, 300
		a, b, c, row := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n), make([]float32, n)
		for i := range a {
			a[i] = rng.Float32() - 0.5
		}
		for i := range b {
			b[i] = rng.Float32() - 0.5
		}
		g := Gemm{Type: dtype.F32, Batch: 1, M: m, N: n, K: k, ARow: k, ACol: 1, BRow: n, BCol: 1, CRow: n}
		runShuffled(newRun(lv, g, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), 3), rng)
		g.M = 1
		for i := range m {
			runShuffled(newRun(lv, g, unsafe.Pointer(&a[i*k]), unsafe.Pointer(&b[0]), unsafe.Pointer(&row[0]), 1), rng)
			for j := range row {
				if row[j] != c[i*n+j] {
					t.Fatalf("%s: row %d alone differs at %d: %v, %v", lv.Name, i, j, row[j], c[i*n+j])
				}
			}
		}
	}
}

// Alpha multiplies an operand first, Beta what is in C.
func testGemmUpdate[T float](t *testing.T) {
	for _, lv := range distinct() {
		rng := rand.New(rand.NewPCG(11, 12))
		u := uniform[T](rng)
		for _, s := range [][3]int{{1, 1, 1}, {3, 5, 0}, {3, 1, 0}, {1, 70, 300}, {15, 33, 17}, {9, 1, 300}, {130, 100, 520}, {40, 1, 4100}} {
			for _, alpha := range []T{1, -1, 0.3} {
				for _, beta := range []T{0, 1, -0.7} {
					l := layout{ta: rng.IntN(3), tb: rng.IntN(3), pad: rng.IntN(3)}
					g, na, nb, nc := newGemm[T](1, s[0], s[1], s[2], l)
					a, b, c := make([]T, na), make([]T, nb), make([]T, nc)
					for _, x := range [][]T{a, b, c} {
						for i := range x {
							x[i] = u()
						}
					}
					want := append([]T(nil), c...)
					x, y := append([]T(nil), a...), append([]T(nil), b...)
					scaled := x
					if g.N == 1 {
						scaled = y
					}
					for i := range scaled {
						scaled[i] *= alpha
					}
					naiveUpdate(g, x, y, beta, want)
					g.Scaled, g.Minus = alpha != 1, alpha == -1
					r := newRun(lv, g, unsafe.Pointer(unsafe.SliceData(a)), unsafe.Pointer(unsafe.SliceData(b)), unsafe.Pointer(unsafe.SliceData(c)), 2)
					r.Alpha, r.Beta = float64(alpha), float64(beta)
					if beta == 0 {
						for i := range c {
							c[i] = T(math.NaN())
						}
					}
					runShuffled(r, rng)
					for i := range g.M {
						for j := range g.N {
							if at := i*g.CRow + j; !gemmSame(c[at], want[at]) {
								t.Fatalf("%s %v %v %v α=%v β=%v: c[%d,%d] = %v, want %v", lv.Name, g.Type, s, l, alpha, beta, i, j, c[at], want[at])
							}
						}
					}
				}
			}
		}
	}
}

func TestGemmUpdateF32(t *testing.T) { testGemmUpdate[float32](t) }
func TestGemmUpdateF64(t *testing.T) { testGemmUpdate[float64](t) }

func TestGemmThreads(t *testing.T) {
	for _, lv := range distinct() {
		rng := rand.New(rand.NewPCG(7, 8))
		const m, n, k = 400, 144, 290
		a, b, c := make([]float64, m*k), make([]float64, k*n), make([]float64, m*n)
		for i := range a {
			a[i] = rng.Float64() - 0.5
		}
		for i := range b {
			b[i] = rng.Float64() - 0.5
		}
		g := Gemm{Type: dtype.F64, Batch: 1, M: m, N: n, K: k, ARow: k, ACol: 1, BRow: n, BCol: 1, CRow: n}
		runThreads(newRun(lv, g, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), 5))
		for range 2000 {
			i, j := rng.IntN(m), rng.IntN(n)
			var want float64
			for l := range k {
				want += a[i*k+l] * b[l*n+j]
			}
			if d := math.Abs(c[i*n+j] - want); d > 1e-13*k {
				t.Fatalf("%s: c[%d,%d] = %v, want %v", lv.Name, i, j, c[i*n+j], want)
			}
		}
	}
}

// Operands without elements have no address: no pointer may be made from it (-race looks).
func TestGemmOfNothing(t *testing.T) {
	for _, lv := range distinct() {
		for _, s := range [][3]int{{3, 17, 1}, {3, 1, 1}, {300, 400, 2}} {
			m, n, batch := s[0], s[1], s[2]
			c := make([]float32, batch*m*n)
			for i := range c {
				c[i] = 1
			}
			g := Gemm{Type: dtype.F32, Batch: batch, M: m, N: n, ACol: 1, BRow: n, BCol: 1, CRow: n, CBatch: m * n}
			runThreads(newRun(lv, g, nil, nil, unsafe.Pointer(&c[0]), 1))
			for i, x := range c {
				if x != 0 {
					t.Fatalf("%s: %v: element %d is %v", lv.Name, s, i, x)
				}
			}
		}
	}
}

func TestGemmAllocates(t *testing.T) {
	for _, lv := range distinct() {
		g, na, nb, nc := newGemm[float32](1, 150, 40, 300, layout{ta: 1, tb: 1})
		a, b, c := make([]float32, na), make([]float32, nb), make([]float32, nc)
		r := newRun(lv, g, unsafe.Pointer(&a[0]), unsafe.Pointer(&b[0]), unsafe.Pointer(&c[0]), 1)
		if n := testing.AllocsPerRun(10, func() { runThreads(r) }); n != 0 {
			t.Errorf("%s: a run allocates %v times", lv.Name, n)
		}
	}
}

// The pure-Go float32 fma against exact arithmetic, with inputs that make ties and near-ties.
func TestFma32(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	value := func() float32 {
		switch rng.IntN(4) {
		case 0: // any bits
			if x := math.Float32frombits(rng.Uint32()); x-x == 0 {
				return x
			}
			return 0
		case 1: // few bits set, so that sums are halfway
			return float32(math.Ldexp(float64(1+2*rng.IntN(4)), rng.IntN(60)-30)) * float32(1-2*rng.IntN(2))
		case 2: // around the denormals' exponents
			return float32(math.Ldexp(rng.Float64()-0.5, -rng.IntN(150)))
		}
		return math.Float32frombits(0x3f800000 + rng.Uint32N(16)<<uint(rng.IntN(8)))
	}
	for range 300000 {
		a, b, c := value(), value(), value()
		x := new(big.Float).SetPrec(2000).SetFloat64(float64(a))
		x.Mul(x, new(big.Float).SetPrec(2000).SetFloat64(float64(b)))
		x.Add(x, new(big.Float).SetPrec(2000).SetFloat64(float64(c)))
		want, _ := x.Float32()
		if got := fma(a, b, c); got != want {
			t.Fatalf("fma(%x, %x, %x) = %x, want %x", a, b, c, got, want)
		}
	}
}

// ADJOINT_LEVEL=purego benchmarks that level.
func BenchmarkGemm(b *testing.B) {
	lv, err := Select("")
	if err != nil {
		b.Fatal(err)
	}
	shapes := []struct {
		batch, m, n, k int
		trans          string
	}{
		{1, 32, 32, 32, "NN"}, {1, 64, 64, 64, "NN"}, {1, 128, 128, 128, "NN"}, {1, 256, 256, 256, "NN"}, {1, 512, 512, 512, "NN"},
		{1, 1024, 1024, 1024, "NN"}, {1, 1024, 1024, 1024, "TN"}, {1, 1024, 1024, 1024, "NT"}, {1, 1024, 1024, 1024, "TT"}, {1, 2048, 2048, 2048, "NN"},
		// A step of an MLP 784-512-256-10: forward, gradients of weights (TN), of inputs (NT), by batch.
		{1, 32, 512, 784, "NN"}, {1, 32, 256, 512, "NN"}, {1, 32, 10, 256, "NN"}, {1, 784, 512, 32, "TN"}, {1, 512, 256, 32, "TN"},
		{1, 256, 10, 32, "TN"}, {1, 32, 512, 256, "NT"}, {1, 32, 256, 10, "NT"},
		{1, 256, 512, 784, "NN"}, {1, 256, 256, 512, "NN"}, {1, 256, 10, 256, "NN"}, {1, 784, 512, 256, "TN"}, {1, 512, 256, 256, "TN"},
		{1, 256, 10, 256, "TN"}, {1, 256, 512, 256, "NT"}, {1, 256, 256, 10, "NT"},
		{1, 1024, 512, 784, "NN"}, {1, 1024, 256, 512, "NN"}, {1, 1024, 10, 256, "NN"}, {1, 784, 512, 1024, "TN"}, {1, 512, 256, 1024, "TN"},
		{1, 256, 10, 1024, "TN"}, {1, 1024, 512, 256, "NT"}, {1, 1024, 256, 10, "NT"},
		{1000, 16, 16, 16, "NN"}, {256, 64, 64, 64, "NN"}, {10000, 4, 4, 4, "NN"}, {32, 128, 128, 32, "NT"},
		{1, 1, 512, 784, "NN"}, {1, 4, 512, 784, "NN"}, {1, 1024, 1, 1024, "NN"}, {1, 1024, 1, 1024, "TN"},
	}
	for _, s := range shapes {
		for _, threads := range []int{1, 2} {
			l := layout{ta: strings.Index("NT", s.trans[:1]), tb: strings.Index("NT", s.trans[1:])}
			benchGemm[float32](b, lv, s.batch, s.m, s.n, s.k, l, threads)
			benchGemm[float64](b, lv, s.batch, s.m, s.n, s.k, l, threads)
		}
	}
}

func benchGemm[T float](b *testing.B, lv *Level, batch, m, n, k int, l layout, threads int) {
	b.Run(fmt.Sprintf("%v/%dx%dx%dx%d%.2v/threads%d", typeOf[T](), batch, m, n, k, l, threads), func(b *testing.B) {
		g, na, nb, nc := newGemm[T](batch, m, n, k, l)
		x, y, z := make([]T, na), make([]T, nb), make([]T, nc)
		u := uniform[T](rand.New(rand.NewPCG(1, 1)))
		for i := range x {
			x[i] = u()
		}
		for i := range y {
			y[i] = u()
		}
		r := newRun(lv, g, unsafe.Pointer(&x[0]), unsafe.Pointer(&y[0]), unsafe.Pointer(&z[0]), threads)
		for b.Loop() {
			runThreads(r)
		}
		b.ReportMetric(2*float64(batch*m*n*k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
	})
}

// Windows of a picture, channels last, as a matrix that is a view, and that transposed: lines of rows and of k of all lengths.
func TestGemmGridF32(t *testing.T) { testGemmGrid[float32](t) }
func TestGemmGridF64(t *testing.T) { testGemmGrid[float64](t) }

func testGemmGrid[T float](t *testing.T) {
	size := int(unsafe.Sizeof(T(0)))
	rng := rand.New(rand.NewPCG(11, 12))
	random := func(n int) []T {
		x := make([]T, n)
		for i := range x {
			x[i] = T(rng.Float64() - 0.5)
		}
		return x
	}
	for _, s := range []struct{ h, w, c, filter, stride int }{
		{9, 20, 8, 3, 1}, {7, 17, 40, 3, 1}, {17, 33, 9, 3, 2}, {4, 62, 30, 2, 1}, {6, 5, 3, 2, 1},
	} {
		oh, ow := (s.h-s.filter)/s.stride+1, (s.w-s.filter)/s.stride+1
		rows, _ := MakeView([]int{oh, ow}, []int{s.stride * s.w * s.c, s.stride * s.c})
		cols, _ := MakeView([]int{s.filter, s.filter * s.c}, []int{s.w * s.c, 1})
		for _, grid := range []Grid{{rows, cols}, {cols, rows}} {
			m, k := oh*ow, s.filter*s.filter*s.c
			if grid.Rows == cols {
				m, k = k, m
			}
			const batch = 2
			x := random(batch * s.h * s.w * s.c)
			a := make([]T, batch*m*k)
			for i := range a {
				a[i] = x[i/(m*k)*s.h*s.w*s.c+grid.Rows.At(i/k%m)+grid.Cols.At(i%k)]
			}
			for _, n := range []int{2, 13, 16, 33, 64, 130} {
				g := Gemm{Type: typeOf[T](), Batch: batch, M: m, N: n, K: k, ARow: k, ACol: 1, ABatch: m * k, BRow: n, BCol: 1, CRow: n + 3, CBatch: m * (n + 3)}
				b, want := random(k*n), make([]T, batch*m*(n+3))
				for i := range want {
					want[i] = T(math.NaN())
				}
				naive(g, a, b, want)
				g.ARow, g.ACol, g.ABatch, g.AGrid = 0, 0, s.h*s.w*s.c, &grid
				for _, lv := range distinct() {
					c := gemmScratch(len(want) * size)
					runShuffled(newRun(lv, g, unsafe.Pointer(&x[0]), unsafe.Pointer(&b[0]), c, 2), rng)
					for i, got := range unsafe.Slice((*T)(c), len(want)) {
						if got != want[i] && (got == got || want[i] == want[i]) {
							t.Fatalf("%s: %+v, %d×%d×%d: c[%d] = %v, want %v", lv.Name, s, m, n, k, i, got, want[i])
						}
					}
					// Rows of C in lines of five, every second of which is something else's.
					h := g
					lines, _ := MakeView([]int{ceil(m, 5), 5}, []int{10 * g.CRow, g.CRow})
					h.CRows, h.CBatch = &lines, ceil(m, 5)*10*g.CRow
					r := newRun(lv, h, unsafe.Pointer(&x[0]), unsafe.Pointer(&b[0]), gemmScratch(batch*h.CBatch*size), 2)
					if !r.Plan.InPlace() {
						continue
					}
					runShuffled(r, rng)
					for i, got := range unsafe.Slice((*T)(r.C), batch*h.CBatch) {
						b, row, j := i/h.CBatch, i%h.CBatch/g.CRow, i%g.CRow
						from, w := row/10*5+row%10, T(math.NaN())
						if row%10 < 5 && from < m {
							w = want[(b*m+from)*g.CRow+j]
						}
						if got != w && (got == got || w == w) {
							t.Fatalf("%s: %+v, %d×%d×%d, rows in lines: c[%d] = %v, want %v", lv.Name, s, m, n, k, i, got, w)
						}
					}
				}
			}
		}
	}
}
