package vec

// pieces are 16 polynomials, found by a number's exponent and the first bits of its fraction: the bases,
// then the coefficients. They are computed by gen/pieces.py.
type pieces [][]float64

// of is a's piece by the bits of key above all but m of the fraction: the polynomial is c0 + s·q.
func (p pieces) of(b *Builder, a, key Value, m int) (c0, s, q Value) {
	t := b.TypeOf(a)
	i := b.Shr(b.Bitcast(t.Int(), key), floatTypes[t].fraction-m)
	s = b.Sub(a, b.Table(t, i, p[0]...))
	q = b.Table(t, i, p[len(p)-1]...)
	for k := len(p) - 2; k > 1; k-- {
		q = b.FMA(q, s, b.Table(t, i, p[k]...))
	}
	return b.Table(t, i, p[1]...), s, q
}

// odd is an odd function of x, by |x| + add, that does not change from top on; below start, p lacks |x|.
func (p pieces) odd(b *Builder, x Value, add, start, top float64, m int) Value {
	t := b.TypeOf(x)
	a := b.Abs(x)
	near := b.Min(b.F(t, top), a)
	key := b.Add(near, b.F(t, add))
	if add == 0 {
		key = b.Max(b.F(t, start*15/16), near)
	}
	c0, s, q := p.of(b, near, key, m)
	// By the key, since a little below start it may be rounded to the next piece.
	y := b.FMA(s, q, b.Blend(b.LT(key, b.F(t, start+add)), s, c0))
	return b.Or(y, b.And(x, b.sign(x)))
}

// tail is exp(-half·a²)·(piece of a by a + add), (hi + lo)·2^⌊n⌋, for 0 ≤ a; lo is a fortieth of hi at most.
func (p pieces) tail(b *Builder, a Value, half, add float64) (hi, lo, n Value) {
	t := b.TypeOf(a)
	sq, sl := b.product(a, b.Mul(a, b.F(t, -half)))
	eh, el, n := exponential(b, t, sq, sl, false)
	c0, s, q := p.of(b, a, b.Add(a, b.F(t, add)), 2)
	v := b.FMA(s, q, c0)
	vl := b.FMA(s, q, b.Sub(c0, v)) // exact but for its rounding: s·q is a third of c0 at most
	hi, lo = b.product(eh, v)
	return hi, b.FMA(eh, vl, b.FMA(el, v, lo)), n
}
