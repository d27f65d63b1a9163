package autodiff_test

import (
	"fmt"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The gradient of a Gaussian's log likelihood, but for a constant, by its covariance.
func ExampleValue_Cholesky() {
	y := ad.From([]float64{1, 2})
	likelihood := func(cov ad.Value) ad.Value {
		l := cov.Cholesky()
		z := l.SolveTriangular(y, ad.Triangle{})
		return z.Square().Sum().Scale(-0.5).Sub(l.Diagonal().Log().Sum())
	}
	g := ad.Grad(likelihood)(ad.From([]float64{2, 0, 0, 4}, 2, 2))
	fmt.Printf("%.4f\n", g.Float64s())
	// Output: [-0.1250 0.1250 0.1250 0.0000]
}

// A batch of systems of equations, and how the solution follows the right side.
func ExampleValue_Solve() {
	a := ad.From([]float64{2, 0, 0, 4, 1, 1, 0, 1}, 2, 2, 2)
	b := ad.From([]float64{2, 4, 3, 1}, 2, 2, 1)
	fmt.Println(a.Solve(b))
	f := func(b ad.Value) ad.Value { return a.Solve(b).Sum() }
	fmt.Println(ad.Grad(f)(b))
	// Output:
	// float64[2 2 1] 1 1 2 1
	// float64[2 2 1] 0.5 0.25 1 0
}

func ExampleValue_TopK() {
	y, at := ad.From([]float64{3, 9, 1, 7}).TopK(2, 0)
	fmt.Println(y, at)
	// Output: float64[2] 9 7 int64[2] 1 3
}

// How the largest eigenvalue follows a symmetric matrix: the outer product of its vector with itself.
func ExampleValue_Eigh() {
	largest := func(a ad.Value) ad.Value {
		w, _ := a.Eigh() // ascending
		return w.Index(-1)
	}
	a := ad.From([]float64{2, 1, 1, 2}, 2, 2)
	fmt.Printf("%.4f %.4f\n", largest(a).Item(), ad.Grad(largest)(a).Float64s())
	// Output: 3.0000 [0.5000 0.5000 0.5000 0.5000]
}

// The sum of the singular values has the derivative U·Vᵀ.
func ExampleValue_SVD() {
	nuclear := func(a ad.Value) ad.Value {
		_, s, _ := a.SVD()
		return s.Sum()
	}
	fmt.Printf("%.4f\n", ad.Grad(nuclear)(ad.From([]float64{3, 0, 0, 2, 0, 0}, 3, 2)).Float64s())
	// Output: [1.0000 0.0000 0.0000 1.0000 0.0000 0.0000]
}

func ExampleValue_QR() {
	q, r := ad.From([]float64{3, 1, 4, 2}, 2, 2).QR()
	fmt.Printf("%.4f\n", q.MatMul(r).Float64s())
	fmt.Printf("%.4f\n", q.T().MatMul(q).Abs().Float64s())
	// Output:
	// [3.0000 1.0000 4.0000 2.0000]
	// [1.0000 0.0000 0.0000 1.0000]
}

// The line through points that misses them least.
func ExampleValue_Lstsq() {
	a := ad.From([]float64{1, 0, 1, 1, 1, 2}, 3, 2)
	fmt.Printf("%.4f\n", a.Lstsq(ad.From([]float64{1, 3, 5})).Float64s())
	// Output: [1.0000 2.0000]
}

// A rotation by the exponential of its generator.
func ExampleValue_Expm() {
	turn := func(angle ad.Value) ad.Value { return ad.From([]float64{0, -1, 1, 0}, 2, 2).Mul(angle).Expm() }
	fmt.Printf("%.4f\n", turn(ad.Scalar(1.0)).Float64s())
	fmt.Printf("%.4f\n", ad.Jacobian(turn)(ad.Scalar(1.0)).Float64s())
	// Output:
	// [0.5403 -0.8415 0.8415 0.5403]
	// [-0.8415 -0.5403 0.5403 -0.8415]
}

// A derivative follows the elements to where they came from.
func ExampleValue_Sort() {
	f := func(x ad.Value) ad.Value { return x.Sort(0).Mul(ad.From([]float64{1, 10, 100})).Sum() }
	fmt.Println(ad.Grad(f)(ad.From([]float64{5, 2, 3})))
	// Output: float64[3] 100 1 10
}
