package linalg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func random(n int, scale float64) []float64 {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64() * scale
	}
	return x
}

// Matrices whose squares overflow or vanish, on both sides of the sizes where other loops take over.
func TestScales(t *testing.T) {
	for _, n := range []int{1, 2, 5, Small, Small + 1, 20, 70} {
		for _, scale := range []float64{1, 1e160, 1e300, 1e-160, 1e-300} {
			a := random(n*n, scale)
			y := make([]float64, 2*n*n+n)
			if err := SVD(y, a, n, n, make([]float64, SVDWork(n, n))); err != nil {
				t.Fatal(n, scale, err)
			}
			u, v, s := y[:n*n], y[n*n:2*n*n], y[2*n*n:]
			for i := range n {
				for j := range n {
					sum := 0.0
					for k := range n {
						sum += u[i*n+k] * s[k] * v[j*n+k]
					}
					if !(math.Abs(sum-a[i*n+j]) <= 1e-13*float64(n)*scale) {
						t.Fatalf("SVD of %d rows of %v: element %d %d is %v, not %v", n, scale, i, j, sum, a[i*n+j])
					}
				}
			}
			for i := range n {
				for j := range i {
					a[i*n+j] = a[j*n+i]
				}
			}
			if err := Eigh(y, a, n, make([]float64, EighWork(n))); err != nil {
				t.Fatal(n, scale, err)
			}
			v, w := y[:n*n], y[n*n:]
			for i := range n {
				for j := range n {
					sum := 0.0
					for k := range n {
						sum += v[i*n+k] * w[k] * v[j*n+k]
					}
					if !(math.Abs(sum-a[i*n+j]) <= 1e-13*float64(n)*scale) {
						t.Fatalf("Eigh of %d rows of %v: element %d %d is %v, not %v", n, scale, i, j, sum, a[i*n+j])
					}
				}
			}
		}
	}
}

func BenchmarkFactors(b *testing.B) {
	for _, n := range []int{4, 8, 16, 32, 64, 128} {
		a := random(n*n, 1)
		y := make([]float64, 2*n*n+2*n)
		for i := range n {
			for j := range i {
				a[i*n+j] = a[j*n+i]
			}
			a[i*n+i] += 3 * math.Sqrt(float64(n))
		}
		work := make([]float64, max(EighWork(n), SVDWork(n, n), QRWork(n, n), ExpmWork(n)))
		for name, f := range map[string]func(){
			"cholesky": func() { copy(y, a); Cholesky(y[:n*n], n) },
			"lu":       func() { copy(y, a); LU(y[:n*n+2*n], n, work) },
			"qr":       func() { QR(y, a, n, n, work) },
			"eigh":     func() { Eigh(y, a, n, work) },
			"svd":      func() { SVD(y, a, n, n, work) },
			"expm":     func() { Expm(y, a, n, work) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
			})
		}
	}
}
