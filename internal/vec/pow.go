package vec

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/ops"
)

func init() {
	register(ops.Pow, func(b *Builder, t Type, x []Value) Value {
		y := b.Abs(x[0])
		if t == F32 {
			y = b.Narrow(power32(b, b.Widen(y), b.Widen(x[1])))
		} else {
			y = power64(b, y, x[1])
		}
		return powSign(b, t, x[0], x[1], y)
	})
}

// powSign makes |x|^y x^y: negative for negative x and odd y, NaN for negative x and y no integer, but
// for infinite x.
func powSign(b *Builder, t Type, x, y, r Value) Value {
	half := b.Mul(y, b.F(t, 0.5))
	whole := b.EQ(b.Floor(y), y)
	odd := b.And(whole, b.NE(b.Floor(half), half))
	r = b.Or(r, b.And(b.And(x, odd), b.sign(x)))
	finite := b.And(b.LT(x, b.F(t, 0)), b.GT(x, b.F(t, math.Inf(-1))))
	return b.Or(r, b.AndNot(finite, whole))
}

// powEnds gives log2 a its limits at 0 and infinity, and NaN.
func powEnds(b *Builder, a, l Value) Value {
	l = b.Blend(b.LT(a, b.F(F64, math.Inf(1))), l, a)
	return b.Blend(b.EQ(a, b.F(F64, 0)), b.F(F64, math.Inf(-1)), l)
}

// power32 is a^y, a ≥ 0, good enough for float32s: log2 a to 2^-37 of its size suffices. 1^y and a^0
// are 1 for all y and a.
func power32(b *Builder, a, y Value) Value {
	k, m := split(b, F64, a)
	f := b.Sub(m, b.F(F64, 1))
	f2 := b.Mul(f, f)
	l := b.FMA(f2, polyPair(b, f, f2, pow32Log), b.FMA(f, b.F(F64, math.Log2E), k))
	l = powEnds(b, a, l)
	zero := b.F(F64, 0)
	e := b.AndNot(b.Mul(y, l), b.Or(b.EQ(l, zero), b.EQ(y, zero)))
	e = clamp(b, F64, e, -200, 200)
	magic := b.F(F64, 3<<51+1023)
	at := b.Add(e, magic)
	r := b.Sub(e, b.Sub(at, magic))
	p := b.FMA(r, polyPair(b, r, b.Mul(r, r), pow32Exp), b.F(F64, 1))
	if b.Wide {
		return b.Scale(p, b.Sub(at, magic))
	}
	return b.Mul(p, floatTypes[F64].power2(b, F64, at))
}

// power64 is a^y, a ≥ 0, by log2 a as a sum of two parts, which is good to 2^-65 of its size.
func power64(b *Builder, a, y Value) Value {
	ft := floatTypes[F64]
	one, zero := b.F(F64, 1), b.F(F64, 0)
	k, m := parts(b, F64, a)
	// log m = 2·atanh s for s = f/(2+f): 2s·(1 + z/3 + z²·R(z)), z = s².
	f := b.Sub(m, one)
	d, dl := fastSum(b, b.F(F64, 2), f)
	s, sl := divide(b, F64, f, None, d, dl)
	s, sl = fastSum(b, s, sl)
	z := b.Mul(s, s)
	zl := b.FMA(b.Add(s, s), sl, b.FMS(s, s, z))
	third := b.F(F64, 1./3)
	w := b.Mul(z, third)
	wl := b.FMA(zl, third, b.FMA(z, b.F(F64, 0x1.5555555555555p-56), b.FMS(z, third, w)))
	z2 := b.Mul(z, z)
	w, rest := fastSum(b, w, b.Mul(z2, polyPair(b, z, z2, pow64Log)))
	wl = b.Add(wl, rest)
	q := b.Mul(s, w)
	ql := b.FMA(sl, w, b.FMA(s, wl, b.FMS(s, w, q)))
	g, gl := fastSum(b, s, q)
	gl = b.Add(gl, b.Add(sl, ql))
	// times 2·log2 e, plus k
	c := b.F(F64, 2*ft.log2.e[0])
	h := b.Mul(g, c)
	hl := b.FMA(gl, c, b.FMA(g, b.F(F64, 2*ft.log2.e[1]), b.FMS(g, c, h)))
	l, ll := fastSum(b, k, h)
	l, ll = fastSum(b, l, b.Add(ll, hl))
	l = powEnds(b, a, l)

	e := b.Mul(y, l)
	el := b.FMA(y, ll, b.FMS(y, l, e))
	el = b.And(el, b.LT(b.Abs(e), b.F(F64, 1100))) // beyond, it may be no number
	none := b.Or(b.EQ(l, zero), b.EQ(y, zero))
	e, el = b.AndNot(e, none), b.AndNot(el, none)
	e = clamp(b, F64, e, -1100, 1100)
	bias := float64(ft.bias)
	at := b.Add(e, b.F(F64, ft.magic+2*bias))
	half := b.FMA(e, b.F(F64, 0.5), b.F(F64, ft.magic+bias))
	u := b.Sub(e, b.Sub(at, b.F(F64, ft.magic+2*bias)))
	r := b.Add(u, el)
	rl := b.Add(b.Sub(u, r), el)
	r2 := b.Mul(r, r)
	ln2 := b.F(F64, ft.ln2[0])
	p := b.FMA(r2, polyPair(b, r, r2, ft.exp2Poly[1:]), b.FMA(rl, ln2, b.Mul(r, b.F(F64, ft.ln2[1]))))
	p = b.Add(b.FMA(r, ln2, p), one)
	i := I64
	return power{n: b.Sub(at, b.F(F64, ft.magic+2*bias)), first: ft.power2(b, F64, half), second: ft.power2(b, F64, b.Sub(b.Bitcast(i, at), b.Bitcast(i, half)))}.scale(b, p)
}

// Polynomials by gen/explog.py: (log2(1+f) - f·log2 e)/f², (2^r - 1)/r and (atanh s - s - s³/3)/s⁵ by s².
var (
	pow32Log = []float64{-0.721347520354606697, 0.480898348251683538, -0.360673789147037849, 0.288538816327051473, -0.240446643255095516, 0.206107194407293387, -0.180432081113848869, 0.160202348827022001, -0.142536182757702856, 0.130502838722698328, -0.13467870970280002, 0.131428899810630162, -0.068374395389360812}
	pow32Exp = []float64{0.693147180705691923, 0.240226510614746952, 0.055504103548675493, 0.00961803265771545707, 0.00133339353407202965, 0.000154695315708678894, 0.0000152011064942044992}
	pow64Log = []float64{0.1999999999999999, 0.142857142857219344, 0.111111111088893072, 0.0909090942286644582, 0.0769227914548401975, 0.066681351747473902, 0.0583782648250389877, 0.0599143913199087219}
)
