package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/adjoint-go/adjoint/kernels"
)

// thorough reports whether large matrices are tested, too: not in short runs, nor where pure Go is the one level, which takes
// minutes for what other builds test in the same loops.
func thorough() bool { return !testing.Short() && len(kernels.Levels()) > 1 }

func random(n int, scale float64) []float64 {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64() * scale
	}
	return x
}

// Matrices whose squares overflow or vanish, on both sides of the sizes where other loops take over.
func TestScales(t *testing.T) {
	for _, n := range []int{1, 2, 5, Small, Small + 1, 20, 70} {
		for _, scale := range []float64{1, 1e160, 1e300, 1e-160, 1e-300} {
			a := random(n*n, scale)
			y := make([]float64, 2*n*n+n)
			if err := SVD(y, a, n, n, make([]float64, SVDWork(n, n)), Rows[float64]{}); err != nil {
				t.Fatal(n, scale, err)
			}
			u, v, s := y[:n*n], y[n*n:2*n*n], y[2*n*n:]
			for i := range n {
				for j := range n {
					sum := 0.0
					for k := range n {
						sum += u[i*n+k] * s[k] * v[j*n+k]
					}
					if !(math.Abs(sum-a[i*n+j]) <= 1e-13*float64(n)*scale) {
						t.Fatalf("SVD of %d rows of %v: element %d %d is %v, not %v", n, scale, i, j, sum, a[i*n+j])
					}
				}
			}
			for i := range n {
				for j := range i {
					a[i*n+j] = a[j*n+i]
				}
			}
			if err := Eigh(y, a, n, make([]float64, EighWork(n)), Rows[float64]{}); err != nil {
				t.Fatal(n, scale, err)
			}
			v, w := y[:n*n], y[n*n:]
			for i := range n {
				for j := range n {
					sum := 0.0
					for k := range n {
						sum += v[i*n+k] * w[k] * v[j*n+k]
					}
					if !(math.Abs(sum-a[i*n+j]) <= 1e-13*float64(n)*scale) {
						t.Fatalf("Eigh of %d rows of %v: element %d %d is %v, not %v", n, scale, i, j, sum, a[i*n+j])
					}
				}
			}
		}
	}
}

// Elements over hundreds of powers of two, in any order or falling along the diagonal: QL on squares that vanish did not end, or
// its rotations were none.
func TestEighGraded(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 13))
	for try := range 3000 {
		n, most := 2+rng.IntN(Small-1), rng.IntN(900)
		a := make([]float64, n*n)
		for i := range n {
			for j := range i + 1 {
				x := rng.NormFloat64()
				switch try % 3 {
				case 0:
					x = math.Ldexp(x*float64(b2i(i-j <= 1)), -rng.IntN(most+1))
				case 1:
					x = math.Ldexp(x, -most*i/n)
				case 2:
					x = math.Ldexp(x, -most*(n-i)/n)
				}
				a[i*n+j], a[j*n+i] = x, x
			}
		}
		y := make([]float64, n*n+n)
		if err := Eigh(y, a, n, make([]float64, EighWork(n)), Rows[float64]{}); err != nil {
			t.Fatal(try, n, most, err)
		}
		v, w := y[:n*n], y[n*n:]
		tol := 8 * 0x1p-53 * float64(n)
		size := max(-w[0], w[n-1])
		for i := range n {
			for j := range n {
				sum, product := 0.0, 0.0
				for k := range n {
					sum += v[i*n+k] * w[k] * v[j*n+k]
					product += v[k*n+i] * v[k*n+j]
				}
				if !(math.Abs(sum-a[i*n+j]) <= tol*size && math.Abs(product-float64(b2i(i == j))) <= tol) {
					t.Fatalf("%d: %d rows over 2^-%d: element %d %d is %v, not %v, vectors' product %v", try, n, most, i, j, sum, a[i*n+j], product)
				}
			}
		}
	}
}

func BenchmarkFactors(b *testing.B) {
	for _, n := range []int{4, 8, 16, 32, 64, 128} {
		a := random(n*n, 1)
		y := make([]float64, 2*n*n+2*n)
		for i := range n {
			for j := range i {
				a[i*n+j] = a[j*n+i]
			}
			a[i*n+i] += 3 * math.Sqrt(float64(n))
		}
		work := make([]float64, max(EighWork(n), SVDWork(n, n), QRWork(n, n), ExpmWork(n)))
		for name, f := range map[string]func(){
			"cholesky": func() { copy(y, a); Cholesky(y[:n*n], n, work, Rows[float64]{}) },
			"lu":       func() { copy(y, a); LU(y[:n*n+2*n], n, work, Rows[float64]{}) },
			"qr":       func() { QR(y, a, n, n, work, Rows[float64]{}) },
			"eigh":     func() { Eigh(y, a, n, work, Rows[float64]{}) },
			"svd":      func() { SVD(y, a, n, n, work, Rows[float64]{}) },
			"expm":     func() { Expm(y, a, n, work, Rows[float64]{}) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
			})
		}
	}
}

// Singular values of matrices that are hard: of low rank, with zeros on the diagonal, of one value, graded, tall.
func TestSVDCases(t *testing.T) {
	for _, n := range []int{13, 16, 32, 65} {
		for name, f := range map[string]func(i, j int) float64{
			"zero":       func(i, j int) float64 { return 0 },
			"ones":       func(i, j int) float64 { return 1 },
			"identity":   func(i, j int) float64 { return float64(b2i(i == j)) },
			"shift":      func(i, j int) float64 { return float64(b2i(j == i+1)) },
			"bidiagonal": func(i, j int) float64 { return float64(b2i(j == i+1) + b2i(i == j && i%3 != 1)) },
			"graded":     func(i, j int) float64 { return math.Ldexp(1+math.Sin(float64(7*i+j*j)), -3*i-j) },
			"hilbert":    func(i, j int) float64 { return 1 / float64(1+i+j) },
			"rank 2":     func(i, j int) float64 { return math.Sin(float64(i + j)) },
			"tiny":       func(i, j int) float64 { return math.Ldexp(math.Sin(float64(i*j+1)), -600*b2i(i != j)) },
		} {
			m := n + 5
			a := make([]float64, m*n)
			for i := range m {
				for j := range n {
					a[i*n+j] = f(i, j)
				}
			}
			y := make([]float64, m*n+n*n+n)
			if err := SVD(y, a, m, n, make([]float64, SVDWork(m, n)), Rows[float64]{}); err != nil {
				t.Fatal(name, n, err)
			}
			u, v, s := y[:m*n], y[m*n:m*n+n*n], y[m*n+n*n:]
			tol := 1e-14 * float64(n) * max(1, s[0])
			for i := range m {
				for j := range n {
					sum := 0.0
					for k := range n {
						sum += u[i*n+k] * s[k] * v[j*n+k]
					}
					if !(math.Abs(sum-a[i*n+j]) <= tol) {
						t.Fatalf("%s of %d: element %d %d is %v, not %v", name, n, i, j, sum, a[i*n+j])
					}
				}
			}
			orthonormal := func(x []float64, rows int) {
				for i := range n {
					for j := range n {
						sum := 0.0
						for k := range rows {
							sum += x[k*n+i] * x[k*n+j]
						}
						if math.Abs(sum-float64(b2i(i == j))) > 1e-14*float64(n) {
							t.Fatalf("%s of %d: columns %d and %d: %v", name, n, i, j, sum)
						}
					}
				}
			}
			orthonormal(u, m)
			orthonormal(v, n)
			for i := range s {
				if !(s[i] >= 0) || i > 0 && s[i] > s[i-1] {
					t.Fatalf("%s of %d: values %v", name, n, s)
				}
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// The derivative of eᴬ along E is the corner of the exponential of [[A, E], [0, A]], for both types, by all approximants, with and without
// squarings; float32's exponential is float64's.
func TestExpmFrechet(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{1, 2, 5, 16, 17, 33, 40} {
		for _, size := range []float64{1e-3, 0.02, 0.1, 0.3, 1, 5} {
			a, e, y := make([]float64, n*n), make([]float64, n*n), make([]float64, n*n)
			both, want := make([]float64, 4*n*n), make([]float64, 4*n*n)
			for i := range a {
				a[i], e[i] = float64(float32(size/math.Sqrt(float64(n))*rng.NormFloat64())), float64(float32(rng.NormFloat64()))
				at := i/n*2*n + i%n
				both[at], both[at+n], both[at+2*n*n+n] = a[i], e[i], a[i]
			}
			if err := ExpmFrechet(y, a, e, n, nans[float64](ExpmFrechetWork(n)), Rows[float64]{}); err != nil {
				t.Fatal(err)
			}
			if err := Expm(want, both, 2*n, nans[float64](ExpmWork(2*n)), Rows[float64]{}); err != nil {
				t.Fatal(err)
			}
			value, slope := make([]float64, n*n), make([]float64, n*n)
			for i := range value {
				at := i/n*2*n + i%n
				value[i], slope[i] = want[at], want[at+n]
			}
			near := func(what string, y, want []float64, tol float64) {
				off, top := 0.0, 0.0
				for i, v := range y {
					off, top = max(off, math.Abs(v-want[i])), max(top, math.Abs(want[i]))
				}
				if !(off <= tol*top) {
					t.Errorf("%s, %d, norm %v: off by %v of %v", what, n, size, off, top)
				}
			}
			near("float64", y, slope, 1e-13)
			y32 := make([]float32, n*n)
			if err := ExpmFrechet(y32, as[float32](a), as[float32](e), n, nans[float32](ExpmFrechetWork(n)), Rows[float32]{}); err != nil {
				t.Fatal(err)
			}
			near("float32", as[float64](y32), slope, 1e-5)
			if err := Expm(y32, as[float32](a), n, nans[float32](ExpmWork(n)), Rows[float32]{}); err != nil {
				t.Fatal(err)
			}
			near("float32's value", as[float64](y32), value, 1e-5)
		}
	}
}
