package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// Operations on arrays, at once, give the bits of compiled functions; bare numbers that differ from call to call are no new
// programs.
func TestAtOnce(t *testing.T) {
	nan, inf, zero := math.NaN(), math.Inf(1), math.Copysign(0, -1)
	matrix := []float64{1.5, -2, 0.25, nan, inf, zero, 3, -7, 1, 0.125, -inf, 2}
	inputs := map[string]ad.Value{
		"matrix": ad.From(matrix, 3, 4), "column": ad.From(matrix[:3], 3, 1), "row": ad.From(matrix[:1], 1), "number": ad.Scalar(-2.5),
		"none": ad.F64.Zeros(0, 3), "float32": ad.From(matrix, 4, 3).Convert(ad.F32), "bfloat16": ad.From(matrix, 12).Convert(ad.BF16),
		"int64": ad.From([]int64{7, -3, 0, 1 << 40, 5, 6}, 2, 3), "int32": ad.From([]int32{7, -3, 0}, 3),
	}
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"scale":         func(x ad.Value) ad.Value { return x.Scale(3) },
		"scale by 1":    func(x ad.Value) ad.Value { return x.Scale(1) },
		"scale by -0":   func(x ad.Value) ad.Value { return x.Scale(zero) },
		"shift":         func(x ad.Value) ad.Value { return x.Shift(-7) },
		"by 4":          func(x ad.Value) ad.Value { return x.Div(ad.Const(4)) },
		"by 1/3":        func(x ad.Value) ad.Value { return x.Div(ad.Const(1.0 / 3)) },
		"from":          func(x ad.Value) ad.Value { return ad.Const(0.3).Sub(x) },
		"pow":           func(x ad.Value) ad.Value { return x.Pow(ad.Const(3)) },
		"clamp":         func(x ad.Value) ad.Value { return x.Clamp(ad.Const(-1), ad.Const(2)) },
		"where":         func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(1)), x, ad.Const(9)) },
		"compare":       func(x ad.Value) ad.Value { return x.Le(ad.Const(0.25)) },
		"with itself":   func(x ad.Value) ad.Value { return x.Sub(x) },
		"sum":           func(x ad.Value) ad.Value { return x.Sum() },
		"sum of last":   func(x ad.Value) ad.Value { return x.Sum(-1) },
		"sum of first":  func(x ad.Value) ad.Value { return x.Sum(0) },
		"sum kept":      func(x ad.Value) ad.Value { return x.SumKeep(0) },
		"product":       func(x ad.Value) ad.Value { return x.Prod(0) },
		"mean":          func(x ad.Value) ad.Value { return x.Mean() },
		"mean kept":     func(x ad.Value) ad.Value { return x.MeanKeep() },
		"variance":      func(x ad.Value) ad.Value { return x.Var(0) },
		"variance kept": func(x ad.Value) ad.Value { return x.VarKeep(0) },
		"max":           func(x ad.Value) ad.Value { return x.ReduceMax() },
		"min kept":      func(x ad.Value) ad.Value { return x.ReduceMinKeep() },
		"arg max":       func(x ad.Value) ad.Value { return x.ArgMax(0) },
		"arg min":       func(x ad.Value) ad.Value { return x.ArgMin(-1) },
		"logsumexp":     func(x ad.Value) ad.Value { return x.LogSumExp() },
		"softmax":       func(x ad.Value) ad.Value { return x.Softmax(-1) },
		"flat":          func(x ad.Value) ad.Value { return x.Reshape(-1) },
		"column of all": func(x ad.Value) ad.Value { return x.Reshape(-1, 1) },
		"converted":     func(x ad.Value) ad.Value { return x.Convert(ad.F32) },
		"truth":         func(x ad.Value) ad.Value { return x.Convert(ad.Bool) },
		"cube":          func(x ad.Value) ad.Value { return x.PowInt(3) },
		"inverse":       func(x ad.Value) ad.Value { return x.PowInt(-1) },
		"squares":       func(x ad.Value) ad.Value { return x.Reshape(-1, 1).MatMul(x.Reshape(1, -1)) },
		"dot":           func(x ad.Value) ad.Value { return x.Reshape(-1).Dot(x.Reshape(-1)) },
		"outer":         func(x ad.Value) ad.Value { return x.Reshape(-1).Outer(x.Reshape(-1)) },
	} {
		for of, x := range inputs {
			t.Run(name+" of "+of, func(t *testing.T) {
				p, err := ad.Compile(f, x)
				want := ad.Value{}
				if err == nil {
					want, err = p.Run(context.Background(), x)
				}
				for range 2 { // compiled and found
					got, problem := atOnce(f, x)
					switch {
					case (err == nil) != (problem == nil):
						t.Fatalf("%v, compiled %v", problem, err)
					case err == nil && (got.String() != want.String() || got.DType() != want.DType() || !same(got, want)):
						t.Fatalf("%v, compiled %v", got, want)
					}
				}
			})
		}
	}
}

func atOnce(f func(x ad.Value) ad.Value, x ad.Value) (y ad.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	return f(x), nil
}

// same compares shapes and, with NaN equal to itself and -0 not 0, elements.
func same(x, y ad.Value) bool {
	if fmt.Sprint(x.Shape()) != fmt.Sprint(y.Shape()) {
		return false
	}
	x, y = x.Reshape(-1), y.Reshape(-1)
	for i := range x.Dim(0) {
		a, b := x.At(i), y.At(i)
		if math.Float64bits(a) != math.Float64bits(b) && (a == a || b == b) {
			return false
		}
	}
	return true
}

func TestAtOnceIsFound(t *testing.T) {
	x := ad.From([]float64{1, 2, 3})
	step := func(i int) {
		x.Scale(0.1 + float64(i)).Shift(3.25 * float64(i+1)).Square().Sum().Item()
	}
	step(0)
	programs := ad.Cache().Programs
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			for i := range 50 {
				step(k*50 + i)
			}
		})
	}
	wait.Wait()
	if n := ad.Cache().Programs; n != programs {
		t.Errorf("%d programs, then %d", programs, n)
	}
	if n := testing.AllocsPerRun(50, func() { x.Sin() }); n > 3 { // the array and its elements; where races are looked for, now and then the room of a call
		t.Errorf("%v allocations", n)
	}
	if _, err := atOnce(func(x ad.Value) ad.Value { return x.Shift(0.5) }, ad.From([]int64{1})); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Error(err)
	}
}
