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
