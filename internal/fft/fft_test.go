package fft

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// naive is the sum itself, by tables of exact angles.
func naive(re, im []float64) (yr, yi []float64) {
	n := len(re)
	yr, yi = make([]float64, n), make([]float64, n)
	for k := range n {
		for j := range n {
			c, s := root(j*k%n, n)
			yr[k] += re[j]*c + im[j]*s
			yi[k] += im[j]*c - re[j]*s
		}
	}
	return yr, yi
}

func random(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

func off(x, y []float64) float64 {
	d := 0.0
	for i := range x {
		d = math.Max(d, math.Abs(x[i]-y[i]))
	}
	return d
}

// Every length to 130, powers, primes and products beyond, both ways and of real rows.
func TestTransforms(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	lengths := []int{243, 256, 343, 360, 509, 512, 720, 1001, 1024}
	for n := 1; n <= 130; n++ {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		p := New[float64](n, Passes{})
		re, im := random(r, n), random(r, n)
		wr, wi := naive(re, im)
		tol := 2e-15 * math.Sqrt(float64(n)) * (2 + math.Log2(float64(n)))
		gr, gi := append([]float64(nil), re...), append([]float64(nil), im...)
		work := make([]float64, p.Work())
		p.Forward(1, gr, gi, gr, gi, work, Ahead{})
		if d := off(gr, wr) + off(gi, wi); !(d < tol) {
			t.Errorf("%d: off by %v", n, d)
		}
		p.Backward(1, gr, gi, gr, gi, work, Ahead{})
		for i := range gr {
			gr[i], gi[i] = gr[i]/float64(n), gi[i]/float64(n)
		}
		if d := off(gr, re) + off(gi, im); !(d < tol) {
			t.Errorf("%d: back, off by %v", n, d)
		}
		q := NewReal[float64](n, Passes{})
		work = make([]float64, q.RealWork())
		wr, wi = naive(re, make([]float64, n))
		hr, hi := make([]float64, n/2+1), make([]float64, n/2+1)
		q.Real(1, hr, hi, re, work)
		if d := off(hr, wr) + off(hi, wi); !(d < tol) {
			t.Errorf("%d: real, off by %v", n, d)
		}
		if hi[0] != 0 || n%2 == 0 && hi[n/2] != 0 {
			t.Errorf("%d: real, %v at 0", n, hi[0])
		}
		x := make([]float64, n)
		hi[0] = 5 // counts as 0
		if n%2 == 0 {
			hi[n/2] = 5
		}
		q.FromHalf(1, x, hr, hi, work)
		for i := range x {
			x[i] /= float64(n)
		}
		if d := off(x, re); !(d < tol) {
			t.Errorf("%d: real, back, off by %v", n, d)
		}
	}
}

// Rows of float32 are as near to the transform in float64 as the package says, in the mean and at worst.
func TestFloat32(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{2, 16, 37, 100, 125, 243, 343, 1000, 1021, 1024, 4096, 30030, 1 << 16, 65537, 1 << 20} {
		p, q := New[float32](n, Passes{}), New[float64](n, Passes{})
		xr, xi, yr, yi := random(r, n), random(r, n), make([]float64, n), make([]float64, n)
		gr, gi := make([]float32, n), make([]float32, n)
		for i := range xr {
			gr[i], gi[i] = float32(xr[i]), float32(xi[i])
			xr[i], xi[i] = float64(gr[i]), float64(gi[i])
		}
		q.Forward(1, yr, yi, xr, xi, make([]float64, q.Work()), Ahead{})
		p.Forward(1, gr, gi, gr, gi, make([]float32, p.Work()), Ahead{})
		sum, all, top := 0.0, 0.0, 0.0
		for i := range yr {
			d := math.Hypot(float64(gr[i])-yr[i], float64(gi[i])-yi[i])
			sum, all, top = sum+d*d, all+yr[i]*yr[i]+yi[i]*yi[i], max(top, d)
		}
		mean, worst := math.Sqrt(sum/all), top/math.Sqrt(all/float64(n))
		if !(mean < 2.5e-7 && worst < 1e-6) {
			t.Errorf("%d: off by %.2g, %.2g at worst", n, mean, worst)
		}
	}
}

// The roots are right to the last bit or the one before.
func TestRoot(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 12, 1000, 1 << 20} {
		for k := range min(n, 2000) {
			c, s := root(k, n)
			if d := math.Abs(math.Hypot(c, s) - 1); d > 4e-16 {
				t.Fatalf("%d/%d: %v, %v", k, n, c, s)
			}
			if wc, ws := math.Cos(2*math.Pi*float64(k)/float64(n)), math.Sin(2*math.Pi*float64(k)/float64(n)); math.Abs(c-wc) > 1e-15 || math.Abs(s-ws) > 1e-15 {
				t.Fatalf("%d/%d: %v, %v, want %v, %v", k, n, c, s, wc, ws)
			}
		}
	}
	if c, s := root(1, 4); c != 0 || s != 1 {
		t.Error(c, s, "of a quarter")
	}
}

func BenchmarkForward(b *testing.B) {
	for _, n := range []int{256, 1000, 1024, 1021, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := New[float64](n, Passes{})
			re, im, work := make([]float64, n), make([]float64, n), make([]float64, p.Work())
			for b.Loop() {
				p.Forward(1, re, im, re, im, work, Ahead{})
			}
			b.ReportMetric(5*float64(n)*math.Log2(float64(n))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}
