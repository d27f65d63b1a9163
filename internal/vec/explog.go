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
	fraction int     // bits of the fraction
	bias     int64   // of the exponent
	magic    float64 // x + magic holds x to the nearest integer in its low bits
	ln2      [2]float64
	cut      [2]float64 // ln2 in two parts, products of the first with an exponent being exact
	expPoly  []float64  // (e^r - 1 - r)/r² for |r| ≤ ln2/2, good relative to e^r
	em1Poly  []float64  // the same, good relative to e^r - 1
	logPoly  []float64  // (log(1+f) - f)/f² for 1+f from √½ to √2
	expLow   float64    // e^x is 0 below
	expHigh  float64    // e^x is +Inf above
	one      float64    // tanh x is 1 above
	tiny     float64    // the least normal number
}

var floatTypes = [2]*floatType{
	F32: {fraction: 23, bias: 127, magic: 3 << 22, tiny: 0x1p-126,
		ln2: [2]float64{0x1.62e43p-1, -0x1.05c610ca86c39p-29}, cut: [2]float64{0x1.62e4p-1, 0x1.7f7d1cf79abcap-20},
		expLow: -104, expHigh: 89, one: 9.25,
		expPoly: []float64{0.499999934, 0.166665201, 0.0416683942, 0.00836878041, 0.00138144673},
		em1Poly: []float64{0.499999981, 0.166665432, 0.0416672018, 0.00836658033, 0.00138825095},
		logPoly: []float64{-0.499999883, 0.333333257, -0.25001583, 0.200019739, -0.166090826, 0.141818264, -0.132429889, 0.129044263, -0.0762176685},
	},
	F64: {fraction: 52, bias: 1023, magic: 3 << 51, tiny: 0x1p-1022,
		ln2: [2]float64{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56}, cut: [2]float64{0x1.62e42fefa38p-1, 0x1.ef35793c7673p-45},
		expLow: -746, expHigh: 710, one: 19.5,
		expPoly: []float64{0.500000000000001072, 0.166666666666664103, 0.0416666666665291902, 0.00833333333349560306, 0.00138888889439221512, 0.000198412695048122554, 0.0000248014927633470054, 2.75575872988893996e-6, 2.76303784154305889e-7, 2.49999794060854821e-8},
		em1Poly: []float64{0.500000000000000001, 0.166666666666666766, 0.0416666666666665074, 0.00833333333332160746, 0.00138888888889629005, 0.000198412698862078631, 0.0000248015871718429113, 2.75572441042415746e-6, 2.75574029409542484e-7, 2.51090813889639425e-8, 2.08753282029839023e-9},
		logPoly: []float64{-0.500000000000000026, 0.333333333333334883, -0.249999999999980752, 0.19999999999936576, -0.166666666670070702, 0.142857142948048068, -0.124999999773122746, 0.111111104660127339, -0.100000005014617546, 0.0909093500372241202, -0.0833334457657961675, 0.0769168763913822951, -0.0714199227300996955, 0.0667543082875130411, -0.0627011257520742624, 0.0581619071637662753, -0.0532389097424638772, 0.0541937372582264439, -0.0628490855753332654, 0.0569910514816317164, -0.0242317178201044487},
	},
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
	one(ops.Log, log)
	one(ops.Tanh, tanh)
	one(ops.Sigmoid, sigmoid)
}

func exp(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	i := t.Int()
	x = clamp(b, t, x, ft.expLow, ft.expHigh)
	magic := ft.magic + 2*float64(ft.bias)
	at := b.FMA(x, b.F(t, math.Log2E), b.F(t, magic))
	half := b.FMA(x, b.F(t, math.Log2E/2), b.F(t, ft.magic+float64(ft.bias)))
	n := b.Sub(at, b.F(t, magic))
	r := b.FNMA(n, b.F(t, ft.ln2[1]), b.FNMA(n, b.F(t, ft.ln2[0]), x))
	p := b.Poly(r, ft.expPoly...)
	if t == F64 { // long enough to be worth another product
		p = polyPair(b, r, b.Mul(r, r), ft.expPoly)
	}
	one := b.F(t, 1)
	p = b.FMA(r, b.FMA(r, p, one), one)
	// 2^n as two factors, since n may lie beyond the normal exponents.
	m := ft.power2(b, t, half)
	rest := ft.power2(b, t, b.Sub(b.Bitcast(i, at), b.Bitcast(i, half)))
	return b.Mul(b.Mul(p, m), rest)
}

// expm1Parts returns e^r - 1 as a sum of two parts, for r = hi - lo.
func expm1Parts(b *Builder, t Type, hi, lo, r Value) (w, wl Value) {
	ft := floatTypes[t]
	r2 := b.Mul(r, r)
	h := b.FMS(r2, polyPair(b, r, r2, ft.em1Poly), lo)
	return fastSum(b, hi, h)
}

// tanh |x| = (e^2|x| - 1)/(e^2|x| + 1). With e^2|x| = 2^n·(1+w) and u = 2^-n that is
// ((1-u) + w)/((1+u) + w), good to the last bit for n = 0 as well.
func tanh(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	i := t.Int()
	a := b.Min(b.F(t, ft.one), b.Abs(x))
	at := b.FMA(a, b.F(t, 2*math.Log2E), b.F(t, ft.magic))
	n := b.Sub(at, b.F(t, ft.magic))
	hi := b.Add(a, a)
	hi = b.FNMA(n, b.F(t, ft.ln2[0]), hi)
	lo := b.Mul(n, b.F(t, ft.ln2[1]))
	w, wl := expm1Parts(b, t, hi, lo, b.Sub(hi, lo))
	u := ft.power2(b, t, b.Sub(b.I(i, ft.bias), b.Bitcast(i, at)))
	one := b.F(t, 1)
	less, more := b.Sub(one, u), b.Add(one, u)
	lessL, moreL := b.Sub(b.Sub(one, less), u), b.Add(b.Sub(one, more), u)
	num, numL := fastSum(b, less, w)
	den, denL := fastSum(b, more, w)
	numL, denL = b.Add(numL, b.Add(lessL, wl)), b.Add(denL, b.Add(moreL, wl))
	y := divide(b, t, num, numL, den, denL)
	return b.Or(y, b.And(x, b.sign(x)))
}

// divide is (x + xl)/(y + yl) with an error of little more than the last rounding.
func divide(b *Builder, t Type, x, xl, y, yl Value) Value {
	inv := b.Div(b.F(t, 1), y)
	q := b.Mul(x, inv)
	rem := b.FNMA(q, yl, b.Add(b.FNMA(q, y, x), xl))
	return b.FMA(rem, inv, q)
}

// sigmoid x = 1/(1 + e^-x). With e^-x = 2^n·(1+w) and u = 2^-n that is u/((1+u) + w).
func sigmoid(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	i := t.Int()
	x = clamp(b, t, x, ft.expLow, 2*ft.one)
	at := b.FMA(x, b.F(t, math.Log2E), b.F(t, ft.magic+2*float64(ft.bias))) // -n
	half := b.FMA(x, b.F(t, math.Log2E/2), b.F(t, ft.magic+float64(ft.bias)))
	n := b.Sub(at, b.F(t, ft.magic+2*float64(ft.bias)))
	hi := b.FMS(n, b.F(t, ft.ln2[0]), x)
	lo := b.Mul(n, b.F(t, -ft.ln2[1]))
	w, wl := expm1Parts(b, t, hi, lo, b.Sub(hi, lo))
	m := ft.power2(b, t, half)
	rest := ft.power2(b, t, b.Sub(b.Bitcast(i, at), b.Bitcast(i, half)))
	one := b.F(t, 1)
	u := b.Mul(m, rest)
	s := b.Add(one, u)
	sl := b.Sub(u, b.Sub(s, one))
	den, denL := fastSum(b, s, w)
	denL = b.Add(denL, b.Add(sl, wl))
	inv := b.Div(one, den)
	rem := b.FNMA(inv, denL, b.FNMA(inv, den, one))
	return b.Mul(b.Mul(b.FMA(inv, rem, inv), m), rest)
}

func log(b *Builder, t Type, x Value) Value {
	ft := floatTypes[t]
	i := t.Int()
	// Denormals are made normal by 2^fraction.
	small := b.LT(x, b.F(t, ft.tiny))
	scale := math.Ldexp(1, ft.fraction+1)
	y := b.Blend(small, b.Mul(x, b.F(t, scale)), x)
	shift := b.And(b.Bitcast(t, small), b.F(t, float64(ft.fraction+1)))
	k, m := split(b, t, y)
	k = b.Sub(k, shift)
	f := b.Sub(m, b.F(t, 1))
	r := logOf(b, t, k, f, None)
	return logEnds(b, t, x, r, i)
}

// logEnds puts log's limits at 0 and infinity, and NaN below 0.
func logEnds(b *Builder, t Type, x, y Value, i Type) Value {
	inf := b.F(t, math.Inf(1))
	y = b.Blend(b.LT(x, inf), y, x) // +Inf and NaN
	y = b.Or(y, b.LT(x, b.F(t, 0)))
	return b.Blend(b.EQ(x, b.F(t, 0)), b.F(t, math.Inf(-1)), y)
}

// split returns k and m with x = 2^k·m, √½ ≤ m < √2, of a positive normal number.
func split(b *Builder, t Type, x Value) (k, m Value) {
	ft := floatTypes[t]
	i := t.Int()
	bits := b.Bitcast(i, x)
	root := b.Bitcast(i, b.F(t, math.Sqrt2/2))
	d := b.Sub(bits, root)
	if t == F32 {
		e := b.Sar(d, 23)
		return b.ToFloat(e), b.Bitcast(t, b.Sub(bits, b.Shl(e, 23)))
	}
	// A shift of the exponent with its bias, which is never negative, serves for one with the sign;
	// it becomes a float as the low bits of one.
	e := b.Shr(b.Add(d, b.I(i, ft.bias<<52)), 52)
	k = b.Sub(b.Bitcast(t, b.Or(e, b.Bitcast(i, b.F(t, 1<<52)))), b.F(t, 1<<52+float64(ft.bias)))
	return k, b.Bitcast(t, b.Sub(bits, b.Shl(b.Sub(e, b.I(i, ft.bias)), 52)))
}

// logOf is k·ln2 + log(1 + f + fl).
func logOf(b *Builder, t Type, k, f, fl Value) Value {
	ft := floatTypes[t]
	kh := b.Mul(k, b.F(t, ft.cut[0]))
	s, e := fastSum(b, kh, f)
	e = b.FMA(k, b.F(t, ft.cut[1]), e)
	if fl != None {
		e = b.Add(e, fl)
	}
	f2 := b.Mul(f, f)
	return b.Add(s, b.FMA(f2, polyPair(b, f, f2, ft.logPoly), e))
}
