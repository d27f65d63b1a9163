package linalg

import "math"

// A secular is the equation 1/rho + Σ z[j]²/(p[j] - x) = 0 with poles p ascending, no two of which are equal, and no z[j] of 0: its n
// roots are the eigenvalues of diag(p) + rho·z·zᵀ, rho > 0, one between each pole and the next one, the last beyond all poles. Poles
// are d, or d² where squares is set (d ≥ 0): with rho = 1 the roots are then the squares of the singular values of diag(d) with a row z
// in the place of a row of zeros, and all differences of poles come from (d[j] - d[k])·(d[j] + d[k]). A root is found as
// its distance from the nearer pole, so that its differences from all poles have small relative errors (M. Gu, S. Eisenstat, "A
// divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem", 1995; "… for the bidiagonal SVD", 1995).
type secular struct {
	d, z    []float64
	rho     float64
	squares bool
	eps     float64 // of a root's error, 2⁻⁵³ or more: weights belong to roots as they are found
	rows    Rows[float64]
}

// gap is p[j] - at, at being a pole's d.
func (s *secular) gap(j int, at float64) float64 { return poleOf(s.d[j], at, s.squares) }

// together is the number of roots of which weights are found at once, with a quotient for each pole: that many products hold.
const together = 4

// roots finds all roots, root i far[i] from the pole of at[i], which is an element of d, and then makes z the weights for which these are exact, but for a common
// factor: the vectors of those are orthogonal. product holds as many.
func (s *secular) roots(at, far, product []float64) bool {
	n := len(s.d)
	for j := range product {
		product[j] = 1
	}
	for i := 0; i < n; i += together {
		end := min(i+together, n)
		for k := i; k < end; k++ {
			var ok bool
			if at[k], far[k], ok = s.root(k); !ok {
				return false
			}
		}
		s.rows.weigh(product, s.d, at[i:end], far[i:end], s.d[i:end], s.squares)
	}
	for j, v := range product {
		s.z[j] = math.Copysign(math.Sqrt(math.Abs(v)), s.z[j])
	}
	return true
}

// rootSteps is far more than any root takes: some bisect.
const rootSteps = 200

// root finds root i: mu from the pole of at, which is d[i] or d[i+1]. Poles around the root stand for those on
// their sides: the nearer with its own weight or both with what fits (R. Li, "Solving secular equations stably and efficiently",
// 1993).
func (s *secular) root(i int) (at, mu float64, ok bool) {
	n, inv := len(s.d), 1/s.rho
	d, z := s.d, s.z
	if n == 1 {
		return d[0], s.rho * z[0] * z[0], true
	}
	// Poles up to left are on the one side, the next one and others on the other. The last root is beyond both sides.
	last := i == n-1
	left := min(i, n-2)
	at = d[i]
	lo, hi := 0.0, 0.0
	if last {
		for _, v := range z {
			hi += float64(v * v)
		}
		hi *= s.rho
	} else {
		hi = s.gap(i+1, at)
	}
	mid := hi / 2
	psi, _ := s.rows.poles(nil, d[:left], z, at, mid, s.squares)
	phi, _ := s.rows.poles(nil, d[left+2:], z[left+2:], at, mid, s.squares)
	c := inv + psi + phi
	zl, zr := float64(z[left]*z[left]), float64(z[left+1]*z[left+1])
	gapLeft, gapRight := s.gap(left, at), s.gap(left+1, at)
	f := c + zl/(gapLeft-mid) + zr/(gapRight-mid)
	switch {
	case f >= 0:
		hi = mid
	case last:
		lo = mid
	default: // nearer to the pole above
		at, lo, hi = d[i+1], -mid, 0
		gapLeft, gapRight = s.gap(i, at), 0
	}
	// The root of c + zl/(gapLeft - mu) + zr/(gapRight - mu).
	dl, dr := gapLeft, gapRight
	mu = nearest(c, float64(c*(dl+dr))+zl+zr, float64(c*dl*dr)+float64(zl*dr)+float64(zr*dl), last)
	fixed, before := true, 0.0
	for step := range rootSteps {
		if !(mu > lo && mu < hi) {
			if mu = lo + (hi-lo)/2; mu == lo || mu == hi {
				return at, mu, true
			}
		}
		psi, dpsi := s.rows.poles(nil, d[:left+1], z, at, mu, s.squares)
		phi, dphi := s.rows.poles(nil, d[left+1:], z[left+1:], at, mu, s.squares)
		f, df := inv+psi+phi, dpsi+dphi
		if math.Abs(f) <= s.eps*(inv+float64(8*(math.Abs(psi)+math.Abs(phi)))+float64(math.Abs(mu)*df)) {
			return at, mu, true
		}
		if f < 0 {
			lo = mu
		} else {
			hi = mu
		}
		if step > 0 && f*before > 0 && math.Abs(f) > math.Abs(before)/10 {
			fixed = !fixed
		}
		before = f
		dl, dr := gapLeft-mu, gapRight-mu
		switch {
		case last || !fixed:
			c = f - float64(dl*dpsi) - float64(dr*dphi)
		case gapLeft == 0:
			c = f - float64(dr*df) - float64((gapLeft-gapRight)*(zl/float64(dl*dl)))
		default:
			c = f - float64(dl*df) - float64((gapRight-gapLeft)*(zr/float64(dr*dr)))
		}
		eta := nearest(c, float64((dl+dr)*f)-float64(dl*dr*df), dl*dr*f, last)
		if !(eta*f < 0) {
			eta = -f / df
		}
		next := mu + eta
		if next == mu {
			return at, mu, true
		}
		mu = next
	}
	return at, mu, false
}

// nearest is the root of c·x² - a·x + b that is between two poles, or beyond both.
func nearest(c, a, b float64, beyond bool) float64 {
	r := math.Sqrt(max(0, float64(a*a)-float64(4*b*c)))
	switch {
	case beyond && a >= 0:
		return (a + r) / (2 * c)
	case beyond:
		return 2 * b / (a - r)
	case a > 0:
		return 2 * b / (a + r)
	}
	return (a - r) / (2 * c)
}

// vector makes y, and of it x, the eigenvector of the root that is mu from the pole of at.
func vector[T float](s *secular, x []T, y []float64, at, mu float64) (by float64) {
	_, square := s.rows.poles(y, s.d, s.z, at, mu, s.squares)
	by = 1 / math.Sqrt(square)
	x = x[:len(y)]
	for j, v := range y {
		x[j] = T(v * by)
	}
	return by
}
