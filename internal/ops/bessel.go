package ops

import "math"

// Bessel functions of real order. In the middle: the ratio of a function and its derivative by a continued fraction,
// recurrence down to an order of at most a half, and there a second relation, N. M. Temme's series (J. Comput.
// Phys. 19, 1975, and 21, 1976) below x = 2 and Steed's continued fraction from there on; recurrence back up. Power
// series where x² is small beside the order, Hankel's asymptotic series where x is large beside its square
// (Abramowitz & Stegun 9.1.10, 9.2.5, 9.6.10, 9.7.1).

// maxOrder bounds orders: beyond it the functions are NaN.
const maxOrder = 200

// shortOrder is up to where whole orders of J and Y are reached from 0 and 1 by recurrence.
const shortOrder = 16

// reciprocalGamma is the Taylor series of 1/Γ(1+z) (Abramowitz & Stegun 6.1.34).
var reciprocalGamma = [...]float64{
	1.0, 0.57721566490153286061, -0.65587807152025388108, -0.042002635034095235529, 0.1665386113822914895,
	-0.042197734555544336748, -0.0096219715278769735621, 0.0072189432466630995424, -0.0011651675918590651121,
	-0.00021524167411495097282, 0.00012805028238811618615, -0.000020134854780788238656, -1.2504934821426706573e-6,
	1.1330272319816958824e-6, -2.0563384169776071035e-7, 6.1160951044814158179e-9, 5.0020076444692229301e-9,
	-1.1812745704870201446e-9, 1.0434267116911005105e-10, 7.782263439905071254e-12, -3.6968056186422057082e-12,
	5.100370287454475979e-13, -2.0583260535665067832e-14, -5.3481225394230179824e-15,
}

// gammas is Temme's Γ₁ and Γ₂, and 1/Γ(1+m), 1/Γ(1-m), for |m| ≤ ½.
func gammas(m float64) (g1, g2, plus, minus float64) {
	for k := len(reciprocalGamma) - 2; k >= 0; k -= 2 {
		g1 = g1*m*m - reciprocalGamma[k+1]
		g2 = g2*m*m + reciprocalGamma[k]
	}
	return g1, g2, g2 - m*g1, g2 + m*g1
}

// temme is what both series begin with, less their front factors: f₀, p₀, q₀ for order m and 0 < x ≤ 2.
func temme(m, x float64) (f, p, q float64) {
	g1, g2, plus, minus := gammas(m)
	l := math.Log(2 / x)
	if math.IsInf(l, 1) {
		l = math.Ln2 - logarithm(x)
	}
	s := m * l
	round, over := 1.0, 1.0 // mπ/sin mπ, sinh s/s
	if a := math.Pi * m; math.Abs(a) > 1e-9 {
		round = a / math.Sin(a)
	}
	if math.Abs(s) > 1e-9 {
		over = math.Sinh(s) / s
	}
	e := math.Exp(s)
	return round * (math.Cosh(s)*g1 + over*l*g2), e / plus, 1 / (e * minus)
}

// powerSeries is Σ (sign·x²/4)^k/(k!·(n+1)(n+2)…(n+k)) times (x/2)ⁿ/Γ(n+1), with log what its logarithm takes more.
func powerSeries(n, x, sign, log float64) float64 {
	z := sign * x * x / 4
	sum, term := 1.0, 1.0
	for k := 1.0; k < 400; k++ {
		term *= z / (k * (n + k))
		if sum+term == sum {
			break
		}
		sum += term
	}
	if n < 20 && log == 0 {
		return sum * math.Pow(x/2, n) / math.Gamma(n+1)
	}
	l, _ := math.Lgamma(n + 1)
	return sum * math.Exp(n*math.Log(x/2)-l+log)
}

// hankel is the two sums of the asymptotic series of order n: of terms 0, 2, … and 1, 3, …, with the signs of J's.
func hankel(n, x float64) (p, q float64) {
	m, term := 4*n*n, 1.0
	p = 1
	for k := 1; k < 400; k++ {
		odd := float64(2*k - 1)
		next := term * (m - odd*odd) / (float64(k) * 8 * x)
		if math.Abs(next) < 1e-18 || k > 2*int(n) && math.Abs(next) > math.Abs(term) {
			break
		}
		term = next
		switch k % 4 {
		case 1:
			q += term
		case 2:
			p -= term
		case 3:
			q -= term
		default:
			p += term
		}
	}
	return p, q
}

// besselJY is J and Y of order n ≥ 0 at x > 0.
func besselJY(n, x float64) (j, y float64) {
	if x > 25+n*n/2 {
		p, q := hankel(n, x)
		// x - (n/2 + 1/4)·π, the sine and cosine of each taken by itself.
		s, c := math.Sincos(x)
		ps, pc := sinCosPi(n/2 + 0.25)
		sin, cos := s*pc-c*ps, c*pc+s*ps
		w := math.Sqrt(2 / (math.Pi * x))
		return w * (p*cos - q*sin), w * (p*sin + q*cos)
	}
	steps := int(n + 0.5)
	if x >= 2 {
		steps = max(0, int(n-x+1.5))
	}
	m := n - float64(steps)
	early := x*x < 4*(n+1)
	if early {
		j = powerSeries(n, x, -1, 0)
	}
	if x < 2 {
		low, next := temmeY(m, x)
		return j, up(low, next, m, x, steps, 1)
	}
	// J'/J at order n, and its sign.
	sign, f := ratioJ(n, x)
	jl, jp := sign, sign*f
	scale := 1.0 // of J at order n
	order := n
	for range steps {
		jl, jp = order/x*jl+jp, jl
		order--
		jp = order/x*jl - jp
		if math.Abs(jl) > 1e200 {
			jl, jp, scale = jl*1e-200, jp*1e-200, scale*1e-200
		}
	}
	f = jp / jl
	p, q := steed(m, x)
	w := 2 / (math.Pi * x)
	g := (p - f) / q
	jm := math.Copysign(math.Sqrt(w/((p-f)*g+q)), jl)
	if !early {
		j = jm / jl * sign * scale
	}
	ym := jm * g
	return j, up(ym, m/x*ym-(ym*p+jm*q), m, x, steps, 1)
}

// up takes a function from orders m, m+1 to m+steps by F(n+1) = 2n/x·F(n) - sign·F(n-1).
func up(low, next, m, x float64, steps int, sign float64) float64 {
	for k := 1; k <= steps; k++ {
		low, next = next, 2*(m+float64(k))/x*next-sign*low
		if math.IsInf(low, 0) {
			break
		}
	}
	return low
}

// temmeY is Y of orders m and m+1, for |m| ≤ ½ and 0 < x < 2.
func temmeY(m, x float64) (low, next float64) {
	f, p, q := temme(m, x)
	f, p, q = f*2/math.Pi, p/math.Pi, q/math.Pi
	s := math.Sin(math.Pi * m / 2)
	r := math.Pi * math.Pi * m / 2 // 2/m·sin²
	if math.Abs(m) > 1e-9 {
		r = 2 / m * s * s
	}
	c := 1.0
	for k := 0; k < maxTerms; k++ {
		kf := float64(k)
		if k > 0 {
			f = (kf*f + p + q) / (kf*kf - m*m)
			c *= -x * x / 4 / kf
			p /= kf - m
			q /= kf + m
		}
		a := c * (f + r*q)
		b := c*p - kf*a
		low -= a
		next -= b
		if k > 0 && math.Abs(a) < 1e-17*math.Abs(low) && math.Abs(b) < 1e-17*math.Abs(next) {
			break
		}
	}
	return low, next * 2 / x
}

// ratioJ is J'/J of order n, and the sign of J, by Lentz's method.
func ratioJ(n, x float64) (sign, f float64) {
	const tiny = 1e-300
	sign = 1
	f = n / x
	if f == 0 {
		f = tiny
	}
	b, d, c := 2*n/x, 0.0, f
	for i := 0; i < 1<<16; i++ {
		b += 2 / x
		if d = b - d; d == 0 {
			d = tiny
		}
		if c = b - 1/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		by := c * d
		f *= by
		if d < 0 {
			sign = -sign
		}
		if math.Abs(by-1) < 1e-16 {
			break
		}
	}
	return sign, f
}

// steed is p + iq, the logarithmic derivative of Hankel's function of order m, for x ≥ 2.
func steed(m, x float64) (p, q float64) {
	a := complex(0.25-m*m, 0)
	b := complex(2*x, 2)
	f := b
	c, d := b, complex(0, 0)
	for i := 2; i < maxTerms; i++ {
		k := float64(i) - 0.5
		ak := complex(k*k-m*m, 0)
		b = complex(2*x, 2*float64(i))
		d = 1 / (b + ak*d)
		c = b + ak/c
		by := c * d
		f *= by
		if e := by - 1; math.Abs(real(e))+math.Abs(imag(e)) < 1e-16 {
			break
		}
	}
	r := complex(0, 1/x) * (a / f)
	return -1/(2*x) + real(r), 1 + imag(r)
}

// besselIK is I·e⁻ˣ and K·eˣ of order n ≥ 0 at x > 0.
func besselIK(n, x float64) (i, k float64) {
	if x > 25+n*n/2 {
		m, term := 4*n*n, 1.0
		i, k = 1, 1
		sign := 1.0
		for j := 1; j < 400; j++ {
			odd := float64(2*j - 1)
			next := term * (m - odd*odd) / (float64(j) * 8 * x)
			if math.Abs(next) < 1e-18 || j > 2*int(n) && math.Abs(next) > math.Abs(term) {
				break
			}
			term, sign = next, -sign
			i, k = i+sign*term, k+term
		}
		return i * math.Sqrt(0.5/math.Pi/x), k * math.Sqrt(math.Pi/2/x)
	}
	steps := int(n + 0.5)
	m := n - float64(steps)
	var low, next float64
	if x < 2 {
		low, next = temmeK(m, x)
		e := math.Exp(x)
		low, next = low*e, next*e
	} else {
		low, next = steedK(m, x)
	}
	k = up(low, next, m, x, steps, -1)
	if x*x < 4*(n+1) {
		return powerSeries(n, x, 1, -x), k
	}
	// I from K at order n and the one above, by the Wronskian: 1/x = I·(K₊ + ratio·K), ratio = I₊/I.
	above := up(low, next, m, x, steps+1, -1)
	ratio := ratioI(n, x)
	return 1 / (x * (above + ratio*k)), k
}

// ratioI is I of order n+1 over that of n: 1/(2(n+1)/x + 1/(2(n+2)/x + …)).
func ratioI(n, x float64) float64 {
	const tiny = 1e-300
	f := tiny
	c, d := f, 0.0
	for i := 1; i < 1<<16; i++ {
		b := 2 * (n + float64(i)) / x
		d = 1 / (b + d)
		c = b + 1/c
		by := c * d
		f *= by
		if math.Abs(by-1) < 1e-16 {
			break
		}
	}
	return f
}

// temmeK is K of orders m and m+1, for |m| ≤ ½ and 0 < x < 2.
func temmeK(m, x float64) (low, next float64) {
	f, p, q := temme(m, x)
	p, q = p/2, q/2
	c := 1.0
	for k := 0; k < maxTerms; k++ {
		kf := float64(k)
		if k > 0 {
			f = (kf*f + p + q) / (kf*kf - m*m)
			c *= x * x / 4 / kf
			p /= kf - m
			q /= kf + m
		}
		low += c * f
		next += c * (p - kf*f)
		if k > 0 && c*f < 1e-17*low && math.Abs(c*(p-kf*f)) < 1e-17*next {
			break
		}
	}
	return low, next * 2 / x
}

// steedK is K·eˣ of orders m and m+1, for x ≥ 2: K is a confluent hypergeometric function whose ratios are a
// continued fraction and whose sums are normalized by Σ C(n)·z(n) = (1/2x)^(m+½) (Temme 1975).
func steedK(m, x float64) (low, next float64) {
	b := 2 * (1 + x)
	d := 1 / b
	h, delta := d, d
	q1, q2 := 0.0, 1.0
	a1 := 0.25 - m*m
	q, c := a1, a1
	a := -a1
	s := 1 + q*delta
	for i := 2; i < maxTerms; i++ {
		a -= 2 * float64(i-1)
		c = -a * c / float64(i)
		qn := (q1 - b*q2) / a
		q1, q2 = q2, qn
		q += c * qn
		b += 2
		d = 1 / (b + a*d)
		delta *= b*d - 1
		h += delta
		ds := q * delta
		s += ds
		if math.Abs(ds) < 1e-17*math.Abs(s) {
			break
		}
	}
	low = math.Sqrt(math.Pi/(2*x)) / s
	return low, low * (m + x + 0.5 - a1*h) / x
}

// sinCosPi is the sine and cosine of πx, exact at multiples of a half.
func sinCosPi(x float64) (s, c float64) {
	r := x - 2*math.Round(x/2) // -1 … 1
	switch r {
	case 0, 1, -1:
		return 0, 1 - 2*math.Abs(r)
	case 0.5, -0.5:
		return 2 * r, 0
	}
	return math.Sincos(math.Pi * r)
}

// ordered brings order and argument of a Bessel function to n ≥ 0 and x > 0. sign is what a negative argument of a
// whole order gives; ok is false where the function is NaN.
func ordered(n, x float64) (order, arg, sign float64, ok bool) {
	sign = 1
	if n != n || x != x || math.Abs(n) > maxOrder {
		return 0, 0, 0, false
	}
	if x < 0 {
		if n != math.Floor(n) {
			return 0, 0, 0, false
		}
		if math.Mod(n, 2) != 0 {
			sign = -1
		}
		x = -x
	}
	return math.Abs(n), x, sign, true
}

// atZero is J or I of order n at 0.
func atZero(n float64) float64 {
	switch {
	case n == 0:
		return 1
	case n > 0 || n == math.Floor(n):
		return 0
	}
	return math.Copysign(math.Inf(1), math.Gamma(n+1))
}

// besselJn and besselYn are the functions of the first and the second kind of real order.
func besselJn(n, x float64) float64 {
	order, a, sign, ok := ordered(n, x)
	switch {
	case !ok:
		return math.NaN()
	case a == 0:
		return atZero(n)
	case math.IsInf(a, 1):
		return 0
	}
	if order <= shortOrder && order == math.Floor(order) {
		return sign * math.Jn(int(n), a)
	}
	j, y := besselJY(order, a)
	if n < 0 {
		if s, c := sinCosPi(order); s == 0 {
			j *= c
		} else {
			j = c*j - s*y
		}
	}
	return sign * j
}

func besselYn(n, x float64) float64 {
	order, a, _, ok := ordered(n, x)
	switch {
	case !ok || x < 0:
		return math.NaN()
	case a == 0:
		return math.Inf(-1)
	case math.IsInf(a, 1):
		return 0
	}
	if order <= shortOrder && order == math.Floor(order) {
		return math.Yn(int(n), a)
	}
	j, y := besselJY(order, a)
	if n < 0 {
		if s, c := sinCosPi(order); s == 0 {
			y *= c
		} else {
			y = s*j + c*y
		}
	}
	return y
}

// besselIx and besselKx are the modified functions of real order times e^-|x| and eˣ.
func besselIx(n, x float64) float64 {
	order, a, sign, ok := ordered(n, x)
	switch {
	case !ok:
		return math.NaN()
	case a == 0:
		return atZero(n)
	case math.IsInf(a, 1):
		return sign * 0
	}
	i, k := besselIK(order, a)
	if n < 0 {
		if s, _ := sinCosPi(order); s != 0 {
			i += 2 / math.Pi * s * k * math.Exp(-2*a)
		}
	}
	return sign * i
}

func besselKx(n, x float64) float64 {
	order, a, _, ok := ordered(n, x)
	switch {
	case !ok || x < 0:
		return math.NaN()
	case a == 0:
		return math.Inf(1)
	case math.IsInf(a, 1):
		return 0
	}
	_, k := besselIK(order, a)
	return k
}

func besselIn(n, x float64) float64 {
	if math.IsInf(x, 0) && math.Abs(n) <= maxOrder {
		return math.Inf(1)
	}
	a := math.Abs(x)
	if a > 700 { // the exponential alone may overflow
		return besselIx(n, x) * math.Exp(a/2) * math.Exp(a/2)
	}
	return besselIx(n, x) * math.Exp(a)
}

func besselKn(n, x float64) float64 { return besselKx(n, x) * math.Exp(-x) }

// airy is Ai, Ai', Bi, Bi' at x, for x > 0 times exp(ζ), exp(ζ), exp(-ζ), exp(-ζ), ζ = ⅔·x^(3/2): the power series
// near 0, Bessel functions of orders a third and two beyond (Abramowitz & Stegun 10.4.2, 10.4.14 … 10.4.25).
func airy(x float64) (ai, aip, bi, bip float64) {
	const c1, c2 = 0.35502805388781723926, 0.25881940379280679841
	z := math.Abs(x)
	root := math.Sqrt(z)
	p := z * root
	zeta := 2. / 3 * p
	switch {
	case z <= 1:
		f, fp, g, gp := 1.0, 0.0, x, 1.0
		tf, tg := 1.0, x // the terms of f and of g
		for k := 1.0; k < 20; k++ {
			fp += tf * x * x / (3*k - 1)
			tf *= x * x * x / ((3*k - 1) * 3 * k)
			gp += tg * x * x / (3 * k)
			tg *= x * x * x / (3 * k * (3*k + 1))
			f, g = f+tf, g+tg
		}
		ai, aip = c1*f-c2*g, c1*fp-c2*gp
		bi, bip = math.Sqrt(3)*(c1*f+c2*g), math.Sqrt(3)*(c1*fp+c2*gp)
		if x > 0 {
			e := math.Exp(zeta)
			ai, aip, bi, bip = ai*e, aip*e, bi/e, bip/e
		}
		return ai, aip, bi, bip
	case x > 0:
		i1, k1 := besselIK(1./3, zeta)
		i2, k2 := besselIK(2./3, zeta)
		s := math.Sin(math.Pi/3) * 2 / math.Pi * math.Exp(-2*zeta)
		r := math.Sqrt(x / 3)
		return r / math.Pi * k1, -x / (math.Pi * math.Sqrt(3)) * k2, r * (2*i1 + s*k1), x / math.Sqrt(3) * (2*i2 + s*k2)
	case x < 0:
		j1, y1 := besselJY(1./3, zeta)
		j2, y2 := besselJY(2./3, zeta)
		if z < 1e9 { // what ζ has lost to roundings turns both pairs; of ⅔ that is 2⁻⁵⁵·4/3
			pl := math.FMA(z, root, -p) + z*math.FMA(-root, root, z)/(2*root)
			d := math.FMA(2./3, p, -zeta) + 2./3*pl + 0x1.5555555555555p-55*p
			j1, y1, j2, y2 = j1-d*y1, y1+d*j1, j2-d*y2, y2+d*j2
		}
		r, t := root/2, math.Sqrt(3)
		return r * (j1 - y1/t), z / 2 * (j2 + y2/t), -r * (j1/t + y1), z / 2 * (j2/t - y2)
	}
	n := math.NaN()
	return n, n, n, n
}

// airyOf is number which of airy, scaled for x > 0 or not; scaled Ai is NaN below 0.
func airyOf(which int, scaled bool) func(a, b, c float64) float64 {
	return u(func(x float64) float64 {
		if math.IsInf(x, 1) {
			switch {
			case which < 2 && !scaled:
				return 0
			case which >= 2 && !scaled:
				return x
			}
		}
		if math.IsInf(x, 0) {
			if x < 0 && which%2 == 0 && !(scaled && which < 2) {
				return 0
			}
			if x > 0 && which%2 == 0 {
				return 0
			}
			return math.NaN()
		}
		ai, aip, bi, bip := airy(x)
		y := [4]float64{ai, aip, bi, bip}[which]
		switch {
		case scaled && x < 0 && which < 2:
			return math.NaN()
		case scaled || x <= 0:
			return y
		}
		zeta := 2. / 3 * x * math.Sqrt(x)
		if which < 2 {
			return y * math.Exp(-zeta)
		}
		e := math.Exp(zeta / 2) // squared it overflows before y times it
		return y * e * e
	})
}
