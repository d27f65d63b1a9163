package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/mat"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/kernels"
)

// svdCases are matrices that are easy and hard to decompose.
var svdCases = []struct {
	name string
	of   func(i, j, n int, rng *rand.Rand) float64
}{
	{"random", func(i, j, n int, rng *rand.Rand) float64 { return rng.NormFloat64() }},
	{"large", func(i, j, n int, rng *rand.Rand) float64 { return 1e30 * rng.NormFloat64() }},
	{"little", func(i, j, n int, rng *rand.Rand) float64 { return 1e-30 * rng.NormFloat64() }},
	{"zero", func(i, j, n int, rng *rand.Rand) float64 { return 0 }},
	{"ones", func(i, j, n int, rng *rand.Rand) float64 { return 1 }},
	{"identity", func(i, j, n int, rng *rand.Rand) float64 { return float64(b2i(i == j)) }},
	{"diagonal", func(i, j, n int, rng *rand.Rand) float64 { return float64(b2i(i == j) * (i%7 - 3)) }},
	{"shift", func(i, j, n int, rng *rand.Rand) float64 { return float64(b2i(j == i+1)) }},
	{"bidiagonal", func(i, j, n int, rng *rand.Rand) float64 { return float64(b2i(j == i+1) + b2i(i == j)) }},
	{"zeros on the diagonal", func(i, j, n int, rng *rand.Rand) float64 {
		return float64(b2i(j == i+1) + b2i(i == j && i%3 != 1))
	}},
	{"zeros above the diagonal", func(i, j, n int, rng *rand.Rand) float64 {
		return float64(2*b2i(j == i+1 && i%5 != 2)) + float64(b2i(i == j))
	}},
	{"random bidiagonal", func(i, j, n int, rng *rand.Rand) float64 {
		return rng.NormFloat64() * float64(b2i(j == i || j == i+1))
	}},
	{"graded", func(i, j, n int, rng *rand.Rand) float64 {
		return math.Exp2(-float64(40*i)/float64(n)) * rng.NormFloat64()
	}},
	{"graded bidiagonal", func(i, j, n int, rng *rand.Rand) float64 {
		return math.Exp2(-float64(100*i)/float64(n)) * float64(b2i(j == i || j == i+1))
	}},
	{"upwards", func(i, j, n int, rng *rand.Rand) float64 {
		return math.Exp2(float64(100*i)/float64(n)-100) * float64(b2i(j == i || j == i+1))
	}},
	{"hilbert", func(i, j, n int, rng *rand.Rand) float64 { return 1 / float64(1+i+j) }},
	{"rank 2", func(i, j, n int, rng *rand.Rand) float64 { return math.Sin(float64(i + j)) }},
	{"zero columns", func(i, j, n int, rng *rand.Rand) float64 { return rng.NormFloat64() * float64(b2i(j%3 != 0)) }},
	{"clustered", func(i, j, n int, rng *rand.Rand) float64 {
		return float64(b2i(i == j))*float64(1+i/16) + 1e-9*rng.NormFloat64()
	}},
	{"near one", func(i, j, n int, rng *rand.Rand) float64 { return float64(b2i(i == j)) + 1e-6*rng.NormFloat64() }},
}

// Decompositions in blocks are those of the matrix, with orthonormal vectors, and gonum's values, to some units of the largest; above
// and below the sizes where halves, panels and QR begin. Work holds NaNs before.
func TestSVDBlocks(t *testing.T) {
	for _, n := range []int{33, 34, 64, 65, 66, 97, 200, 301} {
		if !thorough() && n%33 != 0 {
			continue
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for i, c := range svdCases {
				if n > 100 && i%3 != 0 {
					continue
				}
				for _, m := range []int{n, n + 1, n + 5, 2*n + 63, 2*n + 64} {
					rng := rand.New(rand.NewPCG(uint64(m), uint64(n)))
					a := mat.NewDense(m, n, nil)
					a.Apply(func(i, j int, _ float64) float64 { return c.of(i, j, n, rng) }, a)
					testSVD[float64](t, c.name, a, 0x1p-53)
					testSVD[float32](t, c.name, a, 0x1p-24)
				}
			}
		})
	}
	if thorough() {
		a := mat.NewDense(1000, 1000, random(1e6, 1))
		testSVD[float64](t, "random", a, 0x1p-53)
		testSVD[float32](t, "random", a, 0x1p-24)
	}
	x := random(40*40, 1)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		x[70] = bad
		if err := SVDBlocks(make([]float64, 2*40*40+40), x, 40, 40, make([]float64, SVDBlocksWork(40, 40)), Rows[float64]{}, Rows[float64]{}); err != ErrSteps {
			t.Errorf("of %v: %v", bad, err)
		}
	}
}

func testSVD[T float](t *testing.T, name string, a *mat.Dense, eps float64) {
	t.Helper()
	m, n := a.Dims()
	x := as[T](a.RawMatrix().Data)
	a = mat.NewDense(m, n, asDoubles(x))
	y := nans[T](m*n + n*n + n)
	if err := SVDBlocks(y, x, m, n, nans[T](SVDBlocksWork(m, n)), Rows[T]{}, Rows[float64]{}); err != nil {
		t.Fatalf("%s, %d rows: %v", name, m, err)
	}
	u, v, s := asDoubles(y[:m*n]), asDoubles(y[m*n:m*n+n*n]), asDoubles(y[m*n+n*n:])
	small := func(what string, d []float64, size float64) {
		t.Helper()
		if worst := largest(d); !(worst <= float64(m)*eps*size) {
			t.Errorf("%s, %d×%d of %T: %s: %v units", name, m, n, y[0], what, worst/eps/max(size, 1e-300))
		}
	}
	us, d := make([]float64, m*n), mat.DenseCopyOf(a).RawMatrix().Data
	for i, x := range u {
		us[i] = x * s[i%n]
	}
	gemm(blas.NoTrans, blas.Trans, m, n, n, 1, us, n, v, n, -1, d, n)
	small("A - USVᵀ", d, s[0])
	for _, x := range [][]float64{u, v} {
		d := make([]float64, n*n)
		identity(d, n)
		gemm(blas.Trans, blas.NoTrans, n, n, len(x)/n, 1, x, n, x, n, -1, d, n)
		small("orthogonality", d, 3)
	}
	if n > 500 {
		return
	}
	var f mat.SVD
	if !f.Factorize(a, mat.SVDNone) {
		t.Fatal(name, "gonum")
	}
	for i, w := range f.Values(nil) {
		if !(math.Abs(s[i]-w) <= 4*float64(n)*eps*s[0]) || !(s[i] >= 0) || i > 0 && s[i] > s[i-1] {
			t.Fatalf("%s, %d×%d: value %d is %v, not %v", name, m, n, i, s[i], w)
		}
	}
}

func asDoubles[T float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func BenchmarkSVDBlocks(b *testing.B) {
	level, err := kernels.Select("")
	if err != nil {
		b.Fatal(err)
	}
	r := Rows[float64]{level.Rows[dtype.F64]}
	for _, n := range []int{33, 40, 48, 64, 80, 96, 128, 256, 500, 1000} {
		for _, m := range []int{n, 4 * n} {
			if m > 1000 {
				continue
			}
			a := random(m*n, 1)
			y := make([]float64, m*n+n*n+n)
			work := make([]float64, SVDWork(m, n)+SVDBlocksWork(m, n))
			if n <= 256 {
				b.Run(fmt.Sprintf("old/%d×%d", m, n), func(b *testing.B) {
					for b.Loop() {
						SVD(y, a, m, n, work, r)
					}
				})
			}
			b.Run(fmt.Sprintf("f64/%d×%d", m, n), func(b *testing.B) {
				for b.Loop() {
					SVDBlocks(y, a, m, n, work, r, r)
				}
			})
			a32, y32, work32 := as[float32](a), as[float32](y), as[float32](work)
			b.Run(fmt.Sprintf("f32/%d×%d", m, n), func(b *testing.B) {
				for b.Loop() {
					SVDBlocks(y32, a32, m, n, work32, Rows[float32]{level.Rows[dtype.F32]}, r)
				}
			})
		}
	}
}
