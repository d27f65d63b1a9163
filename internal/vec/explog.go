package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// The exponential and its inverses. The polynomials are minimax ones, computed by gen/explog.py.
//
// Everything here is at most 1 ULP off. Where two roundings would spoil that, a value is the sum of a
// high and a low part; "low" is always what the rounding of "high" lost, by Dekker's fast sum: for
// |a| ≥ |b|, s = a+b loses b - (s-a), exactly.

func fastSum(b *Builder, x, y Value) (high, low Value) {
	high = b.Add(x, y)
	return high, b.Sub(y, b.Sub(high, x))
}

// floatType is what the bodies need to know of a type.
type floatType struct {
	fraction    int     // bits of the fraction
	bias        int64   // of the exponent
	magic       float64 // x + magic holds x to the nearest integer in its low bits
	ln2         [2]float64
	cut         [2]float64 // ln2 in two parts, products of the first with an exponent being exact
	log2, log10 base
	expPoly     []float64 // (e^r - 1 - r)/r² for |r| ≤ ln2/2, good relative to e^r
	em1Poly     []float64 // the same, good relative to e^r - 1
	exp2Poly    []float64 // (2^r - 1)/r for |r| ≤ ½, good relative to 2^r
	cosh        []float64 // (cosh r - 1)/z by z = r²
	sinh        []float64 // (sinh r - r)/(r·z)
	expLow      float64   // e^x is 0 below
	expHigh     float64   // e^x is +Inf above
	coshHigh    float64   // cosh x is +Inf above
	exp2Low     float64   // 2^x is 0 below, or half the least denormal, and +Inf above exp2High
	exp2High    float64
	one         float64 // tanh x is 1 above
	tiny        float64 // the least normal number
}

var floatTypes = [2]*floatType{
	F32: {fraction: 23, bias: 127, magic: 3 << 22, tiny: 0x1p-126,
		ln2: [2]float64{0x1.62e43p-1, -0x1.05c610ca86c39p-29}, cut: [2]float64{0x1.62e4p-1, 0x1.7f7d1cf79abcap-20},
		expLow: -104, expHigh: 89, coshHigh: 90, exp2Low: -150, exp2High: 128, one: 9.25,
		log2:     base{two: [2]float64{1, 0}, e: [2]float64{0x1.715476p+0, 0x1.4ae0bf85ddf44p-26}, tables: [2]*logs{&log2s32, &log2s64}},
		log10:    base{two: [2]float64{0x1.344p-2, 0x1.3509f79fef312p-18}, e: [2]float64{0x1.bcb7b2p-2, -0x1.5b235e39ab2a9p-27}, tables: [2]*logs{&log10s32, &log10s64}},
		exp2Poly: []float64{0.6931471825, 0.2402264625, 0.0555036068, 0.009618788026, 0.001339078881, 0.0001522598031},
		cosh:     []float64{0.500000008, 0.0416662656, 0.00139463336},
		sinh:     []float64{0.166666668, 0.00833328879, 0.000199050755},
		expPoly:  []float64{0.4999999404, 0.1666652113, 0.04166815802, 0.008369357325, 0.00138361298},
		em1Poly:  []float64{0.5, 0.1666666567, 0.04166649282, 0.008333544247, 0.001393321902, 0.0001976778876},
	},
	F64: {fraction: 52, bias: 1023, magic: 3 << 51, tiny: 0x1p-1022,
		ln2: [2]float64{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}, cut: [2]float64{0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45},
		expLow: -746, expHigh: 710, coshHigh: 711, exp2Low: -1075, exp2High: 1024, one: 19.5,
		log2:     base{two: [2]float64{1, 0}, e: [2]float64{0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56}, tables: [2]*logs{&log2s32, &log2s64}},
		log10:    base{two: [2]float64{0x1.34413509f7p-2, 0x1.3fde623e2566bp-43}, e: [2]float64{0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57}, tables: [2]*logs{&log10s32, &log10s64}},
		exp2Poly: []float64{0.693147180559945286, 0.240226506959100694, 0.0555041086648235052, 0.00961812910763009191, 0.00133335581460065997, 0.000154035303906268733, 0.0000152527341812777699, 1.3215488312050298e-6, 1.01779312448571835e-7, 7.05467812679545394e-9, 4.47282239532558251e-10, 2.55570752017173159e-11},
		cosh:     []float64{0.500000000000001303, 0.0416666666665131872, 0.00138888889475774006, 0.0000248014893707581109, 2.76314832729902547e-7},
		sinh:     []float64{0.166666666666666767, 0.00833333333332153046, 0.000198412698864033726, 2.75572439094545106e-6, 2.51091481348023941e-8},
		expPoly:  []float64{0.50000000000000111, 0.166666666666664548, 0.0416666666665259922, 0.00833333333348106747, 0.00138888889452107919, 0.000198412695277901954, 0.0000248014909204173938, 2.7557570023834997e-6, 2.76312006316993757e-7, 2.50045542825866203e-8},
		em1Poly:  []float64{0.5, 0.166666666666666768, 0.0416666666666666852, 0.00833333333332179384, 0.00138888888888932457, 0.000198412698853009015, 0.0000248015872781293475, 2.75572452188998858e-6, 2.75573319498992027e-7, 2.51086616084919566e-8, 2.08927524904045951e-9},
	},
}

// base holds what turns logarithms into those to another base: the logarithms of 2 and of e, in two
// parts each, products of the first part of two with an exponent being exact.
type base struct {
	two, e [2]float64
	tables [2]*logs // of float32 and float64
}

// polyPair is Poly for a known square x2 of x: the odd coefficients beside the even ones, which takes
// as many instructions and half the time until the result is there.
func polyPair(b *Builder, x, x2 Value, c []float64) Value {
	var half [2][]float64
	for i, v := range c {
		half[i%2] = append(half[i%2], v)
	}
	return b.FMA(x, b.Poly(x2, half[1]...), b.Poly(x2, half[0]...))
}

// clamp brings x between lo and hi and keeps NaN.
func clamp(b *Builder, t Type, x Value, lo, hi float64) Value {
	return b.Min(b.F(t, hi), b.Max(b.F(t, lo), x))
}

// power2 is 2^n for the n in the low bits of i, plus what add says; the sum must be a normal exponent.
func (ft *floatType) power2(b *Builder, t Type, i Value) Value {
	return b.Bitcast(t, b.Shl(b.Bitcast(t.Int(), i), ft.fraction))
}

func init() {
	one := func(id ops.ID, f func(b *Builder, t Type, x Value) Value) {
		register(id, func(b *Builder, t Type, x []Value) Value { return f(b, t, x[0]) })
	}
	one(ops.Exp, exp)
	one(ops.Exp2, exp2)
	one(ops.Expm1, expm1)
	one(ops.Tanh, func(b *Builder, t Type, x Value) Value {
		if t == F32 {
			return tanh32Pieces.odd(b, x, 1, 0.25, 9.5, 2)
		}
		return tanh64Pieces.odd(b, x, 1.5, 0.25, 19.25, 2)
	})
	one(ops.Sinh, sinh)
	one(ops.Cosh, cosh)
	one(ops.Sigmoid, func(b *Builder, t Type, x Value) Value {
		ft := floatTypes[t]
		return logistic(b, t, clamp(b, t, x, ft.expLow, 2*ft.one), None, None)
	})
	one(ops.Silu, silu)
	one(ops.Softplus, softplus)
	one(ops.Log, log)
	one(ops.Log2, func(b *Builder, t Type, x Value) Value { return logBase(b, t, x, &floatTypes[t].log2) })
	one(ops.Log10, func(b *Builder, t Type, x Value) Value { return logBase(b, t, x, &floatTypes[t].log10) })
	one(ops.Log1p, log1p)
	register(ops.Elu, func(b *Builder, t Type, x []Value) Value {
		return b.Blend(b.GT(x[0], b.F(t, 0)), x[0], b.Mul(x[1], expm1(b, t, x[0])))
	})
}

// power is what e^x is made of: 2^n·e^r for x = n·ln2 + r, |r| ≤ ln2/2 and a little, r = hi - lo.
type power struct {
	n        Value
	hi, lo   Value
	at, half Value // the low bits of at hold n + 2·bias, those of half about n/2 + bias
	first    Value // 2^n is first·second; either is a normal number where 2^n is none
	second   Value
}

// powerOf takes e^x apart.
func powerOf(b *Builder, t Type, x Value) power {
	ft := floatTypes[t]
	i := t.Int()
	bias := float64(ft.bias)
	var p power
	p.at = b.FMA(x, b.F(t, math.Log2E), b.F(t, ft.magic+2*bias))
	p.half = b.FMA(x, b.F(t, math.Log2E/2), b.F(t, ft.magic+bias))
	p.n = b.Sub(p.at, b.F(t, ft.magic+2*bias))
	p.hi = b.FNMA(p.n, b.F(t, ft.ln2[0]), x)
	p.lo = b.Mul(p.n, b.F(t, ft.ln2[1]))
	p.first = ft.power2(b, t, p.half)
	p.second = ft.power2(b, t, b.Sub(b.Bitcast(i, p.at), b.Bitcast(i, p.half)))
	return p
}

// inverse is 2^-n for n > -bias, 0 where that is too small.
func (p power) inverse(b *Builder, t Type) Value {
	ft := floatTypes[t]
	i := t.Int()
	u := ft.power2(b, t, b.Sub(b.I(i, 3*ft.bias), b.Bitcast(i, p.at)))
	return b.Max(b.F(t, 0), u) // n > bias has set the sign
}

// scale is x·2^n, for an x whose first half of that is a normal number.
func (p power) scale(b *Builder, x Value) Value {
	if b.Wide {
		return b.Scale(x, p.n)
	}
	return b.Mul(b.Mul(x, p.first), p.second)
}

func exp(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	x = clamp(b, t, x, ft.expLow, ft.expHigh)
	p := powerOf(b, t, x)
	r := b.FNMA(p.n, b.F(t, ft.ln2[1]), p.hi)
	one := b.F(t, 1)
	return p.scale(b, b.FMA(r, b.FMA(r, poly(b, t, r, ft.expPoly), one), one))
}

func exp2(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	i := t.Int()
	bias := float64(ft.bias)
	x = clamp(b, t, x, ft.exp2Low, ft.exp2High)
	at := b.Add(x, b.F(t, ft.magic+2*bias))
	half := b.FMA(x, b.F(t, 0.5), b.F(t, ft.magic+bias))
	r := b.Sub(x, b.Sub(at, b.F(t, ft.magic+2*bias)))
	p := power{n: b.Sub(at, b.F(t, ft.magic+2*bias)), first: ft.power2(b, t, half), second: ft.power2(b, t, b.Sub(b.Bitcast(i, at), b.Bitcast(i, half)))}
	// The first coefficient comes last: in polyPair both halves would be rounded with it.
	c := b.FMA(r, poly(b, t, r, ft.exp2Poly[1:]), b.F(t, ft.exp2Poly[0]))
	return p.scale(b, b.FMA(r, c, b.F(t, 1)))
}

// poly is Poly by the faster of its two ways; that of a few coefficients needs no square.
func poly(b *Builder, t Type, x Value, c []float64) Value {
	if t == F32 {
		return b.Poly(x, c...)
	}
	return polyPair(b, x, b.Mul(x, x), c)
}

// expm1 is e^r - 1 as a sum of two parts.
func (p power) expm1(b *Builder, t Type) (w, wl Value) {
	// e^(hi-lo) - 1 = (e^hi - 1) - lo·e^hi, but for lo²: hi is exact, while their difference would be rounded.
	r2 := b.Mul(p.hi, p.hi)
	q := poly(b, t, p.hi, floatTypes[t].em1Poly) // float32 has no digit to spare for the pair's roundings
	lo := b.FMA(p.lo, b.FMA(r2, q, p.hi), p.lo)
	return fastSum(b, p.hi, b.FMS(r2, q, lo))
}

// expm1 is 2^n·((1-u) + w) with u = 2^-n and w = e^r - 1.
func expm1(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	p := powerOf(b, t, clamp(b, t, x, -2*ft.one, ft.expHigh))
	w, wl := p.expm1(b, t)
	u, one := p.inverse(b, t), b.F(t, 1)
	less := b.Sub(one, u)
	lessL := b.Sub(b.Sub(one, less), u)
	y, yl := fastSum(b, less, w)
	y = p.scale(b, b.Add(y, b.Add(b.Add(yl, wl), lessL)))
	return b.Or(y, b.And(x, b.sign(x)))
}

// divideBy is (x + xl)/(y + yl) as a sum of two parts, inv about 1/y; xl may be None.
func divideBy(b *Builder, x, xl, y, yl, inv Value) (q, ql Value) {
	q = b.Mul(x, inv)
	rem := b.FNMA(q, y, x)
	if xl != None {
		rem = b.Add(rem, xl)
	}
	rem = b.FNMA(q, yl, rem)
	return q, b.Mul(rem, inv)
}

// sinh x = 2^(n-1)·((1-u²)·cosh r + (1+u²)·sinh r) with u = 2^-n for |x| = n·ln2 + r; cosh has the signs
// of u² the other way round.
func sinh(b *Builder, t Type, x Value) Value {
	y := sinhCosh(b, t, x, -1)
	return b.Or(y, b.And(x, b.sign(x)))
}

func cosh(b *Builder, t Type, x Value) Value { return sinhCosh(b, t, x, 1) }

func sinhCosh(b *Builder, t Type, x Value, sign float64) Value {
	ft := floatTypes[t]
	p := powerOf(b, t, b.Min(b.F(t, ft.coshHigh), b.Abs(x)))
	r := b.Sub(p.hi, p.lo)
	z := b.Mul(r, r)
	c := b.Mul(z, b.Poly(z, ft.cosh...))                 // cosh r - 1
	s := b.FMS(b.Mul(z, r), b.Poly(z, ft.sinh...), p.lo) // sinh r - hi
	u, one := p.inverse(b, t), b.F(t, 1)
	u2 := b.Mul(u, u)
	k, m := b.Add(one, u2), b.Sub(one, u2) // the factors of cosh r and sinh r
	kl := b.Add(b.Sub(one, k), u2)
	if sign < 0 {
		k, m = m, k
		kl = b.Sub(b.Sub(one, k), u2)
	}
	y := b.FMA(m, p.hi, k)
	yl := b.Add(b.FMS(m, p.hi, b.Sub(y, k)), kl)
	y = b.Add(y, b.FMA(k, c, b.FMA(m, s, yl)))
	return p.scale(b, b.Mul(y, b.F(t, 0.5)))
}

// exps are the exponential by sixteenths of a power of 2: up[0] and down[0] are 2^(j/16) and 2^(-j/16), and [1] what their
// rounding lost; poly is (e^r - 1 - r)/r² for |r| ≤ ln2/32.
type exps struct {
	up, down [2][]float64
	poly     []float64
}

// exponential is e^(x+xl) = (hi+lo)·2^⌊n⌋, or where down, e^-x = (hi+lo)·2^-⌊n⌋; hi is one of 16 numbers, and lo at most a
// fortieth of it. xl may be None.
func exponential(b *Builder, t Type, x, xl Value, down bool) (hi, lo, n Value) {
	ft, tab := floatTypes[t], &exps32
	if t == F64 {
		tab = &exps64
	}
	magic := b.F(t, ft.magic/16)
	at := b.FMA(x, b.F(t, math.Log2E), magic)
	n = b.Sub(at, magic) // a multiple of 1/16
	two, r := tab.up, None
	switch {
	case down && xl != None:
		two = tab.down
		r = b.Add(b.FMS(n, b.F(t, ft.ln2[0]), x), b.FMS(n, b.F(t, ft.ln2[1]), xl))
	case down:
		two = tab.down
		r = b.FMA(n, b.F(t, ft.ln2[1]), b.FMS(n, b.F(t, ft.ln2[0]), x))
	case xl != None:
		r = b.Add(b.FNMA(n, b.F(t, ft.ln2[0]), x), b.FNMA(n, b.F(t, ft.ln2[1]), xl))
	default:
		r = b.FNMA(n, b.F(t, ft.ln2[1]), b.FNMA(n, b.F(t, ft.ln2[0]), x))
	}
	j := b.Bitcast(t.Int(), at)
	hi = b.Table(t, j, two[0]...)
	lo = b.FMA(hi, b.FMA(b.Mul(r, r), b.Poly(r, tab.poly...), r), b.Table(t, j, two[1]...))
	if !b.Wide { // Scale takes the floor itself
		n = b.Floor(n)
	}
	return hi, lo, n
}

// logistic is 1/(1 + e^-(x+xl)) = 2ⁿ/(2ⁿ + hi + lo), times f if there is one; xl may be None.
func logistic(b *Builder, t Type, x, xl, f Value) Value {
	hi, lo, n := exponential(b, t, x, xl, true)
	one := b.F(t, 1)
	u := b.scale(one, n)
	s := b.Add(hi, u)
	lo = b.Add(lo, b.Sub(b.Min(hi, u), b.Sub(s, b.Max(hi, u))))
	inv := b.Div(one, b.Add(s, lo))
	rest := b.FNMA(inv, lo, b.FNMA(inv, s, one))
	if f == None {
		return b.scale(b.FMA(inv, rest, inv), n)
	}
	y := b.Mul(inv, f)
	return b.scale(b.Add(y, b.FMA(y, rest, b.FMS(inv, f, y))), n)
}

// silu's factor x comes before the scale, so that the product of a small sigmoid with a large x keeps
// all its digits. silu(-Inf) is -0.
func silu(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	high := 2 * ft.one
	f := clamp(b, t, x, ft.expLow*1.05, high)
	y := logistic(b, t, f, None, f)
	return b.Blend(b.GT(x, b.F(t, high)), x, b.Or(y, b.And(x, b.sign(x))))
}

// softplus x = max(x, 0) + log(1 + e^-|x|).
func softplus(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	zero := b.F(t, 0)
	hi, lo, n := exponential(b, t, b.Max(b.F(t, ft.expLow), b.Or(x, b.sign(x))), None, false)
	e, el := fastSum(b, hi, lo)
	e, el = b.scale(e, n), b.scale(el, n)
	l, ll := plusParts(b, t, e, el, None)
	l, ll = fastSum(b, l, ll)
	right := b.Min(b.F(t, 64), b.Max(zero, x)) // beyond, the sum is x
	y, yl := fastSum(b, b.Max(right, l), b.Min(right, l))
	return b.Max(b.Add(y, b.Add(yl, ll)), x)
}

// logs are by the first four bits of a significand m: log m = t + k·ln2 + log(m·c), and poly is
// (log(1+f) - f)/f² for f = m·c - 1.
type logs struct{ c, t, k, poly []float64 }

func log(b *Builder, t Type, x Value) Value {
	y, f, rest := logParts(b, t, x)
	return logEnds(b, t, x, b.Add(y, b.Add(f, rest)))
}

// logParts is log x as y + f + rest for a positive number: k·ln2 + t, of few bits and exact, and log(1+f).
func logParts(b *Builder, t Type, x Value) (y, f, rest Value) {
	ft, tab := floatTypes[t], logsOf(t, &logs32, &logs64)
	_, k, p := tab.piece(b, t, x, false)
	y = b.FMA(k, b.F(t, ft.cut[0]), b.Table(t, p.i, tab.t...))
	fl := p.fl
	if t == F64 {
		fl = b.FNMA(p.f, fl, fl) // it counts for 1/(1+f) of its size
	}
	yl := b.FMA(k, b.F(t, ft.cut[1]), fl)
	return y, p.f, b.FMA(b.Mul(p.f, p.f), poly(b, t, p.f, tab.poly), yl)
}

func logsOf(t Type, narrow, wide *logs) *logs {
	if t == F32 {
		return narrow
	}
	return wide
}

// logPiece is a significand m of piece i: m·c - 1 = f + fl, f exact but for what the product's rounding lost.
type logPiece struct{ i, c, f, fl Value }

// piece finds x's, which is 2^e·m, and k, of which that piece's log m takes a part; normal says that x is no denormal.
func (tab *logs) piece(b *Builder, t Type, x Value, normal bool) (e, k Value, p logPiece) {
	e, k, m := significand2(b, t, x, normal)
	p.i = b.Shr(b.Bitcast(t.Int(), m), floatTypes[t].fraction-4)
	p.c = b.Table(t, p.i, tab.c...)
	q := b.Mul(m, p.c)
	p.f, p.fl = b.Sub(q, b.F(t, 1)), b.FMS(m, p.c, q)
	if b.Wide {
		k = b.Add(e, b.Table(t, p.i, tab.k...))
	}
	return e, k, p
}

// logsUp is the first piece of 16 that has a k of e + 1.
const logsUp = 7

// significand2 returns e and m with x = 2^e·m, 1 ≤ m < 2, of a positive number; normal says that it is no denormal. But for
// AVX-512, where a table takes less, it returns logs' k as well.
func significand2(b *Builder, t Type, x Value, normal bool) (e, k, m Value) {
	if b.Wide {
		return b.Exponent(x), None, b.Significand(x)
	}
	ft := floatTypes[t]
	i := t.Int()
	up, small := float64(ft.fraction+1), None
	bits := b.Bitcast(i, x)
	if !normal {
		small = b.LT(x, b.F(t, ft.tiny))
		bits = b.Bitcast(i, b.Blend(small, b.Mul(x, b.F(t, math.Exp2(up))), x))
	}
	one := b.F(t, 1)
	m = b.Bitcast(t, b.Or(b.And(bits, b.I(i, 1<<ft.fraction-1)), b.Bitcast(i, one)))
	exponent := func(bits Value) (e Value) {
		if t == F32 {
			e = b.Sub(b.ToFloat(b.Shr(bits, 23)), b.F(t, float64(ft.bias)))
		} else {
			e = b.Sub(b.Bitcast(t, b.Or(b.Shr(bits, 52), b.Bitcast(i, b.F(t, 1<<52)))), b.F(t, 1<<52+float64(ft.bias)))
		}
		if normal {
			return e
		}
		return b.Sub(e, b.And(b.F(t, up), small))
	}
	return exponent(bits), exponent(b.Add(bits, b.I(i, (16-logsUp)<<(ft.fraction-4)))), m
}

// logBase is the logarithm to another base: log x is y + f + rest as in logParts, but f times the logarithm of e has two parts.
func logBase(b *Builder, t Type, x Value, to *base) Value {
	tab := logsOf(t, to.tables[0], to.tables[1])
	e, k, p := tab.piece(b, t, x, false)
	c := b.F(t, to.e[0])
	g := b.Mul(p.f, c)
	gl := b.FMA(p.fl, b.FNMA(p.f, c, c), b.FMA(p.f, b.F(t, to.e[1]), b.FMS(p.f, c, g))) // fl counts for 1/(1+f) of its size
	y := e
	if to.two[1] != 0 { // else that of 2 is 1
		y = b.Mul(k, b.F(t, to.two[0]))
		gl = b.FMA(k, b.F(t, to.two[1]), gl)
	}
	y = b.Add(y, b.Table(t, p.i, tab.t...))
	if t == F64 { // g may be as large as the sum
		y, g = fastSum(b, y, g)
	}
	return logEnds(b, t, x, b.Add(y, b.Add(g, b.FMA(b.Mul(p.f, p.f), poly(b, t, p.f, tab.poly), gl))))
}

func log1p(b *Builder, t Type, x Value) Value {
	y := b.Add(plusParts(b, t, x, None, None))
	u := b.Add(x, b.F(t, 1))
	return b.Or(logEnds(b, t, u, y), b.And(x, b.sign(x)))
}

// plusParts is log(1 + x + xl) as a large part and a small one, finite arguments above -1 assumed; in the lanes of the mask
// large it is log(2x).
func plusParts(b *Builder, t Type, x, xl, large Value) (y, yl Value) {
	ft, tab := floatTypes[t], logsOf(t, &logs32, &logs64)
	one := b.F(t, 1)
	u := b.Add(x, one)
	c := b.Sub(x, b.Sub(u, one)) // for x > 1 still exact, or without weight
	if xl != None {
		c = b.Add(c, xl)
	}
	if large != None {
		u = b.Blend(large, x, u)
		c = b.AndNot(c, large)
	}
	e, k, p := tab.piece(b, t, u, true)
	// c counts for 2^-e of its size; where 2^-e is no normal number, c is 0.
	if b.Wide {
		c = b.Scale(c, b.Neg(e))
	} else {
		i, m := t.Int(), b.I(t.Int(), -1<<ft.fraction)
		c = b.Mul(c, b.Max(b.F(t, 0), b.Bitcast(t, b.Sub(b.I(i, 2*ft.bias<<ft.fraction), b.And(b.Bitcast(i, u), m)))))
	}
	f, fl := p.f, b.FMA(c, p.c, p.fl)
	// Near 0, x is f itself, of which u would leave few digits.
	near := b.LT(b.Abs(x), b.F(t, 1./32))
	f = b.Blend(near, x, f)
	if xl == None {
		fl = b.AndNot(fl, near)
	} else {
		fl = b.Blend(near, xl, fl)
	}
	fl = b.FNMA(f, fl, fl) // it counts for 1/(1+f) of its size
	if large != None {
		k = b.Add(k, b.And(one, large))
	}
	y = b.FMA(k, b.F(t, ft.cut[0]), b.Table(t, p.i, tab.t...))
	yl = b.FMA(k, b.F(t, ft.cut[1]), fl)
	return y, b.Add(f, b.FMA(b.Mul(f, f), poly(b, t, f, tab.poly), yl))
}

// logEnds puts log's limits at 0 and infinity, and NaN below 0.
func logEnds(b *Builder, t Type, x, y Value) Value {
	if b.Wide { // negative ones and NaN have a NaN for a significand
		return b.Blend(b.Ends(x), b.Exponent(x), y)
	}
	inf := b.F(t, math.Inf(1))
	y = b.Blend(b.LT(x, inf), y, x) // +Inf and NaN
	y = b.Or(y, b.LT(x, b.F(t, 0)))
	return b.Blend(b.EQ(x, b.F(t, 0)), b.F(t, math.Inf(-1)), y)
}
