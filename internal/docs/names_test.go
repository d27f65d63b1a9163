package docs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

// The functions that lines are tried on.
var (
	ctx   = context.Background()
	point = []float64{1, 2, -0.5}
	vec   = ad.From(point)
	dir   = ad.From([]float64{0.5, -1, 3})
	cubes = func(x ad.Value) ad.Value { return x.PowInt(3).Sum() } // ∇ = 3x², H = diag 6x
	cube  = func(x ad.Value) ad.Value { return x.PowInt(3) }
)

type params struct{ A, B ad.Value }

func (p params) loss() ad.Value { return p.A.Square().Mul(p.B).Sum() } // 2ab, a²

// each is f of the elements of point and dir.
func each(f func(x, d float64) float64) []float64 {
	var ys []float64
	for i, x := range point {
		ys = append(ys, f(x, dir.At(i)))
	}
	return ys
}

func diagonal(d []float64) []float64 {
	m := make([]float64, len(d)*len(d))
	for i, x := range d {
		m[i*len(d)+i] = x
	}
	return m
}

func gradOf(x, _ float64) float64    { return 3 * x * x }
func secondOf(x, _ float64) float64  { return 6 * x }
func alongOf(x, d float64) float64   { return 3 * x * x * d }
func productOf(x, d float64) float64 { return 6 * x * d }

func same(got ad.Value, want ...float64) error {
	g := got.Float64s()
	if len(g) != len(want) {
		return fmt.Errorf("%v, not %v", got, want)
	}
	for i, w := range want {
		if !(math.Abs(g[i]-w) <= 1e-10*max(1, math.Abs(w))) {
			return fmt.Errorf("%v, not %v", got, want)
		}
	}
	return nil
}

// matrix holds one that a helper on plain numbers gave to its elements, row by row.
func matrix(got mat.Matrix, err error) func(want []float64) error {
	return func(want []float64) error {
		if err != nil {
			return err
		}
		return same(ad.FromMatrix(got), want...)
	}
}

func plain(got []float64, err error) ad.Value {
	if err != nil {
		return ad.Value{}
	}
	return ad.From(got)
}

func run[A, R any](f func(A) R, x A, o ...ad.Options) R {
	p, err := ad.Compile(f, x, o...)
	if err != nil {
		panic(err)
	}
	y, err := p.Run(ctx, x)
	if err != nil {
		panic(err)
	}
	return y
}

// lines holds what each "here" of docs/names.md does on those functions.
var lines = map[string]func() error{
	"`ad.Derivative(f, x)`": func() error { d, err := ad.Derivative(cube, 2); return errors.Join(err, same(ad.Scalar(d), 12)) },
	"`ad.Gradient(f, x)`":   func() error { return same(plain(ad.Gradient(cubes, point)), each(gradOf)...) },
	"`ad.JacobianAt(f, x)`": func() error { return matrix(ad.JacobianAt(cube, point))(diagonal(each(gradOf))) },
	"`ad.HessianAt(f, x)`":  func() error { return matrix(ad.HessianAt(cubes, point))(diagonal(each(secondOf))) },
	"`ad.Grad(f)`":          func() error { return same(ad.Grad(cubes)(vec), each(gradOf)...) },
	"`ad.ValueAndGrad(f)`": func() error {
		r := ad.ValueAndGrad(cubes)(vec)
		return errors.Join(same(r.Value, 8.875), same(r.Grad, each(gradOf)...))
	},
	"`ad.Jacobian(f)`":    func() error { return same(ad.Jacobian(cube)(vec), diagonal(each(gradOf))...) },
	"`ad.Hessian(f)`":     func() error { return same(ad.Hessian(cubes)(vec), diagonal(each(secondOf))...) },
	"`ad.HessianDiag(f)`": func() error { return same(ad.HessianDiag(cubes)(vec), each(secondOf)...) },
	"`ad.JVP(f)(x, t)`":   func() error { return same(ad.JVP(cube)(vec, dir).Tangent, each(alongOf)...) },
	"`ad.VJP(f)(x, ct)`":  func() error { return same(ad.VJP(cube)(vec, dir).Grad, each(alongOf)...) },
	"`ad.HVP(f)(x, v)`":   func() error { return same(ad.HVP(cubes)(vec, dir).Tangent, each(productOf)...) },
	"`ad.Vmap(f)`":        func() error { return same(ad.Vmap(cubes)(ad.Stack(0, vec, vec.Neg())), 8.875, -8.875) },
	"`ad.Vmap(f, ad.VmapOptions{In: axes, Out: axes})`": func() error { // columns in, columns out
		x := ad.Stack(1, vec, vec.Neg())
		return same(ad.Vmap(ad.Grad(cubes), ad.VmapOptions{In: []int{1}, Out: []int{1}})(x).Flatten(), ad.Stack(1, ad.Grad(cubes)(vec), ad.Grad(cubes)(vec)).Float64s()...)
	},
	"`ad.Vmap(ad.Grad(f))`":       func() error { return same(ad.Vmap(ad.Grad(cubes))(vec.Reshape(3, 1)), each(gradOf)...) },
	"`ad.Checkpoint(f)`":          func() error { return same(ad.Grad(ad.Checkpoint(cubes))(vec), each(gradOf)...) },
	"`ad.CheckGrads(f, x)`":       func() error { return ad.CheckGrads(cubes, vec) },
	"`ad.Compile(ad.Grad(f), x)`": func() error { return same(run(ad.Grad(cubes), vec), each(gradOf)...) },
	"`ad.GradientInto(dst, f, x)`": func() error {
		dst := make([]float64, 3)
		_, err := ad.GradientInto(dst, cubes, point)
		return errors.Join(err, same(ad.From(dst), each(gradOf)...))
	},
	"`RunInto` of a program": func() error {
		p, err := ad.Compile(ad.Hessian(cubes), vec)
		if err != nil {
			return err
		}
		dst := make([]float64, 9)
		y := ad.From(dst, 3, 3)
		return errors.Join(p.RunInto(ctx, &y, vec), same(ad.From(dst), diagonal(each(secondOf))...))
	},
	"`ad.JVP(f)(x, 1)`": func() error {
		f := func(x ad.Value) ad.Value { return ad.Stack(0, x.Square(), x.PowInt(3)) }
		return same(ad.JVP(f)(ad.Scalar(2.0), ad.Scalar(1.0)).Tangent, 4, 12)
	},
	"`ad.JacobianOptions{Chunk: N}`": func() error {
		return same(ad.Jacobian(cube, ad.JacobianOptions{Chunk: 2})(vec), diagonal(each(gradOf))...)
	},
	"`ad.JVPs(f)(x, ts)`": func() error {
		r := ad.JVPs(cube)(vec, ad.Stack(0, dir, dir.Scale(2)))
		return errors.Join(same(r.Tangent.Index(0), each(alongOf)...), same(r.Tangent.Index(1).Scale(0.5), each(alongOf)...))
	},
	"`ad.VJPs(f)(x, cts)`": func() error {
		return same(ad.VJPs(cube)(vec, ad.Stack(0, dir, dir)).Grad.Index(1), each(alongOf)...)
	},
	"nothing: nested derivatives cannot mix": func() error { // d/dx x·(d/dy (x + y)) = 1
		f := func(x ad.Value) ad.Value { return x.Mul(ad.Grad(func(y ad.Value) ad.Value { return x.Add(y) })(x)) }
		return same(ad.Grad(f)(ad.Scalar(1.0)), 1)
	},
	"a function that gives a struct of results": func() error {
		type results struct {
			Value, Grad, Jacobian, Hessian ad.Value
		}
		r := run(func(x ad.Value) results {
			return results{cubes(x), ad.Grad(cubes)(x), ad.Jacobian(cube)(x), ad.Hessian(cubes)(x)}
		}, vec)
		return errors.Join(same(r.Value, 8.875), same(r.Grad, each(gradOf)...), same(r.Jacobian, diagonal(each(gradOf))...), same(r.Hessian, diagonal(each(secondOf))...))
	},
	"nothing: a branch not taken contributes 0": func() error {
		f := func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(0)), x.Sqrt(), ad.Const(0)).Sum() }
		return same(ad.Grad(f)(ad.From([]float64{0, 4})), 0, 0.25)
	},
	"`ad.Jacobian(ad.Jacobian(f))`": func() error {
		want := make([]float64, 27)
		for i, s := range each(secondOf) {
			want[i*9+i*3+i] = s
		}
		return same(ad.Jacobian(ad.Jacobian(cube))(vec), want...)
	},
	"`ad.Grad(f)` of a struct": func() error {
		g := ad.Grad(params.loss)(params{vec, dir})
		return errors.Join(same(g.A, each(func(x, d float64) float64 { return 2 * x * d })...), same(g.B, each(func(x, _ float64) float64 { return x * x })...))
	},
	"`ad.Grad2(f)`": func() error {
		return same(ad.Grad2(func(w, x ad.Value) ad.Value { return w.Square().Mul(x).Sum() })(vec, dir), each(func(x, d float64) float64 { return 2 * x * d })...)
	},
	"`ad.Grad(ad.Grad(f))`": func() error { return same(ad.Grad(ad.Grad(cube))(ad.Scalar(2.0)), 12) },
	"nothing: elementwise functions are derived from one row and fused": func() error {
		p, err := ad.Compile(func(x ad.Value) ad.Value { return x.Exp().Sin().Tanh().Mul(x) }, vec)
		if err == nil && strings.Count(p.String(), "\nstep ") != 1 {
			err = errors.New(p.String())
		}
		return err
	},
	"`Value.StopGradient`": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value { return x.Mul(x.StopGradient()).Sum() })(vec), point...)
	},
	"`ad.Custom(f, rule)`": func() error {
		f := ad.Custom(cube, ad.Rule[ad.Value, ad.Value]{VJP: func(x, y, ct ad.Value) ad.Value { return ct.Scale(7) }})
		return same(ad.Grad(func(x ad.Value) ad.Value { return f(x).Sum() })(vec), 7, 7, 7)
	},
	"`ad.Custom(f, rule)` with a JVP": func() error {
		f := ad.Custom(cube, ad.Rule[ad.Value, ad.Value]{JVP: func(x, y, t ad.Value) ad.Value { return t.Scale(7) }})
		g := ad.Grad(func(x ad.Value) ad.Value { return f(x).Sum() })(vec)
		return errors.Join(same(g, 7, 7, 7), same(ad.JVP(f)(vec, dir).Tangent, 3.5, -7, 21))
	},
	"`Value.ScatterAdd`, `ad.Stack`": func() error {
		f := func(x ad.Value) ad.Value {
			y := x.ScatterAdd(ad.From([]int64{0, 0}), ad.Stack(0, x.Index(1), x.Index(2)), 0) // x₀ + x₁ + x₂, x₁, x₂
			return y.Square().Index(0)
		}
		return same(ad.Grad(f)(vec), 5, 5, 5)
	},
	"`Value.Hook`": func() error {
		seen := 0.0
		g := ad.Grad(func(x ad.Value) ad.Value {
			return x.Hook(func(ct ad.Value) ad.Value { seen = ct.At(1); return ct.Neg() }).PowInt(3).Sum()
		})(vec)
		return errors.Join(same(g.Neg(), each(gradOf)...), same(ad.Scalar(seen), 12))
	},
	"`String` of a program": func() error {
		p, err := ad.Compile(ad.Grad(cubes), vec)
		if err == nil && !strings.Contains(p.String(), "mul") {
			err = errors.New(p.String())
		}
		return err
	},
	"`Value.Connected`, `Value.IsValid`": func() error {
		g := ad.Grad(func(p params) ad.Value { return ad.F64.Ones(3).Sum().Add(p.A.Sum().Scale(0)) })(params{vec, ad.From([]int32{1})})
		h := ad.Grad(func(p params) ad.Value { return p.A.Sum() })(params{vec, dir})
		if g.B.IsValid() || h.B.Connected() || !h.A.Connected() {
			return fmt.Errorf("%v %v", g, h)
		}
		return nil
	},
	"`ad.ValueAndGradAux(f)`": func() error {
		r := ad.ValueAndGradAux(func(x ad.Value) (ad.Value, ad.Value) { return cubes(x), cube(x) })(vec)
		return errors.Join(same(r.Grad, each(gradOf)...), same(r.Aux, 1, 8, -0.125))
	},
	"`ad.Linearize(f)(x)`": func() error {
		l := ad.Linearize(cube)(vec)
		return errors.Join(same(l.JVP(dir), each(alongOf)...), same(l.VJP(dir), each(alongOf)...))
	},
	"`ad.Compile(f, x)` with `ad.AnyBatch`": func() error {
		p, err := ad.Compile(ad.Vmap(cubes), ad.F64.Spec(ad.AnyBatch, 3))
		if err != nil {
			return err
		}
		for n := range 4 {
			if y, e := p.Run(ctx, ad.F64.Ones(n, 3)); e != nil || y.Dim(0) != n || n > 0 && y.At(n-1) != 3 {
				err = errors.Join(err, fmt.Errorf("%v %v", y, e))
			}
		}
		return err
	},
	"`ad.CheckpointOptions{Products: true}`, `Saved`": func() error {
		f := func(x ad.Value) ad.Value { return x.Sin().Saved().Sin().Sum() }
		x := ad.From([]float64{1, 2, -0.5})
		want := each(func(x, _ float64) float64 { return math.Cos(math.Sin(x)) * math.Cos(x) })
		if err := same(ad.Grad(ad.Checkpoint(f))(x), want...); err != nil {
			return err
		}
		return same(ad.Grad(ad.Checkpoint(f, ad.CheckpointOptions{Products: true}))(x), want...)
	},
	"`ad.ScanOptions{Every: n}`, `ad.ScanOptions{Binomial: n}`": func() error {
		peak := func(o ad.ScanOptions) int {
			p, err := ad.Compile(ad.Grad(func(x ad.Value) ad.Value {
				return ad.ForI(1024, func(i, c ad.Value) ad.Value { return c.Sin() }, x, o).Sum()
			}), ad.F64.Spec(64))
			if err != nil {
				panic(err)
			}
			n, _ := p.PeakBytes(1)
			return n
		}
		if all, few := peak(ad.ScanOptions{}), peak(ad.ScanOptions{Binomial: 10}); few > all/8 {
			return fmt.Errorf("%d bytes, %d with 10 sets of them", all, few)
		}
		if all, some := peak(ad.ScanOptions{}), peak(ad.ScanOptions{Every: 32}); some > all/4 {
			return fmt.Errorf("%d bytes, %d with every 32nd step", all, some)
		}
		return nil
	},
	"`ad.Host(op)`": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value { return ad.Host(hostCube)(x).Sum() })(vec), each(gradOf)...)
	},
	"`ad.Host(op)` with a `Batch`": func() error {
		op, calls := hostCube, 0
		op.Batch = func(x, y ad.Value) error { calls++; return op.Run(x, y) }
		y := ad.Vmap(ad.Host(op))(ad.Stack(0, vec, vec))
		if calls != 1 {
			return fmt.Errorf("%d calls", calls)
		}
		return same(y.Index(1), 1, 8, -0.125)
	},
	"nothing: what a function refers to is recorded with it": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value {
			return ad.Grad(func(y ad.Value) ad.Value { return y.Mul(x).Sum() })(x).Sum()
		})(vec), 1, 1, 1)
	},
	"`ad.Options{CheckNumerics: true}`": func() error {
		p, err := ad.Compile(ad.Value.Log, vec, ad.Options{CheckNumerics: true})
		if err != nil {
			return err
		}
		if _, err = p.Run(ctx, vec); err == nil || !strings.Contains(err.Error(), "Log makes the first NaN, element 2") {
			return fmt.Errorf("not named: %v", err)
		}
		return nil
	},
	"`Value.Item` while a function is recorded": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value {
			if x.Sum().Item() > 0 {
				return cubes(x)
			}
			return x.Sum()
		})(vec), each(gradOf)...)
	},
	"`ad.Scan(f, init, xs)`": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value {
			y, _ := ad.Scan(func(c, e ad.Value) (ad.Value, ad.Value) { return c.Add(e.PowInt(3)), c }, ad.Scalar(0.0), x)
			return y
		})(vec), each(gradOf)...)
	},
	"`ad.ForI(n, f, init)`": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value {
			return ad.ForI(2, func(i, c ad.Value) ad.Value { return c.Mul(x) }, x).Sum()
		})(vec), each(gradOf)...)
	},
	"`ad.While(cond, f, init)`": func() error {
		return same(ad.Grad(func(x ad.Value) ad.Value {
			return ad.While(func(c ad.Value) ad.Value { return c.Lt(ad.Const(10)) }, func(c ad.Value) ad.Value { return c.Scale(2) }, x, ad.WhileOptions{MaxSteps: 9})
		})(ad.Scalar(3.0)), 4)
	},
	"`ad.Cond(p, f, g)`, `ad.Switch(i, f…)`": func() error {
		f := func() ad.Value { return cubes(vec) }
		g := func() ad.Value { return ad.Scalar(1.0) }
		return errors.Join(same(ad.Cond(vec.Sum().Gt(ad.Const(0)), f, g), 8.875), same(ad.Switch(ad.Scalar(int32(1)), f, g), 1))
	},
	"`ad.ImplicitRoot(f, x, p)`": func() error { // x³ = p
		return same(ad.Grad(func(p ad.Value) ad.Value {
			return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return x.PowInt(3).Sub(p) }, ad.Scalar(2.0), p)
		})(ad.Scalar(8.0)), 1.0/12)
	},
	"`ad.ImplicitOptions` with `By`": func() error { // x³ = p
		return same(ad.Grad(func(p ad.Value) ad.Value {
			return ad.ImplicitRoot(func(x, p ad.Value) ad.Value { return x.PowInt(3).Sub(p) }, ad.Scalar(2.0), p, ad.ImplicitOptions{By: ad.CG(ad.KrylovOptions{})})
		})(ad.Scalar(8.0)), 1.0/12)
	},
	"`ad.LinearSolve(a, b, p, ad.CG(o))`, `ad.GMRES(o)`; of a matrix `Value.Solve`": func() error {
		a := ad.From([]float64{2, 0, 0, 4}, 2, 2)
		for _, by := range []ad.Solver{ad.CG(ad.KrylovOptions{}), ad.GMRES(ad.KrylovOptions{})} {
			if err := same(ad.Grad(func(b ad.Value) ad.Value {
				return ad.LinearSolve(func(v, a ad.Value) ad.Value { return a.MatMul(v) }, b, a, by).Sum()
			})(ad.From([]float64{1, 2})), 0.5, 0.25); err != nil {
				return err
			}
		}
		return same(ad.Grad(func(b ad.Value) ad.Value { return a.Solve(b.ExpandDims(1)).Sum() })(ad.From([]float64{1, 2})), 0.5, 0.25)
	},
	"`ad.Jet(f)`, `ad.NthDerivative(f, n)`": func() error {
		y := ad.Jet(cube)([]ad.Value{ad.Scalar(2.0), ad.Scalar(1.0), ad.Scalar(0.0)}) // (2 + t)³ = 8 + 12t + 6t²
		return errors.Join(same(ad.Stack(0, y...), 8, 12, 6), same(ad.NthDerivative(cube, 3)(ad.Scalar(2.0)), 6))
	},
	"`ad.TreeMap(f, t…)`, `ad.TreeLeaves(t)`": func() error {
		p := ad.TreeMap(func(v ...ad.Value) ad.Value { return v[0].Add(v[1]) }, params{vec, dir}, params{vec, vec})
		return same(ad.TreeLeaves(p)[0], 2, 4, -1)
	},
	"nothing: values do not change": func() error {
		x := ad.From([]float64{1, 2})
		y := x.Scale(3)
		return errors.Join(same(x, 1, 2), same(y, 3, 6))
	},
	"`ad.Vmap(f)` over a struct": func() error {
		return same(ad.Vmap(params.loss)(params{ad.Stack(0, vec, dir), ad.Stack(0, dir, vec)}), -2.75, 1*0.25+2*1-0.5*9)
	},
	"`ad.Lint(f, example)`": func() error {
		found, err := ad.Lint(func(p params) ad.Value { return p.A.Sum() }, params{vec, dir})
		if err == nil && (len(found) != 1 || found[0].Kind != ad.Unused || found[0].Value != ".B") {
			err = fmt.Errorf("%v", found)
		}
		return err
	},
}

var hostCube = ad.HostOp[ad.Value, ad.Value]{
	Name: "Cube",
	Run: func(x, y ad.Value) error {
		for i, v := range ad.Data[float64](x) {
			ad.Data[float64](y)[i] = v * v * v
		}
		return nil
	},
	JVP: func(x, y, t ad.Value) ad.Value { return x.Square().Scale(3).Mul(t) },
}

// theirs are the public functions that each table must name.
var theirs = map[string]string{
	"ForwardDiff.jl": "derivative derivative! gradient gradient! jacobian jacobian! hessian hessian! DerivativeConfig GradientConfig JacobianConfig HessianConfig " +
		"Chunk Dual value partials Tag checktag DiffResults",
	"ReverseDiff.jl": "gradient gradient! jacobian jacobian! hessian hessian! GradientTape JacobianTape HessianTape compile GradientConfig JacobianConfig " +
		"HessianConfig @forward @skip @grad @grad_from_chainrules DiffResults",
	"Zygote.jl": "gradient withgradient jacobian withjacobian hessian hessian_reverse diaghessian pullback pushforward forwarddiff checkpointed Buffer hook " +
		"@showgrad @adjoint rrule @code_adjoint rrule_via_ad ignore_derivatives @non_differentiable eager_update! f' Params Grads nothing",
	"Enzyme.jl": "autodiff Reverse Forward Active Duplicated BatchDuplicated Const ReverseSplitWidth autodiff_thunk gradient gradient! jacobian hvp hvp! hvp_and_gradient! CheckNan",
	"JAX": "grad value_and_grad jacfwd jacrev hessian jvp vjp linearize linear_transpose fwd_and_bwd vmap jit checkpoint checkpoint_policies custom_jvp custom_vjp " +
		"custom_gradient custom_vmap closure_convert make_jaxpr eval_shape debug_nans check_grads pure_callback export scan fori_loop while_loop cond switch custom_root " +
		"custom_linear_solve stop_gradient jet",
	"torch.func and torch.autograd": "grad grad_and_value vjp jvp linearize jacrev jacfwd hessian vmap functionalize functional_call stack_module_state Function " +
		"gradcheck gradgradcheck detect_anomaly register_hook detach checkpoint compile",
}

func TestNamesOfOthers(t *testing.T) {
	page, err := os.ReadFile("../../docs/names.md")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	sections := strings.Split(string(page), "\n## ")[1:]
	if len(sections) != len(theirs) {
		t.Errorf("%d tables, not %d", len(sections), len(theirs))
	}
	for _, s := range sections {
		title, body, _ := strings.Cut(s, "\n")
		for _, name := range strings.Fields(theirs[title]) {
			if !regexp.MustCompile(`(^|[^\w@])` + regexp.QuoteMeta(name) + `($|[^\w!])`).MatchString(body) {
				t.Errorf("%s: %s is missing", title, name)
			}
		}
		for _, row := range regexp.MustCompile(`(?m)^\| (.+) \| (.+) \|$`).FindAllStringSubmatch(body, -1) {
			there, here := row[1], row[2]
			if here == "here" {
				continue
			}
			f := lines[here]
			if f == nil {
				t.Errorf("%s, %s: nothing tries %s", title, there, here)
				continue
			}
			if used[here] {
				continue
			}
			used[here] = true
			t.Run(here, func(t *testing.T) {
				defer func() {
					if e := recover(); e != nil {
						t.Error(e)
					}
				}()
				if err := f(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for here := range lines {
		if !used[here] {
			t.Errorf("no line says %s", here)
		}
	}
}
