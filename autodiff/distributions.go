package autodiff

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// The methods of this file take the parameters of a distribution as values, floats that broadcast, and give a number for
// each element: more draws of one distribution are those of a parameter broadcast. A parameter that is out of range
// gives NaN. Where a distribution is continuous the numbers have derivatives by its parameters ("reparameterized"); counts
// are floats of the parameters' type, whole, and constants to derivatives. The algorithms, and so the numbers up to
// roundings, are those of jax.random but where something else is said.

// drawn calls f with a key and one or two parameters, floats of one type that are broadcast to one shape.
func drawn(op string, k Key, a, b Value, f func(k Key, a, b Value) Value) Value {
	ps := []Value{a}
	if b.IsValid() {
		ps = append(ps, b)
	}
	return applyTyped(op, recipe{}, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		t, s := in[1].Type, in[1].Shape
		for _, p := range in[1:] {
			if s = ir.BroadcastShapes(op, s, p.Shape); p.Type != t || t != dtype.F32 && t != dtype.F64 {
				ir.Fail(op, "of %v: float32 or float64, the same for all, is needed", p.Type)
			}
		}
		wide := func(p *ir.Node) Value { return Value{n: g.BroadcastTo(op, p, s)} }
		return f(Key{Value{n: in[0]}}, wide(in[1]), wide(in[len(in)-1])).n
	}, ps, append([]Value{k.Data}, ps...))
}

// lanes are keys, one for each element of an array.
type lanes struct{ Hi, Lo Value }

func newLanes(op string, k Key, like Value) lanes {
	g := like.n.Graph
	hi, lo := threefry(op, g, k.Data.n, counters(op, g, like.n.Shape))
	return lanes{Value{n: hi}, Value{n: lo}}
}

// split is key number i of each one's keys.
func (l lanes) split(i int) lanes {
	g := l.Hi.n.Graph
	hi, lo := encipher(g, l.Hi.n, l.Lo.n, nil, g.Const(dtype.I32, nil, float64(i)))
	return lanes{Value{n: hi}, Value{n: lo}}
}

// uniform is a number of [0, 1) from each.
func (l lanes) uniform(op string, t dtype.Type) Value {
	first := l.split(0)
	return Value{n: fraction(op, l.Hi.n.Graph, t, first.Hi.n, first.Lo.n)}
}

func chosen(cond Value, a, b lanes) lanes {
	return lanes{Where(cond, a.Hi, b.Hi), Where(cond, a.Lo, b.Lo)}
}

// Gamma is numbers of the gamma distribution of shape a > 0 and scale 1, by Marsaglia and Tsang ("A simple method for
// generating gamma variables", 2000). Their derivative by a is that of the quantile, -∂P(a, x)/∂a over the density
// (Figurnov et al., "Implicit reparameterization gradients", 2018); it has one further derivative. Small a underflow to 0:
// see LogGamma.
func (k Key) Gamma(a Value) Value { return k.gamma("Gamma", a, false) }

// LogGamma is the logarithms of numbers of the gamma distribution, those of Gamma with more accuracy where they are small.
func (k Key) LogGamma(a Value) Value { return k.gamma("LogGamma", a, true) }

func (k Key) gamma(op string, a Value, log bool) Value {
	return drawn(op, k, a, Value{}, func(k Key, a, _ Value) Value {
		keys := newLanes(op, k, a)
		// A constant to derivatives, like the keys.
		boost := some(a.Ge(Const(1)).Not(), a.FullLike(0), func() Value { return keys.split(1).uniform(op, a.n.Type) })
		return ruled(op, func(in []Value) Value { return marsagliaTsang(op, keys.split(0), in[0], in[1], log) },
			func(in []Value, y Value) []Value {
				a, constant := in[0], y.FullLike(0)
				if log {
					return []Value{gammaSlope(a, y), constant}
				}
				return []Value{Where(y.Gt(constant), y.Mul(gammaSlope(a, y.Log())), y.Mul(constant)), constant}
			}, a, boost)
	})
}

// gammaSlope is the derivative by a of log x, the logarithm of a gamma number, at a fixed quantile: in float64, because the
// density's logarithm is a small difference of large numbers. Where x is so small that P(a, x) is xᵃ/Γ(a+1) up to a
// rounding it is (ψ(a+1) - log x)/a.
func gammaSlope(a, logX Value) Value {
	t := a.DType()
	a, logX = a.Convert(F64), logX.Convert(F64)
	small := logX.Lt(Const(-37))
	near := a.Shift(1).Digamma().Sub(logX).Div(a)
	l := Where(small, logX.FullLike(0), logX)
	x := l.Exp()
	g := a.n.Graph
	byA := Value{n: g.Map(ops.GammaIncDA, a.n, x.n)}
	far := byA.Div(a.Mul(l).Sub(x).Sub(a.Lgamma()).Exp()).Neg()
	return Where(small, near, far).Convert(t)
}

// marsagliaTsang draws for each element, with a key of its own, until it is accepted; boost, uniform on [0, 1), is for
// a < 1.
func marsagliaTsang(op string, key lanes, a, boost Value, log bool) Value {
	t := a.n.Type
	one := a.FullLike(1)
	whole := a.Ge(one)
	d := Where(whole, a, a.Shift(1)).Shift(-1. / 3)
	c := d.Sqrt().Reciprocal().Scale(1. / 3)
	bad := a.Gt(Const(0)).And(a.IsFinite()).Not()

	type state struct {
		Key, Normals, Unit lanes
		V                  Value
		Next, Done         Value // whether the element goes on with new keys; has its number
	}
	step := func(s state) state {
		key := chosen(s.Next, s.Key.split(0), s.Key)
		normals, unit := chosen(s.Next, s.Key.split(1), s.Normals), chosen(s.Next, s.Key.split(2), s.Unit)
		g := a.n.Graph
		x := Value{n: bell(g, normals.split(1).uniform(op, t).n)}
		v := x.Mul(c).Shift(1)
		inside := v.Gt(Const(0))
		x2, v3 := x.Square(), v.Square().Mul(v)
		u := unit.uniform(op, t)
		surely := u.Lt(one.Sub(x2.Square().Scale(0.0331)))
		accept := surely.Or(u.Log().Lt(x2.Scale(0.5).Add(d.Mul(one.Sub(v3).Add(v3.Log())))))
		done := inside.And(accept)
		return state{key, normals.split(0), unit, Where(s.Done, s.V, v3), inside, s.Done.Or(done)}
	}
	s := While(func(s state) Value { return s.Done.All().Not() }, step, state{key, key, key, one, one.Gt(Const(0)), bad})

	var y Value
	if log {
		e := boost.Neg().Log1p()
		y = d.Log().Add(s.V.Log()).Add(Where(whole.Or(e.Eq(Const(0))), e.FullLike(0), e.Mul(a.Reciprocal())))
	} else {
		y = d.Mul(s.V).Mul(some(whole.Not(), one, func() Value { return Where(whole, one, one.Sub(boost).Pow(a.Reciprocal())) }))
	}
	return Where(bad, Where(a.Gt(Const(0)), a, a.FullLike(math.NaN())), y)
}

// Beta is numbers of the beta distribution on (0, 1) with a, b > 0.
func (k Key) Beta(a, b Value) Value {
	return drawn("Beta", k, a, b, func(k Key, a, b Value) Value {
		ks := k.Split(2)
		return ks[0].LogGamma(a).Sub(ks[1].LogGamma(b)).Sigmoid()
	})
}

// Dirichlet is numbers of the Dirichlet distribution: positive ones, of sum 1 along the last axis of alpha > 0.
func (k Key) Dirichlet(alpha Value) Value {
	if alpha.Rank() == 0 {
		ir.Fail("Dirichlet", "%v: an axis is needed", alpha.Shape())
	}
	return drawn("Dirichlet", k, alpha, Value{}, func(k Key, a, _ Value) Value { return k.LogGamma(a).Softmax(-1) })
}

// ChiSquared is numbers of the χ² distribution with df > 0 degrees of freedom.
func (k Key) ChiSquared(df Value) Value {
	return drawn("ChiSquared", k, df, Value{}, func(k Key, df, _ Value) Value { return k.Gamma(df.Scale(0.5)).Scale(2) })
}

// StudentT is numbers of Student's t distribution with df > 0 degrees of freedom.
func (k Key) StudentT(df Value) Value {
	return drawn("StudentT", k, df, Value{}, func(k Key, df, _ Value) Value {
		ks := k.Split(2)
		half := df.Scale(0.5)
		return ks[0].NormalLike(df).Mul(half.Div(ks[1].Gamma(half)).Sqrt())
	})
}

// Logistic is numbers of the standard logistic distribution: log u - log(1-u).
func (k Key) Logistic(t DType, dims ...int) Value { return k.sample("Logistic", logistic, t, dims) }

// LogisticLike is [Key.Logistic] of x's type and shape.
func (k Key) LogisticLike(x Value) Value { return k.sampleLike("Logistic", logistic, x) }

func logistic(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	u := Value{n: between(g, uniform(op, g, key, t, s), above(t, 0), 1)}
	return u.Log().Sub(u.Neg().Log1p()).n
}

// Cauchy is numbers of the standard Cauchy distribution: tan(π(u - ½)).
func (k Key) Cauchy(t DType, dims ...int) Value { return k.sample("Cauchy", cauchy, t, dims) }

// CauchyLike is [Key.Cauchy] of x's type and shape.
func (k Key) CauchyLike(x Value) Value { return k.sampleLike("Cauchy", cauchy, x) }

func cauchy(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	eps := 0x1p-52
	if t == dtype.F32 {
		eps = 0x1p-23
	}
	u := Value{n: between(g, uniform(op, g, key, t, s), eps, 1)}
	return u.Shift(-0.5).Scale(math.Pi).Tan().n
}

// Rademacher is -1 and 1, equally often.
func (k Key) Rademacher(t DType, dims ...int) Value {
	return k.sample("Rademacher", rademacher, t, dims)
}

// RademacherLike is [Key.Rademacher] of x's type and shape.
func (k Key) RademacherLike(x Value) Value { return k.sampleLike("Rademacher", rademacher, x) }

func rademacher(op string, g *ir.Graph, key *ir.Node, t dtype.Type, s ir.Shape) *ir.Node {
	u := Value{n: uniform(op, g, key, t, s)}
	return Where(u.Lt(Const(0.5)), u.FullLike(1), u.FullLike(-1)).n
}

// LogNormal is exp(sigma·z), z standard normal.
func (k Key) LogNormal(sigma Value) Value {
	return drawn("LogNormal", k, sigma, Value{}, func(k Key, sigma, _ Value) Value { return k.NormalLike(sigma).Mul(sigma).Exp() })
}

// Pareto is numbers from 1 on with the density b·x^(-b-1), b > 0.
func (k Key) Pareto(b Value) Value {
	return drawn("Pareto", k, b, Value{}, func(k Key, b, _ Value) Value { return k.ExponentialLike(b).Div(positive(b)).Exp() })
}

// Weibull is scale·e^(1/concentration), e exponential; both are positive.
func (k Key) Weibull(scale, concentration Value) Value {
	return drawn("Weibull", k, scale, concentration, func(k Key, scale, c Value) Value {
		// A zero, to a power that is derived, would give NaN; the least of uniform numbers stands for 0.
		e := k.ExponentialLike(c).Max(Const(above(c.n.Type, 0)))
		return positive(scale).Mul(e.Log().Div(positive(c)).Exp())
	})
}

// Rayleigh is scale·√(2e), e exponential: the length of two normal numbers of standard deviation scale > 0. (JAX takes log u
// for e, which is infinite once in 2²³ float32 numbers.)
func (k Key) Rayleigh(scale Value) Value {
	return drawn("Rayleigh", k, scale, Value{}, func(k Key, scale, _ Value) Value {
		return k.ExponentialLike(scale).Scale(2).Sqrt().Mul(positive(scale))
	})
}

// positive is x where it is, NaN elsewhere.
func positive(x Value) Value { return Where(x.Gt(Const(0)), x, x.FullLike(math.NaN())) }

// TruncatedNormal is standard normal numbers between lo and hi, lo < hi, one of which may be infinite. It is exact far from 0,
// too, up to where the type holds no probability any more (13 standard deviations in float32, 37 in float64): beyond,
// NaN. (JAX takes the error function on both sides, which ends at 5 and 8.)
func (k Key) TruncatedNormal(lo, hi Value) Value {
	const op = "TruncatedNormal"
	return drawn(op, k, lo, hi, func(k Key, lo, hi Value) Value {
		f := func(in []Value) Value {
			lo, hi, u := in[0], in[1], in[2]
			// Left of 0 everything is mirrored, for erfc holds small numbers only above 0.
			left := lo.Add(hi).Lt(Const(0))
			near, far := Where(left, hi.Neg(), lo), Where(left, lo.Neg(), hi)
			p, q := near.Scale(math.Sqrt2/2).Erfc(), far.Scale(math.Sqrt2/2).Erfc()
			w := Where(left, q.Add(p.Sub(q).Mul(u)), p.Add(q.Sub(p).Mul(u)))
			x := w.Erfcinv().Scale(math.Sqrt2).Max(near).Min(far)
			return Where(lo.Lt(hi).And(p.Gt(q)), Where(left, x.Neg(), x), x.FullLike(math.NaN()))
		}
		d := func(in []Value, x Value) []Value {
			lo, hi, u := in[0], in[1], in[2]
			ratio := func(b Value) Value { return x.Sub(b).Mul(x.Add(b)).Scale(0.5).Exp() } // of the densities
			return []Value{
				Where(lo.IsFinite(), u.Neg().Shift(1).Mul(ratio(lo)), u.FullLike(0)),
				Where(hi.IsFinite(), u.Mul(ratio(hi)), u.FullLike(0)), u.FullLike(0)}
		}
		return ruled(op, f, d, lo, hi, k.UniformLike(lo).StopGradient())
	})
}

// Geometric is how many trials the first success takes, each with probability p of (0, 1]: a whole number from 1 on.
func (k Key) Geometric(p Value) Value {
	return drawn("Geometric", k, p, Value{}, func(k Key, p, _ Value) Value {
		p = p.StopGradient()
		u := k.UniformLike(p)
		u = Where(u.Eq(Const(0)), u.FullLike(1), u)
		y := u.Log().Div(p.Neg().Log1p()).Floor().Shift(1)
		return Where(p.Gt(Const(0)).And(p.Le(Const(1))), y, p.FullLike(math.NaN()))
	})
}

// Poisson is counts of the Poisson distribution of mean rate ≥ 0: by inversion below 10, by Hörmann's transformed rejection ("The
// generation of binomial random variates", 1993; see transformed) from there on. The numbers are not those of jax.random, and hold to where
// counts themselves are rounded, 2²⁴ in float32.
func (k Key) Poisson(rate Value) Value {
	const op = "Poisson"
	return drawn(op, k, rate, Value{}, func(k Key, rate, _ Value) Value {
		rate = rate.StopGradient()
		zero, ten := rate.FullLike(0), rate.FullLike(10)
		small := rate.Gt(zero).And(rate.Lt(ten))
		large := rate.Ge(ten).And(rate.IsFinite())
		itself := rate.Eq(zero).Or(rate.Eq(rate.FullLike(math.Inf(1))))
		y := Where(itself, rate, Where(small.Or(large), zero, rate.FullLike(math.NaN())))
		y = some(small, y, func() Value {
			wide := rate.Convert(F64)
			return searched(k, y, small, wide.Neg().Exp(), wide, wide.FullLike(0))
		})
		return some(large, y, func() Value {
			return transformed(op, k, y, large, rate, rate.Sqrt(), zero, rate.FullLike(math.Inf(1)), func(n Value) Value { return logChance(n, rate) })
		})
	})
}

// Binomial is how many of n trials, a whole number ≥ 0, succeed, each with probability p of [0, 1]: by inversion where n·min(p, 1-p) ≤ 10,
// else by Hörmann's transformed rejection, as [Key.Poisson]. The numbers are not those of jax.random.
func (k Key) Binomial(n, p Value) Value {
	const op = "Binomial"
	return drawn(op, k, n, p, func(k Key, n, p Value) Value {
		n, p = n.StopGradient().Floor(), p.StopGradient()
		zero := n.FullLike(0)
		good := n.Ge(zero).And(n.IsFinite()).And(p.Ge(zero)).And(p.Le(Const(1)))
		often := p.Ge(Const(0.5))
		q := Where(often, p.Neg().Shift(1), p)
		mean := n.Mul(q)
		large := good.And(mean.Gt(Const(10)))
		small := good.And(mean.Gt(zero)).And(large.Not())
		y := some(small, zero, func() Value {
			n, q := n.Convert(F64), q.Convert(F64)
			odds := q.Div(q.Neg().Shift(1))
			return searched(k, zero, small, n.Mul(q.Neg().Log1p()).Exp(), n.Mul(odds), odds)
		}).Min(n)
		y = some(large, y, func() Value {
			rest := q.Neg().Shift(1)
			sd := mean.Mul(rest).Sqrt()
			return transformed(op, k, y, large, mean, sd, q, n, func(y Value) Value {
				more := n.Shift(1)
				return logChance(y, more.Mul(q)).Add(logChance(n.Sub(y), more.Mul(rest)))
			})
		})
		return Where(good, Where(often, n.Sub(y), y), n.FullLike(math.NaN()))
	})
}

// some is what f gives if some element is wanted, and otherwise y.
func some(wanted, y Value, f func() Value) Value {
	return Cond(wanted.Any(), f, func() Value { return y })
}

// searched is start but where counts are wanted: the first ones up to which the probabilities, float64s, exceed a uniform number. That of
// 0 is first, that of n+1 is (slope - ratio·n)/(n+1) times that of n. All counts beyond 64 have less than 2⁻⁵³.
func searched(k Key, start, wanted, first, slope, ratio Value) Value {
	const steps, most = 8, 64
	type state struct{ N, Left, P, Done Value } // Left and P, a probability, times N!
	zero := first.FullLike(0)
	s := While(func(s state) Value { return s.Done.All().Not() },
		func(s state) state {
			n, left, p := s.N, s.Left, s.P
			for j := range steps {
				at := s.N.Shift(float64(j))
				left = left.Sub(p).Mul(at.Shift(1)) // below 0 it stays there
				p = p.Mul(slope.Sub(ratio.Mul(at)))
				n = n.Add(Where(left.Ge(zero), first.FullLike(1), zero))
			}
			done := left.Lt(zero).Or(n.Ge(Const(most)))
			return state{Where(s.Done, s.N, n), left, p, s.Done.Or(done)}
		}, state{zero, k.UniformLike(first).Shift(0x1p-53), first, wanted.Not()})
	return Where(wanted, s.N.Convert(start.DType()), start)
}

// transformed is start but where counts are wanted: Hörmann's proposals, made of uniform numbers for a mean and a standard deviation, for
// binomial ones also p, until one of at most most is accepted. logP is the logarithm of a count's probability, but for a constant: that
// of the normal distribution's density times √2π·sd. top bounds what is accepted, for binomial distributions from n·p = 10 on and for
// Poisson's. (Hörmann's own bounds are exceeded by up to 5/1000, two standard deviations from the mean.)
func transformed(op string, k Key, start, wanted, mean, sd, p, most Value, logP func(n Value) Value) Value {
	g := start.n.Graph
	hi, lo := words(op, g, k.Data.n)
	b := sd.Scale(2.53).Shift(1.15)
	a := b.Scale(0.0248).Shift(-0.0873).Add(p.Scale(0.01))
	top := sd.Scale(2.8172).Shift(1.65)
	type state struct{ N, Place, Round, Done Value }
	place := counters(op, g, start.n.Shape)
	s := While(func(s state) Value { return s.Done.All().Not() },
		func(s state) state {
			u, v := twoUniforms(op, g, start.n.Type, hi, lo, s.Round.n, s.Place.n)
			w := u.Abs().Neg().Shift(0.5).Reciprocal()
			n := a.Scale(2).Mul(w).Add(b).Mul(u).Add(mean.Shift(0.5)).Floor()
			inside := n.Ge(Const(0)).And(n.Le(most))
			density := a.Mul(w.Square()).Add(b)
			accept := inside.And(v.Mul(top).Le(density.Mul(logP(n.Max(Const(0)).Min(most)).Exp())))
			return state{Where(s.Done, s.N, n), s.Place, s.Round.Shift(2), s.Done.Or(accept)}
		}, state{start, Value{n: place}, Value{n: g.Const(dtype.I32, start.n.Shape, 0)}, wanted.Not()})
	return s.N
}

// twoUniforms is a number between -½ and ½ and one between 0 and 1, halfway between multiples of 2⁻²³ or 2⁻⁵², for each place in a round,
// an even number.
func twoUniforms(op string, g *ir.Graph, t dtype.Type, hi, lo, round, place *ir.Node) (u, v Value) {
	if y0, y1 := encipher(g, hi, lo, round, place); t == dtype.F32 {
		zero := g.Const(dtype.I32, place.Shape, 0)
		u, v = Value{n: fraction(op, g, t, y0, zero)}, Value{n: fraction(op, g, t, y1, zero)}
		return u.Shift(0x1p-24 - 0.5), v.Shift(0x1p-24)
	} else {
		z0, z1 := encipher(g, hi, lo, g.Map(ops.Add, round, g.Const(dtype.I32, nil, 1)), place)
		u, v = Value{n: fraction(op, g, t, y0, y1)}, Value{n: fraction(op, g, t, z0, z1)}
		return u.Shift(0x1p-53 - 0.5), v.Shift(0x1p-53)
	}
}

// logChance is n's part of log P: y·log(mean/y) + y - mean, y = n + ½, by Loader's series near the mean ("Fast and accurate computation of
// binomial probabilities", 2000), and what y·log y - y + ½·log 2π is more than log n!: 1/(24·y) and so on. That of a Poisson distribution is
// log P + ½·log(2π·mean), a binomial one's has a part for n·p and one for n·(1-p), n being one more.
func logChance(n, mean Value) Value {
	terms, y := 6, n.Shift(0.5)
	if n.DType() == F64 {
		terms = 12
	}
	less := mean.Sub(y)
	r := less.Div(mean.Add(y))
	z := r.Square()
	series := z.FullLike(2 / float64(2*terms+3))
	for k := terms - 1; k >= 0; k-- {
		series = series.FMA(z, z.FullLike(2/float64(2*k+3)))
	}
	near := r.Mul(y.Mul(z).Mul(series).Sub(less))
	far := y.Mul(mean.Div(y).Log()).Sub(less)
	w := y.Reciprocal()
	z = w.Square()
	tail := z.FullLike(stirlingTail[len(stirlingTail)-1])
	for k := len(stirlingTail) - 2; k >= 0; k-- {
		tail = tail.FMA(z, z.FullLike(stirlingTail[k]))
	}
	return Where(r.Abs().Lt(Const(0.2)), near, far).Add(w.Mul(tail))
}

// stirlingTail is y times what y·log y - y + ½·log 2π is more than log Γ(y+½), by 1/y²: least squares at y = ½, 1½, …, within 5e-15.
var stirlingTail = []float64{0.041666666666666415, -0.0024305555452282367, 0.0007688462733904469, -0.0005903123814710477,
	0.0008282771453928035, -0.001652857861471687, 0.0031064923324986937, -0.0031234342712932904, 0.0006097466810134517}

// Choice is n indices (int64) of weights, floats ≥ 0 of shape [m]: each drawn with a probability in proportion to its
// weight; without replacement one after the other from those that are left, of which there must be n that are not 0
// (by the largest of log(weights) plus Gumbel numbers). Slices of x are x.Take(k.Choice(…), axis); where all weights are
// equal [Key.Intn] and [Key.Permutation] do the same.
func (k Key) Choice(weights Value, n int, replace bool) Value {
	const op = "Choice"
	if weights.Rank() != 1 || n < 0 || !replace && weights.Dim(0) != AnyBatch && n > weights.Dim(0) {
		ir.Fail(op, "%d of %v, with replacement: %v: one axis, without replacement as long as that, is needed", n, weights.Shape(), replace)
	}
	return drawn(op, k, weights, Value{}, func(k Key, w, _ Value) Value {
		w = w.StopGradient()
		if !replace {
			_, at := w.Log().Add(k.GumbelLike(w)).TopK(n, 0)
			return at
		}
		sums := w.CumSum(0)
		u := k.Uniform(DType{w.n.Type}, n)
		return sums.SearchSorted(u.Neg().Shift(1).Mul(sums.Index(-1)), false)
	})
}

// MultivariateNormal is vectors of the normal distribution: mean [… n] and cov [… n n], positive definite, whose leading axes
// broadcast; by Cholesky's factor.
func (k Key) MultivariateNormal(mean, cov Value) Value {
	const op = "MultivariateNormal"
	return apply(op, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		key, m, c := in[0], in[1], in[2]
		if m.Rank() == 0 || c.Rank() < 2 || c.Shape[c.Rank()-1] != m.Shape[m.Rank()-1] || c.Shape[c.Rank()-2] != m.Shape[m.Rank()-1] || m.Type != c.Type {
			ir.Fail(op, "mean %v%v, covariance %v%v: [… n] and [… n n] of one type are needed", m.Type, m.Shape, c.Type, c.Shape)
		}
		s := append(ir.BroadcastShapes(op, m.Shape[:m.Rank()-1], c.Shape[:c.Rank()-2]), m.Shape[m.Rank()-1])
		z := Value{n: normal(op, g, key, m.Type, s)}
		return Value{n: c}.Cholesky().MatMul(z.ExpandDims(-1)).Squeeze(-1).Add(Value{n: m}).n
	}, k.Data, mean, cov)
}

// Orthogonal is an orthogonal matrix [n n], all of them being equally likely (Haar): Q of a normal matrix's QR, with the signs
// of R's diagonal (Mezzadri, "How to generate random matrices from the classical compact groups", 2007).
func (k Key) Orthogonal(t DType, n int) Value {
	if n < 1 {
		ir.Fail("Orthogonal", "%d rows", n)
	}
	return recorded("Orthogonal", k, func(_ *ir.Graph, k Key) Value {
		q, r := k.Normal(t, n, n).QR()
		return q.Mul(r.Diagonal().Sign())
	})
}
