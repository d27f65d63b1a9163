package blas

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/blas/testblas"

	"github.com/adjoint-go/adjoint/kernels"
)

// onLevels runs f on every level of this machine.
func onLevels(t *testing.T, f func(t *testing.T)) {
	was := level
	defer func() { level = was }()
	for _, l := range kernels.Levels() {
		level = func() *kernels.Level { return l }
		t.Run(l.Name, f)
	}
}

// gonum's own suite; it has no tests of float32.
func TestGonumSuite(t *testing.T) {
	var impl Implementation
	for name, f := range map[string]func(t *testing.T){
		"dasum":  func(t *testing.T) { testblas.DasumTest(t, impl) },
		"daxpy":  func(t *testing.T) { testblas.DaxpyTest(t, impl) },
		"ddot":   func(t *testing.T) { testblas.DdotTest(t, impl) },
		"dnrm2":  func(t *testing.T) { testblas.Dnrm2Test(t, impl) },
		"idamax": func(t *testing.T) { testblas.IdamaxTest(t, impl) },
		"dswap":  func(t *testing.T) { testblas.DswapTest(t, impl) },
		"dcopy":  func(t *testing.T) { testblas.DcopyTest(t, impl) },
		"drotg":  func(t *testing.T) { testblas.DrotgTest(t, impl, false) },
		"drotmg": func(t *testing.T) { testblas.DrotmgTest(t, impl) },
		"drot":   func(t *testing.T) { testblas.DrotTest(t, impl) },
		"drotm":  func(t *testing.T) { testblas.DrotmTest(t, impl) },
		"dscal":  func(t *testing.T) { testblas.DscalTest(t, impl) },
		"dgemv":  func(t *testing.T) { testblas.DgemvTest(t, impl) },
		"dger":   func(t *testing.T) { testblas.DgerTest(t, impl) },
		"dtxmv":  func(t *testing.T) { testblas.DtxmvTest(t, impl) },
		"dgbmv":  func(t *testing.T) { testblas.DgbmvTest(t, impl) },
		"dtbsv":  func(t *testing.T) { testblas.DtbsvTest(t, impl) },
		"dsbmv":  func(t *testing.T) { testblas.DsbmvTest(t, impl) },
		"dtbmv":  func(t *testing.T) { testblas.DtbmvTest(t, impl) },
		"dtrsv":  func(t *testing.T) { testblas.DtrsvTest(t, impl) },
		"dtrmv":  func(t *testing.T) { testblas.DtrmvTest(t, impl) },
		"dsymv":  func(t *testing.T) { testblas.DsymvTest(t, impl) },
		"dsyr":   func(t *testing.T) { testblas.DsyrTest(t, impl) },
		"dsyr2":  func(t *testing.T) { testblas.Dsyr2Test(t, impl) },
		"dspr2":  func(t *testing.T) { testblas.Dspr2Test(t, impl) },
		"dspr":   func(t *testing.T) { testblas.DsprTest(t, impl) },
		"dspmv":  func(t *testing.T) { testblas.DspmvTest(t, impl) },
		"dtpsv":  func(t *testing.T) { testblas.DtpsvTest(t, impl) },
		"dtpmv":  func(t *testing.T) { testblas.DtpmvTest(t, impl) },
		"dgemm":  func(t *testing.T) { testblas.TestDgemm(t, impl) },
		"dsymm":  func(t *testing.T) { testblas.DsymmTest(t, impl) },
		"dtrsm":  func(t *testing.T) { testblas.DtrsmTest(t, impl) },
		"dsyrk":  func(t *testing.T) { testblas.DsyrkTest(t, impl) },
		"dsyr2k": func(t *testing.T) { testblas.Dsyr2kTest(t, impl) },
		"dtrmm":  func(t *testing.T) { testblas.DtrmmTest(t, impl) },
	} {
		t.Run(name, func(t *testing.T) { onLevels(t, f) })
	}
}

// generic is gonum's functions that are ours, for one type.
type generic[T float] struct {
	gemm       func(tA, tB blas.Transpose, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	symm       func(s blas.Side, ul blas.Uplo, m, n int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	syrk       func(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, beta T, c []T, ldc int)
	syr2k      func(ul blas.Uplo, t blas.Transpose, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int)
	trmm, trsm func(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha T, a []T, lda int, b []T, ldb int)
	gemv       func(tA blas.Transpose, m, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	symv       func(ul blas.Uplo, n int, alpha T, a []T, lda int, x []T, incX int, beta T, y []T, incY int)
	ger        func(m, n int, alpha T, x []T, incX int, y []T, incY int, a []T, lda int)
	dot        func(n int, x []T, incX int, y []T, incY int) T
	axpy       func(n int, alpha T, x []T, incX int, y []T, incY int)
}

func of64(i blas.Float64) generic[float64] {
	return generic[float64]{i.Dgemm, i.Dsymm, i.Dsyrk, i.Dsyr2k, i.Dtrmm, i.Dtrsm, i.Dgemv, i.Dsymv, i.Dger, i.Ddot, i.Daxpy}
}

func of32(i blas.Float32) generic[float32] {
	return generic[float32]{i.Sgemm, i.Ssymm, i.Ssyrk, i.Ssyr2k, i.Strmm, i.Strsm, i.Sgemv, i.Ssymv, i.Sger, i.Sdot, i.Saxpy}
}

// random returns n elements and a guard; their values are rounded to float32, so that both types have the same ones.
func random[T float](rng *rand.Rand, n int) []T {
	x := make([]T, n+3)
	for i := range x {
		x[i] = T(float32(rng.Float64()*2 - 1))
	}
	return x
}

func widen[T float](x []T) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = float64(x[i])
	}
	return y
}

// dominant makes triangular systems with the matrix a well conditioned: its diagonal is about 2, and the rest small.
func dominant[T float](a []T, n, lda int) {
	for i := range a {
		a[i] /= T(n)
	}
	for i := range n {
		a[i*lda+i] += 2
	}
}

// testCalls compares every function that is ours with gonum's in float64, on all levels and with 1 and 3 threads,
// whose bits must be the same. Sizes straddle the blocks.
func testCalls[T float](t *testing.T, ours generic[T]) {
	ref := of64(gonum.Implementation{})
	eps := 1.2e-7
	if sizeOf[T]() == 8 {
		eps = 2.3e-16
	}
	rng := rand.New(rand.NewPCG(1, 2))
	trans := []blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}
	uplo := []blas.Uplo{blas.Lower, blas.Upper}
	scalars := []T{1, 0, -1, 0.75}
	sizes := []int{1, 2, 3, 5, 8, 13, 31, 32, 33, 63, 64, 65, 70, 100, 129, 130, 200, 257, 300}
	pick := func(limit int) int {
		for {
			if n := sizes[rng.IntN(len(sizes))]; n <= limit {
				return n
			}
		}
	}
	check := func(name string, depth int, out []T, call func(out []T), want func(out []float64)) {
		t.Helper()
		w := widen(out)
		want(w)
		var first []T
		onLevels(t, func(t *testing.T) {
			for _, procs := range []int{1, 3} {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				got := append([]T(nil), out...)
				call(got)
				if first == nil {
					first = got
				}
				for i := range got {
					if !(math.Abs(float64(got[i])-w[i]) <= eps*float64(depth+8)*max(1, math.Abs(w[i]))) && !(math.IsNaN(w[i]) && got[i] != got[i]) {
						t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], w[i])
					}
					if math.Float64bits(float64(got[i])) != math.Float64bits(float64(first[i])) && got[i] == got[i] {
						t.Fatalf("%s: with %d threads element %d is %v, was %v", name, procs, i, got[i], first[i])
					}
				}
			}
		})
	}
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		limit := 70
		if round%6 == 0 && !testing.Short() {
			limit = 300
		}
		m, n, k := pick(limit), pick(limit), pick(limit)
		lda, ldb, ldc := max(m, n, k)+rng.IntN(3), max(m, n, k)+rng.IntN(3), n+rng.IntN(3)
		big := max(m, n, k)
		a, b, c := random[T](rng, big*lda), random[T](rng, big*ldb), random[T](rng, big*max(ldc, lda))
		if round%8 == 7 {
			c[rng.IntN(n)] = T(math.NaN()) // kept, unless beta is 0
		}
		alpha, beta := scalars[rng.IntN(4)], scalars[rng.IntN(4)]
		ta, tb, ul := trans[rng.IntN(3)], trans[rng.IntN(3)], uplo[rng.IntN(2)]
		wa, wb, al, be := widen(a), widen(b), float64(alpha), float64(beta)
		about := func(f string, args ...any) string {
			return fmt.Sprintf("%s m=%d n=%d k=%d α=%v β=%v %v", f, m, n, k, alpha, beta, args)
		}
		check(about("gemm", ta, tb), k, c, func(c []T) { ours.gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) },
			func(c []float64) { ref.gemm(ta, tb, m, n, k, al, wa, lda, wb, ldb, be, c, ldc) })
		for _, s := range []blas.Side{blas.Left, blas.Right} {
			size := n
			if s == blas.Left {
				size = m
			}
			check(about("symm", s, ul), size, c, func(c []T) { ours.symm(s, ul, m, n, alpha, a, lda, b, ldb, beta, c, ldc) },
				func(c []float64) { ref.symm(s, ul, m, n, al, wa, lda, wb, ldb, be, c, ldc) })
			tri := append([]T(nil), a...)
			dominant(tri, size, lda)
			wt := widen(tri)
			for _, d := range []blas.Diag{blas.NonUnit, blas.Unit} {
				check(about("trmm", s, ul, ta, d), size, b, func(b []T) { ours.trmm(s, ul, ta, d, m, n, alpha, tri, lda, b, ldb) },
					func(b []float64) { ref.trmm(s, ul, ta, d, m, n, al, wt, lda, b, ldb) })
				check(about("trsm", s, ul, ta, d), size, b, func(b []T) { ours.trsm(s, ul, ta, d, m, n, alpha, tri, lda, b, ldb) },
					func(b []float64) { ref.trsm(s, ul, ta, d, m, n, al, wt, lda, b, ldb) })
			}
		}
		check(about("syrk", ul, ta), k, c, func(c []T) { ours.syrk(ul, ta, n, k, alpha, a, lda, beta, c, ldc) },
			func(c []float64) { ref.syrk(ul, ta, n, k, al, wa, lda, be, c, ldc) })
		check(about("syr2k", ul, ta), 2*k, c, func(c []T) { ours.syr2k(ul, ta, n, k, alpha, a, lda, b, ldb, beta, c, ldc) },
			func(c []float64) { ref.syr2k(ul, ta, n, k, al, wa, lda, wb, ldb, be, c, ldc) })

		inc := func() int { return []int{1, 1, 2, -1, -3}[rng.IntN(5)] }
		ix, iy := inc(), inc()
		x, y := random[T](rng, 3*big), random[T](rng, 3*big)
		wx, wy := widen(x), widen(y)
		check(about("gemv", ta, ix, iy), big, y, func(y []T) { ours.gemv(ta, m, n, alpha, a, lda, x, ix, beta, y, iy) },
			func(y []float64) { ref.gemv(ta, m, n, al, wa, lda, wx, ix, be, y, iy) })
		check(about("symv", ul, ix, iy), big, y, func(y []T) { ours.symv(ul, n, alpha, a, lda, x, ix, beta, y, iy) },
			func(y []float64) { ref.symv(ul, n, al, wa, lda, wx, ix, be, y, iy) })
		check(about("ger", ix, iy), 1, a, func(a []T) { ours.ger(m, n, alpha, x, ix, y, iy, a, lda) },
			func(a []float64) { naiveGer(m, n, al, wx, ix, wy, iy, a, lda) })
		check(about("axpy", ix, iy), 1, y, func(y []T) { ours.axpy(n, alpha, x, ix, y, iy) },
			func(y []float64) { ref.axpy(n, al, wx, ix, y, iy) })
		check(about("dot", ix, iy), n, []T{0}, func(z []T) { z[0] = ours.dot(n, x, ix, y, iy) },
			func(z []float64) { z[0] = ref.dot(n, wx, ix, wy, iy) })
	}
}

// naiveGer is here because gonum's assembly reads from the wrong place where an increment is negative.
func naiveGer(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	for i := range m {
		for j := range n {
			a[i*lda+j] += alpha * x[max(0, (1-m)*incX)+i*incX] * y[max(0, (1-n)*incY)+j*incY]
		}
	}
}

func TestFloat32(t *testing.T) { testCalls(t, of32(Implementation{})) }
func TestFloat64(t *testing.T) { testCalls(t, of64(Implementation{})) }

// A late helper finds the phase closed or joins what is open; no task is done twice or left out.
func TestTeam(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var callers sync.WaitGroup
	for range 3 {
		callers.Go(func() {
			var tm team
			tm.init()
			for round := range 300 {
				w := make(counts, 1+round%9)
				tm.run(w, 4)
				for i := range w {
					if n := w[i].Load(); n != 1 {
						t.Errorf("task %d was done %d times", i, n)
					}
				}
			}
		})
	}
	callers.Wait()
	for range 1000 { // those that came late are still to go
		if helpers.Load() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d helpers stayed", helpers.Load())
}

type counts []atomic.Int64

func (w counts) tasks(phase int) int {
	if phase > 0 {
		return 0
	}
	return len(w)
}

func (w counts) do(phase, worker, task int) { w[task].Add(1) }

// Many callers at once get what one alone gets.
func TestConcurrent(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	const n = 130
	rng := rand.New(rand.NewPCG(3, 4))
	a, b := random[float64](rng, n*n), random[float64](rng, n*n)
	dominant(a, n, n)
	calls := func() []float64 {
		c := append([]float64(nil), b...)
		var i Implementation
		i.Dgemm(blas.Trans, blas.NoTrans, n, n, n, -0.5, a, n, b, n, 1, c, n)
		i.Dtrsm(blas.Right, blas.Upper, blas.NoTrans, blas.NonUnit, n, n, 1, a, n, c, n)
		i.Dsyrk(blas.Lower, blas.NoTrans, n, n, 1, b, n, 1, c, n)
		return c
	}
	want := calls()
	var callers sync.WaitGroup
	for range 6 {
		callers.Go(func() {
			for range 5 {
				for i, x := range calls() {
					if x != want[i] {
						t.Errorf("element %d is %v, alone %v", i, x, want[i])
						return
					}
				}
			}
		})
	}
	callers.Wait()
}

func TestAllocates(t *testing.T) {
	const n = 200
	rng := rand.New(rand.NewPCG(5, 6))
	a, b, c := random[float64](rng, n*n), random[float64](rng, n*n), random[float64](rng, n*n)
	dominant(a, n, n)
	var i Implementation
	for name, f := range map[string]func(){
		"gemm":  func() { i.Dgemm(blas.NoTrans, blas.Trans, n, n, n, 2, a, n, b, n, 1, c, n) },
		"small": func() { i.Dgemm(blas.NoTrans, blas.NoTrans, 5, 6, 7, -1, a, n, b, n, 1, c, n) },
		"symm":  func() { i.Dsymm(blas.Left, blas.Lower, n, n, 1, a, n, b, n, 0, c, n) },
		"syrk":  func() { i.Dsyrk(blas.Upper, blas.NoTrans, n, n, 1, a, n, 0, c, n) },
		"trsm":  func() { i.Dtrsm(blas.Right, blas.Lower, blas.NoTrans, blas.NonUnit, n, n, 1, a, n, c, n) },
		"gemv":  func() { i.Dgemv(blas.Trans, n, n, 1, a, n, b, 1, 0, c, 2) },
		"symv":  func() { i.Dsymv(blas.Upper, n, 1, a, n, b, 1, 0, c, 1) },
		"ger":   func() { i.Dger(n, n, 1, b, 1, b, 1, c, n) },
		"dot":   func() { i.Ddot(n, a, 1, b, 1) },
		"axpy":  func() { i.Daxpy(n, 2, a, 1, b, 1) },
	} {
		if n := testing.AllocsPerRun(50, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
