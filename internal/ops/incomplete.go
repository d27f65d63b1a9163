package ops

import "math"

// logarithm is log x, of a denormal too, which math.Log takes for the least normal number on some machines.
func logarithm(x float64) float64 {
	if x < 0x1p-1000 {
		return math.Log(x*0x1p100) - 100*math.Ln2
	}
	return math.Log(x)
}

// gammaFront is xᵃ·e⁻ˣ/Γ(a+1). For larger a, a·log(x/a) + a - x and Stirling's series keep what cancels small.
func gammaFront(a, x float64) float64 {
	if a < 60 {
		e := math.Exp(-x / 2)
		return math.Pow(x, a) * e / math.Gamma(a+1) * e
	}
	l := math.Log(x / a)
	if d := (x - a) / a; math.Abs(d) < 0.5 {
		l = math.Log1p(d)
	}
	r := 1 / a
	z := r * r
	series := r * (1./12 + z*(-1./360+z*(1./1260+z*(-1./1680+z*(1./1188+z*(-691./360360+z*(1./156+z*(-3617./122400+z*43867/244188))))))))
	return math.Exp(a*l+(a-x)-series) / math.Sqrt(2*math.Pi*a)
}

// gammaTerms bounds the terms of the series and of the fraction; √(75a) of them count.
const gammaTerms = 200000

// gammaSeries is 1 + x/(a+1) + x²/((a+1)(a+2)) + …, and where asked for its slope by a.
func gammaSeries(a, x float64, slopes bool) (sum, slope float64) {
	sum = 1
	term, over := 1.0, 0.0
	for n := a + 1; n < a+gammaTerms && term*(1+over) > 1e-17*sum; n++ {
		term *= x / n
		sum += term
		if slopes {
			over += 1 / n
			slope -= term * over
		}
	}
	return sum, slope
}

// gammaFraction is 1/(x+1-a + 1·(a-1)/(x+3-a + 2·(a-2)/(x+5-a + …))), and where asked for its slope by a: numerator and denominator,
// and their slopes, by their recurrence.
func gammaFraction(a, x float64, slopes bool) (y, slope float64) {
	b := x + 1 - a
	n0, n1, d0, d1 := 1.0, 0.0, b, 1.0
	dn0, dn1, dd0, dd1 := 0.0, 0.0, -1.0, 0.0
	y = n0 / d0
	for k := 1.0; k < gammaTerms; k++ {
		by := k * (a - k)
		b += 2
		if slopes {
			dn0, dn1 = b*dn0-n0+by*dn1+k*n1, dn0
			dd0, dd1 = b*dd0-d0+by*dd1+k*d1, dd0
		}
		n0, n1 = b*n0+by*n1, n0
		d0, d1 = b*d0+by*d1, d0
		if d0 > 1e250 {
			for _, p := range []*float64{&n0, &n1, &d0, &d1, &dn0, &dn1, &dd0, &dd1} {
				*p *= 1e-250
			}
		}
		last := y
		y = n0 / d0
		moved := math.Abs(y-last) > 1e-17*y
		if slopes {
			last := slope
			slope = (dn0 - y*dd0) / d0
			moved = moved || math.Abs(slope-last) > 0x1p-50*math.Abs(y*dd0/d0) // which the difference is rounded by
		}
		if !moved {
			break
		}
	}
	return y, slope
}

// gammaPQ is the regularized incomplete gamma functions P(a, x) and Q = 1 - P: the power series below a + 1, the continued fraction
// beyond (Abramowitz & Stegun 6.5.29, 6.5.31).
func gammaPQ(a, x float64) (p, q float64) {
	switch {
	case !(a > 0) || !(x >= 0) || math.IsInf(a, 1):
		return math.NaN(), math.NaN()
	case x == 0:
		return 0, 1
	case math.IsInf(x, 1):
		return 1, 0
	}
	if x >= max(a+1, 1.3) {
		y, _ := gammaFraction(a, x, false)
		q = min(1, gammaFront(a, x)*a*y)
		return 1 - q, q
	}
	sum, _ := gammaSeries(a, x, false)
	p = gammaFront(a, x) * sum
	q = 1 - p
	if a < 0.3 {
		// 1 - xᵃ/Γ(a+1), and what is missing to it, since e⁻ˣ·Σ xⁿ/((a+1)…(a+n)) = 1 + a·Σ (-x)ⁿ/(n!·(a+n)).
		over := 0.0 // 1/Γ(a+1) - 1
		for k := len(reciprocalGamma) - 1; k > 0; k-- {
			over = (over + reciprocalGamma[k]) * a
		}
		rest, power := 0.0, 1.0
		for n := 1.0; n < 60; n++ {
			power *= -x / n
			rest += power / (a + n)
		}
		e := math.Expm1(a*logarithm(x))*(1+over) + over
		q = -e - (1+e)*a*rest
	}
	return min(p, 1), q
}

// gammaPSlope is the derivative of P(a, x) by a: that of the series' or the fraction's quotient, and of the front's logarithm.
func gammaPSlope(a, x float64) float64 {
	switch {
	case !(a > 0) || !(x >= 0) || math.IsInf(a, 1):
		return math.NaN()
	case x == 0 || math.IsInf(x, 1):
		return 0
	}
	front, by := gammaFront(a, x), logarithm(x)-digamma(a+1)
	if x >= max(a+1, 1.3) {
		y, slope := gammaFraction(a, x, true)
		return -front * (y + a*(y*by+slope))
	}
	sum, slope := gammaSeries(a, x, true)
	return front * (sum*by + slope)
}

// betaValue is betaI without derivatives.
func betaValue(a, b, x float64) float64 {
	switch {
	case !(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || math.IsInf(a, 1) || math.IsInf(b, 1):
		return math.NaN()
	case x == 0 || x == 1:
		return x
	}
	lx, ly := math.Log(x), math.Log1p(-x)
	swapped := x > (a+1)/(a+b+2)
	if swapped {
		a, b, lx, ly, x = b, a, ly, lx, 1-x
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	// The fraction as numerators over denominators, two levels a step, divided by the last denominator.
	n1, d1, n0, d0 := 1.0, 0.0, 1.0, 1.0
	last := 0.0
	for m := 0.0; m < maxTerms; m++ {
		by := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		n1, d1 = n0+by*n1, d0+by*d1
		by = (m + 1) * (b - m - 1) * x / ((a + 2*m + 1) * (a + 2*m + 2))
		n0, d0 = n1+by*n0, d1+by*d0
		r := 1 / d0
		n1, d1, n0, d0 = n1*r, d1*r, n0*r, 1
		if math.Abs(n0-last) <= 1e-16*math.Abs(n0) {
			break
		}
		last = n0
	}
	y := math.Exp(a*lx+b*ly-la-lb+lab) / (a * n0)
	if swapped {
		return 1 - y
	}
	return y
}
