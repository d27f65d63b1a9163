package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	ad "github.com/adjoint-go/adjoint/autodiff"
	"github.com/adjoint-go/adjoint/kernels"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// The derivative of E[log x] of gamma numbers by their shape is the trigamma function.
func ExampleKey_Gamma() {
	f := func(a ad.Value) ad.Value { return ad.NewKey(1).Gamma(a.BroadcastTo(100_000)).Log().Mean() }
	r := ad.ValueAndGrad(f)(ad.Scalar(2.5))
	fmt.Printf("%.2f, by the shape %.2f; by theory %.2f and %.2f\n", r.Value.Item(), r.Grad.Item(), ad.Scalar(2.5).Digamma().Item(), ad.Scalar(2.5).Trigamma().Item())
	// Output: 0.70, by the shape 0.49; by theory 0.70 and 0.49
}

func ExampleKey_Choice() {
	weights := ad.From([]float64{5, 1, 0, 4})
	fmt.Println(ad.NewKey(3).Choice(weights, 8, true))
	fmt.Println(ad.NewKey(3).Choice(weights, 3, false))
	// Output:
	// int64[8] 0 1 3 3 3 0 0 0
	// int64[3] 0 3 1
}

// One mean for many draws: the leading axes broadcast.
func ExampleKey_MultivariateNormal() {
	mean, cov := ad.From([]float64{1, -1}), ad.From([]float64{2, 0.6, 0.6, 1}, 2, 2)
	x := ad.NewKey(1).MultivariateNormal(mean.BroadcastTo(100_000, 2), cov)
	c := x.Sub(x.MeanKeep(0))
	fmt.Printf("%.2f %.2f\n", x.Mean(0).Float64s(), c.T().MatMul(c).Scale(1e-5).Float64s())
	// Output: [1.01 -1.00] [2.00 0.60 0.60 1.00]
}

// What jax.random (0.10) gives for the same seed.
func TestDistributionsAgainstJAX(t *testing.T) {
	k := ad.NewKey(42)
	type vector func(x ...float64) ad.Value
	for _, c := range []struct {
		name     string
		f        func(t ad.DType, v vector, a ad.Value) ad.Value
		f32, f64 []float64
	}{
		{"Gamma", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Gamma(a) },
			[]float64{0.0105685154, 0.506327391, 2.00724602, 1.56431353, 26.0695915, 987.963318},
			[]float64{2.6047012428169615e-05, 0.014509096904634517, 0.4240212506845043, 2.764149407028277, 22.724770676097318, 953.1319431314207}},
		{"LogGamma", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.LogGamma(a) },
			[]float64{-4.54987574, -0.680571675, 0.696763754, 0.447447062, 3.26076937, 6.89564562},
			[]float64{-10.555607482400594, -4.232979453538195, -0.8579717054671963, 1.0167329590857241, 3.123455548751781, 6.859753344366144}},
		{"Beta", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Beta(a, ad.Const(2)) },
			[]float64{0.00853757933, 0.157372952, 0.62778908, 0.851389527, 0.884949803, 0.99873668},
			[]float64{3.5025780858980524e-06, 0.016976737327934654, 0.5242274518941885, 0.4700544485668264, 0.9694200637066864, 0.9967106569535025}},
		{"Dirichlet", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Dirichlet(a) },
			[]float64{1.03804095e-05, 0.000497315428, 0.00197151909, 0.00153647095, 0.025605578, 0.970378757},
			[]float64{2.6604118102012604e-08, 1.4819424249476819e-05, 0.00043309041534351253, 0.002823270326260441, 0.02321081869083014, 0.9735179745391982}},
		{"ChiSquared", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.ChiSquared(a) },
			[]float64{9.33117626e-05, 0.536109865, 3.29866147, 1.09366322, 24.3657379, 982.811707},
			[]float64{1.0573360044268518e-09, 0.0003347215878904679, 0.09870567316632933, 2.645414156271446, 19.927099137415105, 933.9654654608092}},
		{"StudentT", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.StudentT(a) },
			[]float64{2555.51855, -1014.63232, 1.89991283, 1.34377789, 0.261253774, 0.313238442},
			[]float64{-88.98731626484212, -1.4754406397068793, 1.3206491140404981, -0.2564524325917175, 2.351236255460132, 1.7828434903996688}},
		{"Logistic", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Logistic(t, 4) },
			[]float64{-0.0451694131, 0.752839804, 0.47375232, 0.245286763},
			[]float64{-0.29521526220084393, -4.183910141360207, 0.29878068416298553, 0.9937039305821678}},
		{"Cauchy", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Cauchy(t, 4) },
			[]float64{-0.0354846306, 0.63372612, 0.382440567, 0.194070697},
			[]float64{-0.23434604341667786, -21.19070234669309, 0.23723777098183235, 0.8806079282226775}},
		{"Rademacher", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Rademacher(ad.F64, 8) },
			[]float64{1, 1, -1, -1, -1, -1, -1, -1},
			[]float64{1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0}},
		{"LogNormal", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.LogNormal(v(.5, 1, 2)) },
			[]float64{0.985947371, 1.59541178, 1.80652642},
			[]float64{0.9117806140267735, 0.11419764994377499, 1.453349806807165}},
		{"Pareto", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Pareto(v(.5, 1, 2)) },
			[]float64{3.82529259, 3.12302041, 1.61431384},
			[]float64{3.0428313550902453, 1.0152388050382692, 1.532388301438321}},
		{"Weibull", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Weibull(v(.5, 1, 2), v(.7, 1, 2)) },
			[]float64{0.282658458, 1.13880062, 1.95736563},
			[]float64{0.21638685771616875, 0.015123860720489336, 1.847869042268092}},
		{"TruncatedNormal", func(t ad.DType, v vector, a ad.Value) ad.Value {
			return k.TruncatedNormal(v(-1, .5, -2, 0), v(1, 2, -1, math.Inf(1)))
		},
			[]float64{-0.0193219371, 1.20417964, -1.24533367, 0.773910105},
			[]float64{-0.12571773926388916, 0.5122219255578487, -1.2771236452567594, 1.1026455915846258}},
		{"Geometric", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Geometric(v(.1, .5, .9, 1)) },
			[]float64{7, 1, 1, 1},
			[]float64{9.0, 7.0, 1.0, 1.0}},
		{"Choice", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Choice(v(.1, .2, 0, .4, .3), 10, true) },
			[]float64{3, 3, 3, 3, 3, 3, 4, 1, 3, 1},
			[]float64{3.0, 4.0, 3.0, 1.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0}},
		{"Choice without replacement", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Choice(v(.1, .2, 0, .4, .3), 4, false) },
			[]float64{3, 1, 4, 0},
			[]float64{3.0, 4.0, 0.0, 1.0}},
		{"MultivariateNormal", func(t ad.DType, v vector, a ad.Value) ad.Value {
			return k.MultivariateNormal(v(1, 2), v(2, .5, .5, 1).Reshape(2, 2))
		},
			[]float64{0.959971249, 2.42695475},
			[]float64{0.738778144692716, -0.09499048743076521}},
		{"Orthogonal", func(t ad.DType, v vector, a ad.Value) ad.Value { return k.Orthogonal(t, 3) },
			[]float64{-0.0195297003, 0.995267808, 0.0951895714, 0.105943903, -0.0926115289, 0.990050077, -0.994180441, -0.0294198394, 0.103633866},
			[]float64{-0.24985348168396393, -0.9679399318215844, 0.025797792068838043, 0.8281911415011259, -0.19982480469811717, 0.5236119560957534, 0.5016698823224919, -0.1521917731435747, -0.851566200220483}},
	} {
		for _, typ := range []ad.DType{ad.F32, ad.F64} {
			v := func(x ...float64) ad.Value { return ad.From(x).Convert(typ) }
			want, tol := c.f64, 1e-12
			if typ == ad.F32 {
				want, tol = c.f32, 1e-6
			}
			got := c.f(typ, v, v(0.1, 0.5, 1, 2.5, 30, 1000)).Float64s()
			if len(got) != len(want) {
				t.Fatalf("%s: %v", c.name, got)
			}
			for i, w := range want {
				if !(math.Abs(got[i]-w) <= tol*math.Max(1, math.Abs(w))) {
					t.Errorf("%s, %v: number %d is %v, want %v", c.name, typ, i, got[i], w)
				}
			}
		}
	}
}

// distribution is how a test draws one.
type distribution struct {
	name           string
	f              func(k ad.Key, one ad.Value) ad.Value // one is ones
	mean, variance float64
	cdf            func(x float64) float64
	counts         bool
}

func distributions() []distribution {
	poisson := func(rate float64) distribution {
		d := distuv.Poisson{Lambda: rate}
		return distribution{fmt.Sprint("Poisson ", rate), func(k ad.Key, one ad.Value) ad.Value { return k.Poisson(one.Scale(rate)) }, rate, rate, d.CDF, true}
	}
	binomial := func(n, p float64) distribution {
		d := distuv.Binomial{N: n, P: p}
		return distribution{fmt.Sprint("Binomial ", n, " ", p), func(k ad.Key, one ad.Value) ad.Value { return k.Binomial(one.Scale(n), one.Scale(p)) }, n * p, n * p * (1 - p), d.CDF, true}
	}
	gamma := func(a float64) distribution {
		return distribution{fmt.Sprint("Gamma ", a), func(k ad.Key, one ad.Value) ad.Value { return k.Gamma(one.Scale(a)) }, a, a, distuv.Gamma{Alpha: a, Beta: 1}.CDF, false}
	}
	logGamma := func(a float64) distribution {
		return distribution{fmt.Sprint("LogGamma ", a), func(k ad.Key, one ad.Value) ad.Value { return k.LogGamma(one.Scale(a)) },
			ad.Scalar(a).Digamma().Item(), ad.Scalar(a).Trigamma().Item(), func(x float64) float64 { return mathext.GammaIncReg(a, math.Exp(x)) }, false}
	}
	truncated := func(lo, hi float64) distribution {
		upper := func(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
		if hi < 0 {
			upper = func(x float64) float64 { return -math.Erfc(-x/math.Sqrt2) / 2 }
		}
		z := upper(lo) - upper(hi)
		pdf := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
		edge := func(x float64) float64 {
			if math.IsInf(x, 0) {
				return 0
			}
			return x * pdf(x)
		}
		mean := (pdf(lo) - pdf(hi)) / z
		return distribution{fmt.Sprint("TruncatedNormal ", lo, " ", hi), func(k ad.Key, one ad.Value) ad.Value { return k.TruncatedNormal(one.Scale(lo), one.Scale(hi)) },
			mean, 1 + (edge(lo)-edge(hi))/z - mean*mean, func(x float64) float64 { return (upper(lo) - upper(x)) / z }, false}
	}
	of := func(name string, d interface {
		Mean() float64
		Variance() float64
		CDF(x float64) float64
	}, f func(k ad.Key, one ad.Value) ad.Value) distribution {
		return distribution{name, f, d.Mean(), d.Variance(), d.CDF, false}
	}
	return []distribution{gamma(0.05), gamma(0.7), gamma(1), gamma(3.5), gamma(200), logGamma(0.3), logGamma(0.01), logGamma(4),
		of("Beta", distuv.Beta{Alpha: 0.4, Beta: 2.5}, func(k ad.Key, one ad.Value) ad.Value { return k.Beta(one.Scale(0.4), one.Scale(2.5)) }),
		of("ChiSquared", distuv.ChiSquared{K: 3}, func(k ad.Key, one ad.Value) ad.Value { return k.ChiSquared(one.Scale(3)) }),
		of("StudentT", distuv.StudentsT{Mu: 0, Sigma: 1, Nu: 6}, func(k ad.Key, one ad.Value) ad.Value { return k.StudentT(one.Scale(6)) }),
		of("Logistic", distuv.Logistic{Mu: 0, S: 1}, func(k ad.Key, one ad.Value) ad.Value { return k.LogisticLike(one) }),
		of("LogNormal", distuv.LogNormal{Mu: 0, Sigma: 0.5}, func(k ad.Key, one ad.Value) ad.Value { return k.LogNormal(one.Scale(0.5)) }),
		of("Pareto", distuv.Pareto{Xm: 1, Alpha: 6}, func(k ad.Key, one ad.Value) ad.Value { return k.Pareto(one.Scale(6)) }),
		of("Weibull", distuv.Weibull{K: 1.5, Lambda: 2}, func(k ad.Key, one ad.Value) ad.Value { return k.Weibull(one.Scale(2), one.Scale(1.5)) }),
		of("Rayleigh", distuv.Weibull{K: 2, Lambda: 3 * math.Sqrt2}, func(k ad.Key, one ad.Value) ad.Value { return k.Rayleigh(one.Scale(3)) }),
		{"Cauchy", func(k ad.Key, one ad.Value) ad.Value { return k.CauchyLike(one) }, math.NaN(), math.NaN(), func(x float64) float64 { return 0.5 + math.Atan(x)/math.Pi }, false},
		truncated(-1, 2), truncated(-math.MaxFloat32, 0.5), truncated(2, 2.5), truncated(8, 9), truncated(-9, -8), truncated(-3, -1),
		poisson(0.3), poisson(4), poisson(9.9), poisson(10), poisson(60), poisson(1e4), poisson(3e5),
		binomial(7, 0.3), binomial(1000, 0.004), binomial(50, 0.5), binomial(300, 0.9), binomial(1e5, 0.3),
		{"Geometric", func(k ad.Key, one ad.Value) ad.Value { return k.Geometric(one.Scale(0.3)) }, 1 / 0.3, 0.7 / 0.09,
			func(x float64) float64 { return 1 - math.Pow(0.7, math.Floor(x)) }, true},
		{"Rademacher", func(k ad.Key, one ad.Value) ad.Value { return k.RademacherLike(one) }, 0, 1,
			func(x float64) float64 { return []float64{0, 0.5, 1}[min(int(x+3)/2, 2)] }, true},
	}
}

func TestMoreDistributions(t *testing.T) {
	const n = 50_000
	k := ad.NewKey(19)
	for i, d := range distributions() {
		for _, typ := range []ad.DType{ad.F32, ad.F64} {
			name := fmt.Sprint(d.name, ", ", typ)
			x := d.f(k.FoldIn(ad.Const(float64(i))), typ.Ones(n)).Float64s()
			sum, squares, fourth := 0.0, 0.0, 0.0
			for _, v := range x {
				e := v - d.mean
				sum += e
				squares += e * e
				fourth += e * e * e * e
			}
			if e := sum / n; math.Abs(e) > 4*math.Sqrt(d.variance/n) {
				t.Errorf("%s: the mean is off by %v", name, e)
			}
			if e := squares/n - d.variance; math.Abs(e) > 4*math.Sqrt((fourth/n-d.variance*d.variance)/n)+1e-6*d.variance {
				t.Errorf("%s: the variance is off by %v of %v", name, e, d.variance)
			}
			if d.counts { // where a count lies in its step is random, too
				r := rand.New(rand.NewPCG(1, uint64(i)))
				for j, v := range x {
					if v != math.Floor(v) {
						t.Fatalf("%s: %v is no count", name, v)
					}
					lo := d.cdf(v - 1)
					x[j] = lo + r.Float64()*(d.cdf(v)-lo)
				}
				kolmogorov(t, name, x, func(u float64) float64 { return u })
			} else {
				kolmogorov(t, name, x, d.cdf)
			}
		}
	}
	// Vectors: the marginals of Dirichlet numbers are beta numbers; rows sum to 1.
	alpha := ad.From([]float64{0.5, 2, 3})
	x := k.Dirichlet(alpha.BroadcastTo(n, 3))
	for i, a := range alpha.Float64s() {
		kolmogorov(t, "Dirichlet", x.Narrow(1, i, 1).Flatten().Float64s(), distuv.Beta{Alpha: a, Beta: 5.5 - a}.CDF)
	}
	if e := x.Sum(1).Shift(-1).Abs().ReduceMax().Item(); e > 1e-15*4 {
		t.Errorf("Dirichlet: sums are off by %v", e)
	}
	// A matrix of the orthogonal group: its trace has mean 0 and variance 1; Q·Qᵀ is the identity.
	q := ad.Vmap(func(k ad.Key) ad.Value { return k.Orthogonal(ad.F64, 4) })(k.Keys(4000))
	if e := q.MatMul(q.Transpose(0, 2, 1)).Sub(ad.F64.Eye(4)).Abs().ReduceMax().Item(); e > 1e-14 {
		t.Errorf("Orthogonal: off by %v", e)
	}
	if tr := q.Diagonal().Sum(-1); math.Abs(tr.Mean().Item()) > 4/math.Sqrt(4000) || math.Abs(tr.Var().Item()-1) > 0.1 {
		t.Errorf("Orthogonal: traces of mean %v, variance %v", tr.Mean().Item(), tr.Var().Item())
	}
	// Indices in proportion to their weights; without replacement the first is such a one, the second is of the rest.
	w := []float64{3, 0, 1, 2}
	var first, pairs [4]float64
	for _, i := range ad.Data[int64](k.Choice(ad.From(w), n, true)) {
		first[i]++
	}
	two := ad.Data[int64](ad.Vmap(func(k ad.Key) ad.Value { return k.Choice(ad.From(w), 2, false) })(k.Keys(n)))
	for i := range n {
		if two[2*i] == two[2*i+1] {
			t.Fatal("Choice without replacement gives one twice")
		}
		if two[2*i] == 0 {
			pairs[two[2*i+1]]++
		}
	}
	for i, p := range w {
		if e := first[i] - n*p/6; math.Abs(e) > 4*math.Sqrt(n*p/6) {
			t.Errorf("Choice: %d is drawn %v times", i, first[i])
		}
		if p = p / 3 * n / 2; i > 0 && math.Abs(pairs[i]-p) > 4*math.Sqrt(p) {
			t.Errorf("Choice without replacement: %d after 0 %v times, want %v", i, pairs[i], p)
		}
	}
}

// A number's derivative by its distribution's parameter is that of the quantile.
func TestGammaGradient(t *testing.T) {
	k := ad.NewKey(4)
	const n = 40
	for _, a := range []float64{1e-3, 0.05, 0.4, 1, 1.7, 6, 50, 1500} {
		sum := func(f func(k ad.Key, a ad.Value) ad.Value) func(a ad.Value) ad.Value {
			return func(a ad.Value) ad.Value { return f(k, a) }
		}
		at := ad.F64.Full(a, n)
		x := k.Gamma(at).Float64s()
		ones := at.FullLike(1)
		first := ad.JVP(sum(ad.Key.Gamma))(at, ones).Tangent.Float64s()
		back := ad.VJP(sum(ad.Key.Gamma))(at, ones).Grad.Float64s()
		logs := ad.JVP(sum(ad.Key.LogGamma))(at, ones).Tangent.Float64s()
		l := k.LogGamma(at).Float64s()
		second := ad.JVP(func(a ad.Value) ad.Value { return ad.JVP(sum(ad.Key.Gamma))(a, ones).Tangent })(at, ones).Tangent.Float64s()
		single := ad.JVP(sum(ad.Key.Gamma))(ad.F32.Full(a, n), ad.F32.Ones(n)).Tangent.Float64s()
		xs := k.Gamma(ad.F32.Full(a, n)).Float64s()
		for i := range n {
			if first[i] != back[i] && math.Abs(first[i]/back[i]-1) > 1e-14 {
				t.Errorf("a %v: %v forwards, %v backwards", a, first[i], back[i])
			}
			// Logarithms' derivative, by the differences of log x(a) at P(a, x) fixed, where P is not rounded away.
			if p := mathext.GammaIncReg(a, x[i]); x[i] > 1e-200 && p < 0.999 {
				h := 1e-3 * a
				quantile := func(a float64) float64 { // its logarithm, by Newton's method from where x is
					l := math.Log(x[i])
					for range 8 {
						lg, _ := math.Lgamma(a)
						l -= (mathext.GammaIncReg(a, math.Exp(l)) - p) / math.Exp(a*l-math.Exp(l)-lg)
					}
					return l
				}
				q0, q1, q2, q3, q4 := quantile(a), quantile(a-2*h), quantile(a-h), quantile(a+h), quantile(a+2*h)
				slope := (8*(q3-q2) - (q4 - q1)) / (12 * h)
				if want := x[i] * slope; math.Abs(first[i]-want) > 1e-8*math.Abs(want) {
					t.Errorf("a %v: the derivative of %v is %v, want %v", a, x[i], first[i], want)
				}
				want2 := x[i] * (slope*slope + (16*(q2+q3)-30*q0-q1-q4)/(12*h*h))
				if math.Abs(second[i]-want2) > 1e-5*math.Max(math.Abs(want2), 0.1/a) {
					t.Errorf("a %v: the second derivative of %v is %v, want %v", a, x[i], second[i], want2)
				}
			}
			// In x → 0 that of the leading term.
			if lead := (ad.Scalar(a).Shift(1).Digamma().Item() - l[i]) / a; l[i] < -20 && math.Abs(logs[i]/lead-1) > 1e-8 {
				t.Errorf("a %v: the derivative of log x = %v is %v, want %v", a, l[i], logs[i], lead)
			}
			if x[i] > 1e-300 && math.Abs(logs[i]*x[i]/first[i]-1) > 1e-11 {
				t.Errorf("a %v: the derivative of log x = %v is %v, that of x %v", a, l[i], logs[i], first[i])
			}
			// In float32, at the number that it is.
			if xs[i] > 1e-30 {
				lg, _ := math.Lgamma(a)
				a := float64(float32(a))
				h := 1e-4 * a
				byA := (mathext.GammaIncReg(a+h, xs[i]) - mathext.GammaIncReg(a-h, xs[i])) / (2 * h)
				want := -byA / math.Exp((a-1)*math.Log(xs[i])-xs[i]-lg)
				if math.Abs(single[i]-want) > 5e-4*math.Abs(want) {
					t.Errorf("a %v, float32: the derivative of %v is %v, want %v", a, xs[i], single[i], want)
				}
			} else if math.IsNaN(single[i]) {
				t.Errorf("a %v, float32: the derivative of %v is NaN", a, xs[i])
			}
		}
	}
}

// What is composed of these: derivatives of means are means of derivatives; the smooth ones are held to differences.
func TestDistributionGradients(t *testing.T) {
	k := ad.NewKey(6)
	const n = 100_000
	b := ad.Grad(func(p [2]ad.Value) ad.Value { return k.Beta(p[0].BroadcastTo(n), p[1].BroadcastTo(n)).Mean() })([2]ad.Value{ad.Scalar(0.8), ad.Scalar(2.0)})
	if x, y := b[0].Item(), b[1].Item(); math.Abs(x-2/(2.8*2.8)) > 2e-3 || math.Abs(y+0.8/(2.8*2.8)) > 2e-3 {
		t.Errorf("Beta: the mean's derivatives are %v and %v", x, y)
	}
	d := ad.Jacobian(func(a ad.Value) ad.Value { return k.Dirichlet(a.BroadcastTo(n/10, 3)).Mean(0) })(ad.From([]float64{0.5, 1, 2.5}))
	for i := range 3 {
		for j := range 3 {
			a := []float64{0.5, 1, 2.5}
			want := -a[i] / 16
			if i == j {
				want += 0.25
			}
			if got := d.At(i, j); math.Abs(got-want) > 6e-3 {
				t.Errorf("Dirichlet: the derivative of mean %d by %d is %v, want %v", i, j, got, want)
			}
		}
	}
	chi := ad.Grad(func(df ad.Value) ad.Value { return k.ChiSquared(df.BroadcastTo(n)).Mean() })(ad.Scalar(3.0)).Item()
	student := ad.Grad(func(df ad.Value) ad.Value { return k.StudentT(df.BroadcastTo(n)).Abs().Log().Mean() })(ad.Scalar(5.0)).Item()
	// E log|t| is (log df + ψ(½) - ψ(df/2))/2.
	if want := (1.0/5 - ad.Scalar(2.5).Trigamma().Item()/2) / 2; math.Abs(student-want) > 2e-3 || math.Abs(chi-1) > 2e-2 {
		t.Errorf("StudentT: %v, want %v; ChiSquared: %v", student, want, chi)
	}
	type two struct{ A, B ad.Value }
	arg := two{ad.From([]float64{0.3, 0.8, 2, 5}), ad.From([]float64{1.3, 0.9, 2.5, 7})}
	for name, f := range map[string]func(p two) ad.Value{
		"LogNormal":       func(p two) ad.Value { return k.LogNormal(p.A) },
		"Pareto":          func(p two) ad.Value { return k.Pareto(p.A) },
		"Weibull":         func(p two) ad.Value { return k.Weibull(p.A, p.B) },
		"Rayleigh":        func(p two) ad.Value { return k.Rayleigh(p.A) },
		"TruncatedNormal": func(p two) ad.Value { return k.TruncatedNormal(p.A.Neg(), p.B) },
		"tails":           func(p two) ad.Value { return k.TruncatedNormal(p.A.Shift(4), p.B.Shift(5)) },
		"left tails":      func(p two) ad.Value { return k.TruncatedNormal(p.B.Shift(5).Neg(), p.A.Shift(4).Neg()) },
		"MultivariateNormal": func(p two) ad.Value {
			return k.MultivariateNormal(p.A, p.B.Outer(p.B).Add(ad.F64.Eye(4)))
		},
	} {
		if err := ad.CheckGrads(f, arg, ad.CheckOptions{Order: 2}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func(x ad.Value) ad.Value{"Poisson": k.Poisson, "Geometric": k.Geometric,
		"Binomial": func(x ad.Value) ad.Value { return k.Binomial(x.Scale(10), x) }} {
		if d := ad.Grad(func(x ad.Value) ad.Value { return f(x).Mul(x).Sum() })(ad.F64.Full(0.5, 3)); d.Sub(f(ad.F64.Full(0.5, 3))).Abs().ReduceMax().Item() != 0 {
			t.Errorf("%s: a count is no constant: %v", name, d)
		}
	}
}

// Counts are as frequent as their probabilities say, where inversion begins and ends and where rejection does, too.
func TestCountsFrequencies(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	type law interface{ Prob(x float64) float64 }
	poisson := func(rate float64) (law, func(k ad.Key, one ad.Value) ad.Value) {
		return distuv.Poisson{Lambda: rate}, func(k ad.Key, one ad.Value) ad.Value { return k.Poisson(one.Scale(rate)) }
	}
	binomial := func(m, p float64) (law, func(k ad.Key, one ad.Value) ad.Value) {
		return distuv.Binomial{N: m, P: p}, func(k ad.Key, one ad.Value) ad.Value { return k.Binomial(one.Scale(m), one.Scale(p)) }
	}
	number := 0
	check := func(name string, l law, f func(k ad.Key, one ad.Value) ad.Value) {
		for _, typ := range []ad.DType{ad.F32, ad.F64} {
			number++
			seen := map[float64]float64{}
			for _, x := range f(ad.NewKey(uint64(number)), typ.Ones(n)).Float64s() {
				seen[x]++
			}
			chi, df, got, want := 0.0, -1.0, 0.0, 0.0
			add := func() {
				chi, df, got, want = chi+(got-want)*(got-want)/want, df+1, 0, 0
			}
			all := 0.0
			for x := 0.0; x < 2000; x++ {
				all += seen[x]
				if got, want = got+seen[x], want+float64(n)*l.Prob(x); want > 20 {
					add()
				}
			}
			if all != float64(n) {
				t.Errorf("%s, %v: %v of %d counts are in range", name, typ, all, n)
			}
			if math.Abs(chi-df) > 4.5*math.Sqrt(2*df) {
				t.Errorf("%s, %v: χ² %.1f of %v degrees of freedom", name, typ, chi, df)
			}
		}
	}
	for _, rate := range []float64{0.01, 0.7, 3, 9.99, 10, 10.6, 17.3, 100, 700} {
		l, f := poisson(rate)
		check(fmt.Sprint("Poisson ", rate), l, f)
	}
	for _, c := range [][2]float64{{1, 0.5}, {10, 0.3}, {3, 0.99}, {20, 0.5}, {21, 0.5}, {21, 0.52}, {1000, 0.01}, {1000, 0.0101}, {1000, 0.3}, {1000, 0.9}} {
		l, f := binomial(c[0], c[1])
		check(fmt.Sprint("Binomial ", c), l, f)
	}
}

// Parameters out of range give NaN, and no endless loop; those at the edge what they should.
func TestDistributionEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	k := ad.NewKey(3)
	for _, typ := range []ad.DType{ad.F32, ad.F64} {
		v := func(x ...float64) ad.Value { return ad.From(x).Convert(typ) }
		for _, c := range []struct {
			name string
			got  ad.Value
			want []float64 // NaN; Inf; others as they are
		}{
			{"Gamma", k.Gamma(v(-1, 0, nan, inf, -inf)), []float64{nan, nan, nan, inf, nan}},
			{"LogGamma", k.LogGamma(v(-1, 0, nan, inf)), []float64{nan, nan, nan, inf}},
			{"Beta", k.Beta(v(-1, 1, nan), v(1, 0, 1)), []float64{nan, nan, nan}},
			{"StudentT", k.StudentT(v(-1, 0, nan)), []float64{nan, nan, nan}},
			{"Poisson", k.Poisson(v(-1, 0, nan, inf, -inf)), []float64{nan, 0, nan, inf, nan}},
			{"Binomial", k.Binomial(v(-1, nan, inf, 5, 5, 5, 5, 5, 0, 1000, 1000), v(.5, .5, .5, nan, -.1, 1.1, 0, 1, .3, 0, 1)),
				[]float64{nan, nan, nan, nan, nan, nan, 0, 5, 0, 0, 1000}},
			{"Geometric", k.Geometric(v(0, -1, 1.5, nan, 1)), []float64{nan, nan, nan, nan, 1}},
			{"Pareto", k.Pareto(v(0, -1, nan)), []float64{nan, nan, nan}},
			{"Weibull", k.Weibull(v(0, 1, nan), v(1, -1, 1)), []float64{nan, nan, nan}},
			{"Rayleigh", k.Rayleigh(v(0, -1, nan)), []float64{nan, nan, nan}},
			{"TruncatedNormal", k.TruncatedNormal(v(1, 2, nan, 60, -70), v(1, 1, 1, 70, -60)), []float64{nan, nan, nan, nan, nan}},
		} {
			for i, w := range c.want {
				if g := c.got.At(i); g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
					t.Errorf("%s, %v: number %d is %v, want %v", c.name, typ, i, g, w)
				}
			}
		}
		// Where numbers are further apart than the standard deviation counts are the mean, or next to it.
		top := map[ad.DType]float64{ad.F32: math.MaxFloat32, ad.F64: math.MaxFloat64}[typ]
		for _, x := range []float64{1e12, 1e30, top} {
			for name, y := range map[string]ad.Value{"Poisson": k.Poisson(typ.Full(x, 9)), "Binomial": k.Binomial(typ.Full(x, 9), typ.Full(1-0x1p-20, 9))} {
				if e := y.Scale(1 / x).Shift(-1).Abs().ReduceMax().Item(); !(e < 1e-5) {
					t.Errorf("%s of %v, %v: off by a part of %v", name, x, typ, e)
				}
			}
		}
		if x := k.TruncatedNormal(typ.Full(-1, 9), typ.Full(inf, 9)).ReduceMin().Item(); x < -1 {
			t.Errorf("%v: %v is below -1", typ, x)
		}
	}
	if k.Choice(ad.F64.Ones(3), 0, true).Dim(0) != 0 || k.Gamma(ad.F32.Zeros(0)).Dim(0) != 0 || k.Poisson(ad.F32.Zeros(0)).Dim(0) != 0 {
		t.Error("nothing is something")
	}
}

// The same numbers on every level, with any number of threads, in any batch, one key at a time or under Vmap, whatever the
// other elements need.
func TestDistributionsSameEverywhere(t *testing.T) {
	const rows = 300
	k := ad.NewKey(5)
	all := distributions()
	draw := func(k ad.Key, x, y ad.Value) []ad.Value {
		var vs []ad.Value
		for i, d := range all {
			ones := []ad.Value{x, y}[i%2]
			vs = append(vs, d.f(k.FoldIn(ad.Const(float64(i))), ones))
		}
		a := func(x ad.Value) ad.Value { return k.Gamma(x.Scale(2.5)) }
		return append(vs, ad.JVP(a)(x, x).Tangent, ad.JVP(a)(y, y).Tangent)
	}
	type in struct {
		Key  ad.Key
		X, Y ad.Value
	}
	args := func(rows int) in { return in{k, ad.F32.Ones(rows, 2), ad.F64.Ones(rows, 2)} }
	want := draw(k, args(rows).X, args(rows).Y)
	for _, level := range kernels.Levels() {
		for _, threads := range []int{1, 3} { // one thread runs tiles
			p, err := ad.Compile(func(a in) []ad.Value { return draw(a.Key, a.X, a.Y) },
				in{k, ad.F32.Spec(ad.AnyBatch, 2), ad.F64.Spec(ad.AnyBatch, 2)}, ad.Options{Level: level.Name, Threads: threads, NoCode: threads == 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, rows := range []int{1, 67, rows} {
				got, err := p.Run(context.Background(), args(rows))
				if err != nil {
					t.Fatal(err)
				}
				for i := range want {
					b := raw(got[i])
					same := bytes.Equal(b, raw(want[i])[:len(b)])
					if i >= len(all) && p.Device() != "cpu" { // slopes have special functions in them, which are another library's there
						same = nearly(got[i].Float64s(), want[i].Float64s(), map[ad.DType]float64{ad.F32: 1e-6, ad.F64: 1e-11}[want[i].DType()])
					}
					if !same {
						t.Errorf("%s, %d threads, %d rows: number %d: other numbers", level.Name, threads, rows, i)
					}
				}
			}
		}
	}
	keys := k.Keys(3)
	x, y := ad.F32.Ones(5), ad.F64.Ones(5)
	batch := ad.Vmap(func(k ad.Key) []ad.Value { return draw(k, x, y) })(keys)
	for i := range 3 {
		for j, one := range draw(ad.Key{Data: keys.Data.Index(i)}, x, y) {
			if !bytes.Equal(raw(batch[j].Index(i)), raw(one)) {
				t.Errorf("key %d under Vmap: number %d: other numbers", i, j)
			}
		}
	}
}

// nearly reports whether x is the beginning of y, but for a part of tol.
func nearly(x, y []float64, tol float64) bool {
	for i := range x {
		if !(math.Abs(x[i]-y[i]) <= tol*math.Abs(y[i])) {
			return false
		}
	}
	return true
}

func TestDistributionErrors(t *testing.T) {
	k := ad.NewKey(0)
	refuses(t, map[string]func(){
		"Gamma of int64: float32 or float64":                                 func() { k.Gamma(ad.I64.Ones(3)) },
		"LogGamma of bfloat16: float32 or float64":                           func() { k.LogGamma(ad.BF16.Ones(3)) },
		"LogGamma of float16: float32 or float64":                            func() { k.LogGamma(ad.F16.Ones(3)) },
		"Beta of float64: float32 or float64, the same for all":              func() { k.Beta(ad.F32.Ones(3), ad.F64.Ones(3)) },
		"Beta [2], [3]: axes of 2 and 3 do not broadcast":                    func() { k.Beta(ad.F32.Ones(2), ad.F32.Ones(3)) },
		"Dirichlet []: an axis is needed":                                    func() { k.Dirichlet(ad.Scalar(1.0)) },
		"Poisson of no value":                                                func() { k.Poisson(ad.Value{}) },
		"Gamma [3] of int32: a key is int32 of shape [2]":                    func() { ad.Key{Data: ad.I32.Zeros(3)}.Gamma(ad.F32.Ones(1)) },
		"Cauchy of int32: float32 or float64 is needed":                      func() { k.Cauchy(ad.I32, 2) },
		"Choice 4 of [3], with replacement: false":                           func() { k.Choice(ad.F64.Ones(3), 4, false) },
		"Choice 1 of [2 2], with replacement: true":                          func() { k.Choice(ad.F64.Ones(2, 2), 1, true) },
		"MultivariateNormal mean float64[2], covariance float64[3 3]":        func() { k.MultivariateNormal(ad.F64.Ones(2), ad.F64.Eye(3)) },
		"MultivariateNormal mean float32[2], covariance float64[2 2]: [… n]": func() { k.MultivariateNormal(ad.F32.Ones(2), ad.F64.Eye(2)) },
		"Orthogonal -1 rows":                                                 func() { k.Orthogonal(ad.F64, -1) },
	})
}
