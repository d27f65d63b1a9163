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

// gaps makes to p - p[k].
func (s *secular) gaps(to []float64, k int) {
	at := s.d[k]
	to = to[:len(s.d)]
	if s.squares {
		for j, d := range s.d {
			to[j] = (d - at) * (d + at)
		}
		return
	}
	for j, d := range s.d {
		to[j] = d - at
	}
}

// rootSteps is far more than any root takes: some bisect.
const rootSteps = 200

// root finds root i: p[k] + mu, k being i or i+1. It makes gap gaps(k). Poles around the root stand for those on
// their sides: the nearer with its own weight or both with what fits (R. Li, "Solving secular equations stably and efficiently",
// 1993).
func (s *secular) root(i int, gap []float64) (k int, mu float64, ok bool) {
	n, inv := len(s.d), 1/s.rho
	z, gap := s.z, gap[:n]
	if n == 1 {
		gap[0] = 0
		return 0, s.rho * z[0] * z[0], true
	}
	// Poles up to left are on the one side, the next one and others on the other. The last root is beyond both sides.
	last := i == n-1
	left := min(i, n-2)
	k = i
	s.gaps(gap, k)
	lo, hi := 0.0, 0.0
	if last {
		for _, v := range z {
			hi += float64(v * v)
		}
		hi *= s.rho
	} else {
		hi = gap[i+1]
	}
	mid := hi / 2
	psi, _ := s.rows.poles(nil, gap[:left], z, mid)
	phi, _ := s.rows.poles(nil, gap[left+2:], z[left+2:], mid)
	c := inv + psi + phi
	zl, zr := float64(z[left]*z[left]), float64(z[left+1]*z[left+1])
	f := c + zl/(gap[left]-mid) + zr/(gap[left+1]-mid)
	switch {
	case f >= 0:
		hi = mid
	case last:
		lo = mid
	default: // nearer to the pole above
		k, lo, hi = i+1, -mid, 0
		s.gaps(gap, k)
	}
	// The root of c + zl/(gap[left] - mu) + zr/(gap[left+1] - mu).
	dl, dr := gap[left], gap[left+1]
	mu = nearest(c, float64(c*(dl+dr))+zl+zr, float64(c*dl*dr)+float64(zl*dr)+float64(zr*dl), last)
	fixed, before := true, 0.0
	for step := range rootSteps {
		if !(mu > lo && mu < hi) {
			if mu = lo + (hi-lo)/2; mu == lo || mu == hi {
				return k, mu, true
			}
		}
		psi, dpsi := s.rows.poles(nil, gap[:left+1], z, mu)
		phi, dphi := s.rows.poles(nil, gap[left+1:], z[left+1:], mu)
		f, df := inv+psi+phi, dpsi+dphi
		if math.Abs(f) <= s.eps*(inv+float64(8*(math.Abs(psi)+math.Abs(phi)))+float64(math.Abs(mu)*df)) {
			return k, mu, true
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
		dl, dr := gap[left]-mu, gap[left+1]-mu
		switch {
		case last || !fixed:
			c = f - float64(dl*dpsi) - float64(dr*dphi)
		case k == i:
			c = f - float64(dr*df) - float64((gap[left]-gap[left+1])*(zl/float64(dl*dl)))
		default:
			c = f - float64(dl*df) - float64((gap[left+1]-gap[left])*(zr/float64(dr*dr)))
		}
		eta := nearest(c, float64((dl+dr)*f)-float64(dl*dr*df), dl*dr*f, last)
		if !(eta*f < 0) {
			eta = -f / df
		}
		next := mu + eta
		if next == mu {
			return k, mu, true
		}
		mu = next
	}
	return k, mu, false
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

// vector makes y the direction of the eigenvector of the root that is mu from the pole of which gap is gaps, z/(p - x), and returns its
// square.
func (s *secular) vector(y, gap []float64, mu float64) float64 {
	_, square := s.rows.poles(y, gap, s.z, mu)
	return square
}

// weigh multiplies w by what root i, mu from the pole of which gap is gaps, has to do with the squares of the weights for which the roots that
// were found are exact, but for a common factor. With those vectors are orthogonal. work holds n.
func (s *secular) weigh(w, gap, work []float64, mu float64, i int) {
	s.gaps(work, i)
	work[i] = 1
	s.rows.weigh(w, gap, work, mu)
}

// weighed makes z the weights of which weigh has found the squares w of all roots. Signs stay.
func (s *secular) weighed(w []float64) {
	for j, v := range w {
		s.z[j] = math.Copysign(math.Sqrt(math.Abs(v)), s.z[j])
	}
}
