package vec

import "github.com/adjoint-go/adjoint/internal/ops"

// Erf, erfc and the two gelus; their polynomials are gen/minimax.py's. The tail is exp(-a²)·H(v)·y with y = 1/(a+k) and v = y - 1/16, H
// a polynomial; gelu has the like with exp(-a²/2).
func init() {
	register(ops.Erf, func(b *Builder, t Type, x []Value) Value {
		if t == F32 {
			return erfFloat32(b, x[0])
		}
		a := b.Abs(x[0])
		small := b.FMA(a, b.Poly(b.Mul(a, a), erf64Coef...), a)
		hi, lo, scale := tailPair(b, b.Min(b.F(F64, 6), a), erfcTail)
		one := b.F(F64, 1)
		hi, lo = scale(hi), scale(lo)
		large := b.Sub(one, hi)
		large = b.Add(large, b.Sub(b.Sub(b.Sub(one, large), hi), lo))
		return b.Or(b.Blend(b.LT(a, b.F(F64, 0.75)), small, large), b.signOf(x[0]))
	})
	register(ops.Erfc, func(b *Builder, t Type, x []Value) Value {
		if t == F32 {
			return b.inFloat64(func(x ...Value) Value {
				a := b.Min(b.F(F64, 11), b.Abs(x[0]))
				r := tailShort(b, a, b.Mul(b.Neg(a), a), 3, erfc32Coef)
				two := b.F(F64, 2)
				return b.Blend(b.LT(x[0], b.F(F64, 0)), b.Sub(two, r), r)
			}, x...)
		}
		a := b.Abs(x[0])
		zero, one, two := b.F(F64, 0), b.F(F64, 1), b.F(F64, 2)
		negative := b.LT(x[0], zero)
		// 1 - erf near 0, the tail beyond.
		w := b.Mul(x[0], b.Poly(b.Mul(a, a), erf64Coef...))
		small := b.Sub(one, x[0])
		small = b.Add(small, b.Sub(b.Sub(b.Sub(one, small), x[0]), w))
		hi, lo, scale := tailPair(b, b.Min(b.F(F64, 28), a), erfcTail)
		hi, lo = scale(hi), scale(lo)
		plus := b.Add(hi, lo)
		minus := b.Sub(two, hi)
		minus = b.Add(minus, b.Sub(b.Sub(b.Sub(two, minus), hi), lo))
		return b.Blend(b.LT(a, b.F(F64, 0.75)), small, b.Blend(negative, minus, plus))
	})
	// x·Φ(x), Φ(-a) a tail of its own and Φ(a) = 1 - Φ(-a).
	register(ops.Gelu, func(b *Builder, t Type, x []Value) Value {
		if t == F32 {
			return b.inFloat64(func(x ...Value) Value {
				a := b.Min(b.F(F64, 15), b.Abs(x[0]))
				r := tailShort(b, a, b.Mul(b.Mul(a, a), b.F(F64, -0.5)), 4.25, gelu32Coef)
				return b.Mul(b.Max(b.F(F64, -15), x[0]), b.Blend(b.GT(x[0], b.F(F64, 0)), b.Sub(b.F(F64, 1), r), r))
			}, x...)
		}
		a := b.Min(b.F(F64, 40), b.Abs(x[0]))
		hi, lo, scale := tailPair(b, a, geluTail)
		y := b.Max(b.F(F64, -40), x[0])
		// The product comes before the scaling, which may leave the normal range.
		p, pl := b.product(a, hi)
		minus := scale(b.Add(p, b.FMA(a, lo, pl)))
		hi = scale(hi)
		one := b.F(F64, 1)
		plus := b.Mul(y, b.Sub(one, b.Add(hi, scale(lo))))
		// Near 0, where the tail is least exact, Φ(x) = 1/2 + x·P(x²).
		u := b.Mul(x[0], x[0])
		small := b.FMA(b.Mul(x[0], b.Poly(u, normal64Coef...)), x[0], b.Mul(x[0], b.F(F64, 0.5)))
		y = b.Blend(b.LT(a, b.F(F64, 0.7)), small, b.Blend(b.GT(x[0], b.F(F64, 0)), plus, minus))
		return b.Or(y, b.signOf(x[0]))
	})
	register(ops.GeluTanh, func(b *Builder, t Type, x []Value) Value {
		if t == F64 {
			return geluTanhPair(b, x[0])
		}
		return b.inFloat64(func(x ...Value) Value {
			y := b.Max(b.F(F64, -40), x[0])
			c := b.Min(b.F(F64, 40), y)
			u := b.FMA(b.Mul(c, c), b.F(F64, 0.044715), b.F(F64, 1))
			arg := b.Mul(b.Mul(c, b.F(F64, -1.5957691216057308)), u)
			arg = b.Max(b.F(F64, -600), b.Min(b.F(F64, 600), arg))
			return b.Div(y, b.Add(b.F(F64, 1), b.expShort(arg)))
		}, x...)
	})
}

// tailCenter has few bits, so that nothing is lost as it is subtracted; around it H's terms have one sign.
const tailCenter = 1. / 16

// tailShort is exp(e)·H·y to 28 bits, a ≥ 0.
func tailShort(b *Builder, a, e Value, k float64, coef []float64) Value {
	y := b.Div(b.F(F64, 1), b.Add(a, b.F(F64, k)))
	h := b.Poly(b.Sub(y, b.F(F64, tailCenter)), coef...)
	return b.Mul(b.Mul(h, y), b.expShort(e))
}

// tail is the float64 form of a tail: slope is 1 + y·H'/H, about, as a polynomial in v: it says
// what becomes of an error in y.
type tail struct {
	k, half float64 // exp(-half·a²)
	coef    []float64
	low     [2]float64 // what the lowest coefficients lack
	slope   []float64
}

var (
	erfcTail = tail{3.5, 1, erfc64Coef, erfc64Low, erfcSlopeCoef}
	geluTail = tail{5, 0.5, gelu64Coef, gelu64Low, geluSlopeCoef}
)

// tailPair is the tail as (hi + lo) to be scaled, for a below 40.
func tailPair(b *Builder, a Value, f tail) (hi, lo Value, scale func(v Value) Value) {
	one := b.F(F64, 1)
	sq, sl := b.product(a, a)
	half := b.F(F64, -f.half)
	eh, el, scale := b.expPair(b.Mul(sq, half), b.Mul(sl, half))

	s, sLow := b.sum(a, b.F(F64, f.k))
	y := b.Div(one, s)
	off := b.FNMA(y, sLow, b.FNMA(y, s, one)) // 1/(a+k) = y·(1 + off)
	v := b.Sub(y, b.F(F64, tailCenter))
	// The last two steps of Horner's rule with their roundings.
	c := f.coef
	m := b.Mul(b.Poly(v, c[2:]...), v)
	q, ql := b.sum(b.F(F64, c[1]), m)
	p, pl := b.product(v, q)
	h, hl := b.sum(b.F(F64, c[0]), p)
	hl = b.Add(hl, b.Add(b.FMA(v, b.Add(ql, b.F(F64, f.low[1])), pl), b.F(F64, f.low[0])))
	hl = b.FMA(h, b.Mul(off, b.Poly(v, f.slope...)), hl)

	p, pl = b.product(eh, h)
	pl = b.Add(pl, b.FMA(eh, hl, b.Mul(el, h)))
	hi, lo = b.product(p, y)
	return hi, b.FMA(pl, y, lo), scale
}

// geluTanhPair is x/(1 + e^-w), w = 2√(2/π)·x·(1 + 0.044715·x²) in two parts, of which e^-|w| is taken.
func geluTanhPair(b *Builder, x Value) Value {
	zero, one := b.F(F64, 0), b.F(F64, 1)
	a := b.Min(b.F(F64, 24), b.Abs(x))
	u, ul := b.product(a, a)
	k := b.F(F64, 0x1.6e4e26d4801f7p-5)
	p, pl := b.product(u, k)
	pl = b.Add(pl, b.FMA(u, b.F(F64, 0x1.441355475a31ap-59), b.Mul(ul, k)))
	s, sl := b.sum(one, p)
	sl = b.Add(sl, pl)
	c := b.F(F64, 0x1.9884533d43651p+0)
	v, vl := b.product(a, c)
	vl = b.FMA(a, b.F(F64, -0x1.cbc0d30ebfd15p-54), vl)
	w, wl := b.product(v, s)
	wl = b.Add(wl, b.FMA(v, sl, b.Mul(vl, s)))
	hi, lo, scale := b.expPair(b.Neg(w), b.Neg(wl))
	d, dl := fastSum(b, one, scale(b.Add(hi, lo)))
	// The numerator is x, or |x|·(hi + lo) before it is scaled; the quotient's rest is divided, too.
	negative := b.LT(x, zero)
	n, nl := b.product(a, hi)
	n, nl = b.Blend(negative, n, x), b.And(b.FMA(a, lo, nl), negative)
	y := b.Div(one, d)
	q := b.Mul(n, y)
	rest := b.FNMA(q, dl, b.Add(b.FNMA(q, d, n), nl))
	q = b.FMA(b.AndNot(rest, b.NE(rest, rest)), y, q) // Inf has no rest
	return b.Or(b.Blend(negative, scale(q), q), b.signOf(x))
}

// erfFloat32 is in float32 throughout: a polynomial near 0, then 1 - 2^-q, q = 1.625·a + a²·s(a); the
// integer is taken off q before what is left of it is rounded.
func erfFloat32(b *Builder, x Value) Value {
	one := b.F(F32, 1)
	a := b.Min(b.F(F32, 3.95), b.Abs(x)) // erf(3.95) rounds to 1
	u := b.Mul(a, a)
	small := b.FMA(a, b.Poly(u, erf32Coef...), a)
	c, s := b.F(F32, 1.625), b.Poly(a, erfq32Coef...)
	anchor := b.F(F32, 1<<23+1<<22)
	t := b.FNMA(a, b.FMA(a, s, c), anchor)
	r := b.FNMA(u, s, b.FNMA(a, c, b.Sub(anchor, t))) // round(q) - q
	e := b.Bitcast(F32, b.Add(b.Bitcast(I32, b.Poly(r, exp2f32Coef...)), b.Shl(b.Bitcast(I32, t), 23)))
	return b.Or(b.Blend(b.GE(a, b.F(F32, 0.875)), b.Sub(one, e), small), b.signOf(x))
}
