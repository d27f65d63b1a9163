package linalg

import "math"

// Expm is eᵃ by Padé approximants, scaling and squaring (N. Higham, "The scaling and squaring method for the matrix
// exponential revisited", 2005). work holds ExpmWork.
func Expm[T float](y, a []T, n int, work []T, r Rows[T]) error {
	return expm(y, nil, a, nil, n, work, r)
}

// ExpmWork is the work of Expm.
func ExpmWork(n int) int { return 9*n*n + 2*n + 14 + LUWork(n) }

// ExpmFrechet is the derivative of eᵃ along e: that of each step of Expm (A. Al-Mohy and N. Higham, "Computing the Fréchet
// derivative of the matrix exponential, with an application to condition number estimation", 2009, algorithm 6.4). work holds
// ExpmFrechetWork.
func ExpmFrechet[T float](y, a, e []T, n int, work []T, r Rows[T]) error {
	return expm(work[:n*n], y, a, e, n, work[n*n:], r)
}

// ExpmFrechetWork is the work of ExpmFrechet.
func ExpmFrechetWork(n int) int { return ExpmWork(n) + 9*n*n }

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

// approximant is the degree and the coefficients for a matrix of that norm, and how often it is to be halved.
func approximant[T float](norm float64, slope bool) (degree int, b []float64, halvings int) {
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
		if norm <= most {
			return degree, b, 0
		}
	}
	_, halvings = math.Frexp(norm / most)
	return degree, b, halvings
}

// expm makes y eᵃ, and dy its derivative along e if that is not nil.
func expm[T float](y, dy, a, e []T, n int, work []T, r Rows[T]) error {
	if n == 0 {
		return nil
	}
	size := n * n
	next := func(count int) (w []T) {
		w, work = work[:count*size], work[count*size:]
		return w
	}
	norm := norm1(a, n)
	if norm-norm != 0 {
		for _, y := range [2][]T{y, dy} {
			for i := range y {
				y[i] = T(math.NaN())
			}
		}
		return nil
	}
	degree, b, halvings := approximant[T](norm, e != nil)
	scaled := func(a []T) []T {
		x := next(1)
		copy(x, a)
		scale(T(math.Ldexp(1, -halvings)), x)
		return x
	}
	x, u, v, t, powers := scaled(a[:size]), next(1), next(1), next(1), next(4)
	var dx, du, dv, dt, slopes []T
	if e != nil {
		dx, du, dv, dt, slopes = scaled(e[:size]), next(1), next(1), next(1), next(4)
	}
	// product makes y a·b, and dy its derivative.
	product := func(y, dy, a, da, b, db []T) {
		r.product(y, a, b, n, n, n)
		if e != nil {
			r.product(dy, a, db, n, n, n)
			r.plus(dy, da, b, n, n, n)
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
	even, odd := work[:7], work[7:14]
	work = work[14:]
	for k := 0; k <= degree; k += 2 {
		even[k/2], odd[k/2] = T(b[k]), T(b[k+1])
	}
	weighted := func(y, dy, c []T) {
		r.combine(y, c, powers, size)
		if e != nil {
			r.combine(dy, c, slopes, size)
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
			y[i*n+i] += c[0]
		}
	}
	half(v, dv, odd)
	product(u, du, x, dx, v, dv)
	half(v, dv, even)
	f, rest := work[:size+2*n], work[size+2*n:]
	for i, w := range u {
		f[i] = v[i] - w
		v[i] += w
	}
	LU(f, n, rest, r)
	if err := SolveLU(f, v, y, n, n, false, rest, r); err != nil {
		return err
	}
	if e != nil { // the derivative of f·y = v
		for i, w := range du {
			dt[i] = w - dv[i]
			dv[i] += w
		}
		r.plus(dv, dt, y, n, n, n)
		if err := SolveLU(f, dv, dy, n, n, false, rest, r); err != nil {
			return err
		}
	}
	z, dz := y[:size], dy
	for range halvings {
		product(t, dt, z, dz, z, dz)
		z, dz, t, dt = t, dt, z, dz
	}
	if halvings%2 != 0 {
		copy(y, z)
		copy(dy, dz)
	}
	return nil
}

// norm1 is the largest sum of a column's magnitudes, NaN where there is one.
func norm1[T float](a []T, n int) float64 {
	norm := 0.0
	for j := range n {
		sum := 0.0
		for i := range n {
			sum += math.Abs(float64(a[i*n+j]))
		}
		norm = max(norm, sum)
	}
	return norm
}
