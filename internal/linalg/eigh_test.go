package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/kernels"
)

// symmetric matrices that are hard for divide and conquer, or a reduction, of n rows.
var hardSymmetric = map[string]func(i, j, n int) float64{
	"random":    func(i, j, n int) float64 { return rand.New(rand.NewPCG(uint64(i), uint64(j))).NormFloat64() },
	"zero":      func(i, j, n int) float64 { return 0 },
	"ones":      func(i, j, n int) float64 { return 1 },
	"identity":  func(i, j, n int) float64 { return float64(b2i(i == j)) },
	"diagonal":  func(i, j, n int) float64 { return float64(b2i(i == j)) * math.Sin(float64(i*i)) },
	"toeplitz":  func(i, j, n int) float64 { return float64(2*b2i(i == j) - b2i(i-j == 1)) },
	"wilkinson": func(i, j, n int) float64 { return math.Abs(float64(i%21-10))*float64(b2i(i == j)) + glue(i, j, 1e-8) },
	"glued":     func(i, j, n int) float64 { return math.Abs(float64(i%21-10))*float64(b2i(i == j)) + glue(i, j, 1e-14) },
	"pieces":    func(i, j, n int) float64 { return float64(b2i(i == j)*(i%3) + b2i(i-j == 1 && i%5 != 0)) },
	"graded":    func(i, j, n int) float64 { return math.Ldexp(math.Sin(float64(i*i+j+1)), -2*i-2*j) },
	"blocks": func(i, j, n int) float64 {
		return math.Ldexp(math.Sin(float64(i*j+1)), -80*b2i(j >= n/2)) * float64(b2i((i < n/2) == (j < n/2)))
	},
	"clusters": func(i, j, n int) float64 { // a reflection of 1, 1 + tiny, … and 2
		return float64(b2i(i == j))*(1+float64(i%2)+1e-15*float64(i)) - 2/float64(n)*(2+float64(i%2+j%2)-2*1.5)
	},
	"rank 1": func(i, j, n int) float64 { return math.Sin(float64(i+1)) * math.Sin(float64(j+1)) },
	"rank 3": func(i, j, n int) float64 {
		return math.Sin(float64(i+j)) + math.Cos(float64(3*i))*math.Cos(float64(3*j))
	},
	"hilbert": func(i, j, n int) float64 { return 1 / float64(1+i+j) },
}

// glue is what is beside the diagonal of matrices of 21 rows that small elements connect.
func glue(i, j int, by float64) float64 {
	switch {
	case i-j != 1:
		return 0
	case i%21 == 0:
		return by
	}
	return 1
}

// Eigenvectors are orthogonal, and with the eigenvalues the matrix, to a few units for each row; eigenvalues are gonum's.
func TestEighBlocks(t *testing.T) {
	for name, f := range hardSymmetric {
		for _, n := range []int{33, 50, 64, 65, 101, 256, 300} {
			if n > 65 && !thorough() {
				continue
			}
			for _, scale := range []float64{1, 0x1p500, 0x1p-500} {
				if scale == 1 || n == 65 {
					testEigh(t, fmt.Sprint(name, " ", n, scale), as[float64](symmetric(f, n, scale)), n)
				}
			}
			testEigh(t, fmt.Sprint(name, " ", n, " float32"), as[float32](symmetric(f, n, 1)), n)
		}
	}
	if thorough() {
		testEigh(t, "1000", as[float64](symmetric(hardSymmetric["random"], 1000, 1)), 1000)
		testEigh(t, "1000 float32", as[float32](symmetric(hardSymmetric["random"], 1000, 1)), 1000)
	}
}

func symmetric(f func(i, j, n int) float64, n int, scale float64) []float64 {
	a := make([]float64, n*n)
	for i := range n {
		for j := range i + 1 {
			a[i*n+j] = scale * f(i, j, n)
			a[j*n+i] = a[i*n+j]
		}
	}
	return a
}

func testEigh[T float](t *testing.T, what string, a []T, n int) {
	t.Helper()
	y := nans[T](n*n + n)
	if err := EighBlocks(y, a, n, nans[T](EighWork(n)), Rows[T]{}, Rows[float64]{}); err != nil {
		t.Fatal(what, err)
	}
	m, v := mat.NewDense(n, n, widened(a)), mat.NewDense(n, n, widened(y[:n*n]))
	w := widened(y[n*n:])
	wide := widened(a)
	exp := exponent(largest(wide))
	scale(math.Ldexp(1, -exp), wide)
	var f mat.EigenSym
	f.Factorize(mat.NewSymDense(n, wide), false)
	values := f.Values(nil)
	scale(math.Ldexp(1, exp), values)
	size := max(-values[0], values[n-1])
	tol := 4 * roundoff[T]() * float64(n)
	if !slices.IsSorted(w) {
		t.Errorf("%s: not ascending", what)
	}
	for i, x := range values {
		if !(math.Abs(w[i]-x) <= tol*size) {
			t.Fatalf("%s: eigenvalue %d is %v, not %v: %v units", what, i, w[i], x, math.Abs(w[i]-x)/size/roundoff[T]())
		}
	}
	var vv, av mat.Dense
	vv.Mul(v.T(), v)
	av.Mul(m, v)
	for i := range n {
		for j := range n {
			if off := vv.At(i, j) - float64(b2i(i == j)); !(math.Abs(off) <= tol) {
				t.Fatalf("%s: columns %d and %d: off by %v units", what, i, j, off/roundoff[T]())
			}
			if off := av.At(i, j) - v.At(i, j)*w[j]; !(math.Abs(off) <= tol*size) {
				t.Fatalf("%s: A·V less V·Λ at %d %d: %v units", what, i, j, off/size/roundoff[T]())
			}
		}
	}
}

func widened[T float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestEighNaN(t *testing.T) {
	const n = 40
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, n*n/2 + 3, n*n - 1} {
			a := symmetric(hardSymmetric["random"], n, 1)
			a[at] = x
			if err := EighBlocks(make([]float64, n*n+n), a, n, make([]float64, EighWork(n)), Rows[float64]{}, Rows[float64]{}); err != ErrSteps {
				t.Errorf("%v at %d: %v", x, at, err)
			}
			if err := EighBlocks(make([]float32, n*n+n), as[float32](a), n, make([]float32, EighWork(n)), Rows[float32]{}, Rows[float64]{}); err != ErrSteps {
				t.Errorf("float32, %v at %d: %v", x, at, err)
			}
		}
	}
}

func TestEighAllocates(t *testing.T) {
	const n = 100
	a, y, work := symmetric(hardSymmetric["random"], n, 1), make([]float64, n*n+n), make([]float64, EighWork(n))
	if got := testing.AllocsPerRun(10, func() { EighBlocks(y, a, n, work, Rows[float64]{}, Rows[float64]{}) }); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkEighBlocks(b *testing.B) {
	l, err := kernels.Select("")
	if err != nil {
		b.Fatal(err)
	}
	r := Rows[float64]{l.Rows[dtype.F64]}
	for _, n := range []int{33, 48, 64, 96, 128, 256, 1000} {
		b.Run(fmt.Sprint("f64/", n), func(b *testing.B) { benchmarkEigh(b, n, r, r) })
		b.Run(fmt.Sprint("f32/", n), func(b *testing.B) { benchmarkEigh(b, n, Rows[float32]{l.Rows[dtype.F32]}, r) })
	}
}

func benchmarkEigh[T float](b *testing.B, n int, r Rows[T], wide Rows[float64]) {
	a, y, work := as[T](symmetric(hardSymmetric["random"], n, 1)), make([]T, n*n+n), make([]T, EighWork(n))
	for b.Loop() {
		if err := EighBlocks(y, a, n, work, r, wide); err != nil {
			b.Fatal(err)
		}
	}
}
