package autodiff

import "github.com/adjoint-go/adjoint/internal/ir"

// Complex is an array of complex numbers as two of real ones, of one shape and one float type. It is a tree like any
// other: derivatives by it are those by its parts, of a real result (what JAX gives, conjugated).
type Complex struct{ Re, Im Value }

// Real is x with imaginary parts of 0.
func Real(x Value) Complex { return Complex{x, x.FullLike(0)} }

// Add is c + d.
func (c Complex) Add(d Complex) Complex { return Complex{c.Re.Add(d.Re), c.Im.Add(d.Im)} }

// Sub is c - d.
func (c Complex) Sub(d Complex) Complex { return Complex{c.Re.Sub(d.Re), c.Im.Sub(d.Im)} }

// Mul is c·d, element by element.
func (c Complex) Mul(d Complex) Complex {
	return Complex{c.Re.Mul(d.Re).Sub(c.Im.Mul(d.Im)), c.Re.Mul(d.Im).Add(c.Im.Mul(d.Re))}
}

// Conj is c with its imaginary parts negated.
func (c Complex) Conj() Complex { return Complex{c.Re, c.Im.Neg()} }

// Abs is |c|; its derivatives at 0 are 0.
func (c Complex) Abs() Value { return c.Re.Hypot(c.Im) }

// Abs2 is |c|².
func (c Complex) Abs2() Value { return c.Re.Square().Add(c.Im.Square()) }

// FFT is the discrete Fourier transform along axes, the last one where none is named:
// X[k] = Σ_j c[j]·exp(-2πi·jk/n). Any size will do, powers of 2 are fastest, then those of prime factors up to
// 5, up to 13, and others. It is computed in its type, with roots from float64: float32 results are within 2e-7 of the exact
// ones' root mean square in the mean and 1e-6 at the worst element, up to 2²⁰ of them (random ones were tried).
func (c Complex) FFT(axes ...int) Complex { return c.along("FFT", axes, false) }

// IFFT is the inverse of FFT: the sums with exp(+2πi·jk/n), divided by n.
func (c Complex) IFFT(axes ...int) Complex { return c.along("IFFT", axes, true) }

func (c Complex) along(op string, axes []int, inverse bool) Complex {
	pos := ir.UserLine()
	if len(axes) == 0 {
		axes = []int{-1}
	}
	return recorded(op, c, func(g *ir.Graph, c Complex) Complex {
		onGraph(g, op, &c.Re, &c.Im)
		for _, a := range axes {
			c.Re.n, c.Im.n = g.FFTAlong(op, c.Re.n, c.Im.n, a, inverse, pos)
		}
		return c
	})
}

// RFFT is the first n/2+1 elements of the transform of a real array of n along axis, whose size does not depend on
// the batch; the others are their conjugates. It takes half the time of an FFT.
func (x Value) RFFT(axis int) Complex {
	pos := ir.UserLine()
	return recorded("RFFT", x, func(g *ir.Graph, x Value) Complex {
		re, im := g.RFFTAlong(x.n, axis, pos)
		return Complex{Value{n: re}, Value{n: im}}
	})
}

// IRFFT is the inverse of RFFT: the real array of size n along axis. What the imaginary parts of the first element
// and, where n is even, of the last are does not count.
func (c Complex) IRFFT(n, axis int) Value {
	pos := ir.UserLine()
	return recorded("IRFFT", c, func(g *ir.Graph, c Complex) Value {
		onGraph(g, "IRFFT", &c.Re, &c.Im)
		return Value{n: g.IRFFTAlong(c.Re.n, c.Im.n, n, axis, pos)}
	})
}
