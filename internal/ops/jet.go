package ops

import "math"

// jet is a number with its derivatives by two parameters, to the second order: what makes derivatives of a
// convergent series or fraction by the parameters in it.
type jet struct{ v, a, b, aa, ab, bb float64 }

func plain(v float64) jet { return jet{v: v} }

func (x jet) add(y jet) jet {
	return jet{x.v + y.v, x.a + y.a, x.b + y.b, x.aa + y.aa, x.ab + y.ab, x.bb + y.bb}
}

func (x jet) scale(c float64) jet {
	return jet{c * x.v, c * x.a, c * x.b, c * x.aa, c * x.ab, c * x.bb}
}

func (x jet) sub(y jet) jet { return x.add(y.scale(-1)) }

func (x jet) mul(y jet) jet {
	return jet{
		x.v * y.v,
		x.a*y.v + x.v*y.a,
		x.b*y.v + x.v*y.b,
		x.aa*y.v + 2*x.a*y.a + x.v*y.aa,
		x.ab*y.v + x.a*y.b + x.b*y.a + x.v*y.ab,
		x.bb*y.v + 2*x.b*y.b + x.v*y.bb,
	}
}

// of is f(x) for f's value and first two derivatives at x.v.
func (x jet) of(f, d, dd float64) jet {
	return jet{f, d * x.a, d * x.b, dd*x.a*x.a + d*x.aa, dd*x.a*x.b + d*x.ab, dd*x.b*x.b + d*x.bb}
}

func (x jet) reciprocal() jet {
	r := 1 / x.v
	return x.of(r, -r*r, 2*r*r*r)
}

func (x jet) exp() jet { e := math.Exp(x.v); return x.of(e, e, e) }

func (x jet) lgamma() jet {
	l, _ := math.Lgamma(x.v)
	return x.of(l, digamma(x.v), polygamma(1, x.v))
}

// small reports whether x, derivatives included, changes y no more.
func (x jet) small(y jet) bool {
	const eps = 1e-17
	ok := func(p, q, scale float64) bool { return math.Abs(p) <= eps*(math.Abs(q)+scale*math.Abs(y.v)) }
	return ok(x.v, y.v, 0) && ok(x.a, y.a, 1e-3) && ok(x.b, y.b, 1e-3) && ok(x.aa, y.aa, 1e-3) && ok(x.ab, y.ab, 1e-3) && ok(x.bb, y.bb, 1e-3)
}

// fraction is b(0) + a(1)/(b(1) + a(2)/(b(2) + …), by Lentz's method.
func fraction(b0 jet, term func(i int) (a, b jet)) jet {
	const tiny = 1e-300
	if b0.v == 0 {
		b0.v = tiny
	}
	f, c, d := b0, b0, plain(0)
	for i := 1; i < maxTerms; i++ {
		a, b := term(i)
		d = b.add(a.mul(d))
		if d.v == 0 {
			d.v = tiny
		}
		c = b.add(a.mul(c.reciprocal()))
		if c.v == 0 {
			c.v = tiny
		}
		d = d.reciprocal()
		by := c.mul(d)
		g := f.mul(by)
		by.v--
		f = g
		if by.small(plain(1)) && i > 3 {
			break
		}
	}
	return f
}

// maxTerms bounds series and fractions: arguments that need more are out of range.
const maxTerms = 5000

// gammaP is the regularized incomplete gamma function P(a, x) with its derivatives by a: the power
// series below a + 1, the continued fraction beyond (Abramowitz & Stegun 6.5.29, 6.5.31).
func gammaP(a, x float64) jet {
	switch {
	case !(a > 0) || !(x >= 0) || math.IsInf(a, 1):
		nan := plain(math.NaN())
		nan.a, nan.aa = nan.v, nan.v
		return nan
	case x == 0:
		return plain(0)
	case math.IsInf(x, 1):
		return plain(1)
	}
	A := jet{v: a, a: 1}
	front := A.scale(math.Log(x)).sub(plain(x)) // of xᵃ·e⁻ˣ
	if x < a+1 {
		sum := plain(1)
		term := sum
		for n := 1; n < maxTerms; n++ {
			term = term.scale(x).mul(A.add(plain(float64(n))).reciprocal())
			sum = sum.add(term)
			if term.small(sum) {
				break
			}
		}
		return sum.mul(front.sub(A.add(plain(1)).lgamma()).exp())
	}
	f := fraction(plain(x+1).sub(A), func(i int) (jet, jet) {
		n := float64(i)
		return A.sub(plain(n)).scale(n), plain(x + 2*n + 1).sub(A)
	})
	return plain(1).sub(f.reciprocal().mul(front.sub(A.lgamma()).exp()))
}

// betaI is the regularized incomplete beta function I_x(a, b) with its derivatives by a and b: the continued fraction
// of Abramowitz & Stegun 26.5.8, on the side where it converges fast.
func betaI(a, b, x float64) jet {
	switch {
	case !(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || math.IsInf(a, 1) || math.IsInf(b, 1):
		n := math.NaN()
		return jet{n, n, n, n, n, n}
	case x == 0:
		return plain(0)
	case x == 1:
		return plain(1)
	}
	A, B := jet{v: a, a: 1}, jet{v: b, b: 1}
	lx, ly := math.Log(x), math.Log1p(-x)
	swapped := x > (a+1)/(a+b+2)
	if swapped {
		A, B, lx, ly, x = B, A, ly, lx, 1-x
	}
	front := A.scale(lx).add(B.scale(ly)).sub(A.lgamma()).sub(B.lgamma()).add(A.add(B).lgamma()).exp()
	f := fraction(plain(1), func(i int) (jet, jet) {
		m := float64(i / 2)
		if i%2 == 0 {
			den := A.add(plain(2*m - 1)).mul(A.add(plain(2 * m))).reciprocal()
			return B.sub(plain(m)).scale(m * x).mul(den), plain(1)
		}
		den := A.add(plain(2 * m)).mul(A.add(plain(2*m + 1))).reciprocal()
		return A.add(plain(m)).mul(A.add(B).add(plain(m))).scale(-x).mul(den), plain(1)
	})
	y := front.mul(f.mul(A).reciprocal())
	if swapped {
		return plain(1).sub(y)
	}
	return y
}

// invDigamma is the x > 0 with digamma(x) = y, by Newton's method.
func invDigamma(y float64) float64 {
	switch {
	case math.IsInf(y, 1):
		return y
	case math.IsInf(y, -1):
		return 0
	case y > 700:
		return math.Exp(y)
	}
	x := math.Exp(y) + 0.5
	if y < -2.22 {
		x = -1 / (y + 0.5772156649015329)
	}
	for range 8 {
		next := x - (digamma(x)-y)/polygamma(1, x)
		if next == x {
			break
		}
		x = next
	}
	return x
}

// expintN is ∫ exp(-x·t)/tⁿ dt from 1 to ∞, for real n and x > 0: the continued fraction from 1 on, below it series
// (Abramowitz & Stegun 5.1.12, 5.1.22; of n that is not whole, Γ(1-n)·xⁿ⁻¹ less the power series).
func expintN(n, x float64) float64 {
	switch {
	case n != n || x != x || x < 0 || math.Abs(n) > maxOrder:
		return math.NaN()
	case x == 0 && n > 1:
		return 1 / (n - 1)
	case x == 0:
		return math.Inf(1)
	case math.IsInf(x, 1):
		return 0
	case x >= 1 && n > -1: // from the fraction's far end, a division a step
		k := math.Floor(12 + 85/x)
		f := x + n + 2*k
		for ; k > 0; k-- {
			f = x + n + 2*(k-1) - k*(n+k-1)/f
		}
		return math.Exp(-x) / f
	}
	whole := n == math.Floor(n)
	switch {
	case whole && n <= 0: // upwards in size: sums of positive terms
		e := math.Exp(-x) / x
		for k := 1.0; k <= -n; k++ {
			e = (math.Exp(-x) + k*e) / x
		}
		return e
	case n <= -1: // from an order above -1, the same way
		up := n + math.Ceil(-1-n) + 1
		e := expintN(up, x)
		for k := up - 1; k >= n; k-- {
			e = (math.Exp(-x) - k*e) / x
		}
		return e
	}
	sum, power := 0.0, 1.0
	for k := 0; k < maxTerms; k++ {
		kf := float64(k)
		if k > 0 {
			power *= -x / kf
		}
		if whole && kf == n-1 {
			sum += power * (digamma(n) - math.Log(x))
			continue
		}
		next := sum - power/(kf-n+1)
		if next == sum && kf > n {
			break
		}
		sum = next
	}
	if !whole {
		sum += math.Gamma(1-n) * math.Pow(x, n-1)
	}
	return sum
}
