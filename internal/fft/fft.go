// Package fft is the discrete Fourier transform of rows of float32 or float64, of any length. It imports nothing of ours.
//
// Lengths of primes up to 13 are transformed by Stockham's passes. Other lengths are convolutions: of one less for a
// prime that is one more than such a length (Rader), else of a length that is a power of 2 (Bluestein). Products and sums are rounded one by one, to the type, on every processor; roots
// are computed in float64. A float32 row's result differs from the float64 one's by 2.5e-7 of its elements' root mean square
// in that mean, and by 1e-6 at the worst element, up to 2²⁰ elements (random ones, TestFloat32).
// Several rows go side by side, so that vectors hold the same element of each: element j of row l is number j·w+l of w rows.
// Rows of 16 vectors and more go alone, as do those that are convolved by such: their first passes are Along them, until there is a
// vector of transforms, which are turned to lie side by side. As a row is transformed, the next one is asked for.
package fft

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"unsafe"
)

// Float is the types of rows.
type Float interface{ float32 | float64 }

// Passes are a processor's own, for one type, with the bits of Go's, which those that are nil leave to it.
type Passes struct {
	// Side are the passes by radix, for s transforms side by side, s at least Lanes. As they go through x they ask for as much of what
	// ask points to, if anything, which will be needed next.
	Side [largest + 1]func(yr, yi, xr, xi, tw, ask unsafe.Pointer, m, s int)
	// Along are those of one transform, of parts of x of m elements, m at least Lanes, whose results lie ys apart; tw as in Plan.along.
	Along [largest + 1]func(yr, yi, xr, xi, tw, ask unsafe.Pointer, m, ys int)
	// TimesSide is y = x·c for m numbers c, each with its s elements of x, s a multiple of Lanes.
	TimesSide func(yr, yi, xr, xi, cr, ci unsafe.Pointer, m, s int)
	// TimesAlong is y = x·c for m elements, a multiple of Lanes.
	TimesAlong func(yr, yi, xr, xi, cr, ci unsafe.Pointer, m int)
	// Turn is dst[i, j] = src[j, i], i < m, j < n, with rows dRow and sRow bytes apart.
	Turn func(dst unsafe.Pointer, dRow int, src unsafe.Pointer, sRow, m, n int)
}

// Lanes is the number of rows of a T that are best transformed side by side: those that fill 64 bytes.
func Lanes[T Float]() int {
	var x T
	return int(64 / unsafe.Sizeof(x))
}

// Plan is the transform of one length. It does not change once made: any number of rows may use it at once.
type Plan[T Float] struct {
	n      int
	fast   Passes
	passes []pass
	tw     []T   // of the passes, one after the other: cos and -sin; before an odd radix' its roots, before 8's its first
	along  [][]T // of the passes along a row, in blocks of Lanes (the last one ends where they do): the first factor's cosines, -sines, the second's …

	inner    *Plan[T] // of the convolution
	factorOf [2][]T   // the transform of what is convolved with
	chirp    [2][]T   // Bluestein's
	from, to []int32  // Rader's: of which elements the convolution is, and of which of its own the result is, from element 1 on
	half     *Plan[T] // of real rows of even length
	halfTw   [2][]T
}

// pass is one step of Stockham's: radix p, m = rest/p, with s transforms side by side. The last one, of m 1, has no twiddles.
type pass struct{ p, m, s, tw int }

const (
	largest = 13 // radix

	// turned is the bytes of a row that are turned at once: the second cache has them until all of their lines are whole.
	turned = 1 << 17
)

// New makes the plan of length n ≥ 1, for complex rows.
func New[T Float](n int, fast Passes) *Plan[T] {
	p := &Plan[T]{n: n, fast: fast}
	radices, rest := factors(n)
	if rest > 1 {
		if _, more := factors(n - 1); more == 1 && n <= math.MaxInt32 && prime(n) {
			p.rader()
		} else {
			p.bluestein()
		}
		return p
	}
	lanes := Lanes[T]()
	radices, first := order(n, radices, lanes)
	s, left := 1, n
	for i, r := range radices {
		m := left / r
		p.passes = append(p.passes, pass{r, m, s, len(p.tw)})
		if r%2 != 0 {
			for k := 1; k <= r/2; k++ {
				c, d := root(k, r)
				p.tw = append(p.tw, T(c), T(-d))
			}
		} else if r == 8 {
			c, d := root(1, r)
			p.tw = append(p.tw, T(c), T(-d))
		}
		at := len(p.tw)
		for j := range m {
			for k := 1; k < r; k++ {
				c, d := root(j*k, left)
				p.tw = append(p.tw, T(c), T(-d))
			}
		}
		if i < first && fast.Turn != nil {
			tw := slices.Clone(p.tw[p.passes[i].tw:at])
			for j := 0; j < m; j += lanes {
				j := min(j, m-lanes)
				for k := range 2 * (r - 1) {
					for l := range lanes {
						tw = append(tw, p.tw[at+2*(r-1)*(j+l)+k])
					}
				}
			}
			p.along = append(p.along, tw)
		}
		s, left = s*r, m
	}
	return p
}

// order puts those radices of n first that make most of vectors where a row goes alone. So many passes go along the row,
// side by side as many as parts have elements; then there have to be a vector of transforms. It is none for rows that are too short.
func order(n int, radices []int, lanes int) (ordered []int, first int) {
	if n < 16*lanes {
		return radices, 0
	}
	// What vectors would do in a pass, and what they do.
	cost := func(s int) float64 { return float64(ceil(s, lanes)*lanes) / float64(s) }
	best := math.Inf(1)
	var try func(first, rest []int, s int, sum float64)
	try = func(head, rest []int, s int, sum float64) {
		if s >= lanes {
			for _, r := range rest {
				sum += cost(s)
				s *= r
			}
			if sum < best {
				best, ordered, first = sum, slices.Concat(head, rest), len(head)
			}
			return
		}
		for i, r := range rest {
			if (i == 0 || rest[i-1] != r) && n/(s*r) >= lanes {
				try(append(slices.Clone(head), r), slices.Delete(slices.Clone(rest), i, i+1), s*r, sum+cost(n/(s*r)))
			}
		}
	}
	try(nil, radices, 1, 0)
	if first == 0 {
		return radices, 0
	}
	return ordered, first
}

func ceil(a, b int) int { return (a + b - 1) / b }

// factors are the radices of n, and what they leave of it.
func factors(n int) (radices []int, rest int) {
	rest = n
	for twos := bits.TrailingZeros(uint(n)); twos > 1; { // eights, and what they leave in fours
		r := 3
		if twos%3 == 2 || twos == 4 {
			r = 2
		}
		radices, rest, twos = append(radices, 1<<r), rest>>r, twos-r
	}
	for f := 2; f <= largest && rest > 1; f++ {
		for rest%f == 0 {
			radices, rest = append(radices, f), rest/f
		}
	}
	return radices, rest
}

func prime(n int) bool { return big.NewInt(int64(n)).ProbablyPrime(0) } // exact below 2^64

// NewReal makes the plan of length n, for real rows, too.
func NewReal[T Float](n int, fast Passes) *Plan[T] {
	if n%2 != 0 {
		return New[T](n, fast)
	}
	p := &Plan[T]{n: n, half: New[T](n/2, fast)}
	re, im := make([]T, n/2+1), make([]T, n/2+1)
	for k := range re {
		c, s := root(k, n)
		re[k], im[k] = T(c), T(-s)
	}
	p.halfTw = [2][]T{re, im}
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

func (p *Plan[T]) bluestein() {
	n := p.n
	m := 1 << bits.Len(uint(2*n-2))
	p.inner = New[T](m, p.fast)
	re, im := make([]T, n), make([]T, n)
	fr, fi := make([]float64, m), make([]float64, m)
	for k := range n {
		// exp(-πi·k²/n): k² modulo 2n is exact.
		c, s := root(k*k%(2*n), 2*n)
		re[k], im[k] = T(c), T(-s)
		fr[k], fi[k] = c, s
		if k > 0 {
			fr[m-k], fi[m-k] = c, s
		}
	}
	p.chirp = [2][]T{re, im}
	p.factor(fr, fi)
}

// rader: with a generator g of the numbers modulo n, X[g^-q] - x[0] = Σ_r x[g^r]·exp(-2πi·g^(r-q)/n) is a convolution.
func (p *Plan[T]) rader() {
	n := p.n
	radices, _ := factors(n - 1)
	g := 2
	for slices.ContainsFunc(radices, func(f int) bool { return power(g, (n-1)/smallest(f), n) == 1 }) {
		g++
	}
	back := power(g, n-2, n)
	p.inner = New[T](n-1, p.fast)
	p.from, p.to = make([]int32, n-1), make([]int32, n-1)
	fr, fi := make([]float64, n-1), make([]float64, n-1)
	at, to := 1, 1
	for q := range n - 1 {
		p.from[q], p.to[to-1] = int32(at), int32(q)
		c, s := root(to, n)
		fr[q], fi[q] = c, -s
		at, to = at*g%n, to*back%n
	}
	p.factor(fr, fi)
}

// smallest is the least prime that divides a radix.
func smallest(radix int) int {
	if radix%2 == 0 {
		return 2
	}
	return radix
}

// power is g^k modulo n.
func power(g, k, n int) int {
	y := 1
	for ; k > 0; k >>= 1 {
		if k&1 != 0 {
			y = y * g % n
		}
		g = g * g % n
	}
	return y
}

// factor keeps the transform of what is convolved with, by float64, over its length: the way back does not divide.
func (p *Plan[T]) factor(fr, fi []float64) {
	m := len(fr)
	exact := New[float64](m, Passes{})
	exact.Forward(1, fr, fi, fr, fi, make([]float64, exact.Work()), Ahead{})
	or, oi := make([]T, m), make([]T, m)
	for i := range fr {
		or[i], oi[i] = T(fr[i]/float64(m)), T(fi[i]/float64(m))
	}
	p.factorOf = [2][]T{or, oi}
}

// Work is the numbers of room that the transform of each row needs.
func (p *Plan[T]) Work() int {
	switch {
	case p.half != nil:
		return p.n + p.half.Work()
	case p.inner != nil:
		return 2*p.inner.n + p.inner.Work()
	}
	return 2 * p.n
}

// Alone reports whether a complex row is best transformed by itself, not beside others.
func (p *Plan[T]) Alone() bool {
	return p.along != nil || p.inner != nil && p.inner.Alone()
}

// Ahead is where the rows lie that are to be transformed next, xr, xi, yr and yi: as passes go, they ask for them.
// Zero is nowhere.
type Ahead [4]unsafe.Pointer

// Forward makes y of w rows x: y[k] = Σ_j x[j]·exp(-2πi·jk/n). y may be x.
func (p *Plan[T]) Forward(w int, yr, yi, xr, xi, work []T, ahead Ahead) {
	if p.inner != nil {
		p.convolve(w, yr, yi, xr, xi, work, ahead)
		return
	}
	n := p.n * w
	x, y, z := [2][]T{xr[:n], xi[:n]}, [2][]T{yr[:n], yi[:n]}, [2][]T{work[:n], work[n : 2*n]}
	var first []pass // those that go along the row
	if w == 1 {
		first = p.passes[:len(p.along)]
	}
	steps := len(p.passes)
	if len(first) > 0 {
		steps++
	}
	to, other := y, z // the last step goes to y, the one before it to z …
	if steps%2 == 0 {
		to, other = z, y
	}
	if &x[0][0] == &to[0][0] || steps == 0 {
		copy(other[0], x[0])
		copy(other[1], x[1])
		x = other
	}
	next := func() { x, to, other = to, other, to }
	// Each pass asks for one part.
	ask := func(i, from int) unsafe.Pointer {
		if i >= len(ahead) || ahead[i] == nil {
			return nil
		}
		var x T
		return unsafe.Add(ahead[i], from*int(unsafe.Sizeof(x)))
	}
	for i := range first {
		q := &first[i]
		for l := range q.s {
			at, from := l*q.m, l*q.m*q.p
			p.fast.Along[q.p](start(to[0][at:]), start(to[1][at:]), start(x[0][from:]), start(x[1][from:]), start(p.along[i]), ask(i, from), q.m, q.s*q.m)
		}
		next()
	}
	if len(first) > 0 { // element j of the s transforms, which lie one behind the other, to one place
		m := first[len(first)-1].m
		s, size := p.n/m, 64/Lanes[T]()
		for k := range 2 {
			for j, band := 0, m; j < m; j += band {
				if band = turned / (s * size); m-j < 2*band {
					band = m - j
				}
				p.fast.Turn(start(to[k][j*s:]), s*size, start(x[k][j:]), m*size, band, s)
			}
		}
		next()
	}
	for i := len(first); i < len(p.passes); i++ {
		q := &p.passes[i]
		tw, s := p.tw[q.tw:], q.s*w
		switch {
		case p.fast.Side[q.p] != nil && s >= Lanes[T]():
			p.fast.Side[q.p](start(to[0]), start(to[1]), start(x[0]), start(x[1]), start(tw), ask(i, 0), q.m, s)
		case q.p == 4:
			radix4(to[0], to[1], x[0], x[1], tw, q.m, s)
		case q.p == 8:
			radix8(to[0], to[1], x[0], x[1], tw, q.m, s)
		case q.p == 2:
			radix2(to[0], to[1], x[0], x[1], tw, q.m, s)
		default:
			radixOdd(to[0], to[1], x[0], x[1], tw, q.p, q.m, s)
		}
		next()
	}
}

func start[T Float](x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// Backward is Forward with exp(+2πi·jk/n): the transform with its parts exchanged.
func (p *Plan[T]) Backward(w int, yr, yi, xr, xi, work []T, ahead Ahead) {
	p.Forward(w, yi, yr, xi, xr, work, ahead)
}

func (p *Plan[T]) convolve(w int, yr, yi, xr, xi, work []T, ahead Ahead) {
	m := p.inner.n * w
	ar, ai, rest := work[:m], work[m:2*m], work[2*m:]
	if p.from != nil {
		take(ar, ai, xr, xi, p.from, w)
		p.inner.Forward(w, ar, ai, ar, ai, rest, ahead)
		for l := range w {
			xr, xi := xr[l], xi[l]
			yr[l], yi[l] = xr+ar[l], xi+ai[l]
			rest[l], rest[w+l] = xr, xi
		}
		p.times(ar, ai, ar, ai, p.factorOf, w)
		for l := range w { // the first is in each sum, once
			ar[l], ai[l] = ar[l]+rest[l], ai[l]+rest[w+l]
		}
		p.inner.Backward(w, ar, ai, ar, ai, rest, Ahead{})
		take(yr[w:], yi[w:], ar, ai, p.to, w)
		return
	}
	p.times(ar, ai, xr, xi, p.chirp, w)
	clear(ar[p.n*w:])
	clear(ai[p.n*w:])
	p.inner.Forward(w, ar, ai, ar, ai, rest, ahead)
	p.times(ar, ai, ar, ai, p.factorOf, w)
	p.inner.Backward(w, ar, ai, ar, ai, rest, Ahead{})
	p.times(yr, yi, ar, ai, p.chirp, w)
}

// take is the elements from of each of w rows.
func take[T Float](yr, yi, xr, xi []T, from []int32, w int) {
	switch w {
	case 1:
		yr, yi := yr[:len(from)], yi[:len(from)]
		xi = xi[:len(xr)]
		for q, k := range from {
			yr[q], yi[q] = xr[k], xi[k]
		}
	case Lanes[T](): // 64 bytes
		for q, k := range from {
			*(*[64]byte)(start(yr[q*w:][:w])) = *(*[64]byte)(start(xr[int(k)*w:][:w]))
			*(*[64]byte)(start(yi[q*w:][:w])) = *(*[64]byte)(start(xi[int(k)*w:][:w]))
		}
	default:
		for q, k := range from {
			copy(yr[q*w:][:w], xr[int(k)*w:])
			copy(yi[q*w:][:w], xi[int(k)*w:])
		}
	}
}

// times is y = x·c for each of w rows.
func (p *Plan[T]) times(yr, yi, xr, xi []T, c [2][]T, w int) {
	n, lanes, done := len(c[0]), Lanes[T](), 0
	switch {
	case w%lanes == 0 && p.fast.TimesSide != nil:
		p.fast.TimesSide(start(yr), start(yi), start(xr), start(xi), start(c[0]), start(c[1]), n, w)
		return
	case w == 1 && n >= lanes && p.fast.TimesAlong != nil:
		done = n - n%lanes
		p.fast.TimesAlong(start(yr), start(yi), start(xr), start(xi), start(c[0]), start(c[1]), done)
	}
	for k := done; k < n; k++ {
		cr, ci := c[0][k], c[1][k]
		for q := k * w; q < (k+1)*w; q++ {
			r, i := xr[q], xi[q]
			yr[q] = T(r*cr) - T(i*ci)
			yi[q] = T(r*ci) + T(i*cr)
		}
	}
}

func radix2[T Float](yr, yi, xr, xi, tw []T, m, s int) {
	for j := range m {
		wr, wi := tw[2*j], tw[2*j+1]
		ar, ai := xr[s*j:][:s], xi[s*j:][:s]
		br, bi := xr[s*(j+m):][:s], xi[s*(j+m):][:s]
		cr, ci := yr[s*2*j:][:s], yi[s*2*j:][:s]
		dr, di := yr[s*(2*j+1):][:s], yi[s*(2*j+1):][:s]
		for q := range s {
			pr, pi := ar[q]-br[q], ai[q]-bi[q]
			cr[q], ci[q] = ar[q]+br[q], ai[q]+bi[q]
			if m == 1 {
				dr[q], di[q] = pr, pi
				continue
			}
			dr[q] = T(pr*wr) - T(pi*wi)
			di[q] = T(pr*wi) + T(pi*wr)
		}
	}
}

func radix4[T Float](yr, yi, xr, xi, tw []T, m, s int) {
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
			if m == 1 {
				fr[q], fi[q] = amr+bmr, ami+bmi
				gr[q], gi[q] = acr-bdr, aci-bdi
				hr[q], hi[q] = amr-bmr, ami-bmi
				continue
			}
			r, i := amr+bmr, ami+bmi
			fr[q] = T(r*w1r) - T(i*w1i)
			fi[q] = T(r*w1i) + T(i*w1r)
			r, i = acr-bdr, aci-bdi
			gr[q] = T(r*w2r) - T(i*w2i)
			gi[q] = T(r*w2i) + T(i*w2r)
			r, i = amr-bmr, ami-bmi
			hr[q] = T(r*w3r) - T(i*w3i)
			hi[q] = T(r*w3i) + T(i*w3r)
		}
	}
}

// radix8 is two transforms of 4: of the sums of elements 4 apart, which are its even results, and of their differences times powers of
// the first root, the odd ones.
func radix8[T Float](yr, yi, xr, xi, tw []T, m, s int) {
	h, tw := tw[0], tw[2:]
	for j := range m {
		w := tw[14*j:][:14]
		for q := range s {
			at, to := q+s*j, q+s*8*j
			var ar, ai, br, bi [4]T
			for k := range 4 {
				u, v := at+s*m*k, at+s*m*(k+4)
				ar[k], ai[k] = xr[u]+xr[v], xi[u]+xi[v]
				br[k], bi[k] = xr[u]-xr[v], xi[u]-xi[v]
			}
			put := func(k int, vr, vi T) {
				if m > 1 && k > 0 {
					c, d := w[2*k-2], w[2*k-1]
					vr, vi = T(vr*c)-T(vi*d), T(vr*d)+T(vi*c)
				}
				yr[to+s*k], yi[to+s*k] = vr, vi
			}
			// p is c0 + c2, q c0 - c2, u c1 + c3, d c1 - c3, of which -i times is added.
			four := func(k int, pr, pi, qr, qi, ur, ui, dr, di T) {
				put(k, pr+ur, pi+ui)
				put(k+2, qr+di, qi-dr)
				put(k+4, pr-ur, pi-ui)
				put(k+6, qr-di, qi+dr)
			}
			four(0, ar[0]+ar[2], ai[0]+ai[2], ar[0]-ar[2], ai[0]-ai[2], ar[1]+ar[3], ai[1]+ai[3], ar[1]-ar[3], ai[1]-ai[3])
			cr, ci := T(h*(br[1]+bi[1])), T(h*(bi[1]-br[1]))
			e, t := T(h*(bi[3]-br[3])), T(h*(br[3]+bi[3])) // c3 is e - i·t
			four(1, br[0]+bi[2], bi[0]-br[2], br[0]-bi[2], bi[0]+br[2], cr+e, ci-t, cr-e, ci+t)
		}
	}
}

// radixOdd pairs the terms k and p-k, whose cosines are equal and whose sines differ in sign.
func radixOdd[T Float](yr, yi, xr, xi, tw []T, p, m, s int) {
	var sr, si, dr, di [largest]T
	half := p / 2
	roots, tw := tw[:2*half], tw[2*half:]
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
				cr, ci := x0r, x0i
				var er, ei T
				for k := 1; k <= half; k++ {
					at, sign := k*r%p, T(1)
					if at > half {
						at, sign = p-at, -1
					}
					c, d := roots[2*at-2], sign*roots[2*at-1] // d = -sin
					cr += T(c * sr[k])
					ci += T(c * si[k])
					if k == 1 {
						er, ei = T(d*di[1]), T(d*dr[1])
						continue
					}
					er += T(d * di[k])
					ei += T(d * dr[k])
				}
				// X[r] = c + i·d·(x_k - x_-k), and X[p-r] with the other sign.
				put := func(k int, vr, vi T) {
					if m == 1 {
						yr[to+s*k], yi[to+s*k] = vr, vi
						return
					}
					w := tw[2*((p-1)*j+k-1):]
					yr[to+s*k] = T(vr*w[0]) - T(vi*w[1])
					yi[to+s*k] = T(vr*w[1]) + T(vi*w[0])
				}
				put(r, cr-er, ci+ei)
				put(p-r, cr+er, ci-ei)
			}
		}
	}
}

// Real is the first n/2+1 elements of the transforms of w real rows x.
func (p *Plan[T]) Real(w int, re, im, x, work []T) {
	if p.half == nil {
		n := p.n * w
		r, i := work[:n], work[n:2*n]
		copy(r, x)
		clear(i)
		p.Forward(w, r, i, r, i, work[2*n:], Ahead{})
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
	p.half.Forward(w, zr, zi, zr, zi, work[2*h*w:], Ahead{})
	for k := 1; k < h; k++ {
		c, s := p.halfTw[0][k], p.halfTw[1][k]
		ar, ai, br, bi := zr[k*w:][:w], zi[k*w:][:w], zr[(h-k)*w:][:w], zi[(h-k)*w:][:w]
		yr, yi := re[k*w:][:w], im[k*w:][:w]
		for q := range w {
			er, ei := (ar[q]+br[q])/2, (ai[q]-bi[q])/2
			or, oi := (ai[q]+bi[q])/2, (br[q]-ar[q])/2
			yr[q] = er + (T(or*c) - T(oi*s))
			yi[q] = ei + (T(or*s) + T(oi*c))
		}
	}
	for q := range w {
		re[q], im[q] = zr[q]+zi[q], 0
		re[h*w+q], im[h*w+q] = zr[q]-zi[q], 0
	}
}

// RealWork is Work for Real and FromHalf.
func (p *Plan[T]) RealWork() int {
	if p.half == nil {
		return 2*p.n + p.Work()
	}
	return p.Work()
}

// FromHalf is the w real rows whose transforms have the first n/2+1 elements re, im, times n; im[0], and im[n/2] of an
// even n, count as 0.
func (p *Plan[T]) FromHalf(w int, x, re, im, work []T) {
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
		p.Backward(w, r, i, r, i, work[2*n*w:], Ahead{})
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
			or, oi := T(dr*c)-T(di*s), T(dr*s)+T(di*c)
			yr[q], yi[q] = er-oi, ei+or
		}
	}
	p.half.Backward(w, zr, zi, zr, zi, work[2*h*w:], Ahead{})
	for j := range h {
		copy(x[2*j*w:][:w], zr[j*w:])
		copy(x[(2*j+1)*w:][:w], zi[j*w:])
	}
}
