package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func random(seed uint64, dims ...int) ad.Value {
	r := rand.New(rand.NewPCG(seed, 5))
	n := 1
	for _, d := range dims {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return ad.From(x, dims...)
}

func t2(x ad.Value) ad.Value { // the transpose of matrices
	r := x.Rank()
	p := make([]int, r)
	for i := range p {
		p[i] = i
	}
	p[r-2], p[r-1] = r-1, r-2
	return x.Transpose(p...)
}

func diag(s ad.Value) ad.Value { // [… n] as matrices
	n := s.Dim(-1)
	return s.ExpandDims(-1).Mul(ad.F64.Eye(n).Convert(s.DType()))
}

// spd is a positive definite matrix of any.
func spd(x ad.Value) ad.Value {
	return x.MatMul(t2(x)).Add(ad.F64.Eye(x.Dim(-2)).Convert(x.DType()))
}

// algebra lists functions of a matrix [… m n]; where signs or choices are arbitrary, of what is not.
var algebra = map[string]struct {
	m, n int
	f    func(x ad.Value) ad.Value
}{
	"cholesky":        {4, 4, func(x ad.Value) ad.Value { return spd(x).Cholesky() }},
	"cholesky solve":  {4, 4, func(x ad.Value) ad.Value { return spd(x).Cholesky().CholeskySolve(x) }},
	"solve":           {4, 4, func(x ad.Value) ad.Value { return x.Solve(t2(x).Square()) }},
	"solve vector":    {4, 4, func(x ad.Value) ad.Value { return x.Solve(ad.F64.Iota(0, 4).Convert(x.DType()).Shift(1)) }},
	"inverse":         {3, 3, ad.Value.Inverse},
	"lower":           {4, 4, func(x ad.Value) ad.Value { return dominant(x).SolveTriangular(x.Square(), ad.Triangle{}) }},
	"upper":           {4, 4, func(x ad.Value) ad.Value { return dominant(x).SolveTriangular(x, ad.Triangle{Upper: true}) }},
	"lower ᵀ":         {4, 4, func(x ad.Value) ad.Value { return dominant(x).SolveTriangular(x, ad.Triangle{Transposed: true}) }},
	"upper ᵀ, unit":   {4, 4, func(x ad.Value) ad.Value { return x.SolveTriangular(x, ad.Triangle{true, true, true}) }},
	"lower, unit":     {4, 4, func(x ad.Value) ad.Value { return x.SolveTriangular(x.Sin(), ad.Triangle{Unit: true}) }},
	"det 2":           {2, 2, ad.Value.Det},
	"det 3":           {3, 3, ad.Value.Det},
	"det 5":           {5, 5, ad.Value.Det},
	"log det":         {4, 4, func(x ad.Value) ad.Value { _, l := x.LogDet(); return l.Square() }},
	"sign of det":     {4, 4, func(x ad.Value) ad.Value { s, l := x.LogDet(); return s.Mul(l.Exp()) }},
	"lu":              {4, 4, func(x ad.Value) ad.Value { _, l, u := x.LU(); return l.Add(u.Square()) }},
	"q":               {5, 3, func(x ad.Value) ad.Value { q, _ := x.QR(); return q.Square() }},
	"r":               {5, 3, func(x ad.Value) ad.Value { _, r := x.QR(); return r.Square() }},
	"q, wide":         {3, 5, func(x ad.Value) ad.Value { q, _ := x.QR(); return q.Square() }},
	"r, wide":         {3, 5, func(x ad.Value) ad.Value { _, r := x.QR(); return r.Square() }},
	"eigenvalues":     {4, 4, func(x ad.Value) ad.Value { w, _ := x.Eigh(); return w }},
	"eigenvectors":    {4, 4, func(x ad.Value) ad.Value { _, v := x.Eigh(); return v.Square() }},
	"matrix function": {4, 4, func(x ad.Value) ad.Value { w, v := x.Eigh(); return v.MatMul(diag(w.Sin())).MatMul(t2(v)) }},
	"singular values": {4, 3, func(x ad.Value) ad.Value { _, s, _ := x.SVD(); return s }},
	"u":               {5, 3, func(x ad.Value) ad.Value { u, _, _ := x.SVD(); return u.Square() }},
	"vt":              {5, 3, func(x ad.Value) ad.Value { _, _, v := x.SVD(); return v.Square() }},
	"svd, wide":       {3, 4, func(x ad.Value) ad.Value { u, s, vt := x.SVD(); return u.MatMul(diag(s.Square())).MatMul(vt) }},
	"svd, square":     {3, 3, func(x ad.Value) ad.Value { u, s, vt := x.SVD(); return u.MatMul(diag(s.Square())).MatMul(vt) }},
	"lstsq":           {5, 3, func(x ad.Value) ad.Value { return x.Lstsq(x.Square()) }},
	"lstsq, wide":     {3, 5, func(x ad.Value) ad.Value { return x.Lstsq(ad.F64.Iota(0, 3).Convert(x.DType())) }},
	"pinv":            {4, 3, ad.Value.PInv},
	"expm":            {3, 3, ad.Value.Expm},
	"expm, scaled":    {3, 3, func(x ad.Value) ad.Value { return x.Scale(4).Expm().Scale(1e-4) }},
	"power":           {3, 3, func(x ad.Value) ad.Value { return x.MatrixPower(5) }},
	"power -2":        {3, 3, func(x ad.Value) ad.Value { return x.MatrixPower(-2) }},
	"trace":           {4, 3, func(x ad.Value) ad.Value { return x.Square().Trace() }},
	"tril, triu":      {4, 3, func(x ad.Value) ad.Value { return x.Square().Tril().Sub(x.Sin().Triu()) }},
	"kron":            {2, 3, func(x ad.Value) ad.Value { return x.Kron(x.Sin()) }},
	"norms": {3, 4, func(x ad.Value) ad.Value {
		return ad.Stack(-1, x.MatrixNorm1(), x.MatrixNormInf(), x.MatrixNorm2(), x.NuclearNorm(), x.Cond())
	}},
	"sort":         {3, 5, func(x ad.Value) ad.Value { return x.Sort(-1).Mul(x.Sin()) }},
	"sort columns": {5, 3, func(x ad.Value) ad.Value { return x.Sort(-2).Mul(x) }},
	"top 2":        {3, 5, func(x ad.Value) ad.Value { y, _ := x.TopK(2, -1); return y.Square() }},
	"cummax":       {3, 5, func(x ad.Value) ad.Value { return x.CumMax(-1).Square() }},
	"cummin":       {5, 3, func(x ad.Value) ad.Value { return x.CumMin(-2).Square() }},
	"cumprod":      {3, 5, func(x ad.Value) ad.Value { return x.CumProd(-2) }},
	"logcumsumexp": {3, 5, func(x ad.Value) ad.Value { return x.LogCumSumExp(-1) }},
}

// dominant keeps both triangles' diagonals away from 0.
func dominant(x ad.Value) ad.Value { return x.Add(ad.F64.Eye(4).Scale(5).Convert(x.DType())) }

// Values of batches, both modes and the second order against differences, Vmap against single calls, float32
// against float64.
func TestAlgebra(t *testing.T) {
	for name, c := range algebra {
		t.Run(name, func(t *testing.T) {
			x, dir := random(3, c.m, c.n), random(4, c.m, c.n)
			at := func(h float64) ad.Value { return x.Add(dir.Scale(h)) }
			weights := random(9, append(c.f(x).Shape(), 1)...).Squeeze(-1)
			if weights.Rank() != c.f(x).Rank() { // of sizes of 1
				weights = weights.Reshape(c.f(x).Shape()...)
			}
			f := func(x ad.Value) ad.Value { return c.f(x).Mul(weights.Convert(x.DType())).Sum() }
			slope := func(f func(ad.Value) ad.Value) float64 {
				const h = 1e-3
				d := func(h float64) float64 { return (f(at(h)).Item() - f(at(-h)).Item()) / (2 * h) }
				d1, d2, d3 := d(h), d(h/2), d(h/4)
				e1, e2 := (4*d2-d1)/3, (4*d3-d2)/3
				return (16*e2 - e1) / 15
			}
			along := func(x ad.Value) ad.Value { return ad.JVP(f)(x, dir.Convert(x.DType())).Tangent }
			back := func(x ad.Value) ad.Value { return ad.Grad(f)(x).Mul(dir.Convert(x.DType())).Sum() }
			near := func(what string, got, want, tol float64) {
				t.Helper()
				if !(math.Abs(got-want) <= tol*math.Max(1, math.Abs(want))) {
					t.Errorf("%s: %v, not %v", what, got, want)
				}
			}
			first := slope(f)
			near("forward", along(x).Item(), first, 1e-8)
			near("reverse", back(x).Item(), first, 1e-8)
			second := slope(back)
			for what, g := range map[string]func(ad.Value) ad.Value{"forward over forward": along, "forward over reverse": back} {
				near(what, ad.JVP(g)(x, dir).Tangent.Item(), second, 1e-7)
			}
			for what, g := range map[string]func(ad.Value) ad.Value{"reverse over reverse": back, "reverse over forward": along} {
				near(what, ad.Grad(g)(x).Mul(dir).Sum().Item(), second, 1e-7)
			}
			// A batch, as leading axes and by Vmap.
			xs := ad.Stack(0, x, at(0.01), at(-0.02))
			for what, y := range map[string]ad.Value{"leading axis": c.f(xs), "Vmap": ad.Vmap(c.f)(xs)} {
				for i := range 3 {
					if d := y.Index(i).Sub(c.f(xs.Index(i))).NormInf().Item(); d != 0 {
						t.Errorf("%s: element %d differs by %v", what, i, d)
					}
				}
			}
			g := ad.Vmap(ad.Grad(f))(xs)
			for i := range 3 {
				want := ad.Grad(f)(xs.Index(i))
				near("Vmap of the gradient", g.Index(i).Sub(want).NormInf().Item(), 0, 1e-11*math.Max(1, want.NormInf().Item()))
			}
			x32 := x.Convert(ad.F32)
			near("float32", f(x32).Item(), f(x).Item(), 1e-4)
			near("float32, reverse", back(x32).Item(), first, 2e-3)
		})
	}
}

// Values against gonum and by putting together again, around the sizes where other loops take over.
func TestFactors(t *testing.T) {
	for _, n := range []int{1, 2, 7, 12, 13, 16, 17, 33, 64, 70, 110} {
		for _, m := range []int{n, n + 3} {
			x := random(uint64(n), m, n)
			sq := random(uint64(n)+1, n, n)
			near := func(what string, a, b ad.Value) {
				t.Helper()
				if d := a.Sub(b).NormInf().Item(); !(d <= 1e-11*float64(n)*math.Max(1, b.NormInf().Item())) {
					t.Errorf("%d, %d: %s differs by %v", m, n, what, d)
				}
			}
			eye := ad.F64.Eye(n)
			q, r := x.QR()
			near("QR", q.MatMul(r), x)
			near("QᵀQ", t2(q).MatMul(q), eye)
			near("R", r.Triu(), r)
			u, s, vt := x.SVD()
			near("SVD", u.MatMul(diag(s)).MatMul(vt), x)
			near("UᵀU", t2(u).MatMul(u), eye)
			near("VᵀV", vt.MatMul(t2(vt)), eye)
			var svd mat.SVD
			svd.Factorize(x.Matrix(), mat.SVDNone)
			near("singular values", s, ad.From(svd.Values(nil)))
			if m != n {
				var y mat.Dense
				b := random(99, m, 2)
				if err := y.Solve(x.Matrix(), b.Matrix()); err != nil {
					t.Fatal(err)
				}
				near("least squares", x.Lstsq(b), ad.FromMatrix(&y))
				near("pseudoinverse", x.PInv().MatMul(x), eye)
				wide := t2(x)
				q, r := wide.QR()
				near("wide QR", q.MatMul(r), wide)
				u, s, vt := wide.SVD()
				near("wide SVD", u.MatMul(diag(s)).MatMul(vt), wide)
				continue
			}
			a := spd(sq)
			l := a.Cholesky()
			near("Cholesky", l.MatMul(t2(l)), a)
			near("L", l.Tril(), l)
			near("inverse by Cholesky", l.CholeskySolve(a), eye)
			perm, lo, up := sq.LU()
			near("LU", lo.MatMul(up), sq.Take(perm, 0))
			near("L of LU", lo.Tril().Sub(up.Triu()), lo.Sub(up))
			b := random(98, n, 6)
			near("solve", sq.MatMul(sq.Solve(b)), b)
			near("inverse", sq.MatMul(sq.Inverse()), eye)
			for _, c := range []ad.Triangle{{}, {Upper: true}, {Transposed: true}, {Upper: true, Transposed: true}, {Unit: true}} {
				tri := sq.Scale(1 / float64(n)).Add(eye.Scale(2))
				full := tri.Tril()
				if c.Upper {
					full = tri.Triu()
				}
				if c.Unit {
					full = full.Sub(diag(full.Diagonal())).Add(eye)
				}
				if c.Transposed {
					full = t2(full)
				}
				near(fmt.Sprint("triangle ", c), full.MatMul(tri.SolveTriangular(b, c)), b)
				near(fmt.Sprint("triangle, vector ", c), full.MatMul(tri.SolveTriangular(b.Narrow(1, 0, 1).Squeeze(1), c)), b.Narrow(1, 0, 1).Squeeze(1))
			}
			sym := sq.Add(t2(sq))
			w, v := sym.Eigh()
			near("eigenvectors", sym.MatMul(v), v.Mul(w))
			near("VᵀV of Eigh", t2(v).MatMul(v), eye)
			if got := w.Float64s(); !sort.Float64sAreSorted(got) {
				t.Errorf("%d: eigenvalues %v", n, got)
			}
			sign, log := sq.LogDet()
			wantLog, wantSign := mat.LogDet(sq.Matrix())
			near("log det", log, ad.Scalar(wantLog))
			near("sign", sign, ad.Scalar(wantSign))
			if n < 20 {
				near("det", sq.Det(), ad.Scalar(mat.Det(sq.Matrix())))
			}
			var e mat.Dense
			e.Exp(sq.Scale(0.5).Matrix())
			near("expm", sq.Scale(0.5).Expm(), ad.FromMatrix(&e))
		}
	}
}

// Matrices without full rank: factors are orthonormal all the same, the determinant has its derivative.
// Of large matrices Cholesky and Eigh make the symmetric part themselves, as they read them: results and gradients are those of it
// made before.
func TestSymmetrized(t *testing.T) {
	const n = 70
	x := ad.NewKey(3).Normal(ad.F64, n, n).Add(ad.F64.Eye(n).Scale(n))
	half := func(x ad.Value) ad.Value { return x.Add(x.Transpose(1, 0)).Scale(0.5) }
	for name, f := range map[string]func(x ad.Value) ad.Value{
		"cholesky": ad.Value.Cholesky,
		"eigh":     func(x ad.Value) ad.Value { w, v := x.Eigh(); return v.Square().MatMul(w.ExpandDims(1)).Add(w) },
	} {
		of := func(x ad.Value) ad.Value { return f(half(x)) }
		loss := func(f func(x ad.Value) ad.Value) func(x ad.Value) ad.Value {
			return func(x ad.Value) ad.Value { return f(x).Square().Mul(f(x).Sin()).Sum() }
		}
		for what, pair := range map[string][2]ad.Value{"value": {f(x), of(x)}, "gradient": {ad.Grad(loss(f))(x), ad.Grad(loss(of))(x)}} {
			got, want := pair[0].Float64s(), pair[1].Float64s()
			for i, v := range want {
				if math.Abs(got[i]-v) > 1e-9*(1+math.Abs(v)) {
					t.Fatalf("%s of %s: element %d is %v, not %v", what, name, i, got[i], v)
				}
			}
		}
	}
}

func TestSingular(t *testing.T) {
	for _, n := range []int{4, 5, 20} {
		x := random(1, n, n-2)
		x = x.MatMul(t2(x))
		u, s, vt := x.SVD()
		for what, d := range map[string]ad.Value{
			"SVD": u.MatMul(diag(s)).MatMul(vt).Sub(x), "UᵀU": t2(u).MatMul(u).Sub(ad.F64.Eye(n)), "VVᵀ": vt.MatMul(t2(vt)).Sub(ad.F64.Eye(n)),
		} {
			if e := d.NormInf().Item(); !(e < 1e-12*float64(n)*10) {
				t.Error(n, what, e)
			}
		}
		// The cofactors of a matrix of rank n-1.
		y := random(2, n, n-1)
		y = y.MatMul(random(3, n-1, n))
		g := ad.Grad(ad.Value.Det)(y)
		for _, at := range [][2]int{{0, 0}, {1, 2}, {n - 1, 0}} {
			var minor []float64
			for i := range n {
				for j := range n {
					if i != at[0] && j != at[1] {
						minor = append(minor, y.At(i, j))
					}
				}
			}
			want := mat.Det(mat.NewDense(n-1, n-1, minor))
			if (at[0]+at[1])%2 == 1 {
				want = -want
			}
			if got := g.At(at[0], at[1]); !(math.Abs(got-want) <= 1e-8*math.Max(1, math.Abs(want))) {
				t.Errorf("%d: cofactor %v is %v, not %v", n, at, got, want)
			}
		}
	}
	zeros := ad.F64.Zeros(3, 3)
	if u, s, _ := zeros.SVD(); s.NormInf().Item() != 0 || t2(u).MatMul(u).Sub(ad.F64.Eye(3)).NormInf().Item() != 0 {
		t.Error(u, s)
	}
	// Equal eigenvalues: a function of the matrix has its derivative, a vector has one that is finite.
	square := func(x ad.Value) ad.Value {
		w, v := x.Eigh()
		return v.MatMul(diag(w.Square())).MatMul(t2(v)).Trace()
	}
	if g := ad.Grad(square)(ad.F64.Eye(4)); g.Sub(ad.F64.Eye(4).Scale(2)).NormInf().Item() > 1e-14 {
		t.Error(g)
	}
	if sign, log := zeros.LogDet(); sign.Item() != 0 || !math.IsInf(log.Item(), -1) {
		t.Error(sign, log)
	}
}

func TestAlgebraErrors(t *testing.T) {
	two := func(f func(x ad.Value) ad.Value) func() {
		return func() { f(ad.Stack(0, ad.F64.Eye(3), ad.F64.Zeros(3, 3))) }
	}
	for want, bad := range map[string]func(){
		"Cholesky [2 3 3]: the matrix is not positive definite, element 1 of the batch": two(ad.Value.Cholesky),
		"Solve [2 3 3]: the matrix is singular, element 1 of the batch":                 two(ad.Value.Inverse),
		"SolveTriangular [3 3]: the matrix is singular":                                 func() { ad.F64.Zeros(3, 3).SolveTriangular(iota(3), ad.Triangle{}) },
		"Cholesky [2 3]: the matrix is not square":                                      func() { iota(2, 3).Cholesky() },
		"LU [2 3]: the matrix is not square":                                            func() { iota(2, 3).Solve(iota(2)) },
		"Solve [3 3], [4 1]: 3 equations with right sides of 4":                         func() { ad.F64.Eye(3).Solve(iota(4)) },
		"Lstsq [4 3], [3 1]: 4 equations with right sides of 3":                         func() { iota(4, 3).Lstsq(iota(3)) },
		"SVD [3]: 2 axes at least are needed":                                           func() { iota(3).SVD() },
		"Det [5 5] of int32 is not defined":                                             func() { ad.I32.Zeros(5, 5).Det() },
		"TopK [3]: 4 of the 3 elements of axis 0":                                       func() { iota(3).TopK(4, 0) },
		"Eigh [2 2]: the iteration does not converge":                                   func() { ad.F64.Full(math.NaN(), 2, 2).Eigh() },
	} {
		wantPanic(t, want, "linalg_test.go", bad)
	}
	// Nothing is written before an error.
	type result struct{ Twice, L ad.Value }
	p, err := ad.Compile(func(x ad.Value) result { return result{x.Scale(2), x.Cholesky()} }, ad.F64.Spec(ad.AnyBatch, 3, 3))
	if err != nil {
		t.Fatal(err)
	}
	out := result{ad.F64.Full(7, 2, 3, 3), ad.F64.Full(7, 2, 3, 3)}
	err = p.RunInto(context.Background(), &out, ad.Stack(0, ad.F64.Eye(3), ad.F64.Eye(3).Neg()))
	if err == nil || !strings.Contains(err.Error(), "element 1") || out.Twice.Sub(ad.Const(7)).NormInf().Item() != 0 || out.L.Sub(ad.Const(7)).NormInf().Item() != 0 {
		t.Error(err, out)
	}
}

// Calls within loops and branches: Newton's method on a system, whose derivative is the implicit one; a branch
// that is not taken does not fail.
func TestAlgebraInLoops(t *testing.T) {
	f := func(x, p ad.Value) ad.Value { return x.PowInt(3).Add(x).Add(x.Sum().Scale(0.1)).Sub(p) }
	newton := func(p ad.Value) ad.Value {
		return ad.ForI(20, func(_, x ad.Value) ad.Value {
			j := ad.Jacobian(func(x ad.Value) ad.Value { return f(x, p) })(x)
			return x.Sub(j.Solve(f(x, p)))
		}, p.Scale(0.5))
	}
	w := random(1, 3)
	p := ad.From([]float64{1, 2, -1})
	direct := func(p ad.Value) ad.Value { return newton(p).Mul(w).Sum() }
	implicit := func(p ad.Value) ad.Value { return ad.ImplicitRoot(f, newton(p), p).Mul(w).Sum() }
	if r := f(newton(p), p).NormInf().Item(); r > 1e-14 {
		t.Error("residual", r)
	}
	for name, g := range map[string]func(func(ad.Value) ad.Value) ad.Value{
		"reverse": func(f func(ad.Value) ad.Value) ad.Value { return ad.Grad(f)(p) },
		"forward": func(f func(ad.Value) ad.Value) ad.Value { return ad.JVP(f)(p, w).Tangent },
		"batch":   func(f func(ad.Value) ad.Value) ad.Value { return ad.Vmap(ad.Grad(f))(ad.Stack(0, p, w)) },
	} {
		if d := g(direct).Sub(g(implicit)).NormInf().Item(); !(d <= 1e-13) {
			t.Error(name, d)
		}
	}
	c, err := ad.Compile(func(x ad.Value) ad.Value {
		return ad.Cond(x.Trace().Gt(ad.Const(0)), func() ad.Value { return x.Cholesky() }, func() ad.Value { return x })
	}, ad.F64.Spec(2, 2))
	if err != nil {
		t.Fatal(err)
	}
	neg := ad.F64.Eye(2).Neg()
	if y, err := c.Run(context.Background(), neg); err != nil || y.Sub(neg).NormInf().Item() != 0 {
		t.Error(y, err)
	}
	if _, err := c.Run(context.Background(), ad.From([]float64{3, 0, 0, -1}, 2, 2)); err == nil || !strings.Contains(err.Error(), "positive definite") {
		t.Error(err)
	}
}
