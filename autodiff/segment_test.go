package autodiff_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func TestSegments(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	x := ad.From([]float64{1, 5, 5, -2, 3, 5, 0, -1}, 8)
	ids := ad.From([]int32{0, 2, 0, 4, 2, 2, 4, 0})
	rows := ad.From([]float64{1, 2, 3, 4, 5, 6}, 3, 2)
	sorted := ad.From([]float64{-1, 0, 0, 2, 5})
	queries := ad.From([]float64{-2, -1, 0, 1, 5, 6, nan, -inf})
	u := ad.From([]float64{3, 1, nan, 3, 1, 1, nan, 7}, 2, 4).Unique(6)
	cut := ad.From([]int32{5, 4, 5, 6, 4}).Unique(2)
	grad := func(f func(x ad.Value) ad.Value) ad.Value { return ad.Grad(f)(x) }
	for i, c := range []struct {
		got  ad.Value
		want string
	}{
		{x.SegmentSum(ids, 5), "[5] [5 0 13 0 -2]"},
		{x.SegmentMean(ids, 5).Mul(ad.From([]float64{3, 1, 3, 1, 1})), "[5] [5 0 13 0 -1]"},
		{x.SegmentProd(ids, 5), "[5] [-5 1 75 1 -0]"},
		{rows.SegmentProd(ad.From([]int64{1, 0, 1}), 3), "[3 2] [3 4 5 12 1 1]"},
		{rows.Convert(ad.I32).SegmentProd(ad.From([]int64{1, 0, 1}), 2), "[2 2] [3 4 5 12]"},
		{ad.F32.Zeros(0).SegmentProd(ad.I32.Zeros(0), 2), "[2] [1 1]"},
		{grad(func(x ad.Value) ad.Value { return x.SegmentProd(ids, 5).Sum() }), "[8] [-5 15 -1 0 25 15 -2 5]"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.SegmentProd(ad.From([]int32{0, 1, 0, 0, 1}), 2).Sum() })(ad.From([]float64{0, 2, 3, 0, 4})), "[5] [0 4 0 0 2]"},
		{x.SegmentMax(ids, 5), "[5] [5 -Inf 5 -Inf 0]"},
		{x.SegmentMin(ids, 5), "[5] [-1 +Inf 3 +Inf -2]"},
		{ad.From([]float64{1, nan, 3}).SegmentMax(ad.From([]int32{0, 0, 1}), 2), "[2] [NaN 3]"},
		{ad.From([]float64{1, nan, 3}).SegmentMin(ad.From([]int32{0, 0, 1}), 2), "[2] [NaN 3]"},
		{rows.SegmentMax(ad.From([]int64{1, 0, 1}), 2), "[2 2] [3 4 5 6]"},
		{rows.Convert(ad.F32).SegmentMax(ad.From([]int32{2, 0, 2}), 3), "[3 2] [3 4 -Inf -Inf 5 6]"},
		{ad.From([]float32{float32(-inf), float32(nan), 3}).SegmentMax(ad.From([]int64{0, 1, 1}), 3), "[3] [-Inf NaN -Inf]"},
		{rows.SegmentSum(ad.From([]int64{1, 0, 1}), 3), "[3 2] [3 4 6 8 0 0]"},
		{rows.Convert(ad.I32).SegmentSum(ad.From([]int64{1, 0, 1}), 2), "[2 2] [3 4 6 8]"},
		{grad(func(x ad.Value) ad.Value { return x.SegmentMax(ids, 5).Index(2) }), "[8] [0 0.5 0 0 0 0.5 0 0]"},
		{grad(func(x ad.Value) ad.Value { return x.SegmentMin(ids, 5).Index(4) }), "[8] [-0 -0 -0 1 0 -0 -0 0]"},
		{ad.From([]float64{2, 2, -inf, 1000, -inf}).SegmentSoftmax(ad.From([]int32{0, 0, 0, 1, 1}), 2), "[5] [0.5 0.5 0 1 0]"},
		{ids.Bincount(5), "[5] [3 0 3 0 2]"},
		{ad.F32.Zeros(0).SegmentMax(ad.I32.Zeros(0), 2), "[2] [-Inf -Inf]"},
		{sorted.SearchSorted(queries, false), "[8] [0 0 1 3 4 5 5 0]"},
		{sorted.SearchSorted(queries, true), "[8] [0 1 3 3 5 5 5 0]"},
		{ad.From([]float64{1, nan}).SearchSorted(ad.From([]float64{0, nan}), false), "[2] [0 1]"},
		{ad.From([]float64{1, nan}).SearchSorted(ad.From([]float64{2, nan}), true), "[2] [1 2]"},
		{ad.From([]int32{2, 4, 6}).SearchSorted(ad.From([]int32{1, 4, 5, 9}).Reshape(2, 2), false), "[2 2] [0 1 2 3]"},
		{ad.F64.Zeros(0).SearchSorted(queries, true), "[8] [0 0 0 0 0 0 0 0]"},
		{queries.Histogram(sorted), "[4] [1 0 2 1]"},
		{u.Values, "[6] [1 3 7 NaN 1 1]"},
		{u.Counts, "[6] [3 2 1 2 0 0]"},
		{u.Inverse, "[2 4] [1 0 3 1 0 0 3 2]"},
		{u.Len, "[] [4]"},
		{cut.Values, "[2] [4 5]"},
		{cut.Counts, "[2] [2 2]"},
		{cut.Inverse, "[5] [1 0 1 2 0]"},
		{cut.Len, "[] [3]"},
		{grad(func(x ad.Value) ad.Value { return x.Unique(8).Values.Index(4) }), "[8] [0 0 0 0 1 0 0 0]"},
	} {
		if got := fmt.Sprintf("%v %v", c.got.Shape(), c.got.Float64s()); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
	// Against the definition of a larger one.
	values := random(1, 500).Scale(3).Round()
	edges := []float64{-4, -2.5, -1, 0, 1, 1.5, 6}
	want := make([]float64, len(edges)-1)
	for _, v := range values.Float64s() {
		if i, _ := slices.BinarySearchFunc(edges, v, func(e, v float64) int {
			if e <= v {
				return -1
			}
			return 1
		}); i > 0 && (i < len(edges) || v == 6) {
			want[min(i, len(want))-1]++
		}
	}
	if got := values.Histogram(ad.From(edges)).Float64s(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSegmentGrads(t *testing.T) {
	ids := ad.From([]int32{0, 2, 0, 1, 2, 2, 0})
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"sum":     func(x ad.Value) ad.Value { return x.SegmentSum(ids, 3) },
		"mean":    func(x ad.Value) ad.Value { return x.SegmentMean(ids, 3) },
		"max":     func(x ad.Value) ad.Value { return x.SegmentMax(ids, 3) },
		"min":     func(x ad.Value) ad.Value { return x.SegmentMin(ids, 3) },
		"prod":    func(x ad.Value) ad.Value { return x.SegmentProd(ids, 3).Scale(1e-3) },
		"softmax": func(x ad.Value) ad.Value { return x.SegmentSoftmax(ids, 3) },
		"unique":  func(x ad.Value) ad.Value { return x.Unique(20).Values },
	} {
		for _, dt := range []ad.DType{ad.F64, ad.F32} {
			// Far from ties.
			x := sequence(5, 2, 17, 8, []int{7, 2}).Add(random(1, 7, 2).Scale(0.05)).Convert(dt)
			if err := ad.CheckGrads(func(x ad.Value) ad.Value { return f(x).Square() }, x); err != nil {
				t.Errorf("%s, %v: %v", name, dt, err)
			}
		}
	}
	// Vmap, of segments that differ from example to example.
	x, each := random(2, 4, 7), ad.From([]int32{0, 1, 2, 0, 1, 2, 0, 2, 2, 2, 2, 2, 2, 2, 0, 0, 1, 1, 2, 2, 2, 1, 0, 1, 0, 1, 0, 1}, 4, 7)
	type in struct{ X, Ids ad.Value }
	all := ad.Vmap(func(p in) ad.Value { return p.X.SegmentMax(p.Ids, 3).Add(p.X.SegmentSum(p.Ids, 3)) })(in{x, each})
	for i := range 4 {
		want := x.Index(i).SegmentMax(each.Index(i), 3).Add(x.Index(i).SegmentSum(each.Index(i), 3))
		if got := all.Index(i); !slices.Equal(got.Float64s(), want.Float64s()) {
			t.Errorf("example %d: %v, want %v", i, got, want)
		}
	}
}

func TestSegmentErrors(t *testing.T) {
	x, ids := ad.F64.Ones(3), ad.From([]int32{0, 1, 2})
	for want, f := range map[string]func(){
		"ScatterAdd index 2 is not in 0 … 1":                                               func() { x.SegmentSum(ids, 2) },
		"SegmentMax index 2 is not in 0 … 1":                                               func() { x.SegmentMax(ids, 2) },
		"SegmentMax index -1 is not in 0 … 2":                                              func() { x.Neg().SegmentMax(ids.Shift(-1).Convert(ad.I64), 3) },
		"SegmentMax [3] by [2] of int32: an integer for each slice of the first axis":      func() { x.SegmentMax(ad.I32.Ones(2), 2) },
		"SegmentMean [3] of int32 is not defined (use Convert)":                            func() { ids.SegmentMean(ids, 3) },
		"SearchSorted int32[3] in float64[3]: one axis, of a size that does not depend":    func() { x.SearchSorted(ids, true) },
		"Histogram edges of [1]: two at least are needed":                                  func() { x.Histogram(ad.F64.Ones(1)) },
		"Bincount [3] of float64 into 3: integers are needed":                              func() { x.Bincount(3) },
		"Unique float64[3], 0: numbers, some of them, and a size above 0 are needed":       func() { x.Unique(0) },
		"SegmentSum [3] by [3] of float64: an integer for each slice of the first axis is": func() { x.SegmentSum(x, 2) },
	} {
		wantPanic(t, want, "segment_test.go", f)
	}
}

func TestInterp(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	xp, fp := ad.From([]float64{-1, 0, 0, 2}), ad.From([]float64{3, 4, 6, 10})
	x := ad.From([]float64{-2, -1, -0.25, 0, 1, 2, 3, inf, -inf, nan})
	for name, c := range map[string]struct {
		got  ad.Value
		want []float64
	}{
		"values":                   {x.Interp(xp, fp), []float64{3, 3, 3.75, 6, 8, 10, 10, 10, 3, nan}},
		"last points at one place": {x.Interp(ad.From([]float64{0, 1, 1}), ad.From([]float64{5, 6, 7})), []float64{5, 5, 5, 5, 7, 7, 7, 7, 5, nan}},
		"one point":                {x.Interp(ad.From([]float64{7}), ad.From([]float64{5})), []float64{5, 5, 5, 5, 5, 5, 5, 5, 5, nan}},
		"derivative": {ad.Grad(func(x ad.Value) ad.Value { return x.Narrow(0, 0, 9).Interp(xp, fp).Sum() })(x),
			[]float64{0, 1, 1, 2, 2, 2, 0, 0, 0, 0}},
	} {
		if got := c.got.Float64s(); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	type in struct{ X, XP, FP ad.Value }
	f := func(p in) ad.Value { return p.X.Interp(p.XP.CumSum(0), p.FP).Square() }
	for _, dt := range []ad.DType{ad.F32, ad.F64} {
		// Far from the points.
		p := in{sequence(2, 1, 5, 0, []int{3, 3}).Shift(1.5).Add(random(1, 3, 3).Scale(0.05)), random(2, 6).Scale(0.02).Shift(1), random(3, 6)}
		p = in{p.X.Convert(dt), p.XP.Convert(dt), p.FP.Convert(dt)}
		if err := ad.CheckGrads(f, p); err != nil {
			t.Errorf("%v: %v", dt, err)
		}
	}
	// Curves that differ from example to example.
	each := in{random(4, 5, 3), random(5, 5, 4).Abs().Shift(0.1), random(6, 5, 4)}
	all := ad.Vmap(f)(each)
	for i := range 5 {
		want := f(in{each.X.Index(i), each.XP.Index(i), each.FP.Index(i)})
		if got := all.Index(i); !slices.Equal(got.Float64s(), want.Float64s()) {
			t.Errorf("example %d: %v, want %v", i, got, want)
		}
	}
	wantPanic(t, "Interp float64 through points at float64[4] and float64[3]: both of one axis", "segment_test.go",
		func() { x.Interp(xp, fp.Narrow(0, 0, 3)) })
}

// Sums by group, as a table's "group by".
func TestScatterSet(t *testing.T) {
	x, upd := random(1, 2, 4, 3), random(2, 2, 3, 3)
	for _, idx := range []ad.Value{ad.From([]int32{3, 0, 3}), ad.From([]int64{1, 1, 1})} {
		want := x.Clone()
		for b := range 2 {
			for k := range 3 {
				i := int(idx.At(k))
				copy(ad.Data[float64](want)[12*b+3*i:][:3], ad.Data[float64](upd)[9*b+3*k:])
			}
		}
		set := func(a [2]ad.Value) ad.Value { return a[0].ScatterSet(idx, a[1], 1) }
		if y := set([2]ad.Value{x, upd}); y.Ne(want).Any().Item() != 0 {
			t.Errorf("%v: %v, not %v", idx, y, want)
		}
		each := ad.Vmap(func(a [2]ad.Value) ad.Value { return a[0].ScatterSet(idx, a[1], 0) })
		if y := each([2]ad.Value{x, upd}); y.Ne(want).Any().Item() != 0 {
			t.Errorf("%v in a batch: %v, not %v", idx, y, want)
		}
		if err := ad.CheckGrads(func(a [2]ad.Value) ad.Value { return set([2]ad.Value{a[0].Square(), a[1].Exp()}) }, [2]ad.Value{x, upd}); err != nil {
			t.Error(idx, err)
		}
	}
	if y := iota(3).ScatterSet(ad.I64.Zeros(0), ad.F64.Zeros(0), 0); y.String() != "float64[3] 0 1 2" {
		t.Error("nothing set", y)
	}
	if y := ad.From([]bool{true, false}).ScatterSet(ad.From([]int32{1, 0}).Index(0), ad.Scalar(true), -1); y.String() != "bool[2] 1 1" {
		t.Error("one index", y)
	}
	for want, f := range map[string]func(x ad.Value) ad.Value{
		"SegmentMax index 4 is not in 0 … 2 (segment_test.go:":      func(x ad.Value) ad.Value { return x.ScatterSet(ad.From([]int32{4}), ad.F64.Ones(1), 0) },
		"ScatterSet float64[3] at [1]: float64[1] are needed, not ": func(x ad.Value) ad.Value { return x.ScatterSet(ad.From([]int32{4}), ad.F64.Ones(2), 0) },
		"ScatterSet [3] at [3]: indices of type float64, not int32": func(x ad.Value) ad.Value { return x.ScatterSet(x, x, 0) },
	} {
		if _, err := ad.Call(f, iota(3)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func ExampleValue_ScatterSet() {
	x := ad.From([]float64{10, 20, 30})
	fmt.Println(x.ScatterSet(ad.From([]int64{2, 0}), ad.From([]float64{1, 2}), 0))
	fmt.Println(x.ScatterAdd(ad.From([]int64{2, 0}), ad.From([]float64{1, 2}), 0))
	// Output:
	// float64[3] 2 20 1
	// float64[3] 12 20 31
}

func ExampleValue_SegmentSum() {
	sales := ad.From([]float64{10, 3, 5, 7})
	shop := ad.From([]int32{0, 2, 0, 2})
	fmt.Println(sales.SegmentSum(shop, 3), sales.SegmentMean(shop, 3))
	// Output: float64[3] 15 0 10 float64[3] 7.5 0 5
}

func ExampleValue_Unique() {
	u := ad.From([]int32{4, 1, 4, 4}).Unique(3)
	fmt.Println(u.Values, u.Counts, u.Inverse, u.Len)
	// Output: int32[3] 1 4 1 int64[3] 1 3 0 int64[4] 1 0 1 1 int64[] 2
}

// A zero rate between the quoted years, and what each quote counts for in it.
func ExampleValue_Interp() {
	years := ad.From([]float64{1, 2, 5})
	rate := func(quotes ad.Value) ad.Value { return ad.From([]float64{3}).Interp(years, quotes).Sum() }
	quotes := ad.From([]float64{2, 3, 6})
	fmt.Println(rate(quotes), ad.Grad(rate)(quotes))
	// Output: float64[] 4 float64[3] 0 0.666667 0.333333
}
