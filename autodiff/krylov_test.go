package autodiff_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// A system of 10,000 equations that is never a matrix: how warm the end of a rod is where heat enters, and how that follows its
// conductivity, which differs from place to place.
func ExampleLinearSolve() {
	const n = 10_000
	flow := func(u, k ad.Value) ad.Value { // of each cell: what leaves to both sides, and what it loses
		zero := u.FullLike(0).Narrow(0, 0, 1)
		right := u.Narrow(0, 1, n-1).Sub(u.Narrow(0, 0, n-1)).Mul(k)
		return u.Add(ad.Concat(0, zero, right).Sub(ad.Concat(0, right, zero)))
	}
	heat := ad.F64.Iota(0, n).Eq(ad.Const(0)).Convert(ad.F64) // enters at one end
	end := func(k ad.Value) ad.Value {
		return ad.LinearSolve(flow, heat, k, ad.CG(ad.KrylovOptions{})).Index(0)
	}
	r := ad.ValueAndGrad(end)(ad.F64.Full(2, n-1))
	fmt.Printf("%.6f %.6f %.6f\n", r.Value.Item(), r.Grad.At(0), r.Grad.At(1))
	// Output: 0.500000 -0.062500 -0.015625
}

// Against LU of the matrix: both solvers, both modes, order 2, batches, started again or not, float32.
func TestLinearSolve(t *testing.T) {
	type params struct{ A, B ad.Value }
	const n = 12
	m := random(1, n, n)
	definite := m.MatMul(m.T()).Add(ad.F64.Eye(n))
	w, dir, b := random(3, n), params{random(4, n, n).Scale(0.1), random(5, n)}, random(2, n)
	symmetric := func(a ad.Value) ad.Value { return a.Add(a.T()).Scale(0.5) }
	whole := func(a ad.Value) ad.Value { return a }
	for name, c := range map[string]struct {
		by     ad.Solver
		a      ad.Value
		matrix func(a ad.Value) ad.Value
	}{
		"CG":              {ad.CG(ad.KrylovOptions{Tolerance: 1e-13}), definite, symmetric},
		"GMRES":           {ad.GMRES(ad.KrylovOptions{Tolerance: 1e-12}), definite.Add(m), whole},
		"GMRES, 3 a time": {ad.GMRES(ad.KrylovOptions{Tolerance: 1e-12, Restart: 3, MaxSteps: 5000}), definite.Add(m).Scale(0.1).Add(ad.F64.Eye(n)), whole},
	} {
		at := params{c.a, b}
		solve := func(p params) ad.Value {
			return ad.LinearSolve(func(v, a ad.Value) ad.Value { return c.matrix(a).MatMul(v) }, p.B, p.A, c.by).Sin().Mul(w).Sum()
		}
		direct := func(p params) ad.Value { return c.matrix(p.A).Solve(p.B).Sin().Mul(w).Sum() }
		batch := params{ad.Stack(0, at.A, at.A.Scale(2)), ad.Stack(0, at.B, dir.B)}
		hvp := func(f func(params) ad.Value) any { return ad.JVP(ad.Grad(f))(at, dir) }
		twice := func(f func(params) ad.Value) any {
			return ad.Grad(func(p params) ad.Value { return ad.Grad(f)(p).B.Square().Sum() })(at)
		}
		for what, c := range map[string][2]any{
			"gradient":              {ad.ValueAndGrad(solve)(at), ad.ValueAndGrad(direct)(at)},
			"tangent":               {ad.JVP(solve)(at, dir), ad.JVP(direct)(at, dir)},
			"Hessian times vector":  {hvp(solve), hvp(direct)},
			"gradient of gradients": {twice(solve), twice(direct)},
			"batch":                 {ad.Vmap(ad.ValueAndGrad(solve))(batch), ad.Vmap(ad.ValueAndGrad(direct))(batch)},
		} {
			matching(t, name+", "+what, c[0], c[1], 1e-8)
		}
	}
	single := ad.LinearSolve(func(v, a ad.Value) ad.Value { return a.MatMul(v) }, b.Convert(ad.F32), definite.Convert(ad.F32), ad.GMRES(ad.KrylovOptions{}))
	matching(t, "float32", single.Convert(ad.F64), definite.Solve(b), 1e-4)
	// Of fewer directions than steps: the identity, whose first product gives nothing new; a right side of zeros.
	same := func(v, _ ad.Value) ad.Value { return v }
	for name, by := range map[string]ad.Solver{"CG": ad.CG(ad.KrylovOptions{}), "GMRES": ad.GMRES(ad.KrylovOptions{})} {
		b := random(6, 2, 3)
		matching(t, name+" of the identity", ad.LinearSolve(same, b, ad.Scalar(0.0), by), b, 1e-12)
		matching(t, name+" of zeros", ad.LinearSolve(same, b.FullLike(0), ad.Scalar(0.0), by), b.FullLike(0), 0)
	}
	// What does not end in time says so.
	for name, by := range map[string]ad.Solver{"CG": ad.CG(ad.KrylovOptions{MaxSteps: 2}), "GMRES": ad.GMRES(ad.KrylovOptions{MaxSteps: 2, Restart: 2})} {
		y := ad.LinearSolve(func(v, a ad.Value) ad.Value { return a.MatMul(v) }, b, definite, by)
		if y.IsNaN().Convert(ad.F64).Mean().Item() != 1 {
			t.Errorf("%s: %v after 2 steps", name, y)
		}
	}
}

// Implicit functions solved from products have the derivatives that LU gives them.
func TestImplicitBy(t *testing.T) {
	type params struct{ A, B ad.Value }
	contraction := func(x ad.Value, p params) ad.Value { return p.A.MatMul(x.Sin()).Scale(0.3).Add(p.B) }
	p, dir := params{random(1, 6, 6), random(2, 6)}, params{random(4, 6, 6), random(5, 6)}
	x := p.B
	for range 200 {
		x = contraction(x, p)
	}
	convex := func(x ad.Value, p params) ad.Value {
		return x.Square().Sum().Add(p.A.MatMul(x).Sub(p.B).Square().Sum())
	}
	a := p.A.T().MatMul(p.A).Add(ad.F64.Eye(6))
	least := a.Solve(p.A.T().MatMul(p.B))
	for name, f := range map[string]func(p params, o ...ad.ImplicitOptions) ad.Value{
		"fixed point": func(p params, o ...ad.ImplicitOptions) ad.Value {
			return ad.ImplicitFixedPoint(contraction, x, p, o...).Sin().Sum()
		},
		"minimum": func(p params, o ...ad.ImplicitOptions) ad.Value {
			return ad.ImplicitMinimum(convex, least, p, o...).Sin().Sum()
		},
	} {
		by := ad.GMRES(ad.KrylovOptions{Tolerance: 1e-13})
		if name == "minimum" {
			by = ad.CG(ad.KrylovOptions{Tolerance: 1e-13})
		}
		want := func(p params) ad.Value { return f(p) }
		got := func(p params) ad.Value { return f(p, ad.ImplicitOptions{By: by}) }
		matching(t, name+", gradient", ad.Grad(got)(p), ad.Grad(want)(p), 1e-10)
		matching(t, name+", tangent", ad.JVP(got)(p, dir), ad.JVP(want)(p, dir), 1e-10)
		matching(t, name+", Hessian times vector", ad.JVP(ad.Grad(got))(p, dir), ad.JVP(ad.Grad(want))(p, dir), 1e-9)
	}
}

func TestLinearSolveErrors(t *testing.T) {
	b := ad.F64.Ones(3)
	solve := func(a func(v, p ad.Value) ad.Value, b ad.Value, by ad.Solver) func() {
		return func() { ad.LinearSolve(a, b, ad.Scalar(1.0), by) }
	}
	same := func(v, _ ad.Value) ad.Value { return v }
	for want, f := range map[string]func(){
		"LinearSolve the function gives float64[] for a vector of float64[3]": solve(func(v, p ad.Value) ad.Value { return v.Sum() }, b, ad.CG(ad.KrylovOptions{})),
		"GMRES [3] of int32, ": solve(same, b.Convert(ad.I32), ad.GMRES(ad.KrylovOptions{})),
		"CG [3] of float64, ":  solve(same, b, ad.CG(ad.KrylovOptions{Tolerance: -1})),
	} {
		wantPanic(t, want, "krylov_test.go", f)
	}
	_, err := ad.Derivative(func(p ad.Value) ad.Value {
		return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return ad.Stack(0, x, p) }, ad.Scalar(0.0), p, ad.ImplicitOptions{By: ad.CG(ad.KrylovOptions{})})
	}, 1)
	if err == nil || !strings.Contains(err.Error(), "the function gives [2] for x of []") {
		t.Error(err)
	}
}

// matching compares the numbers of two trees.
func matching(t *testing.T, name string, got, want any, tolerance float64) {
	t.Helper()
	g, w := ad.TreeLeaves(got), ad.TreeLeaves(want)
	for i := range w {
		ys := g[i].Float64s()
		for k, x := range w[i].Float64s() {
			if !(math.Abs(x-ys[k]) <= tolerance*math.Max(1, math.Abs(x))) {
				t.Errorf("%s: value %d element %d is %v, not %v", name, i, k, ys[k], x)
				return
			}
		}
	}
}
