package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The Jacobian of a discretized equation: each element depends on its neighbors.
func ExampleSparseJacobian() {
	f := func(u ad.Value) ad.Value {
		p := u.Pad([]int{1}, []int{1}, 0)
		n := u.Dim(0)
		return p.Narrow(0, 0, n).Add(p.Narrow(0, 2, n)).Sub(u.Scale(2)).Add(u.Square())
	}
	u := ad.From([]float64{1, 2, 3, 4, 5})
	j, err := ad.Compile(ad.SparseJacobian(f), u) // pattern and coloring are found once
	if err != nil {
		panic(err)
	}
	c, err := j.Run(context.Background(), u)
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Sparsity, "by", c.Colors, "tangents")
	fmt.Println(mat.Formatted(c))
	// Output:
	// 5 × 5, 13 entries by 3 tangents
	// ⎡0  1  0  0  0⎤
	// ⎢1  2  1  0  0⎥
	// ⎢0  1  4  1  0⎥
	// ⎢0  0  1  6  1⎥
	// ⎣0  0  0  1  8⎦
}

// One variable that meets all others: two products with the Hessian are enough.
func ExampleSparseHessian() {
	f := func(x ad.Value) ad.Value { return x.Square().Sum().Add(x.Sin().Sum().Mul(x.Index(0))) }
	h := ad.SparseHessian(f)(ad.F64.Ones(6))
	fmt.Println(h.Sparsity, h.Colors)
	// Output: 6 × 6, 16 entries 2
}

func ExampleSparsity_ColorColumns() {
	s := ad.Banded(1000, 2, 1)
	fmt.Println(s, s.ColorColumns(ad.NaturalOrder).Colors, s.ColorRows(ad.LargestFirst).Colors)
	// Output: 1000 × 1000, 3996 entries 4 4
}

// A full row and column: no column has one color with another, but the row can be had by a cotangent.
func ExampleSparsity_ColorBoth() {
	rows := [][]int{{0, 1, 2, 3}, {0, 1}, {0, 2}, {0, 3}}
	s := ad.NewSparsity(rows, 4)
	columns, by := s.ColorBoth(ad.NaturalOrder)
	fmt.Println(s.ColorColumns(ad.NaturalOrder).Colors, "or", columns.Colors+by.Colors, columns.Of, by.Of)
	// Output: 4 or 3 [0 1 1 1] [0 -1 -1 -1]
}

func ExampleSparsity_ColorAcyclic() {
	s := ad.Banded(1000, 5, 5)
	fmt.Println(s.ColorSymmetric(ad.NaturalOrder).Colors, s.ColorAcyclic(ad.NaturalOrder).Colors)
	// Output: 11 6
}

func ExampleHessianDiag() {
	d := ad.HessianDiag(func(x ad.Value) ad.Value { return x.PowInt(3).Sum() })(ad.From([]float64{1, 2, 3}))
	fmt.Println(d.Float64s())
	// Output: [6 12 18]
}

// sparseCases are functions of [6], with the number of entries of their Jacobians.
var sparseCases = map[string]struct {
	f   func(x ad.Value) ad.Value
	nnz int
}{
	"elementwise":   {func(x ad.Value) ad.Value { return x.Sin().Mul(x.Exp()).Add(x.Sqrt()) }, 6},
	"neighbors":     {func(x ad.Value) ad.Value { return x.Narrow(0, 1, 5).Mul(x.Narrow(0, 0, 5)) }, 10},
	"sum":           {func(x ad.Value) ad.Value { return x.Square().Sum() }, 6},
	"sum of rows":   {func(x ad.Value) ad.Value { return x.Reshape(2, 3).Square().Sum(1) }, 6},
	"all":           {func(x ad.Value) ad.Value { return x.Softmax() }, 36},
	"product":       {func(x ad.Value) ad.Value { return x.Reshape(2, 3).MatMul(x.Reshape(3, 2)) }, 18},
	"constant left": {func(x ad.Value) ad.Value { return ad.F64.Ones(2, 2).Convert(x.DType()).MatMul(x.Reshape(2, 3)) }, 12},
	"columns":       {func(x ad.Value) ad.Value { return x.Reshape(2, 3).T().Exp() }, 6},
	"reverse":       {func(x ad.Value) ad.Value { return x.Reverse(0).Mul(x) }, 12},
	"running sum":   {func(x ad.Value) ad.Value { return x.Square().CumSum(0) }, 21},
	"running prod":  {func(x ad.Value) ad.Value { return x.CumProd(0) }, 21},
	"take":          {func(x ad.Value) ad.Value { return x.Take(ad.From([]int32{5, 0, 5, 2}), 0).Square() }, 4},
	"scatter": {func(x ad.Value) ad.Value {
		return x.FullLike(0).ScatterAdd(ad.From([]int64{1, 1, 3, 0, 0, 0}), x.Square(), 0)
	}, 6},
	"unknown rows": {func(x ad.Value) ad.Value { return x.Reshape(3, 2).Take(x.ArgMax(0).Mod(ad.Const(3)), 0) }, 6},
	"sort":         {func(x ad.Value) ad.Value { return x.Sort(0) }, 36},
	"maximum":      {func(x ad.Value) ad.Value { return x.Reshape(3, 2).ReduceMax(1) }, 6},
	"where":        {func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(0.5)), x.Square(), x.Reverse(0)) }, 12},
	"stopped":      {func(x ad.Value) ad.Value { return x.StopGradient().Mul(x.Sum()).Add(x.Floor()) }, 36},
	"integers":     {func(x ad.Value) ad.Value { return x.Convert(ad.I32).Convert(x.DType()).Add(x) }, 6},
	"constant":     {func(x ad.Value) ad.Value { return x.FullLike(3) }, 0},
	"solve": {func(x ad.Value) ad.Value {
		a := x.Narrow(0, 0, 4).Reshape(2, 2).Add(ad.From([]float64{3, 0, 0, 3}, 2, 2).Convert(x.DType()))
		return ad.Stack(0, a.Inverse().Flatten().Sum(), x.Index(5))
	}, 5},
	"arrow": {func(x ad.Value) ad.Value { // a full row, a full column and the diagonal
		return ad.Concat(0, x.Sin().Sum().Reshape(1), x.Narrow(0, 1, 5).Square().Mul(x.Index(0)))
	}, 16},
	"convolution": {func(x ad.Value) ad.Value {
		w := ad.From([]float64{1, 2, -1}, 3, 1, 1).Convert(x.DType())
		return x.Square().Reshape(6, 1).Conv(w, ad.ConvOptions{Padding: ad.Padding{Same: true}})
	}, 16},
	"convolution, dilated, in steps": {func(x ad.Value) ad.Value {
		w := ad.From([]float64{1, 2}, 2, 1, 1).Convert(x.DType())
		return x.Square().Reshape(6, 1).Conv(w, ad.ConvOptions{Stride: []int{2}, Dilation: []int{3}})
	}, 4},
	"transposed convolution": {func(x ad.Value) ad.Value {
		w := ad.From([]float64{1, 2, -1}, 3, 1, 1).Convert(x.DType())
		return x.Square().Reshape(6, 1).ConvTranspose(w, ad.ConvOptions{Stride: []int{2}})
	}, 18},
	"a rule": {func(x ad.Value) ad.Value { // straight through: the function itself has no derivative
		round := ad.Custom(func(x ad.Value) ad.Value { return x.Round() }, ad.Rule[ad.Value, ad.Value]{
			JVP: func(x, y, t ad.Value) ad.Value { return t },
			VJP: func(x, y, ct ad.Value) ad.Value { return ct },
		})
		return round(x)
	}, 6},
	"loop": {func(x ad.Value) ad.Value { // two steps of a stencil
		return ad.ForI(2, func(_, u ad.Value) ad.Value {
			p := u.Pad([]int{1}, []int{1}, 0)
			return p.Narrow(0, 0, 6).Add(p.Narrow(0, 2, 6)).Sin()
		}, x)
	}, 6 + 2*4},
	"loop over elements": {func(x ad.Value) ad.Value {
		_, ys := ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return x.Sin(), c.Mul(x) }, x.Index(0), x)
		return ys
	}, 11},
	"loop with index": {func(x ad.Value) ad.Value {
		_, ys := ad.Scan(func(c, i ad.Value) (ad.Value, ad.Value) {
			return c, x.Take(ad.Const(5).Sub(i), 0).Square()
		}, ad.Scalar(int32(0)), ad.From([]int32{0, 1, 2, 3, 4, 5}))
		return ys
	}, 6},
	"while": {func(x ad.Value) ad.Value {
		type state struct{ I, U ad.Value }
		return ad.While(func(s state) ad.Value { return s.I.Lt(ad.Const(2)) }, func(s state) state {
			return state{s.I.Shift(1), s.U.Mul(s.U.Reverse(0))}
		}, state{ad.Scalar(int32(0)), x}, ad.WhileOptions{MaxSteps: 9}).U
	}, 12},
	"cond": {func(x ad.Value) ad.Value {
		return ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value { return x.Square() }, func() ad.Value { return x.Reverse(0) })
	}, 12},
	"checkpoint": {func(x ad.Value) ad.Value { return ad.Checkpoint(func(x ad.Value) ad.Value { return x.Sin().Exp() })(x) }, 6},
}

func sparseArgument(t ad.DType) ad.Value {
	return ad.From([]float64{0.3, 0.9, 0.2, 0.7, 0.55, 1.3}).Convert(t)
}

func closeTo(t *testing.T, name string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, not %d", name, len(got), len(want))
		return
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= tol*math.Max(1, math.Abs(w))) {
			t.Errorf("%s: element %d is %v, not %v", name, i, got[i], w)
			return
		}
	}
}

func denseOf(c ad.CSR) []float64 {
	d := make([]float64, c.Rows*c.Cols)
	c.DoNonZero(func(i, j int, v float64) { d[i*c.Cols+j] = v })
	return d
}

// Entries agree with the dense Jacobian, in both modes and types, in chunks, compiled, over batches, and when they
// are derived again; patterns have no more than they must.
func TestSparseJacobian(t *testing.T) {
	for name, c := range sparseCases {
		for _, typ := range []ad.DType{ad.F64, ad.F32} {
			x := sparseArgument(typ)
			tol := map[ad.DType]float64{ad.F64: 1e-12, ad.F32: 1e-5}[typ]
			want := ad.Jacobian(c.f)(x).Float64s()
			for _, o := range []ad.SparseOptions{{}, {Mode: ad.Forward}, {Mode: ad.Reverse}, {Order: ad.LargestFirst, Chunk: 2}, {Mode: ad.Reverse, Chunk: 4}, {Mode: ad.Both}, {Mode: ad.Both, Chunk: 2}} {
				j := ad.SparseJacobian(c.f, o)
				got := j(x)
				closeTo(t, fmt.Sprint(name, typ, o), denseOf(got), want, tol)
				if got.NNZ() != c.nnz {
					t.Errorf("%s: %v, not %d", name, got.Sparsity, c.nnz)
				}
				p, err := ad.Compile(j, x)
				if err != nil {
					t.Fatal(name, err)
				}
				again, err := p.Run(context.Background(), x)
				if err != nil || !slices.Equal(again.Data.Float64s(), got.Data.Float64s()) {
					t.Errorf("%s: compiled %v, not %v %v", name, again.Data, got.Data, err)
				}
			}
			if s := ad.JacobianSparsity(c.f, typ.Spec(6)); !slices.Equal(s.Indices, ad.SparseJacobian(c.f)(x).Indices) {
				t.Errorf("%s: %v", name, s)
			}
			if typ == ad.F32 || c.nnz == 0 {
				continue
			}
			sum := func(x ad.Value) ad.Value { return ad.SparseJacobian(c.f)(x).Data.Square().Sum() }
			closeTo(t, name+" derived", ad.Grad(sum)(x).Float64s(),
				ad.Grad(func(x ad.Value) ad.Value { return ad.Jacobian(c.f)(x).Square().Sum() })(x).Float64s(), 1e-10)
			b := ad.Vmap(func(x ad.Value) ad.Value { return ad.SparseJacobian(c.f)(x).Data })(ad.Stack(0, x, x.Scale(0.5)))
			closeTo(t, name+" batch", b.Index(1).Float64s(), ad.SparseJacobian(c.f)(x.Scale(0.5)).Data.Float64s(), 1e-12)
		}
	}
}

func TestSparseHessian(t *testing.T) {
	for name, c := range map[string]struct {
		f           func(x ad.Value) ad.Value
		nnz, colors int // colors of a star coloring; an acyclic one has one less, where less is not 0
		less        int
	}{
		"separable": {func(x ad.Value) ad.Value { return x.Sin().Sum() }, 6, 1, 0},
		"chain": {func(x ad.Value) ad.Value {
			return x.Narrow(0, 1, 5).Sub(x.Narrow(0, 0, 5).Square()).Square().Sum()
		}, 16, 3, 1},
		"arrow":  {func(x ad.Value) ad.Value { return x.Exp().Sum().Mul(x.Index(5)) }, 16, 2, 0},
		"linear": {func(x ad.Value) ad.Value { return x.Sum() }, 0, 1, 0},
		"all":    {func(x ad.Value) ad.Value { return x.Sum().Sin() }, 36, 6, 0},
		"rows":   {func(x ad.Value) ad.Value { return x.Reshape(2, 3).Sum(1).PowInt(3).Sum() }, 18, 3, 0},
		"loop": {func(x ad.Value) ad.Value {
			_, ys := ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return x, c.Mul(x).Sin() }, x.Index(0), x)
			return ys.Sum()
		}, 16, 3, 1},
	} {
		for _, typ := range []ad.DType{ad.F64, ad.F32} {
			x := sparseArgument(typ)
			tol := map[ad.DType]float64{ad.F64: 1e-12, ad.F32: 1e-5}[typ]
			want := ad.Hessian(c.f)(x).Float64s()
			for _, o := range []ad.SparseOptions{{}, {Order: ad.LargestFirst}, {Chunk: 2}, {Substitute: true}, {Substitute: true, Order: ad.LargestFirst, Chunk: 2}} {
				h := ad.SparseHessian(c.f, o)(x)
				closeTo(t, name, denseOf(h), want, tol)
				colors := c.colors
				if o.Substitute {
					colors -= c.less
				}
				if h.NNZ() != c.nnz || o.Order == ad.NaturalOrder && h.Colors != colors {
					t.Errorf("%s: %v, %d colors, not %d, %d", name, h.Sparsity, h.Colors, c.nnz, colors)
				}
				for i := range h.Rows {
					for _, j := range h.Row(i) {
						if h.At(i, j) != h.At(j, i) {
							t.Errorf("%s: not symmetric at %d, %d", name, i, j)
						}
					}
				}
				d := make([]float64, 6)
				for i := range d {
					d[i] = want[i*6+i]
				}
				closeTo(t, name+" diagonal", ad.HessianDiag(c.f, o)(x).Float64s(), d, tol)
			}
			if s := ad.HessianSparsity(c.f, typ.Spec(6)); s.NNZ() != c.nnz {
				t.Errorf("%s: %v", name, s)
			}
		}
	}
}

// Entries found by substitution are derived, batched and computed in each type.
func TestSparseSubstituted(t *testing.T) {
	f := func(x ad.Value) ad.Value { return x.Narrow(0, 1, 5).Sub(x.Narrow(0, 0, 5).Square()).PowInt(3).Sum() }
	entries := func(o ad.SparseOptions) func(x ad.Value) ad.Value {
		return func(x ad.Value) ad.Value { return ad.SparseHessian(f, o)(x).Data }
	}
	plain, subst := entries(ad.SparseOptions{}), entries(ad.SparseOptions{Substitute: true})
	for _, typ := range []ad.DType{ad.F64, ad.F32, ad.BF16, ad.F16} {
		x := sparseArgument(typ)
		tol := map[ad.DType]float64{ad.F64: 1e-13, ad.F32: 1e-5, ad.BF16: 0.1, ad.F16: 0.02}[typ]
		closeTo(t, fmt.Sprint(typ), subst(x).Float64s(), plain(x).Float64s(), tol)
	}
	x := sparseArgument(ad.F64)
	if err := ad.CheckGrads(subst, x); err != nil {
		t.Error(err)
	}
	closeTo(t, "forward", ad.Jacobian(subst, ad.JacobianOptions{Mode: ad.Forward})(x).Float64s(), ad.Jacobian(plain)(x).Float64s(), 1e-12)
	closeTo(t, "reverse", ad.Jacobian(subst, ad.JacobianOptions{Mode: ad.Reverse})(x).Float64s(), ad.Jacobian(plain)(x).Float64s(), 1e-12)
	xs := ad.Stack(0, x, x.Scale(0.5), x.Neg())
	closeTo(t, "batch", ad.Vmap(subst)(xs).Float64s(), ad.Vmap(plain)(xs).Float64s(), 1e-13)
}

// Arguments and results are trees; integers have no place.
func TestSparseTrees(t *testing.T) {
	type in struct {
		A ad.Value
		N ad.Value
		B []ad.Value
	}
	f := func(x in) map[string]ad.Value {
		return map[string]ad.Value{"y": x.A.Mul(x.B[0]), "n": x.N, "z": x.B[1].Sum()}
	}
	x := in{ad.From([]float64{1, 2}), ad.Scalar(int32(1)), []ad.Value{ad.From([]float64{3, 4}), ad.F64.Ones(1, 3)}}
	want := mat.NewDense(3, 7, []float64{
		3, 0, 1, 0, 0, 0, 0,
		0, 4, 0, 2, 0, 0, 0,
		0, 0, 0, 0, 1, 1, 1})
	for _, m := range []ad.Mode{ad.Auto, ad.Forward, ad.Reverse} {
		j := ad.SparseJacobian(f, ad.SparseOptions{Mode: m})(x)
		if !mat.Equal(j, want) || j.NNZ() != 7 {
			t.Errorf("mode %d: %v", m, mat.Formatted(j))
		}
	}
	d := ad.HessianDiag(func(x in) ad.Value { return x.A.Square().Mul(x.B[0]).Sum() })(x)
	closeTo(t, "diagonal", d.A.Float64s(), []float64{6, 8}, 0)
	closeTo(t, "diagonal", d.B[1].Float64s(), []float64{0, 0, 0}, 0)
	if d.N.IsValid() {
		t.Error("an integer has a second derivative")
	}
}

// A program overwrites the entries in place and allocates nothing.
func TestSparseInPlace(t *testing.T) {
	t.Setenv("ADJOINT_DEVICE", "cpu") // whose calls allocate nothing
	f := sparseCases["neighbors"].f
	x := sparseArgument(ad.F64)
	p, err := ad.Compile(ad.SparseJacobian(f), x)
	if err != nil {
		t.Fatal(err)
	}
	var j ad.CSR
	if err := p.RunInto(context.Background(), &j, x); err != nil {
		t.Fatal(err)
	}
	data := ad.Data[float64](j.Data)
	clear(data)
	if n := testing.AllocsPerRun(20, func() { p.RunInto(context.Background(), &j, x) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	closeTo(t, "entries", data, ad.SparseJacobian(f)(x).Data.Float64s(), 0)
}

func TestSparsePattern(t *testing.T) {
	f := sparseCases["neighbors"].f
	x := sparseArgument(ad.F64)
	s := ad.NewSparsity([][]int{{1, 0}, {1, 2}, {2, 3, 3}, {3, 4}, {4, 5}}, 6)
	j := ad.SparseJacobian(f, ad.SparseOptions{Pattern: &s})(x)
	closeTo(t, "given", j.Data.Float64s(), ad.SparseJacobian(f)(x).Data.Float64s(), 0)
	band := ad.Banded(6, 1, 1)
	h := ad.SparseHessian(func(x ad.Value) ad.Value { return f(x).Sum() }, ad.SparseOptions{Pattern: &band})(x)
	closeTo(t, "given", denseOf(h), ad.Hessian(func(x ad.Value) ad.Value { return f(x).Sum() })(x).Float64s(), 0)
}

func TestSparseErrors(t *testing.T) {
	x := sparseArgument(ad.F64)
	f := sparseCases["neighbors"].f
	small, askew := ad.Banded(4, 1, 1), ad.Banded(6, 1, 0)
	broken := ad.Sparsity{Rows: 5, Cols: 6, Indptr: []int{0, 2, 2, 2, 2, 2}, Indices: []int{3, 3}}
	sum := func(x ad.Value) ad.Value { return f(x).Sum() }
	for name, c := range map[string]struct {
		want string
		run  func()
	}{
		"another size":  {"the pattern is 4 × 4, the derivative 5 × 6", func() { ad.SparseJacobian(f, ad.SparseOptions{Pattern: &small})(x) }},
		"not ascending": {"row 0 of the pattern has column 3 behind 3", func() { ad.SparseJacobian(f, ad.SparseOptions{Pattern: &broken})(x) }},
		"not symmetric": {"is not symmetric", func() { ad.SparseHessian(sum, ad.SparseOptions{Pattern: &askew})(x) }},
		"a batch":       {"depends on the batch", func() { ad.JacobianSparsity(ad.Value.Exp, ad.F64.Spec(ad.AnyBatch)) }},
		"no float":      {"the argument holds no float", func() { ad.SparseJacobian(ad.Value.Neg)(ad.From([]int32{1, 2})) }},
		"no result":     {"the function's result holds no float", func() { ad.SparseJacobian(func(x ad.Value) ad.Value { return x.Convert(ad.I32) })(x) }},
		"mixed types":   {"one type is needed", func() { ad.SparseJacobian(func(x ad.Value) ad.Value { return x.Convert(ad.F32) })(x) }},
		"a vector":      {"of shape []", func() { ad.SparseHessian(f)(x) }},
		"acyclic":       {"is not symmetric", func() { ad.SparseHessian(sum, ad.SparseOptions{Pattern: &askew, Substitute: true})(x) }},
		"chunk":         {"chunks of -1", func() { ad.SparseJacobian(f, ad.SparseOptions{Chunk: -1})(x) }},
		"order":         {"no order 7", func() { ad.SparseJacobian(f, ad.SparseOptions{Order: 7})(x) }},
		"dense":         {"no sparse matrix", func() { ad.JacobianSparsity(func(x ad.Value) ad.Value { return x.Softmax() }, ad.F64.Spec(100_000)) }},
		"product":       {"a vector of 6 is needed", func() { ad.SparseJacobian(f)(x).MulVec(ad.F64.Ones(3)) }},
	} {
		func() {
			defer func() {
				err, ok := recover().(*ad.Error)
				if !ok || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, not %q", name, err, c.want)
				}
			}()
			c.run()
			t.Errorf("%s: no panic", name)
		}()
	}
}

func TestCSR(t *testing.T) {
	f := sparseCases["neighbors"].f
	x := sparseArgument(ad.F64)
	j := ad.SparseJacobian(f)(x)
	d := j.ToDense()
	if !mat.Equal(j, d) || !mat.Equal(j.T(), d.T()) {
		t.Errorf("%v is not %v", mat.Formatted(j), mat.Formatted(d))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, trans := range []bool{false, true} {
		m := mat.Matrix(d)
		if trans {
			m = d.T()
		}
		_, n := m.Dims()
		v := mat.NewVecDense(n, nil)
		for i := range n {
			v.SetVec(i, r.Float64())
		}
		var got, want mat.VecDense
		j.MulVecTo(&got, trans, v)
		want.MulVec(m, v)
		if !mat.EqualApprox(&got, &want, 1e-14) {
			t.Errorf("trans %v: %v, not %v", trans, got, want)
		}
		in := ad.From(v.RawVector().Data)
		if trans {
			closeTo(t, "MulVecT", j.MulVecT(in).Float64s(), want.RawVector().Data, 1e-14)
		} else {
			closeTo(t, "MulVec", j.MulVec(in).Float64s(), want.RawVector().Data, 1e-14)
		}
	}
	// The product is derived by entries and by vector: ½|J·v|² by v is Jᵀ·J·v.
	v := x.Cos()
	g := ad.Grad(func(v ad.Value) ad.Value { return j.MulVec(v).Square().Sum().Scale(0.5) })(v)
	closeTo(t, "derived", g.Float64s(), j.MulVecT(j.MulVec(v)).Float64s(), 1e-13)
}

// Two columns of a color have no row in common; no path of four has two colors, neighbors differ.
func TestColoring(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		n := 1 + r.IntN(25)
		rows := make([][]int, n)
		for range r.IntN(3 * n) {
			i, j := r.IntN(n), r.IntN(n)
			rows[i], rows[j] = append(rows[i], j), append(rows[j], i)
		}
		s := ad.NewSparsity(rows, n)
		for _, o := range []ad.Order{ad.NaturalOrder, ad.LargestFirst} {
			for _, c := range []ad.Coloring{s.ColorColumns(o), s.ColorRows(o)} { // one, as s is symmetric
				for i := range n {
					seen := map[int]bool{}
					for _, j := range s.Row(i) {
						if seen[c.Of[j]] || c.Of[j] >= c.Colors {
							t.Fatalf("%v: color %d twice in row %d", rows, c.Of[j], i)
						}
						seen[c.Of[j]] = true
					}
				}
			}
			c := s.ColorSymmetric(o)
			for a := range n {
				for _, b := range s.Row(a) {
					if a == b {
						continue
					}
					if c.Of[a] == c.Of[b] {
						t.Fatalf("%v: neighbors %d and %d have color %d", rows, a, b, c.Of[a])
					}
					for _, d := range s.Row(b) {
						if d == a || d == b || c.Of[d] != c.Of[a] {
							continue
						}
						for _, e := range s.Row(d) {
							if e != b && e != d && c.Of[e] == c.Of[b] {
								t.Fatalf("%v: path %d %d %d %d has two colors", rows, a, b, d, e)
							}
						}
					}
				}
			}
		}
	}
	if c := ad.Banded(50, 2, 3).ColorColumns(ad.NaturalOrder).Colors; c != 6 {
		t.Errorf("a band of 6 has %d colors", c)
	}
	if c := ad.Banded(50, 1, 1).ColorAcyclic(ad.NaturalOrder).Colors; c != 2 {
		t.Errorf("three diagonals have %d colors that leave no cycle", c)
	}
}

// Every entry is the only one of its color in its row, among columns, or in its column, among rows.
func TestColorBoth(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 80 {
		m, n := 1+r.IntN(20), 1+n/4
		rows := make([][]int, m)
		for i := range rows {
			for range []int{1, 2, n}[r.IntN(3)] {
				rows[i] = append(rows[i], r.IntN(n))
			}
			if r.IntN(4) == 0 {
				rows[i] = nil
			}
		}
		s := ad.NewSparsity(rows, n)
		for _, o := range []ad.Order{ad.NaturalOrder, ad.LargestFirst} {
			columns, by := s.ColorBoth(o)
			alone := func(i, j int) bool {
				inRow, inColumn := columns.Of[j] >= 0, by.Of[i] >= 0
				for _, k := range s.Row(i) {
					inRow = inRow && (k == j || columns.Of[k] != columns.Of[j])
				}
				for k := range m {
					inColumn = inColumn && (k == i || by.Of[k] != by.Of[i] || s.Index(k, j) < 0)
				}
				return inRow || inColumn
			}
			for i := range m {
				for _, j := range s.Row(i) {
					if !alone(i, j) {
						t.Fatalf("%v: entry %d, %d is not told: %v %v", rows, i, j, columns, by)
					}
				}
			}
			for _, c := range []ad.Coloring{columns, by} {
				if len(c.Of) > 0 && slices.Max(c.Of) != c.Colors-1 {
					t.Errorf("%d colors: %v", c.Colors, c.Of)
				}
			}
		}
	}
}

// Neighbors differ, and the edges between any two colors are trees.
func TestColorAcyclic(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	fewer := 0
	for range 100 {
		n := 1 + r.IntN(30)
		rows := make([][]int, n)
		for range r.IntN(4 * n) {
			i, j := r.IntN(n), r.IntN(n)
			rows[i], rows[j] = append(rows[i], j), append(rows[j], i)
		}
		s := ad.NewSparsity(rows, n)
		for _, o := range []ad.Order{ad.NaturalOrder, ad.LargestFirst} {
			c := s.ColorAcyclic(o)
			fewer += s.ColorSymmetric(o).Colors - c.Colors
			for a := range c.Colors {
				for b := range a {
					root := make([]int, n)
					for i := range root {
						root[i] = i
					}
					find := func(i int) int {
						for root[i] != i {
							i = root[i]
						}
						return i
					}
					for i := range n {
						for _, j := range s.Row(i) {
							if i != j && c.Of[i] == c.Of[j] {
								t.Fatalf("%v: neighbors %d and %d have color %d", rows, i, j, c.Of[i])
							}
							if i < j && (c.Of[i] == a && c.Of[j] == b || c.Of[i] == b && c.Of[j] == a) {
								if find(i) == find(j) {
									t.Fatalf("%v: a cycle of colors %d and %d: %v", rows, a, b, c.Of)
								}
								root[find(i)] = find(j)
							}
						}
					}
				}
			}
			// Substitution finds the entries of a random matrix.
			x := ad.F64.Zeros(n)
			h := ad.SparseHessian(func(x ad.Value) ad.Value {
				sum := x.Sum().Scale(0)
				for i := range n {
					for _, j := range s.Row(i) {
						if j <= i {
							sum = sum.Add(x.Index(i).Mul(x.Index(j)).Scale(float64(1 + i*n + j)))
						}
					}
				}
				return sum
			}, ad.SparseOptions{Pattern: &s, Order: o, Substitute: true})
			if n > 12 {
				continue
			}
			h(x).DoNonZero(func(i, j int, v float64) {
				want := float64(1 + max(i, j)*n + min(i, j))
				if i == j {
					want *= 2
				}
				if v != want {
					t.Fatalf("%v: entry %d, %d is %v, not %v", rows, i, j, v, want)
				}
			})
		}
	}
	if fewer <= 0 {
		t.Errorf("no fewer colors than star colorings have: %d", fewer)
	}
}

// Sizes that a dense matrix has no room for: a band, and a matrix with a full row, column and diagonal.
func TestSparseLarge(t *testing.T) {
	const n = 100_000
	band := func(x ad.Value) ad.Value {
		p := x.Pad([]int{1}, []int{1}, 0)
		return p.Narrow(0, 0, n).Mul(x).Add(p.Narrow(0, 2, n).Sin())
	}
	x := ad.F64.Zeros(n)
	for i := range ad.Data[float64](x) {
		ad.Data[float64](x)[i] = math.Sin(float64(i))
	}
	j := ad.SparseJacobian(band)(x)
	if j.NNZ() != 3*n-2 || j.Colors != 3 {
		t.Errorf("%v, %d colors", j.Sparsity, j.Colors)
	}
	for _, i := range []int{1, 500, n - 2} {
		want := []float64{x.At(i), x.At(i - 1), math.Cos(x.At(i + 1))}
		closeTo(t, "row", []float64{j.At(i, i-1), j.At(i, i), j.At(i, i+1)}, want, 1e-15)
	}
	h := ad.SparseHessian(func(x ad.Value) ad.Value { return x.Square().Sum().Mul(x.Index(7)) })(x)
	arrow := ad.SparseJacobian(func(x ad.Value) ad.Value {
		return ad.Concat(0, x.Sin().Sum().Reshape(1), x.Narrow(0, 1, n-1).Mul(x.Index(0)))
	})(x)
	if arrow.NNZ() != 3*n-2 || arrow.Colors != 3 || arrow.At(0, 9) != math.Cos(x.At(9)) || arrow.At(9, 0) != x.At(9) || arrow.At(9, 9) != x.At(0) {
		t.Errorf("%v, %d colors", arrow.Sparsity, arrow.Colors)
	}
	const side = 30 // each with its eight neighbors: the star coloring has 11 colors
	grid := ad.SparseHessian(func(x ad.Value) ad.Value {
		return x.Reshape(side, side, 1).Conv(ad.F64.Ones(2, 2, 1, 1), ad.ConvOptions{}).PowInt(3).Sum()
	})(ad.F64.Ones(side * side))
	if grid.Colors != 9 || grid.At(31, 31) != 96 || grid.At(31, 0) != 24 || grid.At(31, 1) != 48 || grid.At(0, 31) != 24 {
		t.Errorf("%v, %d colors, %v", grid.Sparsity, grid.Colors, grid.At(31, 31))
	}
	chain := ad.SparseHessian(func(x ad.Value) ad.Value {
		return x.Narrow(0, 1, n-1).Mul(x.Narrow(0, 0, n-1).Sin()).Sum()
	}, ad.SparseOptions{Substitute: true})(x)
	if chain.Colors != 2 || math.Abs(chain.At(9, 10)-math.Cos(x.At(9))) > 1e-12 || math.Abs(chain.At(n/2, n/2+1)-math.Cos(x.At(n/2))) > 1e-12 {
		t.Errorf("%v, %d colors, %v", chain.Sparsity, chain.Colors, chain.At(n/2, n/2+1)-math.Cos(x.At(n/2)))
	}
	if h.NNZ() != 3*n-2 || h.Colors != 2 || math.Abs(h.At(9, 9)-2*x.At(7)) > 1e-15 || h.At(7, 9) != 2*x.At(9) {
		t.Errorf("%v, %d colors", h.Sparsity, h.Colors)
	}
}
