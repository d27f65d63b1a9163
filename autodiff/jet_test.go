package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
)

func ExampleNthDerivative() {
	f := func(x ad.Value) ad.Value { return ad.Const(1).Sub(x).Reciprocal() }
	fmt.Println(ad.NthDerivative(f, 10)(ad.Scalar(0.0)).Item()) // 10!
	// Output: 3.6288e+06
}

// The position of a body that falls from 10 at speed 2, as a series in time, through a function of the position.
func ExampleJet() {
	area := func(h ad.Value) ad.Value { return h.Square() }
	s := ad.Jet(area)([]ad.Value{ad.Const(10), ad.Const(2), ad.Const(-5)})
	fmt.Println(s[0].Item(), s[1].Item(), s[2].Item())
	// Output: 100 40 -96
}

// Coefficients that are published, to order 14: f about 0 (log about 1, lgamma about 1).
func TestJetKnownSeries(t *testing.T) {
	const n = 14
	fact := func(k int) float64 { return math.Gamma(float64(k) + 1) }
	odd := func(k int, x float64) float64 {
		if k%2 == 0 {
			return 0
		}
		return x
	}
	sign := func(k int) float64 { return 1 - 2*float64(k%2) }
	bernoulli := []float64{1, -0.5, 1. / 6, 0, -1. / 30, 0, 1. / 42, 0, -1. / 30, 0, 5. / 66, 0, -691. / 2730, 0, 7. / 6, 0, -3617. / 510}
	euler := []float64{1, 0, -1, 0, 5, 0, -61, 0, 1385, 0, -50521, 0, 2702765, 0, -199360981}
	tangent := func(k int) float64 { // of tanh
		return odd(k, math.Pow(2, float64(k+1))*(math.Pow(2, float64(k+1))-1)*bernoulli[k+1]/fact(k+1))
	}
	zeta := func(s int) float64 {
		return ad.Const(float64(s)).Zeta(ad.Const(1)).Item()
	}
	for name, c := range map[string]struct {
		f    func(x ad.Value) ad.Value
		at   float64
		want func(k int) float64
	}{
		"exp":        {ad.Value.Exp, 0, func(k int) float64 { return 1 / fact(k) }},
		"expm1":      {ad.Value.Expm1, 0, func(k int) float64 { return math.Min(float64(k), 1) / fact(k) }},
		"log":        {ad.Value.Log, 1, func(k int) float64 { return math.Min(float64(k), 1) * -sign(k) / math.Max(float64(k), 1) }},
		"log1p":      {ad.Value.Log1p, 0, func(k int) float64 { return math.Min(float64(k), 1) * -sign(k) / math.Max(float64(k), 1) }},
		"sin":        {ad.Value.Sin, 0, func(k int) float64 { return odd(k, sign(k/2)/fact(k)) }},
		"cos":        {ad.Value.Cos, 0, func(k int) float64 { return odd(k+1, sign(k/2)/fact(k)) }},
		"tanh":       {ad.Value.Tanh, 0, tangent},
		"tan":        {ad.Value.Tan, 0, func(k int) float64 { return sign(k/2) * tangent(k) }},
		"atan":       {ad.Value.Atan, 0, func(k int) float64 { return odd(k, sign(k/2)/float64(max(k, 1))) }},
		"atanh":      {ad.Value.Atanh, 0, func(k int) float64 { return odd(k, 1/float64(max(k, 1))) }},
		"sinh":       {ad.Value.Sinh, 0, func(k int) float64 { return odd(k, 1/fact(k)) }},
		"sech":       {ad.Value.Sech, 0, func(k int) float64 { return euler[k] / fact(k) }},
		"reciprocal": {func(x ad.Value) ad.Value { return x.Shift(1).Reciprocal() }, 0, sign},
		"sqrt":       {func(x ad.Value) ad.Value { return x.Shift(1).Sqrt() }, 0, func(k int) float64 { return binomial(0.5, k) }},
		"rsqrt":      {func(x ad.Value) ad.Value { return x.Shift(1).Rsqrt() }, 0, func(k int) float64 { return binomial(-0.5, k) }},
		"cbrt":       {func(x ad.Value) ad.Value { return x.Shift(1).Cbrt() }, 0, func(k int) float64 { return binomial(1./3, k) }},
		"pow":        {func(x ad.Value) ad.Value { return x.Shift(1).Pow(ad.Const(2.7)) }, 0, func(k int) float64 { return binomial(2.7, k) }},
		"asin": {ad.Value.Asin, 0, func(k int) float64 {
			return odd(k, math.Abs(binomial(-0.5, k/2))/float64(max(k, 1)))
		}},
		"erf": {ad.Value.Erf, 0, func(k int) float64 {
			return odd(k, 2/math.SqrtPi*sign(k/2)/(fact(k/2)*float64(max(k, 1))))
		}},
		"dawson": {ad.Value.Dawson, 0, func(k int) float64 {
			return odd(k, sign(k/2)*math.Pow(2, float64(k/2))*fact(k/2)*math.Pow(2, float64(k/2))/fact(k))
		}},
		"lgamma": {ad.Value.Lgamma, 1, func(k int) float64 {
			switch k {
			case 0:
				return 0
			case 1:
				return -0.57721566490153286
			}
			return sign(k) * zeta(k) / float64(k)
		}},
		"sigmoid": {ad.Value.Sigmoid, 0, func(k int) float64 {
			if k == 0 {
				return 0.5
			}
			return tangent(k) / math.Pow(2, float64(k+1))
		}},
		"softplus": {ad.Value.Softplus, 0, func(k int) float64 {
			switch k {
			case 0:
				return math.Ln2
			case 1:
				return 0.5
			}
			return tangent(k-1) / math.Pow(2, float64(k)) / float64(k)
		}},
		// The generating function of Hermite's polynomials, at ½.
		"hermite": {func(x ad.Value) ad.Value { return x.Sub(x.Square()).Exp() }, 0, func(k int) float64 {
			h0, h1 := 1.0, 1.0
			for m := 1; m <= k; m++ {
				h0, h1 = h1, h1-2*float64(m)*h0
			}
			return h0 / fact(k)
		}},
		"polynomial": {func(x ad.Value) ad.Value { return x.Shift(1).PowInt(9) }, 0, func(k int) float64 { return binomial(9, k) }},
	} {
		series := []ad.Value{ad.Scalar(c.at), ad.Const(1)}
		for len(series) <= n {
			series = append(series, ad.Value{})
		}
		for k, got := range ad.Jet(c.f)(series) {
			if want := c.want(k); !(math.Abs(got.Item()-want) <= 2e-13*math.Max(1, math.Abs(want))) {
				t.Errorf("%s: coefficient %d is %v, not %v", name, k, got, want)
			}
		}
	}
}

// binomial is a over k.
func binomial(a float64, k int) float64 {
	x := 1.0
	for i := range k {
		x *= (a - float64(i)) / float64(i+1)
	}
	return x
}

// Every function of one argument of exactTable, element by element, against nested reverse mode.
func TestDerivativesExact(t *testing.T) {
	for _, f := range exactTable(t) {
		if len(f.args[0]) != 1 {
			continue
		}
		x := make([]float64, len(f.args))
		for i := range x {
			x[i] = f.args[i][0]
		}
		ds := ad.Derivatives(func(x ad.Value) ad.Value { return f.call([]ad.Value{x}) }, 2)(ad.From(x))
		grad := func(g func(ad.Value) ad.Value) func(ad.Value) ad.Value {
			return ad.Grad(func(x ad.Value) ad.Value { return g(x).Sum() })
		}
		once := grad(func(x ad.Value) ad.Value { return f.call([]ad.Value{x}) })
		closeTo(t, f.name+"'", ds[1].Float64s(), once(ad.From(x)).Float64s(), 1e-11)
		for i, w := range grad(once)(ad.From(x)).Float64s() {
			if got := ds[2].At(i); got != w && !(math.Abs(got-w) <= 1e-9*math.Max(1, math.Abs(w))) && !math.IsNaN(w) {
				t.Errorf("%s'' at %v is %v, not %v", f.name, x[i], got, w)
			}
		}
	}
}

// total is the first derivatives of a curve's image by nested forward mode.
func total(f func(ad.Value) ad.Value, x, v ad.Value, order int) []ad.Value {
	g := func(s ad.Value) ad.Value { return f(x.Add(v.Mul(s))) }
	var res []ad.Value
	for range order + 1 {
		res = append(res, g(ad.F64.Zeros()))
		h := g
		g = func(s ad.Value) ad.Value { return ad.JVP(h)(s, ad.Const(1).Convert(s.DType())).Tangent }
	}
	return res
}

// Linear algebra, sorting and the like, loops, branches and rules, to order 3.
func TestJetAgainstNested(t *testing.T) {
	type function struct {
		dims []int
		f    func(x ad.Value) ad.Value
	}
	fs := map[string]function{
		"scan": {[]int{4}, func(x ad.Value) ad.Value {
			c, ys := ad.Scan(func(c, x ad.Value) (ad.Value, ad.Value) { return c.Sin().Mul(x), c.Add(x).Exp() }, x.Index(0), x)
			return ys.Add(c)
		}},
		"cond": {[]int{2}, func(x ad.Value) ad.Value {
			return ad.Cond(x.Sum().Gt(ad.Const(0)), func() ad.Value { return x.Exp() }, func() ad.Value { return x.Sin() })
		}},
		"checkpoint": {[]int{2}, ad.Checkpoint(func(x ad.Value) ad.Value { return x.Exp().Sin() })},
		"rule": {[]int{2}, ad.Custom(func(x ad.Value) ad.Value { return x.Exp() }, ad.Rule[ad.Value, ad.Value]{
			JVP: func(x, y, t ad.Value) ad.Value { return y.Mul(t).Scale(2) }})},
		"rule of reverse mode": {[]int{2}, ad.Custom(func(x ad.Value) ad.Value { return x.Exp() }, ad.Rule[ad.Value, ad.Value]{
			VJP: func(x, y, ct ad.Value) ad.Value { return y.Mul(ct) }})},
		"gradient": {[]int{3}, ad.Grad(func(x ad.Value) ad.Value { return x.Sin().Prod() })},
		"vmap":     {[]int{3, 2}, ad.Vmap(func(x ad.Value) ad.Value { return x.LogSumExp() })},
		"stopped":  {[]int{2}, func(x ad.Value) ad.Value { return x.StopGradient().Mul(x.Sin()) }},
		"where":    {[]int{4}, func(x ad.Value) ad.Value { return ad.Where(x.Gt(ad.Const(0)), x.Sqrt(), x.FullLike(0)) }},
	}
	for name, c := range algebra {
		fs[name] = function{[]int{c.m, c.n}, c.f}
	}
	for name, c := range fs {
		x, v := random(3, c.dims...), random(4, c.dims...)
		got := ad.Jet(c.f)([]ad.Value{x, v, x.FullLike(0), x.FullLike(0)})
		factorial := 1.0
		for k, want := range total(c.f, x, v, 3) {
			factorial *= float64(max(k, 1))
			closeTo(t, fmt.Sprint(name, " order ", k), got[k].Scale(factorial).Float64s(), want.Float64s(), 1e-8)
		}
	}
}

// Jets of trees, over batches, derived, compiled and in float32.
func TestJetTransforms(t *testing.T) {
	type point struct {
		X, Y ad.Value
		N    ad.Value
	}
	f := func(p point) map[string]ad.Value {
		return map[string]ad.Value{"a": p.X.Mul(p.Y).Sin(), "n": p.N}
	}
	at := []point{{ad.Scalar(0.5), ad.Scalar(2.0), ad.Scalar(int32(3))}, {X: ad.Scalar(1.0)}, {Y: ad.Scalar(1.0)}}
	got := ad.Jet(f)(at) // sin((½+t)(2+t²)) = sin(1 + 2t + t²/2 + …)
	s, c := math.Sincos(1)
	for k, want := range []float64{s, 2 * c, 0.5*c - 2*s} {
		if math.Abs(got[k]["a"].Item()-want) > 1e-15 || (k == 0) != got[k]["n"].IsValid() {
			t.Errorf("coefficient %d: %v, not %v", k, got[k], want)
		}
	}
	third := ad.NthDerivative(func(x ad.Value) ad.Value { return x.Sin().Exp() }, 3)
	x := ad.From([]float64{0.1, 0.7, -0.4})
	each := third(x)
	closeTo(t, "batch", ad.Vmap(third)(x).Float64s(), each.Float64s(), 1e-15)
	fourth := ad.NthDerivative(func(x ad.Value) ad.Value { return x.Sin().Exp() }, 4)(x)
	closeTo(t, "derived", ad.Grad(func(x ad.Value) ad.Value { return third(x).Sum() })(x).Float64s(), fourth.Float64s(), 1e-12)
	closeTo(t, "float32", third(x.Convert(ad.F32)).Float64s(), each.Float64s(), 1e-5)
	p, err := ad.Compile(third, ad.F64.Spec(ad.AnyBatch))
	if err != nil {
		t.Fatal(err)
	}
	y, err := p.Run(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "compiled", y.Float64s(), each.Float64s(), 0)
	if d := ad.Derivatives(func(x ad.Value) ad.Value { return x.FullLike(2) }, 2)(x); d[1].Connected() || d[1].At(0) != 0 {
		t.Errorf("the derivative of a constant: %v", d[1])
	}
}

func TestJetErrors(t *testing.T) {
	for want, run := range map[string]func(){
		"no coefficients":              func() { ad.Jet(ad.Value.Sin)(nil) },
		"of order -1":                  func() { ad.NthDerivative(ad.Value.Sin, 0); ad.Derivatives(ad.Value.Sin, -1)(ad.Scalar(1.0)) },
		"the argument is no float":     func() { ad.NthDerivative(ad.Value.Neg, 1)(ad.Scalar(int32(1))) },
		"the result is no float":       func() { ad.NthDerivative(func(x ad.Value) ad.Value { return x.Convert(ad.I32) }, 1)(ad.Scalar(1.0)) },
		"a coefficient of float64 [2]": func() { ad.Jet(ad.Value.Sin)([]ad.Value{ad.Scalar(1.0), ad.F64.Ones(2)}) },
	} {
		func() {
			defer func() {
				if err, ok := recover().(*ad.Error); !ok || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, not %q", err, want)
				}
			}()
			run()
			t.Errorf("no panic: %s", want)
		}()
	}
}
