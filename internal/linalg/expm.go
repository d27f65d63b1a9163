package linalg

import (
	"errors"
	"math"
)

// Expm is eᵃ by Padé approximants, scaling and squaring (N. Higham, "The scaling and squaring method for the matrix
// exponential revisited", 2005). work holds ExpmWork.
func Expm[T float](y, a []T, n int, work []T, r Rows[T]) error {
	return squares[T]{n, 1, r, Together[T]{}}.expm(y, nil, a, nil, work)
}

// Expm is as one's.
func (t Together[T]) Expm(y, a []T, n int, work []T) bool {
	return squares[T]{n, Lanes[T](), Rows[T]{t.Rows}, t}.expm(y, nil, a, nil, work) == nil
}

// ExpmWork is the work of Expm.
func ExpmWork(n int) int { return 9*n*n + 2*n + 16 + LUWork(n) }

// ExpmFrechet is the derivative of eᵃ along e: that of each step of Expm (A. Al-Mohy and N. Higham, "Computing the Fréchet
// derivative of the matrix exponential, with an application to condition number estimation", 2009, algorithm 6.4). work holds
// ExpmFrechetWork.
func ExpmFrechet[T float](y, a, e []T, n int, work []T, r Rows[T]) error {
	return squares[T]{n, 1, r, Together[T]{}}.expm(work[:n*n], y, a, e, work[n*n:])
}

// ExpmFrechet is as one's.
func (t Together[T]) ExpmFrechet(y, a, e []T, n int, work []T) bool {
	size := Lanes[T]() * n * n
	return squares[T]{n, Lanes[T](), Rows[T]{t.Rows}, t}.expm(work[:size], y, a, e, work[size:]) == nil
}

// ExpmFrechetWork is the work of ExpmFrechet.
func ExpmFrechetWork(n int) int { return ExpmWork(n) + 9*n*n }

// squares are what expm needs of one matrix of n rows, or of Lanes side by side.
type squares[T float] struct {
	n, lanes int
	rows     Rows[T]
	side     Together[T]
}

// product is y = a·b, and plus y += a·b.
func (s squares[T]) product(y, a, b []T) {
	if s.lanes == 1 {
		s.rows.product(y, a, b, s.n, s.n, s.n)
		return
	}
	clear(y)
	s.plus(y, a, b)
}

func (s squares[T]) plus(y, a, b []T) {
	if s.lanes == 1 {
		s.rows.plus(y, a, b, s.n, s.n, s.n)
		return
	}
	s.side.Product(first(y), first(a), first(b), s.n)
}

// norms puts the 1-norm of each into y.
func (s squares[T]) norms(y, a []T) {
	if s.lanes == 1 {
		y[0] = norm1(a, s.n)
		return
	}
	s.side.Norm(first(y), first(a), s.n)
}

// divide divides each by its number.
func (s squares[T]) divide(y, by []T) {
	if s.lanes == 1 {
		scale(1/by[0], y)
		return
	}
	s.side.Column(first(y), first(y), first(y), first(by), 0, s.n*s.n)
}

// factor makes f its packed factors, with which solve makes x f⁻¹·b.
func (s squares[T]) factor(f, work []T) error {
	if s.lanes == 1 {
		LU(f, s.n, work, s.rows)
		return nil
	}
	return oneByOne(s.side.LU(f, s.n))
}

func (s squares[T]) solve(f, b, x, work []T) error {
	if s.lanes == 1 {
		return SolveLU(f, b, x, s.n, s.n, false, work, s.rows)
	}
	return oneByOne(s.side.SolveLU(f, b, x, s.n, s.n, false, work))
}

// errTogether is of matrices side by side: they are to be done one by one.
var errTogether = errors.New("one by one")

func oneByOne(ok bool) error {
	if !ok {
		return errTogether
	}
	return nil
}

// approximants are Padé's for eˣ by their degree: b are the numerator's coefficients, a denominator's are those of -x. A matrix
// whose 1-norm is at most value has a backward error of no more than a rounding of a float64 or float32 there, one of at most
// slope a derivative.
var approximants = [...]struct {
	degree int
	b      []float64
	f64    bound
	f32    bound
}{
	{3, []float64{120, 60, 12, 1}, bound{1.495585217958292e-2, 1.08e-2}, bound{0.4258730, 0.3080}},
	{5, []float64{30240, 15120, 3360, 420, 30, 1}, bound{0.2539398330063230, 0.199}, bound{1.880152, 1.4825}},
	{7, []float64{17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1}, bound{0.9504178996162932, 0.783}, bound{3.925724, 3.2486}},
	{9, []float64{17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1}, bound{2.097847961257068, 1.78}, bound{}},
	{13, []float64{64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000,
		10559470521600, 670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1}, bound{5.371920351148152, 4.74}, bound{}},
}

type bound struct{ value, slope float64 }

// approximant is the degree and the coefficients for a matrix of n rows of that norm, and how often it is to be halved. Small
// matrices, which may go side by side, all have the highest degree.
func approximant[T float](n int, norm float64, slope bool) (degree int, b []float64, halvings int) {
	most := 0.0
	for _, p := range approximants {
		limit := p.f64
		if single[T]() {
			limit = p.f32
		}
		if slope {
			limit.value = limit.slope
		}
		if limit.value == 0 {
			break
		}
		degree, b, most = p.degree, p.b, limit.value
		if norm <= most && n > Small {
			break
		}
	}
	if norm > most {
		_, halvings = math.Frexp(norm / most)
	}
	return degree, b, halvings
}

// expm makes y eᵃ, and dy its derivative along e if that is not nil.
func (s squares[T]) expm(y, dy, a, e, work []T) error {
	if s.n == 0 {
		return nil
	}
	n, size := s.n, s.lanes*s.n*s.n
	next := func(count int) (w []T) {
		w, work = work[:count*size], work[count*size:]
		return w
	}
	x, u, v, t, powers := next(1), next(1), next(1), next(1), next(4)
	var dx, du, dv, dt, slopes []T
	if e != nil {
		dx, du, dv, dt, slopes = next(1), next(1), next(1), next(1), next(4)
	}
	coefs, work := work[:16], work[16:]
	var degree, most int
	var b []float64
	var halvings [mostLanes]int
	by := t[:s.lanes] // room until t is needed
	s.norms(by, a)
	for l, norm := range by {
		if norm-norm != 0 {
			if s.lanes > 1 {
				return errTogether
			}
			for _, y := range [2][]T{y, dy} {
				for i := range y {
					y[i] = T(math.NaN())
				}
			}
			return nil
		}
		degree, b, halvings[l] = approximant[T](n, float64(norm), e != nil)
		by[l] = T(math.Ldexp(1, halvings[l]))
		most = max(most, halvings[l])
	}
	copy(x, a)
	copy(dx, e)
	if most > 0 {
		s.divide(x, by)
		if e != nil {
			s.divide(dx, by)
		}
	}
	// product makes y a·b, and dy its derivative.
	product := func(y, dy, a, da, b, db []T) {
		s.product(y, a, b)
		if e != nil {
			s.product(dy, a, db)
			s.plus(dy, da, b)
		}
	}
	// The powers 2, 4, 6 and 8 of x, as far as they are needed.
	count := degree / 2
	if degree == 13 {
		count = 3
	}
	power := func(k int) (y, dy []T) {
		if y = powers[(k-1)*size : k*size]; e != nil {
			dy = slopes[(k-1)*size : k*size]
		}
		return y, dy
	}
	x2, dx2 := power(1)
	product(x2, dx2, x, dx, x, dx)
	for k := 2; k <= count; k++ {
		y, dy := power(k)
		c, dc := power(k / 2)
		d, dd := power(k - k/2)
		product(y, dy, d, dd, c, dc)
	}
	even, odd := coefs[:8], coefs[8:]
	for k := 0; k <= degree; k += 2 {
		even[k/2], odd[k/2] = T(b[k]), T(b[k+1])
	}
	weighted := func(y, dy, c []T) {
		s.rows.combine(y, c, powers, size)
		if e != nil {
			s.rows.combine(dy, c, slopes, size)
		}
	}
	// half makes y c[0] + c[1]·x² + c[2]·x⁴ …, dy its derivative.
	half := func(y, dy, c []T) {
		clear(y)
		clear(dy)
		if degree == 13 {
			clear(t)
			clear(dt)
			weighted(t, dt, c[4:7])
			x6, dx6 := power(3)
			product(y, dy, x6, dx6, t, dt)
		}
		weighted(y, dy, c[1:count+1])
		for i := range n {
			for l := range s.lanes {
				y[(i*n+i)*s.lanes+l] += c[0]
			}
		}
	}
	half(v, dv, odd)
	product(u, du, x, dx, v, dv)
	half(v, dv, even)
	one := odd[degree/2 : degree/2+1]
	f, rest := work[:size+2*n*s.lanes], work[size+2*n*s.lanes:]
	copy(f, v)
	s.rows.rank1(f[:size], one, u, size)
	s.rows.combine(v, one, u, size)
	if err := s.factor(f, rest); err != nil {
		return err
	}
	if err := s.solve(f, v, y, rest); err != nil {
		return err
	}
	if e != nil { // the derivative of f·y = v
		copy(dt, du)
		s.rows.rank1(dt, one, dv, size)
		s.rows.combine(dv, one, du, size)
		s.plus(dv, dt, y)
		if err := s.solve(f, dv, dy, rest); err != nil {
			return err
		}
	}
	z, dz := y[:size], dy
	for step := range most {
		product(t, dt, z, dz, z, dz)
		for l, h := range halvings[:s.lanes] {
			if h <= step { // it is done
				copyLane(t, z, l, s.lanes)
				copyLane(dt, dz, l, s.lanes)
			}
		}
		z, dz, t, dt = t, dt, z, dz
	}
	if most%2 != 0 {
		copy(y, z)
		copy(dy, dz)
	}
	return nil
}

// copyLane copies one matrix of those side by side.
func copyLane[T float](y, x []T, l, lanes int) {
	for ; l < len(x); l += lanes {
		y[l] = x[l]
	}
}

// norm1 is the largest sum of a column's magnitudes, NaN where there is one.
func norm1[T float](a []T, n int) T {
	norm := T(0)
	for j := range n {
		sum := T(0)
		for i := range n {
			sum += abs(a[i*n+j])
		}
		norm = max(norm, sum)
	}
	return norm
}
