package blas

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
)

// Each benchmark runs on gonum's own BLAS and on ours.
var implementations = []struct {
	name string
	impl interface {
		blas.Float64
		blas.Float32
	}
}{{"gonum", gonum.Implementation{}}, {"ours", Implementation{}}}

func BenchmarkGemm(b *testing.B) {
	for _, n := range []int{4, 16, 64, 256, 1024} {
		for _, i := range implementations {
			x := random[float64](rand.New(rand.NewPCG(1, 1)), 3*n*n)
			rate := func(b *testing.B) {
				b.ReportMetric(2*float64(n*n*n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			}
			b.Run(fmt.Sprintf("f64/%d/%s", n, i.name), func(b *testing.B) {
				for b.Loop() {
					i.impl.Dgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, x, n, x[n*n:], n, 0, x[2*n*n:], n)
				}
				rate(b)
			})
			y := random[float32](rand.New(rand.NewPCG(1, 1)), 3*n*n)
			b.Run(fmt.Sprintf("f32/%d/%s", n, i.name), func(b *testing.B) {
				for b.Loop() {
					i.impl.Sgemm(blas.NoTrans, blas.NoTrans, n, n, n, 1, y, n, y[n*n:], n, 0, y[2*n*n:], n)
				}
				rate(b)
			})
		}
	}
}

// The rest of what is ours, in float64.
func BenchmarkCalls(b *testing.B) {
	for _, n := range []int{4, 16, 64, 256, 1000} {
		rng := rand.New(rand.NewPCG(1, 1))
		x, y, z := random[float64](rng, n*n), random[float64](rng, n*n), random[float64](rng, n*n)
		dominant(x, n, n)
		for _, c := range []struct {
			name string
			f    func(i blas.Float64)
		}{
			{"dot", func(i blas.Float64) { i.Ddot(n, x, 1, y, 1) }},
			{"axpy", func(i blas.Float64) { i.Daxpy(n, 1e-9, x, 1, y, 1) }},
			{"gemvN", func(i blas.Float64) { i.Dgemv(blas.NoTrans, n, n, 1, x, n, y, 1, 0, z, 1) }},
			{"gemvT", func(i blas.Float64) { i.Dgemv(blas.Trans, n, n, 1, x, n, y, 1, 0, z, 1) }},
			{"symv", func(i blas.Float64) { i.Dsymv(blas.Lower, n, 1, x, n, y, 1, 0, z, 1) }},
			{"ger", func(i blas.Float64) { i.Dger(n, n, 1e-9, x, 1, y, 1, z, n) }},
			{"symm", func(i blas.Float64) { i.Dsymm(blas.Left, blas.Lower, n, n, 1, x, n, y, n, 0, z, n) }},
			{"syrk", func(i blas.Float64) { i.Dsyrk(blas.Lower, blas.NoTrans, n, n, 1, x, n, 0, z, n) }},
			{"syr2k", func(i blas.Float64) { i.Dsyr2k(blas.Lower, blas.NoTrans, n, n, 1, x, n, y, n, 0, z, n) }},
			{"trmmL", func(i blas.Float64) {
				copy(z, y)
				i.Dtrmm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, n, n, 1, x, n, z, n)
			}},
			{"trsmL", func(i blas.Float64) {
				copy(z, y)
				i.Dtrsm(blas.Left, blas.Lower, blas.NoTrans, blas.Unit, n, n, 1, x, n, z, n)
			}},
			{"trsmR", func(i blas.Float64) {
				copy(z, y)
				i.Dtrsm(blas.Right, blas.Lower, blas.Trans, blas.NonUnit, n, n, 1, x, n, z, n)
			}},
		} {
			for _, i := range implementations {
				b.Run(fmt.Sprintf("%s/%d/%s", c.name, n, i.name), func(b *testing.B) {
					for b.Loop() {
						c.f(i.impl)
					}
				})
			}
		}
	}
}

// What a user of gonum's mat sees.
func BenchmarkMat(b *testing.B) {
	defer blas64.Use(blas64.Implementation())
	n := func(n int) *mat.Dense {
		return mat.NewDense(n, n, random[float64](rand.New(rand.NewPCG(1, 1)), n*n)[:n*n])
	}
	spd := func(k int) *mat.SymDense {
		a, s := n(k), mat.NewSymDense(k, nil)
		s.SymOuterK(1, a)
		for i := range k {
			s.SetSym(i, i, s.At(i, i)+1)
		}
		return s
	}
	var (
		c     mat.Dense
		lu    mat.LU
		qr    mat.QR
		chol  mat.Cholesky
		svd   mat.SVD
		eig   mat.Eigen
		eigS  mat.EigenSym
		m1000 = n(1000)
		m500  = n(500)
		m300  = n(300)
		s1000 = spd(1000)
		s300  = spd(300)
	)
	for _, k := range []struct {
		name string
		f    func()
	}{
		{"Mul1000", func() { c.Mul(m1000, m1000) }},
		{"LU1000", func() { lu.Factorize(m1000) }},
		{"QR1000", func() { qr.Factorize(m1000) }},
		{"Cholesky1000", func() { chol.Factorize(s1000) }},
		{"SVD300", func() { svd.Factorize(m300, mat.SVDThin) }},
		{"SVDValues500", func() { svd.Factorize(m500, mat.SVDNone) }},
		{"Eigen300", func() { eig.Factorize(m300, mat.EigenRight) }},
		{"EigenSym300", func() { eigS.Factorize(s300, true) }},
	} {
		for _, i := range implementations {
			b.Run(k.name+"/"+i.name, func(b *testing.B) {
				blas64.Use(i.impl)
				for b.Loop() {
					k.f()
				}
			})
		}
	}
}
