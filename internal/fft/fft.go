// Package fft is the discrete Fourier transform of rows in float64, of any length. It imports nothing of ours.
//
// Lengths of primes up to 13 are transformed by Stockham's passes (radix 4 first), others as a convolution of a
// length that is a power of 2 (Bluestein). Products and sums are rounded one by one, on every processor.
package fft

import (
	"math"
	"math/bits"
)

// Plan is the transform of one length. It does not change once made: any number of rows may use it at once.
type Plan struct {
	n      int
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
func New(n int) *Plan {
	p := &Plan{n: n}
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
func NewReal(n int) *Plan {
	if n%2 != 0 {
		return New(n)
	}
	p := &Plan{n: n, half: New(n / 2)}
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
	p.inner = New(m)
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
	p.inner.Forward(fr, fi, work)
	for i := range fr {
		fr[i], fi[i] = fr[i]/float64(m), fi[i]/float64(m)
	}
	p.chirp, p.chirpOf = [2][]float64{re, im}, [2][]float64{fr, fi}
}

// Work is the numbers of room that a transform needs.
func (p *Plan) Work() int {
	switch {
	case p.half != nil:
		return p.n + p.half.Work()
	case p.inner != nil:
		return 2*p.inner.n + p.inner.Work()
	}
	return 2 * p.n
}

// Forward replaces x by X, X[k] = Σ_j x[j]·exp(-2πi·jk/n).
func (p *Plan) Forward(re, im, work []float64) {
	if p.inner != nil {
		p.convolve(re, im, work)
		return
	}
	n := p.n
	x, y := [2][]float64{re[:n], im[:n]}, [2][]float64{work[:n], work[n : 2*n]}
	for i := range p.passes {
		q := &p.passes[i]
		tw := p.tw[q.tw:]
		switch q.p {
		case 4:
			radix4(y[0], y[1], x[0], x[1], tw, q.m, q.s)
		case 2:
			radix2(y[0], y[1], x[0], x[1], tw, q.m, q.s)
		default:
			radixOdd(y[0], y[1], x[0], x[1], tw, q.p, q.m, q.s, &p.roots[q.p])
		}
		x, y = y, x
	}
	if len(p.passes)%2 != 0 {
		copy(re, x[0])
		copy(im, x[1])
	}
}

// Backward is Forward with exp(+2πi·jk/n): the transform with its parts exchanged.
func (p *Plan) Backward(re, im, work []float64) { p.Forward(im, re, work) }

func (p *Plan) convolve(re, im, work []float64) {
	m := p.inner.n
	ar, ai, rest := work[:m], work[m:2*m], work[2*m:]
	cr, ci := p.chirp[0], p.chirp[1]
	for j := range p.n {
		ar[j] = float64(re[j]*cr[j]) - float64(im[j]*ci[j])
		ai[j] = float64(re[j]*ci[j]) + float64(im[j]*cr[j])
	}
	clear(ar[p.n:])
	clear(ai[p.n:])
	p.inner.Forward(ar, ai, rest)
	for k, fr := range p.chirpOf[0] {
		fi, r, i := p.chirpOf[1][k], ar[k], ai[k]
		ar[k] = float64(r*fr) - float64(i*fi)
		ai[k] = float64(r*fi) + float64(i*fr)
	}
	p.inner.Backward(ar, ai, rest)
	for k := range p.n {
		re[k] = float64(ar[k]*cr[k]) - float64(ai[k]*ci[k])
		im[k] = float64(ar[k]*ci[k]) + float64(ai[k]*cr[k])
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

// Real is the first n/2+1 elements of the transform of the real row x.
func (p *Plan) Real(re, im, x, work []float64) {
	if p.half == nil {
		r, i := work[:p.n], work[p.n:2*p.n]
		copy(r, x)
		clear(i)
		p.Forward(r, i, work[2*p.n:])
		copy(re, r[:p.n/2+1])
		copy(im, i[:p.n/2+1])
		im[0] = 0
		return
	}
	h := p.n / 2
	zr, zi := work[:h], work[h:2*h]
	for j := range h {
		zr[j], zi[j] = x[2*j], x[2*j+1]
	}
	p.half.Forward(zr, zi, work[2*h:])
	for k := 1; k < h; k++ {
		er, ei := (zr[k]+zr[h-k])/2, (zi[k]-zi[h-k])/2
		or, oi := (zi[k]+zi[h-k])/2, (zr[h-k]-zr[k])/2
		c, s := p.halfTw[0][k], p.halfTw[1][k]
		re[k] = er + (float64(or*c) - float64(oi*s))
		im[k] = ei + (float64(or*s) + float64(oi*c))
	}
	re[0], im[0] = zr[0]+zi[0], 0
	re[h], im[h] = zr[0]-zi[0], 0
}

// RealWork is Work for Real and FromHalf.
func (p *Plan) RealWork() int {
	if p.half == nil {
		return 2*p.n + p.Work()
	}
	return p.Work()
}

// FromHalf is the real row whose transform has the first n/2+1 elements re, im, times n; im[0], and im[n/2] of an
// even n, count as 0.
func (p *Plan) FromHalf(x, re, im, work []float64) {
	n := p.n
	if p.half == nil {
		r, i := work[:n], work[n:2*n]
		r[0], i[0] = re[0], 0
		for k := 1; k <= n/2; k++ {
			r[k], i[k] = re[k], im[k]
			r[n-k], i[n-k] = re[k], -im[k]
		}
		p.Backward(r, i, work[2*n:])
		copy(x, r)
		return
	}
	h := n / 2
	zr, zi := work[:h], work[h:2*h]
	zr[0], zi[0] = re[0]+re[h], re[0]-re[h]
	for k := 1; k < h; k++ {
		er, ei := re[k]+re[h-k], im[k]-im[h-k]
		dr, di := re[k]-re[h-k], im[k]+im[h-k]
		c, s := p.halfTw[0][k], -p.halfTw[1][k] // exp(+2πik/n)
		or, oi := float64(dr*c)-float64(di*s), float64(dr*s)+float64(di*c)
		zr[k], zi[k] = er-oi, ei+or
	}
	p.half.Backward(zr, zi, work[2*h:])
	for j := range h {
		x[2*j], x[2*j+1] = zr[j], zi[j]
	}
}
