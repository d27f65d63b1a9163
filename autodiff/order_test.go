package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func TestOrder(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	x := ad.From([]float64{3, nan, -1, 3, math.Copysign(0, -1), 0, -inf, inf})
	top, at := x.TopK(3, 0)
	table := ad.From([]float64{2, 1, 1, 0, 5, 0}, 2, 3)
	for i, c := range []struct {
		got  ad.Value
		want string
	}{
		{x.Sort(0), "[8] [-Inf -1 -0 0 3 3 +Inf NaN]"},
		{x.ArgSort(-1), "[8] [6 2 4 5 0 3 7 1]"},
		{x.ArgSortDescending(0), "[8] [7 0 3 4 5 2 6 1]"},
		{top, "[3] [+Inf 3 3]"},
		{at, "[3] [7 0 3]"},
		{x.Neg().CumMax(0), "[8] [-3 NaN NaN NaN NaN NaN NaN NaN]"},
		{x.Narrow(0, 2, 6).CumMax(0), "[6] [-1 3 3 3 3 +Inf]"},
		{table.Sort(0), "[2 3] [0 1 0 2 5 1]"},
		{table.Sort(1), "[2 3] [1 1 2 0 0 5]"},
		{table.ArgSort(0), "[2 3] [1 0 1 0 1 0]"},
		{table.Convert(ad.I32).Neg().Sort(1), "[2 3] [-2 -1 -1 -5 0 0]"},
		{table.Convert(ad.I64).CumProd(1), "[2 3] [2 2 2 0 0 0]"},
		{table.CumMax(1), "[2 3] [2 2 2 0 5 5]"},
		{table.CumMin(1), "[2 3] [2 1 1 0 0 0]"},
		{table.CumMin(0), "[2 3] [2 1 1 0 1 0]"},
		{x.Narrow(0, 4, 2).CumMax(0), "[2] [-0 -0]"},
		{table.Convert(ad.I32).CumMax(0), "[2 3] [2 1 1 2 5 1]"},
		{table.Convert(ad.F16).CumMin(1), "[2 3] [2 1 1 0 0 0]"},
		{ad.From([]float64{-inf, -inf, 0, 0, inf}).LogCumSumExp(0).Exp().Round(), "[5] [0 0 1 2 +Inf]"},
		{ad.From([]float64{1000, 1000}).LogCumSumExp(0).Shift(-1000).Scale(1 / math.Ln2).Convert(ad.F32), "[2] [0 1]"},
		{ad.F32.Zeros(0).Sort(0), "[0] []"},
		{ad.F32.Zeros(2, 0).ArgSort(1), "[2 0] []"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.Sort(0).Index(-2) })(ad.From([]float64{5, 7, 6})), "[3] [0 0 1]"},
		{ad.Grad(func(x ad.Value) ad.Value { y, _ := x.TopK(2, 0); return y.Sum() })(ad.From([]float64{5, 7, 7, 7})), "[4] [0 1 1 0]"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.CumMax(0).Sum() })(ad.From([]float64{1, 3, 3, 2})), "[4] [1 3 0 0]"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.CumMin(0).Sum() })(ad.From([]float64{2, 3, 1, 1})), "[4] [2 0 2 0]"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.CumProd(0).Sum() })(ad.From([]float64{2, 0, 3, 0})), "[4] [1 8 0 0]"},
		{ad.Grad(func(x ad.Value) ad.Value { return x.LogCumSumExp(0).Index(1) })(ad.From([]float64{-inf, -inf, 0})), "[3] [0 0 0]"},
	} {
		if got := fmt.Sprintf("%v %v", c.got.Shape(), c.got.Float64s()); got != c.want {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
	}
}

// Against Go's stable sort, of every type and on both sides of the sizes where runs are merged and bytes counted.
func TestArgSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 2, 15, 16, 17, 33, 100, 1024, 1025, 3000} {
		x := make([]float64, n)
		for i := range x {
			x[i] = math.Round(r.NormFloat64() * 20)
		}
		want := make([]int64, n)
		for i := range want {
			want[i] = int64(i)
		}
		slices.SortStableFunc(want, func(a, b int64) int { return int(x[a] - x[b]) })
		for _, typ := range []ad.DType{ad.F32, ad.F64, ad.I32, ad.I64} {
			if got := ad.Data[int64](ad.From(x).Convert(typ).ArgSort(0)); !slices.Equal(got, want) {
				t.Errorf("%d %v: %v, not %v", n, typ, got, want)
			}
		}
	}
}

// Calls take their memory from the plan, and give the same bits with any number of threads.
func TestAlgebraPrograms(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	f := func(x ad.Value) []ad.Value {
		a := spd(x)
		w, v := a.Eigh()
		u, s, _ := x.SVD()
		q, r := x.QR()
		_, log := a.LogDet()
		g := ad.Grad(func(x ad.Value) ad.Value { return spd(x).Cholesky().Sum().Add(x.Solve(x.Square()).Sum()) })(x)
		return []ad.Value{a.Cholesky(), w, v, u, s, q, r, log, x.Det(), x.Expm(), x.Sort(-1), g}
	}
	for _, typ := range []ad.DType{ad.F32, ad.F64} {
		for _, size := range []int{6, 20} {
			x := random(5, 100, size, size).Convert(typ)
			var first []ad.Value
			for _, threads := range []int{1, 2, 3} {
				p, err := ad.Compile(f, typ.Spec(ad.AnyBatch, size, size), ad.Options{Threads: threads})
				if err != nil {
					t.Fatal(err)
				}
				y, err := p.Run(context.Background(), x)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = y
				}
				for i := range y {
					if !slices.Equal(y[i].Float64s(), first[i].Float64s()) {
						t.Errorf("%v, %d threads: result %d differs", typ, threads, i)
					}
				}
				if n := testing.AllocsPerRun(20, func() {
					if err := p.RunInto(context.Background(), &y, x); err != nil {
						t.Fatal(err)
					}
				}); n != 0 {
					t.Errorf("%v, %d threads: %v allocations", typ, threads, n)
				}
			}
		}
	}
}
