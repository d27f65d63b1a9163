package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// π/2 in two parts.
const halfPi1, halfPiLow = 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54

// turnsEnd is the largest float64 that the parts of π are right for.
const turnsEnd = 1 << 22

// The trigonometric functions, for arguments up to so large that a few parts of π do.
func init() {
	for id, f := range map[ops.ID]func(x float64) float64{ops.Sin: sinBeyond, ops.Cos: cosBeyond, ops.Tan: tanBeyond} {
		limits[id][F64] = &Limits{-turnsEnd, turnsEnd, f}
		limits[id][F32] = &Limits{-1 << 17, 1 << 17, f}
	}
	register(ops.Sin, func(b *Builder, t Type, x []Value) Value {
		q := sixteenths(b, t, b.Abs(x[0]), None)
		y := q.sin(b, t, q.bits)
		return b.Xor(y, b.signOf(b.Xor(b.Bitcast(t, b.Shl(q.bits, t.Bits()-5)), x[0])))
	})
	register(ops.Cos, func(b *Builder, t Type, x []Value) Value {
		q := sixteenths(b, t, b.Abs(x[0]), None)
		bits := b.Add(q.bits, b.I(t.Int(), 8))
		return b.Xor(q.sin(b, t, bits), b.signOf(b.Bitcast(t, b.Shl(bits, t.Bits()-5))))
	})
	register(ops.Tan, func(b *Builder, t Type, x []Value) Value { return tan(b, t, x[0]) })
}

// turns are the sine by sixteenths of π: s[0] is sin(jπ/16) and s[1] what its rounding lost, c is cos(jπ/16), and pi the parts
// of π/16. sin r = r + r³·sin(r²) and cos r = 1 + r²·cos(r²).
type turns struct {
	s        [2][]float64
	c        []float64
	sin, cos []float64
	pi       []float64
}

func turnsOf(t Type) *turns {
	if t == F32 {
		return &turns32
	}
	return &turns64
}

// remainder is a = r + lo + n·units·π/16, |r| half of that at most, n in the low bits; |a| is within the limits. The first part
// is taken off with an fma, exactly: what is left is a multiple of the units of both, and below 1.
func remainder(b *Builder, t Type, a Value, units float64) (r, lo, bits Value) {
	part := func(k int) Value { return b.F(t, units*turnsOf(t).pi[k]) }
	magic := b.F(t, floatTypes[t].magic)
	at := b.FMA(a, b.F(t, 16/units/math.Pi), magic)
	n := b.Sub(at, magic)
	r0 := b.FNMA(n, part(0), a)
	r = b.Sub(r0, b.Mul(n, part(1))) // so rounded that r0 - r is exact
	return r, b.FNMA(n, part(2), b.FNMA(n, part(1), b.Sub(r0, r))), b.Bitcast(t.Int(), at)
}

// turn is a number in sixteenths of π, which are in the low bits, and what is left of it, r and a little.
type turn struct {
	r, bits Value
	u, v    Value // its sine less r, and its cosine less 1
}

// sixteenths are those of a + al, al to a unit of the sine's; it may be None.
func sixteenths(b *Builder, t Type, a, al Value) turn {
	r, lo, bits := remainder(b, t, a, 1)
	if al != None {
		r = b.Add(r, al) // r + lo would be off by r·lo: the cosine is r's
	}
	tab, z := turnsOf(t), b.Mul(r, r)
	return turn{r, bits, b.FMA(b.Mul(z, r), b.Poly(z, tab.sin...), lo), b.Mul(z, b.Poly(z, tab.cos...))}
}

// sin is that of j·π/16 and what is left, for the last four bits j.
func (q turn) sin(b *Builder, t Type, bits Value) Value {
	tab := turnsOf(t)
	s, c := b.Table(t, bits, tab.s[0]...), b.Table(t, bits, tab.c...)
	return b.Add(s, b.FMA(c, q.r, b.FMA(c, q.u, b.FMA(s, q.v, b.Table(t, bits, tab.s[1]...)))))
}

// tangents are sin and cos of jπ/16 times a number near 1 that makes both fit; tan r = r + r³·poly(r²).
type tangents struct{ sin, cos, poly []float64 }

// tan is (s + c·u)/(c - s·u) for u = tan of what is left of x, numerator and denominator as sums of two parts.
func tan(b *Builder, t Type, x Value) Value {
	tab := &tangents32
	if t == F64 {
		tab = &tangents64
	}
	r, lo, bits := remainder(b, t, x, 1)
	z := b.Mul(r, r)
	u, ul := fastSum(b, r, b.FMA(b.Mul(z, r), b.Poly(z, tab.poly...), lo))
	s, c := b.Table(t, bits, tab.sin...), b.Table(t, bits, tab.cos...)
	n, d := b.FMA(c, u, s), b.FNMA(s, u, c)
	nl := b.FMA(c, ul, b.FMA(c, u, b.Sub(s, n)))
	dl := b.FNMA(s, ul, b.FNMA(s, u, b.Sub(c, d)))
	inv := b.Div(b.F(t, 1), d)
	q := b.Mul(n, inv)
	y := b.FMA(b.Add(b.FNMA(q, dl, b.FNMA(q, d, n)), nl), inv, q)
	return b.Blend(b.EQ(x, b.F(t, 0)), x, y) // -0
}
