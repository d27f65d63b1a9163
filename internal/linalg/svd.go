package linalg

import "math"

// SVD packs U, [m n], V, [n n], and the singular values, descending, of a, m ≥ n. work holds SVDWork.
func SVD(y, a []float64, m, n int, work []float64, r Rows[float64]) error {
	if n > smallSVD {
		return SVDBlocks(y, a, m, n, work, r, r)
	}
	u, v, s := y[:m*n], y[m*n:m*n+n*n], y[m*n+n*n:m*n+n*n+n]
	if n == 0 || m < n {
		return nil
	}
	top := largest(a[:m*n])
	if top-top != 0 {
		return ErrSteps
	}
	exp := exponent(top)
	take := func(n int) (x []float64) {
		x, work = work[:n], work[n:]
		return x
	}
	um, vn := padded(m), padded(n)
	x, ut, vt, e := take(m*n), take(n*um), take(n*vn), take(n)
	copy(x, a[:m*n])
	scale(math.Ldexp(1, -exp), x)
	bidiagonal(x, ut, vt, s, e, m, n, take(m*n+3*n), r)
	tiny := 0.0
	for i := range n {
		tiny = max(tiny, 0x1p-53*(math.Abs(s[i])+math.Abs(e[i])))
	}
	if err := golubReinsch(ut, vt, s, e, um, vn, n, tiny, take(4*n), r); err != nil {
		return err
	}
	order(s, vt, ut, n, vn, um, true)
	scale(math.Ldexp(1, exp), s)
	turn(u, ut, n, m, um)
	turn(v, vt, n, n, vn)
	return nil
}

// SVDWork is the work of SVD.
func SVDWork(m, n int) int {
	if n > Small { // of float32s blocks are made from there on
		return max(svdWork(m, n), SVDBlocksWork(m, n))
	}
	return svdWork(m, n)
}

func svdWork(m, n int) int { return 4*m*n + n*padded(m) + 2*n*padded(n) + 14*n } // see Narrow

// bidiagonal finds orthonormal rows ut and vt with ut·x·vtᵀ upper bidiagonal, d and above it e[1:], by Householder's
// reflections. x, [m n], is lost. work holds m·n + 3n.
func bidiagonal(x, ut, vt, d, e []float64, m, n int, work []float64, r Rows[float64]) {
	left, bl, br, w := work[:m*n], work[m*n:m*n+n], work[m*n+n:m*n+2*n], work[m*n+2*n:m*n+3*n]
	below := func(k int) []float64 { return left[k*m : k*m+m-k] }
	right := func(k int) []float64 { return x[k*n+k+1 : (k+1)*n] }
	e[0] = 0
	for k := range n {
		v := below(k)
		for i := range v {
			v[i] = x[(k+i)*n+k]
		}
		d[k], bl[k] = householder(v)
		if k == n-1 {
			break
		}
		rest := x[k*n+k+1:]
		if bl[k] != 0 {
			w := w[:n-k-1]
			clear(w)
			r.combine(w, v, rest, n)
			scale(bl[k], w)
			r.rank1(rest, v, w, n)
		}
		e[k+1], br[k] = householder(right(k))
		if br[k] != 0 && k+1 < m {
			r.reflect(x[(k+1)*n+k+1:], right(k), br[k], m-k-1, n)
		}
	}
	um, vn := padded(m), padded(n)
	clear(ut)
	clear(vt)
	for k := n - 1; k >= 0; k-- {
		ut[k*um+k], vt[k*vn+k] = 1, 1
		if bl[k] != 0 {
			r.reflect(ut[k*um+k:], below(k), bl[k], n-k, um)
		}
		if k < n-1 && br[k] != 0 {
			r.reflect(vt[(k+1)*vn+k+1:], right(k), br[k], n-k-1, vn)
		}
	}
}

// golubReinsch makes the bidiagonal matrix d, e[1:] diagonal by the QR algorithm with implicit shifts (G. Golub,
// C. Reinsch, "Singular value decomposition and least squares solutions", 1970), and applies its rotations to the rows of u
// and v, of um and vn elements. What is not above tiny is as good as 0. work holds 4n.
func golubReinsch(u, v, d, e []float64, um, vn, n int, tiny float64, work []float64, r Rows[float64]) error {
	cu, cv := work[:2*n], work[2*n:4*n]
	for k := n - 1; k >= 0; k-- {
		for step := 0; ; step++ {
			l := k
			for l > 0 && math.Abs(e[l]) > tiny && math.Abs(d[l-1]) > tiny {
				l--
			}
			if l > 0 && math.Abs(e[l]) > tiny { // d[l-1] is 0: rotations of u make e[l] 0, too
				c, s := 0.0, 1.0
				for i := l; i <= k; i++ {
					f := s * e[i]
					e[i] *= c
					if math.Abs(f) <= tiny {
						break
					}
					g := d[i]
					d[i] = length(f, g)
					c, s = g/d[i], -f/d[i]
					rotate(c, -s, u[(l-1)*um:l*um], u[i*um:])
				}
			}
			if l == k {
				if d[k] < 0 {
					d[k] = -d[k]
					scale(-1, v[k*vn:(k+1)*vn])
				}
				break
			}
			if step == sweeps {
				return ErrSteps
			}
			x, y, z, g, h := d[l], d[k-1], d[k], e[k-1], e[k]
			f := (float64((y-z)*(y+z)) + float64((g-h)*(g+h))) / (2 * h * y)
			f = (float64((x-z)*(x+z)) + float64(h*(y/(f+math.Copysign(length(f, 1), f))-h))) / x
			c, s := 1.0, 1.0
			for j := l; j < k; j++ {
				i := j + 1
				g, y := c*e[i], d[i]
				h := s * e[i]
				c, s, e[j] = turning(f, h)
				cv[2*(j-l)], cv[2*(j-l)+1] = c, s
				f, g = float64(x*c)+float64(g*s), float64(g*c)-float64(x*s)
				h, y = y*s, y*c
				c, s, d[j] = turning(f, h)
				cu[2*(j-l)], cu[2*(j-l)+1] = c, s
				f, x = float64(c*g)+float64(s*y), float64(c*y)-float64(s*g)
			}
			e[l], e[k], d[k] = 0, f, x
			r.rotate(v, vn, l, 1, k-l, cv)
			r.rotate(u, um, l, 1, k-l, cu)
		}
	}
	return nil
}

// turning is the rotation that takes (f, h) to (z, 0).
func turning(f, h float64) (c, s, z float64) {
	if z = length(f, h); z == 0 {
		return 1, 0, 0
	}
	inv := 1 / z
	return f * inv, h * inv, z
}

// length is that of (x, y).
func length(x, y float64) float64 {
	if q := float64(x*x) + float64(y*y); q > 1e-280 && q < 1e300 {
		return math.Sqrt(q)
	}
	x, y = math.Abs(x), math.Abs(y)
	if x < y {
		x, y = y, x
	}
	if y == 0 || x-x != 0 {
		return x
	}
	y /= x
	return x * math.Sqrt(1+float64(y*y))
}
