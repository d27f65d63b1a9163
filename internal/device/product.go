package device

import (
	"math"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// Columns is a product in the terms of BLAS, whose columns lie one behind the other: C = A·B, where C is M×N, A M×K
// or, if TransA, K×M, and B accordingly. Sizes fit 32 bits.
type Columns struct {
	TransA, TransB            bool
	M, N, K                   int
	LdA, LdB, LdC             int
	StrideA, StrideB, StrideC int
	Batch                     int
}

// ByColumns is p for such a library, with the operands exchanged: rows of ours are its columns, so that Cᵀ = Bᵀ·Aᵀ is
// computed and A of the result is p.B. It reports whether the library can compute p.
func ByColumns(p *cudasrc.Product) (c Columns, ok bool) {
	c = Columns{M: p.N, N: p.M, K: p.K, StrideA: p.BBatch, StrideB: p.ABatch, StrideC: p.CBatch, Batch: p.Batch, LdC: p.CRow}
	var okA, okB bool
	c.TransA, c.LdA, okA = columns(p.K, p.N, p.BRow, p.BCol)
	c.TransB, c.LdB, okB = columns(p.M, p.K, p.ARow, p.ACol)
	if p.M == 1 {
		c.LdC = max(c.LdC, c.M)
	}
	ok = okA && okB && c.LdC >= c.M
	for _, n := range []int{c.M, c.N, c.K, c.LdA, c.LdB, c.LdC, c.Batch} {
		ok = ok && n <= math.MaxInt32
	}
	return c, ok
}

// columns is a rows×cols matrix of ours as one of columns: its transpose as it lies, or it is to be transposed.
func columns(rows, cols, row, col int) (trans bool, ld int, ok bool) {
	if col == 1 || cols == 1 {
		if rows == 1 {
			row = cols
		}
		return false, row, row >= cols
	}
	return true, col, (row == 1 || rows == 1) && col >= rows
}
