package vec

// Pieces for results of more than one word: a sum hi + lo with |lo| at most half a unit of hi.

// sum is x + y exactly.
func (b *Builder) sum(x, y Value) (hi, lo Value) {
	hi = b.Add(x, y)
	z := b.Sub(hi, x)
	return hi, b.Add(b.Sub(x, b.Sub(hi, z)), b.Sub(y, z))
}

// product is x·y exactly.
func (b *Builder) product(x, y Value) (hi, lo Value) {
	hi = b.Mul(x, y)
	return hi, b.FMS(x, y, hi)
}

// signOf is the sign bit of x.
func (b *Builder) signOf(x Value) Value { return b.And(x, b.sign(x)) }

// rough is 1/x to 6 bits, for an x ≥ 0 that is no denormal; of 0 it is large. It is for rests, and without a division: exponent
// and fraction of 1/x are nearly a constant less x's, which Newton's iteration makes better.
func (b *Builder) rough(x Value) Value {
	t := b.TypeOf(x)
	c := int64(0x7ef311c3)
	if t == F64 {
		c = 0x7fde6238502484ba
	}
	y := b.Bitcast(t, b.Sub(b.I(t.Int(), c), b.Bitcast(t.Int(), x)))
	return b.FMA(b.FNMA(x, y, b.F(t, 1)), y, y)
}

// anchor is 1.5·2⁵²: a float64 added to it is rounded to an integer, which stands in the low bits.
const anchor = 1<<52 + 1<<51

// integer rounds h·c to an integer n, and gives the bits whose low part is n.
func (b *Builder) integer(h Value, c float64) (n, bits Value) {
	m := b.F(F64, anchor)
	t := b.FMA(h, b.F(F64, c), m)
	return b.Sub(t, m), b.Bitcast(I64, t)
}

const log2e, ln2Hi, ln2Lo = 0x1.71547652b82fep+0, 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56

// power2 is 2ⁿ for the bits of integer, n in the range of a float64's exponents.
func (b *Builder) power2(bits Value) Value {
	return b.Bitcast(F64, b.Shl(b.Add(bits, b.I(I64, 1023)), 52))
}

// expShort is exp(x) of a float64 to 28 bits, for |x| < 700.
func (b *Builder) expShort(x Value) Value {
	n, bits := b.integer(x, log2e)
	r := b.FNMA(n, b.F(F64, ln2Hi), x)
	p := b.FMA(b.Poly(r, exp32Coef...), b.Mul(r, r), b.Add(r, b.F(F64, 1)))
	if b.Wide {
		return b.Scale(p, n)
	}
	return b.Mul(p, b.power2(bits))
}

// scale is x·2ⁿ, rounded once where x·2^(n/2) is a normal number; x is neither tiny nor huge.
func (b *Builder) scale(x, n Value) Value {
	if b.Wide {
		return b.Scale(x, n)
	}
	t := b.TypeOf(x)
	ft := floatTypes[t]
	zero := b.F(t, ft.magic+float64(ft.bias))
	at := b.FMA(n, b.F(t, 0.5), zero)
	rest := b.Add(b.Sub(n, b.Sub(at, zero)), zero)
	return b.Mul(b.Mul(x, ft.power2(b, t, at)), ft.power2(b, t, rest))
}

// inFloat64 is f of the arguments as float64s: what a float32 function is computed with.
func (b *Builder) inFloat64(f func(x ...Value) Value, x ...Value) Value {
	wide := make([]Value, len(x))
	for i, v := range x {
		wide[i] = b.Widen(v)
	}
	return b.Narrow(f(wide...))
}
