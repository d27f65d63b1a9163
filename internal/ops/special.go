package ops

import "math"

func sigmoid(a float64) float64 {
	if a >= 0 {
		return 1 / (1 + math.Exp(-a))
	}
	e := math.Exp(a) // NaN too
	return e / (1 + e)
}

// bernoulli holds B₂, B₄, … of the asymptotic series of polygamma (Abramowitz & Stegun 6.4.11).
var bernoulli = [...]float64{1. / 6, -1. / 30, 1. / 42, -1. / 30, 5. / 66, -691. / 2730, 7. / 6, -3617. / 510}

// digamma is the logarithmic derivative of Γ: recurrence up to 10, then the asymptotic series
// (Abramowitz & Stegun 6.3.5, 6.3.7, 6.3.18). NaN at 0 and the negative integers.
func digamma(x float64) float64 {
	switch {
	case math.IsInf(x, 1):
		return x
	case x <= 0:
		if x == math.Floor(x) {
			return math.NaN()
		}
		return digamma(1-x) - math.Pi/math.Tan(math.Pi*x)
	}
	var sum float64
	for x < 10 {
		sum -= 1 / x
		x++
	}
	z := 1 / (x * x)
	var series float64
	for k := len(bernoulli) - 1; k >= 0; k-- {
		series = z * (series + bernoulli[k]/float64(2*k+2))
	}
	return sum + math.Log(x) - 0.5/x - series
}

// polygamma is the n-th derivative of digamma, n ≥ 0 an integer; NaN at 0, the negative integers and, n not 0,
// below -1000: recurrence up to 10 + n, then the asymptotic series (Abramowitz & Stegun 6.4.6, 6.4.11).
func polygamma(nf, x float64) float64 {
	n := int(nf)
	switch {
	case nf != float64(n) || n < 0 || n > 100 || x != x:
		return math.NaN()
	case n == 0:
		return digamma(x)
	case x <= 0 && x == math.Floor(x) || x < -1000:
		return math.NaN()
	}
	fact := math.Gamma(nf)             // (n-1)!
	power := func(x float64) float64 { // x⁻ⁿ
		if n > 8 {
			return math.Pow(x, -nf)
		}
		y := x
		for range n - 1 {
			y *= x
		}
		return 1 / y
	}
	var sum float64
	for x < 10+nf {
		sum += fact * nf * power(x) / x
		x++
	}
	c := fact * power(x)
	sum += c + c*nf/(2*x)
	// B₂ₖ·(2k+n-1)!/((2k)!·x^(2k+n))
	for k := 1; k <= len(bernoulli); k++ {
		k2 := float64(2 * k)
		c *= (k2 + nf - 2) * (k2 + nf - 1) / (k2 * (k2 - 1) * x * x)
		sum += bernoulli[k-1] * c
	}
	if n%2 == 0 {
		return -sum
	}
	return sum
}
