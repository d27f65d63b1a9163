package autodiff_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func iota(dims ...int) ad.Value {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return ad.F64.Iota(0, n).Reshape(dims...)
}

// What NumPy gives for the same.
func TestStructure(t *testing.T) {
	x := iota(2, 3)
	idx := ad.From([]int32{2, 0})
	for i, c := range []struct {
		got  ad.Value
		want string
	}{
		{x.Reshape(3, -1), "[3 2] [0 1 2 3 4 5]"},
		{x.Transpose(), "[3 2] [0 3 1 4 2 5]"},
		{x.Transpose(1, 0), "[3 2] [0 3 1 4 2 5]"},
		{x.T(), "[3 2] [0 3 1 4 2 5]"},
		{x.Flatten(), "[6] [0 1 2 3 4 5]"},
		{x.ExpandDims(1), "[2 1 3] [0 1 2 3 4 5]"},
		{x.ExpandDims(-1).Squeeze(), "[2 3] [0 1 2 3 4 5]"},
		{iota(3).BroadcastTo(2, 3), "[2 3] [0 1 2 0 1 2]"},
		{iota(3).BroadcastLike(x), "[2 3] [0 1 2 0 1 2]"},
		{x.Slice(ad.Range{}, ad.Range{Lo: 1}), "[2 2] [1 2 4 5]"},
		{x.Slice(ad.Range{Lo: -1}, ad.Range{Hi: -1}), "[1 2] [3 4]"},
		{iota(7).Slice(ad.Range{Lo: 1, Step: 3}), "[2] [1 4]"},
		{iota(7).Slice(ad.Range{Step: -3}), "[3] [6 3 0]"},
		{x.Index(1), "[3] [3 4 5]"},
		{x.Index(-1, 2), "[] [5]"},
		{x.Narrow(1, 1, 2), "[2 2] [1 2 4 5]"},
		{x.Reverse(1), "[2 3] [2 1 0 5 4 3]"},
		{ad.Concat(0, x, x.Narrow(0, 0, 1)), "[3 3] [0 1 2 3 4 5 0 1 2]"},
		{ad.Concat(-1, x, x.Narrow(1, 0, 1)), "[2 4] [0 1 2 0 3 4 5 3]"},
		{ad.Stack(1, iota(2), iota(2).Neg()), "[2 2] [0 -0 1 -1]"},
		{x.Split(1, 3)[2], "[2 1] [2 5]"},
		{x.Pad([]int{0, 1}, []int{1, 0}, 9), "[3 4] [9 0 1 2 9 3 4 5 9 9 9 9]"},
		{x.Take(idx, 1), "[2 2] [2 0 5 3]"},
		{x.TakeAlong(idx.Reshape(2, 1), 1), "[2 1] [2 3]"},
		{x.ScatterAdd(ad.From([]int32{1, 1}), ad.F64.Ones(2, 2), 1), "[2 3] [0 3 2 3 6 5]"},
		{idx.OneHot(3, ad.F64), "[2 3] [0 0 1 1 0 0]"},
		{x.IotaLike(1), "[2 3] [0 1 2 0 1 2]"},
		{x.SizeOf(1, ad.I64), "[] [3]"},
		{x.Sum(), "[] [15]"},
		{x.Sum(0), "[3] [3 5 7]"},
		{x.SumKeep(-1), "[2 1] [3 12]"},
		{x.Mean(1), "[2] [1 4]"},
		{x.Var(0), "[3] [2.25 2.25 2.25]"},
		{x.Std(0), "[3] [1.5 1.5 1.5]"},
		{x.Shift(1).Prod(), "[] [720]"},
		{x.ReduceMax(0), "[3] [3 4 5]"},
		{x.ReduceMin(1), "[2] [0 3]"},
		{x.ReduceMaxKeep(), "[1 1] [5]"},
		{x.ArgMax(1), "[2] [2 2]"},
		{x.ArgMin(0), "[3] [0 0 0]"},
		{x.CumSum(1), "[2 3] [0 1 3 3 7 12]"},
		{x.Norm1(1), "[2] [3 12]"},
		{x.NormInf(), "[] [5]"},
		{ad.From([]float64{3, 4}).Norm(), "[] [5]"},
		{x.Gt(ad.Const(2)).Any(1), "[2] [0 1]"},
		{ad.Bool.Zeros(2, 0).Any(1), "[2] [0 0]"},
		{ad.Bool.Zeros(0).All(), "[] [1]"},
		{x.Gt(ad.Const(2)).All(1), "[2] [0 1]"},
		{x.Gt(ad.Const(2)).CountTrue(), "[] [3]"},
		{x.MatMul(x.T()), "[2 2] [5 14 14 50]"},
		{x.MatMul(iota(3)), "[2] [5 14]"},
		{iota(2).MatMul(x), "[3] [3 4 5]"},
		{iota(3).Dot(iota(3)), "[] [5]"},
		{iota(2).Outer(iota(3)), "[2 3] [0 0 0 0 1 2]"},
		{ad.Einsum("ij,kj->ki", x, x), "[2 2] [5 14 14 50]"},
		{x.Convert(ad.Bool), "[2 3] [0 1 1 1 1 1]"},
		{ad.From([]float64{-1.5, 2.5, math.NaN()}).Convert(ad.I32), "[3] [-1 2 0]"},
		{ad.Where(x.Lt(ad.Const(3)), x, ad.Const(-1)), "[2 3] [0 1 2 -1 -1 -1]"},
		{ad.FromMatrix(x.Matrix().T()), "[3 2] [0 3 1 4 2 5]"},
		{ad.F64.Zeros(0, 3).Sum(0), "[3] [0 0 0]"},
		{ad.F64.Zeros(0, 3).Exp(), "[0 3] []"},
		{ad.F32.Full(2.5, 2), "[2] [2.5 2.5]"},
		{ad.I64.Full(-3, 1), "[1] [-3]"},
		{ad.From([]bool{true, false}).Not(), "[2] [0 1]"},
		{x.Softmax(0).Sum(0).Convert(ad.F32), "[3] [1 1 1]"},
		{x.LogSumExp(1).Sub(x.LogSoftmax(1).Index(1).Neg().Add(x.Index(1)).Index(0)).Round(), "[2] [-3 0]"},
	} {
		s := c.got.Float64s()
		if got := fmt.Sprintf("%v %v", c.got.Shape(), s); got != c.want {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
	}
	d := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
	v := ad.FromMatrix(d)
	d.Set(0, 0, 9)
	if v.At(0, 0) != 9 {
		t.Error("a dense matrix is copied")
	}
}

// A mistake is an error that names the operation, the shapes and this file.
func TestBadInput(t *testing.T) {
	two := func(f func(x, y ad.Value) ad.Value, x, y ad.Value) func() error {
		return func() error {
			_, err := ad.Compile2(f, x, y)
			return err
		}
	}
	f := func(f func(x ad.Value) ad.Value, dims ...int) func() error {
		return func() error {
			_, err := ad.Compile(f, ad.F32.Spec(dims...))
			return err
		}
	}
	for want, run := range map[string]func() error{
		"Add [2 3], [2 4]: axes of 3 and 4 do not broadcast": two(ad.Value.Add, ad.F32.Spec(2, 3), ad.F32.Spec(2, 4)),
		"Sum [2 3]: axis 2 is not in -2 … 1":                 f(func(x ad.Value) ad.Value { return x.Sum(2) }, 2, 3),
		"Sum [2 3]: axis 1 is named twice":                   f(func(x ad.Value) ad.Value { return x.Sum(1, -1) }, 2, 3),
		"Reshape [2 3] to [4 2]: the numbers of elements":    f(func(x ad.Value) ad.Value { return x.Reshape(4, 2) }, 2, 3),
		"Reshape [2 3] to [4 -1]: 6 elements are no mult":    f(func(x ad.Value) ad.Value { return x.Reshape(4, -1) }, 2, 3),
		"Add of no value":                                     f(func(x ad.Value) ad.Value { return ad.Value{}.Add(x).Exp() }, 2),
		"ReduceMax [0 3]: axis 0 is empty":                    f(func(x ad.Value) ad.Value { return x.ReduceMax(0) }, 0, 3),
		"input shape [1099511627776 1099511627776] has too":   f(func(x ad.Value) ad.Value { return x.Sum() }, 1<<40, 1<<40),
		"And of float32 is not defined":                       f(func(x ad.Value) ad.Value { return x.And(x) }, 2),
		"Item [2]: the value is not known while":              f(func(x ad.Value) ad.Value { return x.Scale(x.Item()) }, 2),
		"Take [3] at [2]: indices of type float32":            f(func(x ad.Value) ad.Value { return x.Take(x.Narrow(0, 0, 2), 0) }, 3),
		"Concat [2 3], [3]: the shapes differ":                f(func(x ad.Value) ad.Value { return ad.Concat(0, x, x.Index(0)) }, 2, 3),
		"Einsum \"ij,jk->ik\": operand 2, [2 3]: index j has": f(func(x ad.Value) ad.Value { return ad.Einsum("ij,jk->ik", x, x) }, 2, 3),
		"Jacobian of float32 [B] by float32 [B]":              f(ad.Jacobian(ad.Value.Exp), ad.AnyBatch),
		"Slice [2 3]: start 1, step 1, size 7 leaves axis 1":  f(func(x ad.Value) ad.Value { return x.Slice(ad.Range{}, ad.Range{Lo: 1, Hi: 8}) }, 2, 3),
		"Compile the function's result holds no value":        f(func(x ad.Value) ad.Value { return ad.Value{} }, 2),
		"Compile no level \"sse9\"": func() error {
			_, err := ad.Compile(ad.Value.Exp, ad.F32.Spec(2), ad.Options{Level: "sse9"})
			return err
		},
		"Compile -1 threads": func() error {
			_, err := ad.Compile(ad.Value.Exp, ad.F32.Spec(2), ad.Options{Threads: -1})
			return err
		},
	} {
		err := run()
		if err == nil || !strings.HasPrefix(err.Error(), "autodiff: "+want) {
			t.Errorf("%v\nwant autodiff: %s", err, want)
		} else if !strings.HasPrefix(want, "Compile") && !strings.Contains(err.Error(), "structure_test.go:") {
			t.Errorf("%v does not name the line", err)
		}
	}
	for want, bad := range map[string]func(){
		"From [2 2]: the shape has 4 elements, the slice 3": func() { ad.From([]float32{1, 2, 3}, 2, 2) },
		"Data [2]: the elements are float32, not float64":   func() { ad.Data[float64](ad.F32.Ones(2)) },
		"MatMul [2 3] × [2 3]: inner sizes 3 and 2 differ":  func() { x := iota(2, 3); x.MatMul(x) },
		"Take index 3 is not in 0 … 2":                      func() { iota(3).Take(ad.From([]int32{3}), 0) },
		"Vmap [] of float64: an axis to map over is needed": func() { ad.Vmap(ad.Value.Exp)(ad.Scalar(1.0)) },
		"Item [3]: 3 elements, not one":                     func() { iota(3).Item() },
		"Grad the argument holds no float":                  func() { ad.Grad(func(x ad.Value) ad.Value { return ad.F64.Ones() })(ad.From([]int32{1})) },
		"TreeMap 1 and 2 values: the trees differ": func() {
			ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0] }, []ad.Value{iota(1)}, []ad.Value{iota(1), iota(1)})
		},
		"While -1 steps at most, 0 kept: a negative number": func() {
			ad.While(func(x ad.Value) ad.Value { return x.Lt(ad.Const(1)) }, ad.Value.Exp, ad.Scalar(0.0), ad.WhileOptions{MaxSteps: -1})
		},
		"At [3]: index [3] is out of range":                   func() { iota(3).At(3) },
		"Spec [-2]: a negative size":                          func() { ad.F32.Spec(-2) },
		"Matrix [3] of float64: two axes of float64":          func() { iota(3).Matrix() },
		"CrossEntropy [2 3], [3] of int32: integer labels of": func() { ad.CrossEntropy(iota(2, 3), ad.I32.Zeros(3)) },
	} {
		wantPanic(t, want, "structure_test.go", bad)
	}
	// The function that was called, where the operation has another name.
	for want, f := range map[string]func(x ad.Value) ad.Value{
		"ReduceMax [0]: axis 0 is empty (, in NormInf)":        func(x ad.Value) ad.Value { return ad.F64.Zeros(0).NormInf() },
		"Solve [2 2]: the matrix is singular (, in Inverse)":   func(x ad.Value) ad.Value { return x.Outer(x).Inverse() },
		"ScatterAdd index 7 is not in 0 … 1 (, in SegmentSum)": func(x ad.Value) ad.Value { return x.SegmentSum(ad.From([]int32{0, 7}), 2) },
		"Scan []: an axis to step over is needed ()": func(x ad.Value) ad.Value {
			y, _ := ad.Scan(func(c, x ad.Value) (c2, y ad.Value) { return c, c }, x, x.Sum())
			return y
		},
		"Grad [2] of float64: the function's result must be one float, of shape [] (see Sum, Jacobian, Vmap) ()": func(x ad.Value) ad.Value { return ad.Grad(ad.Value.Exp)(x) },
	} {
		_, err := ad.Call(f, iota(2))
		if got := regexp.MustCompile(`structure_test.go:\d+`).ReplaceAllString(fmt.Sprint(err), ""); got != "autodiff: "+want {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// Arrays of no elements, nil slices and batches of none, which have values, derivatives, or an error that is no panic.
func TestEmpty(t *testing.T) {
	logdet := func(x ad.Value) ad.Value { s, l := x.LogDet(); return s.Add(l) }
	for _, c := range []struct {
		f    func(x ad.Value) ad.Value
		dims []int
		want string
	}{
		{func(x ad.Value) ad.Value { return x.Prod() }, []int{0}, "float64[] 1"},
		{func(x ad.Value) ad.Value { return x.CumProd(1).CumSum(0) }, []int{2, 0}, "float64[2 0]"},
		{func(x ad.Value) ad.Value { return x.CumMax(0).Add(x.CumMin(0)) }, []int{0, 2}, "float64[0 2]"},
		{logdet, []int{0, 0}, "float64[] 1"},
		{logdet, []int{2, 0, 0}, "float64[2] 1 1"},
		{ad.Value.Det, []int{0, 0}, "float64[] 1"},
		{func(x ad.Value) ad.Value { return x.LogSumExp(1) }, []int{2, 0}, "float64[2] -Inf -Inf"},
		{func(x ad.Value) ad.Value { return x.Softmax(1).Add(x.LogSoftmax(0)) }, []int{2, 0}, "float64[2 0]"},
	} {
		x := ad.F64.Zeros(c.dims...)
		if y := c.f(x); y.String() != c.want {
			t.Errorf("%v, not %s", y, c.want)
		}
		for _, d := range []ad.Value{
			ad.Grad(func(x ad.Value) ad.Value { return c.f(x).Sum() })(x),
			ad.HVP(func(x ad.Value) ad.Value { return c.f(x).Sum() })(x, x).Tangent,
		} {
			if !slices.Equal(d.Shape(), c.dims) {
				t.Errorf("%s: derivative %v", c.want, d)
			}
		}
	}
	if g, err := ad.Gradient(func(x ad.Value) ad.Value { return x.Square().Sum() }, nil); err != nil || len(g) != 0 {
		t.Error(g, err)
	}
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"CumMax": func(x ad.Value) ad.Value { return x.CumMax(0) },
		"CumMin": func(x ad.Value) ad.Value { return x.CumMin(0) },
	} {
		p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value { return f(x).Dot(x.IotaLike(0)) }), ad.F64.Spec(ad.AnyBatch))
		if err != nil {
			t.Fatal(err)
		}
		for batch, want := range []string{"float64[0]", "float64[1] 0", "float64[2] 1 0", "float64[3] 3 0 0"} {
			if g, err := p.Run(background, ad.F64.Full(1, batch)); err != nil || g.String() != want {
				t.Error(name, batch, g, err)
			}
		}
		x := ad.From([]float64{2, 3, 1, 1, math.NaN(), 5})
		if g, err := p.Run(background, x); err != nil || g.String() != ad.Grad(func(x ad.Value) ad.Value { return f(x).Dot(x.IotaLike(0)) })(x).String() {
			t.Error(name, g, err)
		}
	}
	diff, err := ad.Compile(func(x ad.Value) ad.Value { return x.Slice(ad.Range{Lo: 1}).Sub(x.Slice(ad.Range{Hi: -1})) }, ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	if y, err := diff.Run(background, ad.F64.Zeros(0)); err == nil || !strings.Contains(err.Error(), "[-1] has a negative size") {
		t.Error(y, err)
	}
	if d := ad.Grad(func(x ad.Value) ad.Value { return x.Std() })(ad.F64.Ones(3)); d.String() != "float64[3] 0 0 0" {
		t.Error("Std of equal elements", d)
	}
}

// The first extreme of each column and row, whatever their number: among ties, zeros of both signs and NaNs.
func TestArgReduceWide(t *testing.T) {
	for _, n := range []int{1, 2, 7, 33} {
		for _, cols := range []int{1, 2, 63, 64, 65, 130} {
			x := make([]float64, n*cols)
			for i := range x {
				switch k := i * 7919 % 31; {
				case k < 2:
					x[i] = math.NaN()
				case k < 5:
					x[i] = math.Copysign(0, float64(k)-3)
				default:
					x[i] = float64(k%7) - 3
				}
			}
			v := ad.From(x, n, cols)
			least, most := v.ArgMin(0), v.ArgMax(0)
			rowLeast, rowMost := v.T().ArgMin(1), v.T().ArgMax(1)
			for j := range cols {
				lo, hi := 0, 0
				for i := range n {
					at := func(i int) float64 { return x[i*cols+j] }
					isNaN := func(i int) bool { return math.IsNaN(at(i)) }
					if !isNaN(lo) && (isNaN(i) || at(i) < at(lo)) {
						lo = i
					}
					if !isNaN(hi) && (isNaN(i) || at(i) > at(hi)) {
						hi = i
					}
				}
				if least.At(j) != float64(lo) || most.At(j) != float64(hi) {
					t.Errorf("%d rows, column %d of %d: %v and %v, not %d and %d", n, j, cols, least.At(j), most.At(j), lo, hi)
				}
				if rowLeast.At(j) != float64(lo) || rowMost.At(j) != float64(hi) {
					t.Errorf("%d columns, row %d of %d: %v and %v, not %d and %d", n, j, cols, rowLeast.At(j), rowMost.At(j), lo, hi)
				}
			}
		}
	}
}

// wantPanic calls f, which must panic with an error that starts with want and names a line of the file.
func wantPanic(t *testing.T, want, file string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		err, _ := recover().(*ad.Error)
		if err == nil || !strings.HasPrefix(err.Error(), "autodiff: "+want) || !strings.Contains(err.Error(), file+":") {
			t.Errorf("%v\nwant autodiff: %s", err, want)
		}
	}()
	f()
}

// Counting over whatever axis, in more than one task.
func TestIota(t *testing.T) {
	const rows, cols = 3, 70_001
	for _, typ := range []ad.DType{ad.F32, ad.F64, ad.I32, ad.I64, ad.BF16} {
		for axis := range 2 {
			x, err := ad.Compile(func(x ad.Value) ad.Value { return typ.Iota(axis, rows, cols).Convert(ad.F64).Add(x) }, ad.F64.Spec(), ad.Options{Threads: 3})
			if err != nil {
				t.Fatal(err)
			}
			y, err := x.Run(t.Context(), ad.Scalar(0.5))
			if err != nil {
				t.Fatal(err)
			}
			for k, got := range y.Float64s() {
				i := []int{k / cols, k % cols}[axis]
				if want := float64(i); typ != ad.BF16 && got != want+0.5 || typ == ad.BF16 && math.Abs(got-0.5-want) > want/256 {
					t.Fatalf("%v, axis %d, element %d: %g", typ, axis, k, got)
				}
			}
		}
	}
}
