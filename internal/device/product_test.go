package device

import (
	"testing"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// gemm is what cuBLAS computes, with its checks of leading sizes.
func (c Columns) gemm(t *testing.T, a, b, y []float64) {
	at := func(trans bool, rows, cols, ld, i, j int) int {
		if trans {
			i, j, rows = j, i, cols
		}
		if ld < rows {
			t.Fatalf("%+v: a leading size of %d for %d rows", c, ld, rows)
		}
		return i + j*ld
	}
	for n := range c.Batch {
		for i := range c.M {
			for j := range c.N {
				s := 0.0
				for k := range c.K {
					s += a[n*c.StrideA+at(c.TransA, c.M, c.K, c.LdA, i, k)] * b[n*c.StrideB+at(c.TransB, c.K, c.N, c.LdB, k, j)]
				}
				y[n*c.StrideC+at(false, c.M, c.N, c.LdC, i, j)] = s
			}
		}
	}
}

func TestByColumns(t *testing.T) {
	sizes := []int{1, 2, 3, 5}
	for _, m := range sizes {
		for _, n := range sizes {
			for _, k := range sizes {
				for kind := range 16 {
					p := &cudasrc.Product{Batch: 3, M: m, N: n, K: k, ARow: k, ACol: 1, BRow: n, BCol: 1, CRow: n,
						ABatch: m * k, BBatch: k * n, CBatch: m * n}
					if kind&1 != 0 {
						p.ARow, p.ACol = 1, m
					}
					if kind&2 != 0 {
						p.BRow, p.BCol = 1, k
					}
					if kind&4 != 0 {
						p.BBatch = 0
					}
					if kind&8 != 0 { // a column of a wider matrix
						p.ARow, p.ACol, p.ABatch = k+2, 1, m*(k+2)
					}
					c, ok := ByColumns(p)
					if !ok {
						t.Fatalf("%+v is refused", p)
					}
					a, b, y := make([]float64, 3*m*(k+2)), make([]float64, 3*k*n), make([]float64, 3*m*n)
					for i := range a {
						a[i] = float64(i%7 - 3)
					}
					for i := range b {
						b[i] = float64(i%5 - 1)
					}
					c.gemm(t, b, a, y)
					for e := range 3 {
						for i := range m {
							for j := range n {
								want := 0.0
								for x := range k {
									want += a[e*p.ABatch+i*p.ARow+x*p.ACol] * b[e*p.BBatch+x*p.BRow+j*p.BCol]
								}
								if got := y[e*p.CBatch+i*p.CRow+j]; got != want {
									t.Fatalf("%+v [%d %d %d]: %v, want %v", p, e, i, j, got, want)
								}
							}
						}
					}
				}
			}
		}
	}
	for name, p := range map[string]*cudasrc.Product{
		"two strides": {Batch: 1, M: 4, N: 4, K: 4, ARow: 8, ACol: 2, BRow: 4, BCol: 1, CRow: 4},
		"repeated":    {Batch: 1, M: 4, N: 4, K: 4, ARow: 0, ACol: 1, BRow: 4, BCol: 1, CRow: 4},
		"large":       {Batch: 1, M: 4, N: 1 << 31, K: 4, ARow: 4, ACol: 1, BRow: 1 << 31, BCol: 1, CRow: 1 << 31},
	} {
		if c, ok := ByColumns(p); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
}
