package ops

import "math"

// expSquare is exp(sign·x²) with the error of x² made good; sign is a power of 2 or its negative.
func expSquare(x, sign float64) float64 {
	hi := x * x
	if math.IsInf(hi, 1) {
		return math.Exp(sign * hi)
	}
	e := math.Exp(sign * hi)
	if math.IsInf(e, 1) {
		return e
	}
	return e + e*sign*math.FMA(x, x, -hi)
}

const twoOverSqrtPi = 2 / math.SqrtPi

// far is the x from which the asymptotic series of erfcx and dawson serve: their smallest term is exp(-x²).
const far = 6.5

// asymptotic is Σ (2k-1)!!·(sign/2x²)^k, up to its smallest term.
func asymptotic(x, sign float64) float64 {
	z := sign / (2 * x * x)
	sum, term := 1.0, 1.0
	for k := 1; k < 60; k++ {
		next := term * z * float64(2*k-1)
		if math.Abs(next) >= math.Abs(term) || sum+next == sum {
			break
		}
		term = next
		sum += term
	}
	return sum
}

func erfcx(x float64) float64 {
	switch {
	case x < 0:
		return 2*expSquare(x, 1) - erfcx(-x)
	case x > far:
		return asymptotic(x, -1) / x / math.SqrtPi
	}
	return expSquare(x, 1) * math.Erfc(x)
}

// imaginaryErf is ∫ exp(t²) dt from 0 to x by its power series, Σ x^(2k+1)/(k!·(2k+1)), whose terms have one sign.
func imaginaryErf(x float64) float64 {
	sum, power := x, x
	for k := 1; k < 400; k++ {
		power *= x * x / float64(k)
		next := sum + power/float64(2*k+1)
		if next == sum {
			break
		}
		sum = next
	}
	return sum
}

func dawson(x float64) float64 {
	if math.Abs(x) > far {
		return 0.5 * asymptotic(x, 1) / x
	}
	return expSquare(x, -1) * imaginaryErf(x) // NaN too
}

func erfi(x float64) float64 {
	if math.Abs(x) > far {
		e := expSquare(x, 0.5) // squared: exp(x²) overflows before erfi
		if math.IsInf(e, 1) {
			return math.Copysign(e, x)
		}
		return e * asymptotic(x, 1) / (x * math.SqrtPi) * e
	}
	return twoOverSqrtPi * imaginaryErf(x)
}

// besselJ1 is math.J1, whose tiny negative arguments have positive results.
func besselJ1(x float64) float64 {
	if math.Signbit(x) {
		return -math.J1(-x)
	}
	return math.J1(x)
}

// besselIScaled is besselI times e^-|x|.
func besselIScaled(n, x float64) float64 {
	if a := math.Abs(x); a <= 30 {
		return besselI(n, x) * math.Exp(-a)
	}
	return besselIx(n, x)
}

// besselI is the modified Bessel function of order n, 0 or 1: the power series, whose terms have one sign, and from
// 30 on the asymptotic one (Abramowitz & Stegun 9.6.10, 9.7.1).
func besselI(n, x float64) float64 {
	if a := math.Abs(x); a > 30 {
		mu := 4 * n * n
		sum, term := 1.0, 1.0
		for k := 1.0; k < 60; k++ {
			next := -term * (mu - (2*k-1)*(2*k-1)) / (k * 8 * a)
			if sum+next == sum {
				break
			}
			term = next
			sum += term
		}
		y := math.Exp(a/2) / math.Sqrt(2*math.Pi*a) * sum * math.Exp(a/2)
		if a > 720 {
			y = math.Inf(1)
		}
		if n == 1 {
			return math.Copysign(y, x)
		}
		return y
	}
	q := x * x / 4
	sum, term := 1.0, 1.0
	for k := 1.0; k < 200; k++ {
		term *= q / (k * (k + n))
		next := sum + term
		if next == sum {
			break
		}
		sum = next
	}
	if n == 1 {
		return x / 2 * sum
	}
	return sum
}

// eulerGamma is Euler's constant.
const eulerGamma = 0.57721566490153286060651209008240243

// expint is the exponential integral E₁: the power series up to 1, then the continued fraction (Abramowitz &
// Stegun 5.1.11, 5.1.22), evaluated from its far end.
func expint(x float64) float64 {
	switch {
	case x < 0 || x != x:
		return math.NaN()
	case x == 0:
		return math.Inf(1)
	case x <= 1:
		var sum float64
		term := -1.0
		for k := 1.0; k < 40; k++ {
			term *= -x / k
			sum += term / k
		}
		return sum - math.Log(x) - eulerGamma
	}
	f := 0.0
	for k := float64(int(20 + 120/x)); k > 0; k-- {
		f = k / (1 + k/(x+f))
	}
	return math.Exp(-x) / (x + f)
}

// sinCosInt is the sine and cosine integrals of x ≥ 0: power series up to 4, whose largest term is about their
// sum, then E₁(ix) by its continued fraction (Abramowitz & Stegun 5.2.14, 5.2.16, 5.2.23).
func sinCosInt(x float64) (si, ci float64) {
	switch {
	case x < 0 || x != x:
		return math.NaN(), math.NaN()
	case x == 0:
		return 0, math.Inf(-1)
	case math.IsInf(x, 1):
		return math.Pi / 2, 0
	case x <= 4:
		var s, c float64
		term := 1.0 // xᵏ/k! with the signs of sine and cosine
		for k := 1; k < 50; k++ {
			term *= x / float64(k)
			switch k % 4 {
			case 0:
				c += term / float64(k)
			case 1:
				s += term / float64(k)
			case 2:
				c -= term / float64(k)
			case 3:
				s -= term / float64(k)
			}
		}
		return s, eulerGamma + math.Log(x) + c
	}
	// exp(ix)·E₁(ix) = 1/(1+ix - 1²/(3+ix - 2²/(5+ix - …)))
	f := complex(0, 0)
	for k := 20 + int(400/x); k > 0; k-- {
		f = complex(float64(k*k), 0) / (complex(float64(2*k+1), x) - f)
	}
	e := 1 / (complex(1, x) - f)
	sin, cos := math.Sincos(x)
	e *= complex(cos, -sin)
	return math.Pi/2 + imag(e), -real(e)
}

// elliptic is the complete elliptic integrals K and E of parameter m by the arithmetic-geometric mean (Abramowitz &
// Stegun 17.6).
func elliptic(m float64) (k, e float64) {
	switch {
	case m > 1 || m != m || math.IsInf(m, -1):
		return math.NaN(), math.NaN()
	case m == 1:
		return math.Inf(1), 1
	}
	a, b := 1.0, math.Sqrt(1-m)
	sum, weight := m/2, 0.5 // Σ 2ⁿ⁻¹·cₙ²
	for range 40 {
		c := (a - b) / 2
		if math.Abs(c) <= 1e-17*a {
			break
		}
		a, b = (a+b)/2, math.Sqrt(a*b)
		weight *= 2
		sum += weight * c * c
	}
	k = math.Pi / (2 * a)
	return k, k * (1 - sum)
}

// zeta is Hurwitz's by the sum of Euler and Maclaurin from s + 10 on.
func zeta(s, q float64) float64 {
	switch {
	case !(s > 1) || !(q > 0):
		return math.NaN()
	case math.IsInf(s, 1) || math.IsInf(q, 1):
		return math.Pow(q, -s)
	}
	var sum float64
	for q < 10+min(s, 100) {
		sum += math.Pow(q, -s)
		q++
	}
	power := math.Pow(q, -s)
	sum += power*q/(s-1) + power/2
	c := power * q
	for k := 1; k <= len(bernoulli); k++ {
		// B₂ₖ/(2k)!·s(s+1)…(s+2k-2)·q^(-s-2k+1)
		k2 := float64(2 * k)
		if k == 1 {
			c *= s / (2 * q * q)
		} else {
			c *= (s + k2 - 3) * (s + k2 - 2) / (k2 * (k2 - 1) * q * q)
		}
		sum += bernoulli[k-1] * c
	}
	return sum
}
