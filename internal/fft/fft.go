// Package fft is the discrete Fourier transform of rows in float64, of any length. It imports nothing of ours.
//
// Lengths of primes up to 13 are transformed by Stockham's passes (radix 4 first), others as a convolution of a
// length that is a power of 2 (Bluestein). Products and sums are rounded one by one, on every processor. Several rows go
// side by side, so that vectors hold the same element of each: element j of row l is number j·w+l of w rows.
package fft

import (
	"math"
	"math/bits"
	"unsafe"
)

// Passes are a processor's own of radix 2 and 4, for s transforms side by side, s a multiple of Lanes; nil ones are
// Go's. All give the same bits.
type Passes struct {
	Two, Four func(yr, yi, xr, xi, tw unsafe.Pointer, m, s int)
}

// Lanes is the number of rows that are best transformed side by side.
const Lanes = 8

// Plan is the transform of one length. It does not change once made: any number of rows may use it at once.
type Plan struct {
	n      int
	fast   Passes
	passes []pass
	tw     []float64 // of the passes, one after the other: cos and -sin

	inner   *Plan // Bluestein's convolution
	chirp   [2][]float64
	chirpOf [2][]float64 // the transform of the chirp around 0
	half    *Plan        // of real rows of even length
	halfTw  [2][]float64
	roots   [14][2][]float64 // of the odd radices: all the powers of the root
}

// pass is one step of Stockham's: radix p, m = rest/p, with s transforms side by side.
type pass struct{ p, m, s, tw int }

const largest = 13 // radix

// New makes the plan of length n ≥ 1, for complex rows.
func New(n int, fast Passes) *Plan {
	p := &Plan{n: n, fast: fast}
	rest := n
	var radices []int
	for rest%4 == 0 {
		radices, rest = append(radices, 4), rest/4
	}
	for f := 2; f <= largest && rest > 1; f++ {
		for rest%f == 0 {
			radices, rest = append(radices, f), rest/f
		}
	}
	if rest > 1 {
		p.bluestein()
		return p
	}
	s, left := 1, n
	for _, r := range radices {
		m := left / r
		p.passes = append(p.passes, pass{r, m, s, len(p.tw)})
		for j := range m {
			for k := 1; k < r; k++ {
				c, d := root(j*k, left)
				p.tw = append(p.tw, c, -d)
			}
		}
		if r > 4 || r == 3 {
			var re, im []float64
			for k := range r {
				c, d := root(k, r)
				re, im = append(re, c), append(im, -d)
			}
			p.roots[r] = [2][]float64{re, im}
		}
		s, left = s*r, m
	}
	return p
}

// NewReal makes the plan of length n, for real rows, too.
func NewReal(n int, fast Passes) *Plan {
	if n%2 != 0 {
		return New(n, fast)
	}
	p := &Plan{n: n, half: New(n/2, fast)}
	re, im := make([]float64, n/2+1), make([]float64, n/2+1)
	for k := range re {
		c, s := root(k, n)
		re[k], im[k] = c, -s
	}
	p.halfTw = [2][]float64{re, im}
	return p
}

// root is cos and sin of 2πk/n, by an angle of an eighth of a turn at most.
func root(k, n int) (cos, sin float64) {
	k %= n
	// Eighths of a turn, and what is left of one, as a multiple of 1/(8n).
	e, r := 8*k/n, 8*k%n
	if e%2 != 0 {
		r = n - r
	}
	s, c := math.Sincos(math.Pi / 4 * (float64(r) / float64(n)))
	switch e {
	case 1:
		return s, c
	case 2:
		return -s, c
	case 3:
		return -c, s
	case 4:
		return -c, -s
	case 5:
		return -s, -c
	case 6:
		return s, -c
	case 7:
		return c, -s
	}
	return c, s
}

func (p *Plan) bluestein() {
	n := p.n
	m := 1 << bits.Len(uint(2*n-2))
	p.inner = New(m, p.fast)
	re, im := make([]float64, n), make([]float64, n)
	fr, fi := make([]float64, m), make([]float64, m)
	for k := range n {
		// exp(-πi·k²/n): k² modulo 2n is exact.
		c, s := root(k*k%(2*n), 2*n)
		re[k], im[k] = c, -s
		fr[k], fi[k] = c, s
		if k > 0 {
			fr[m-k], fi[m-k] = c, s
		}
	}
	work := make([]float64, p.inner.Work())
	p.inner.Forward(1, fr, fi, work)
	for i := range fr {
		fr[i], fi[i] = fr[i]/float64(m), fi[i]/float64(m)
	}
	p.chirp, p.chirpOf = [2][]float64{re, im}, [2][]float64{fr, fi}
}

// Work is the numbers of room that the transform of each row needs.
func (p *Plan) Work() int {
	switch {
	case p.half != nil:
		return p.n + p.half.Work()
	case p.inner != nil:
		return 2*p.inner.n + p.inner.Work()
	}
	return 2 * p.n
}

// Forward replaces each of w rows x by X, X[k] = Σ_j x[j]·exp(-2πi·jk/n).
func (p *Plan) Forward(w int, re, im, work []float64) {
	if p.inner != nil {
		p.convolve(w, re, im, work)
		return
	}
	n := p.n * w
	x, y := [2][]float64{re[:n], im[:n]}, [2][]float64{work[:n], work[n : 2*n]}
	for i := range p.passes {
		q := &p.passes[i]
		tw, s := p.tw[q.tw:], q.s*w
		fast := p.fast.Two
		if q.p != 2 {
			fast = p.fast.Four
		}
		switch {
		case fast != nil && s%Lanes == 0 && q.p%2 == 0 && q.p <= 4:
			fast(unsafe.Pointer(&y[0][0]), unsafe.Pointer(&y[1][0]), unsafe.Pointer(&x[0][0]), unsafe.Pointer(&x[1][0]), unsafe.Pointer(&tw[0]), q.m, s)
		case q.p == 4:
			radix4(y[0], y[1], x[0], x[1], tw, q.m, s)
		case q.p == 2:
			radix2(y[0], y[1], x[0], x[1], tw, q.m, s)
		default:
			radixOdd(y[0], y[1], x[0], x[1], tw, q.p, q.m, s, &p.roots[q.p])
		}
		x, y = y, x
	}
	if len(p.passes)%2 != 0 {
		copy(re, x[0])
		copy(im, x[1])
	}
}

// Backward is Forward with exp(+2πi·jk/n): the transform with its parts exchanged.
func (p *Plan) Backward(w int, re, im, work []float64) { p.Forward(w, im, re, work) }

func (p *Plan) convolve(w int, re, im, work []float64) {
	m := p.inner.n * w
	ar, ai, rest := work[:m], work[m:2*m], work[2*m:]
	times(ar, ai, re, im, p.chirp, w)
	clear(ar[p.n*w:])
	clear(ai[p.n*w:])
	p.inner.Forward(w, ar, ai, rest)
	times(ar, ai, ar, ai, p.chirpOf, w)
	p.inner.Backward(w, ar, ai, rest)
	times(re, im, ar, ai, p.chirp, w)
}

// times is y = x·c for each of w rows.
func times(yr, yi, xr, xi []float64, c [2][]float64, w int) {
	for k, cr := range c[0] {
		ci := c[1][k]
		for q := k * w; q < (k+1)*w; q++ {
			r, i := xr[q], xi[q]
			yr[q] = float64(r*cr) - float64(i*ci)
			yi[q] = float64(r*ci) + float64(i*cr)
		}
	}
}

func radix2(yr, yi, xr, xi, tw []float64, m, s int) {
	for j := range m {
		wr, wi := tw[2*j], tw[2*j+1]
		ar, ai := xr[s*j:][:s], xi[s*j:][:s]
		br, bi := xr[s*(j+m):][:s], xi[s*(j+m):][:s]
		cr, ci := yr[s*2*j:][:s], yi[s*2*j:][:s]
		dr, di := yr[s*(2*j+1):][:s], yi[s*(2*j+1):][:s]
		for q := range s {
			pr, pi := ar[q]-br[q], ai[q]-bi[q]
			cr[q], ci[q] = ar[q]+br[q], ai[q]+bi[q]
			dr[q] = float64(pr*wr) - float64(pi*wi)
			di[q] = float64(pr*wi) + float64(pi*wr)
		}
	}
}

func radix4(yr, yi, xr, xi, tw []float64, m, s int) {
	for j := range m {
		w := tw[6*j:][:6]
		w1r, w1i, w2r, w2i, w3r, w3i := w[0], w[1], w[2], w[3], w[4], w[5]
		ar, ai := xr[s*j:][:s], xi[s*j:][:s]
		br, bi := xr[s*(j+m):][:s], xi[s*(j+m):][:s]
		cr, ci := xr[s*(j+2*m):][:s], xi[s*(j+2*m):][:s]
		dr, di := xr[s*(j+3*m):][:s], xi[s*(j+3*m):][:s]
		er, ei := yr[s*4*j:][:s], yi[s*4*j:][:s]
		fr, fi := yr[s*(4*j+1):][:s], yi[s*(4*j+1):][:s]
		gr, gi := yr[s*(4*j+2):][:s], yi[s*(4*j+2):][:s]
		hr, hi := yr[s*(4*j+3):][:s], yi[s*(4*j+3):][:s]
		for q := range s {
			acr, aci := ar[q]+cr[q], ai[q]+ci[q]
			amr, ami := ar[q]-cr[q], ai[q]-ci[q]
			bdr, bdi := br[q]+dr[q], bi[q]+di[q]
			// -i·(b - d)
			bmr, bmi := bi[q]-di[q], dr[q]-br[q]
			er[q], ei[q] = acr+bdr, aci+bdi
			r, i := amr+bmr, ami+bmi
			fr[q] = float64(r*w1r) - float64(i*w1i)
			fi[q] = float64(r*w1i) + float64(i*w1r)
			r, i = acr-bdr, aci-bdi
			gr[q] = float64(r*w2r) - float64(i*w2i)
			gi[q] = float64(r*w2i) + float64(i*w2r)
			r, i = amr-bmr, ami-bmi
			hr[q] = float64(r*w3r) - float64(i*w3i)
			hi[q] = float64(r*w3i) + float64(i*w3r)
		}
	}
}

// radixOdd pairs the terms k and p-k, whose cosines are equal and whose sines differ in sign.
func radixOdd(yr, yi, xr, xi, tw []float64, p, m, s int, roots *[2][]float64) {
	var sr, si, dr, di [largest]float64
	half := p / 2
	for j := range m {
		for q := range s {
			at := q + s*j
			x0r, x0i := xr[at], xi[at]
			tr, ti := x0r, x0i
			for k := 1; k <= half; k++ {
				u, v := at+s*m*k, at+s*m*(p-k)
				sr[k], si[k] = xr[u]+xr[v], xi[u]+xi[v]
				dr[k], di[k] = xr[u]-xr[v], xi[u]-xi[v]
				tr, ti = tr+sr[k], ti+si[k]
			}
			to := q + s*p*j
			yr[to], yi[to] = tr, ti
			for r := 1; r <= half; r++ {
				cr, ci, er, ei := x0r, x0i, 0.0, 0.0
				for k := 1; k <= half; k++ {
					c, d := roots[0][k*r%p], roots[1][k*r%p] // d = -sin
					cr += float64(c * sr[k])
					ci += float64(c * si[k])
					er += float64(d * di[k])
					ei += float64(d * dr[k])
				}
				// X[r] = c + i·d·(x_k - x_-k), and X[p-r] with the other sign.
				put := func(k int, vr, vi float64) {
					w := tw[2*((p-1)*j+k-1):]
					yr[to+s*k] = float64(vr*w[0]) - float64(vi*w[1])
					yi[to+s*k] = float64(vr*w[1]) + float64(vi*w[0])
				}
				put(r, cr-er, ci+ei)
				put(p-r, cr+er, ci-ei)
			}
		}
	}
}

// Real is the first n/2+1 elements of the transforms of w real rows x.
func (p *Plan) Real(w int, re, im, x, work []float64) {
	if p.half == nil {
		n := p.n * w
		r, i := work[:n], work[n:2*n]
		copy(r, x)
		clear(i)
		p.Forward(w, r, i, work[2*n:])
		copy(re, r[:(p.n/2+1)*w])
		copy(im, i[:(p.n/2+1)*w])
		clear(im[:w])
		return
	}
	h := p.n / 2
	zr, zi := work[:h*w], work[h*w:2*h*w]
	for j := range h {
		copy(zr[j*w:][:w], x[2*j*w:])
		copy(zi[j*w:][:w], x[(2*j+1)*w:])
	}
	p.half.Forward(w, zr, zi, work[2*h*w:])
	for k := 1; k < h; k++ {
		c, s := p.halfTw[0][k], p.halfTw[1][k]
		ar, ai, br, bi := zr[k*w:][:w], zi[k*w:][:w], zr[(h-k)*w:][:w], zi[(h-k)*w:][:w]
		yr, yi := re[k*w:][:w], im[k*w:][:w]
		for q := range w {
			er, ei := (ar[q]+br[q])/2, (ai[q]-bi[q])/2
			or, oi := (ai[q]+bi[q])/2, (br[q]-ar[q])/2
			yr[q] = er + (float64(or*c) - float64(oi*s))
			yi[q] = ei + (float64(or*s) + float64(oi*c))
		}
	}
	for q := range w {
		re[q], im[q] = zr[q]+zi[q], 0
		re[h*w+q], im[h*w+q] = zr[q]-zi[q], 0
	}
}

// RealWork is Work for Real and FromHalf.
func (p *Plan) RealWork() int {
	if p.half == nil {
		return 2*p.n + p.Work()
	}
	return p.Work()
}

// FromHalf is the w real rows whose transforms have the first n/2+1 elements re, im, times n; im[0], and im[n/2] of an
// even n, count as 0.
func (p *Plan) FromHalf(w int, x, re, im, work []float64) {
	n := p.n
	if p.half == nil {
		r, i := work[:n*w], work[n*w:2*n*w]
		copy(r[:w], re)
		clear(i[:w])
		for k := 1; k <= n/2; k++ {
			for q := range w {
				vr, vi := re[k*w+q], im[k*w+q]
				r[k*w+q], i[k*w+q] = vr, vi
				r[(n-k)*w+q], i[(n-k)*w+q] = vr, -vi
			}
		}
		p.Backward(w, r, i, work[2*n*w:])
		copy(x, r)
		return
	}
	h := n / 2
	zr, zi := work[:h*w], work[h*w:2*h*w]
	for q := range w {
		zr[q], zi[q] = re[q]+re[h*w+q], re[q]-re[h*w+q]
	}
	for k := 1; k < h; k++ {
		c, s := p.halfTw[0][k], -p.halfTw[1][k] // exp(+2πik/n)
		ar, ai, br, bi := re[k*w:][:w], im[k*w:][:w], re[(h-k)*w:][:w], im[(h-k)*w:][:w]
		yr, yi := zr[k*w:][:w], zi[k*w:][:w]
		for q := range w {
			er, ei := ar[q]+br[q], ai[q]-bi[q]
			dr, di := ar[q]-br[q], ai[q]+bi[q]
			or, oi := float64(dr*c)-float64(di*s), float64(dr*s)+float64(di*c)
			yr[q], yi[q] = er-oi, ei+or
		}
	}
	p.half.Backward(w, zr, zi, work[2*h*w:])
	for j := range h {
		copy(x[2*j*w:][:w], zr[j*w:])
		copy(x[(2*j+1)*w:][:w], zi[j*w:])
	}
}
