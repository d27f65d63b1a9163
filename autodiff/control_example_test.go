package autodiff_test

import (
	"fmt"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A recurrence over the rows of an array, and the derivative of where it ends by where it began. Reverse mode keeps
// every second state and computes the others again.
func ExampleScan() {
	decay := func(start ad.Value) ad.Value {
		type state struct{ Level ad.Value }
		end, seen := ad.Scan(func(s state, in ad.Value) (state, ad.Value) {
			next := s.Level.Scale(0.5).Add(in)
			return state{next}, next
		}, state{start}, ad.From([]float64{1, 0, 2}), ad.ScanOptions{Every: 2})
		return end.Level.Add(seen.Sum())
	}
	fmt.Println(ad.ValueAndDerivative(decay, 4))
	// Output: 10 1 <nil>
}

// Steps that are numbered.
func ExampleForI() {
	factorial := func(n int) ad.Value {
		return ad.ForI(n, func(i, c ad.Value) ad.Value { return c.Mul(i.Shift(1).Convert(ad.F64)) }, ad.Scalar(1.0))
	}
	fmt.Println(factorial(5))
	// Output: float64[] 120
}

// As many steps as the data asks for. Reverse mode goes back over them; MaxSteps bounds what it keeps.
func ExampleWhile() {
	root := func(a ad.Value) ad.Value {
		return ad.While(func(x ad.Value) ad.Value { return x.Square().Sub(a).Abs().Gt(ad.Const(1e-12)) },
			func(x ad.Value) ad.Value { return x.Add(a.Div(x)).Scale(0.5) }, a, ad.WhileOptions{MaxSteps: 40})
	}
	y, dy, err := ad.ValueAndDerivative(root, 4)
	fmt.Printf("%.6f %.6f %v\n", y, dy, err)
	// Output: 2.000000 0.250000 <nil>
}

// Only the branch that the condition chooses is run, in derivatives, too.
func ExampleCond() {
	f := func(x ad.Value) ad.Value {
		return ad.Cond(x.Gt(ad.Const(0)), func() ad.Value { return x.Square() }, func() ad.Value { return x.Neg() })
	}
	fmt.Println(ad.Derivative(f, 3))
	fmt.Println(ad.Derivative(f, -3))
	// Output:
	// 6 <nil>
	// -1 <nil>
}

func ExampleSwitch() {
	f := func(i int32) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value {
			return ad.Switch(ad.Scalar(i), func() ad.Value { return x.Sin() }, func() ad.Value { return x.Square() }, func() ad.Value { return x })
		}
	}
	fmt.Println(ad.Derivative(f(1), 3))
	// Output: 6 <nil>
}

// A deep chain whose gradient needs the memory of one of its pieces.
func ExampleCheckpoint() {
	piece := func(x ad.Value) ad.Value {
		for range 20 {
			x = x.Sin().Mul(x.Cos())
		}
		return x
	}
	chain := func(piece func(ad.Value) ad.Value) func(ad.Value) ad.Value {
		return func(x ad.Value) ad.Value {
			for range 10 {
				x = piece(x)
			}
			return x.CumSum(0).Square().Sum()
		}
	}
	peak := func(f func(ad.Value) ad.Value) int {
		p, err := ad.Compile(ad.Grad(f), ad.F64.Spec(1000))
		if err != nil {
			panic(err)
		}
		n, err := p.PeakBytes(1)
		if err != nil {
			panic(err)
		}
		return n
	}
	fmt.Println(peak(chain(ad.Checkpoint(piece))) < peak(chain(piece)))
	// Output: true
}

// The root of x³ + x = p by any means, and how it follows p.
func ExampleImplicitRoot() {
	f := func(x, p ad.Value) ad.Value { return x.PowInt(3).Add(x).Sub(p) }
	x := func(p ad.Value) ad.Value { return ad.ImplicitRoot(f, ad.Scalar(2.0), p) } // 2³ + 2 = 10
	fmt.Printf("%.6f\n", ad.Grad(x)(ad.Scalar(10.0)).Item())                        // 1/(3·2² + 1)
	// Output: 0.076923
}

// The number that is its own cosine, times p.
func ExampleImplicitFixedPoint() {
	f := func(x, p ad.Value) ad.Value { return x.Cos().Mul(p) }
	x := func(p ad.Value) ad.Value {
		return ad.ImplicitFixedPoint(f, ad.ForI(100, func(_, x ad.Value) ad.Value { return f(x, p) }, p), p)
	}
	y, dy, err := ad.ValueAndDerivative(x, 1)
	fmt.Printf("%.6f %.6f %v\n", y, dy, err)
	// Output: 0.739085 0.441611 <nil>
}
