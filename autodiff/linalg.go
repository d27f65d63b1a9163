package autodiff

import (
	"github.com/adjoint-go/adjoint/internal/ir"
)

// In this file and in order.go matrices are the last two axes, [… m n]; axes before them are a batch, whose
// elements are computed in parallel. Elements are float32 or float64. Cholesky, LU, QR, what is solved
// by them, determinants and Expm, and from 33 rows on Eigh and SVD, are computed in the precision of the elements, all else in
// float64. Factors and solutions are the exact ones of a matrix that differs from x by about n units in the last place of its largest
// elements. Large matrices (Cholesky and LU from 65 rows on, QR of as many from 49 columns, solves, Expm, Eigh and SVD from 33, SVD of float64
// from 41) are computed in blocks, which may use threads beside the program's. What a matrix is wrong with ("the matrix is singular")
// is an error of the run, with the caller's line and the element of the batch.

// matrixOp is an operation of one result that can fail when it runs.
func matrixOp(op string, f func(g *ir.Graph, x []*ir.Node, pos string) *ir.Node, xs ...Value) Value {
	pos := ir.UserLine()
	return apply(op, func(g *ir.Graph, in []*ir.Node) *ir.Node { return f(g, in, pos) }, xs...)
}

// factors is an operation of several results that can fail when it runs.
func factors(op string, x Value, f func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node) []Value {
	pos := ir.UserLine()
	return recorded(op, x, func(g *ir.Graph, x Value) []Value { return values(f(g, x.n, pos)) })
}

// Cholesky is the lower triangular L of L·Lᵀ = x, for x of [… n n] whose symmetric part (x + xᵀ)/2 is
// positive definite. Of another one it is an error of the run.
func (x Value) Cholesky() Value {
	return matrixOp("Cholesky", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node {
		return g.Cholesky(in[0], pos)
	}, x)
}

// CholeskySolve is x⁻¹·b where l is the Cholesky factor of x: for b of [n] or [… n m].
func (l Value) CholeskySolve(b Value) Value {
	return matrixOp("CholeskySolve", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node {
		return g.Solving("CholeskySolve", in[0], in[1], func(l, b *ir.Node) *ir.Node {
			return g.Call(ir.TriSolve, ir.Transposed, pos, l, g.Call(ir.TriSolve, 0, pos, l, b))
		})
	}, l, b)
}

// Triangle says which triangle of a matrix counts and how it is meant: the zero Triangle is the lower one.
type Triangle struct {
	Upper      bool
	Transposed bool
	Unit       bool // the diagonal is 1, whatever is there
}

// SolveTriangular is x⁻¹·b, or x⁻ᵀ·b, for a triangle of x of [… n n], and b of [n] or [… n m]; batches
// broadcast. A 0 on the diagonal is an error of the run.
func (x Value) SolveTriangular(b Value, t Triangle) Value {
	var flags uint64
	for flag, is := range map[uint64]bool{ir.Upper: t.Upper, ir.Transposed: t.Transposed, ir.UnitDiagonal: t.Unit} {
		if is {
			flags |= flag
		}
	}
	return matrixOp("SolveTriangular", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node {
		return g.Solving("SolveTriangular", in[0], in[1], func(a, b *ir.Node) *ir.Node {
			return g.Call(ir.TriSolve, flags, pos, a, b)
		})
	}, x, b)
}

// Solve is x⁻¹·b by LU with row exchanges, for x of [… n n] and b of [n] or [… n m]; batches broadcast. The
// derivatives use the factors again. A singular x is an error of the run.
func (x Value) Solve(b Value) Value {
	return matrixOp("Solve", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node {
		return g.Solving("Solve", in[0], in[1], func(a, b *ir.Node) *ir.Node { return g.Solve(a, b, pos) })
	}, x, b)
}

// Inverse is x⁻¹, by LU. A singular x is an error of the run. To multiply by an inverse, Solve is cheaper and
// more accurate.
func (x Value) Inverse() Value {
	return matrixOp("Inverse", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Inverse(in[0], pos) }, x)
}

// Det is the determinant of x of [… n n], by LU. Its first derivative holds at singular matrices, too; higher
// ones do for n up to 3, and are an error of the run beyond.
func (x Value) Det() Value {
	return matrixOp("Det", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Det(in[0], pos) }, x)
}

// LogDet is the sign of the determinant, -1, 0 or 1, and log |det x|, which neither overflows nor underflows:
// NumPy's slogdet. Of a singular x it is 0 and -Inf, and the derivative an error of the run.
func (x Value) LogDet() (sign, logAbs Value) {
	r := factors("LogDet", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		sign, log := g.SignLogDet(x, pos)
		return []*ir.Node{sign, log}
	})
	return r[0], r[1]
}

// LU is the factors of x of [… n n] with its rows exchanged: row i of l·u is row perm[i] (int64) of x. The
// diagonal of l is 1.
func (x Value) LU() (perm, l, u Value) {
	r := factors("LU", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		p, l, u := g.LUFactors(x, pos)
		return []*ir.Node{p, l, u}
	})
	return r[0], r[1], r[2]
}

// QR is q·r = x with orthonormal columns q, [… m k], and upper triangular r, [… k n], k the smaller of m and n.
// The derivative needs the first k columns to be independent.
func (x Value) QR() (q, r Value) {
	f := factors("QR", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		q, r := g.QR(x, pos)
		return []*ir.Node{q, r}
	})
	return f[0], f[1]
}

// Eigh is the eigenvalues w, [… n], ascending, and, as columns, the eigenvectors v, [… n n], of the symmetric
// part (x + xᵀ)/2. The signs of the vectors, and their choice where eigenvalues are equal, are arbitrary: the
// derivative of what depends on that choice does not exist, and there the term of equal eigenvalues is taken as
// 0, which is right for what does not depend on it (a function of x as a matrix).
func (x Value) Eigh() (w, v Value) {
	f := factors("Eigh", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		w, v := g.Eigh(x, pos)
		return []*ir.Node{w, v}
	})
	return f[0], f[1]
}

// SVD is u·diag(s)·vt = x with orthonormal columns u, [… m k], rows vt, [… k n], and singular values s, [… k],
// descending, k the smaller of m and n. What is said of equal eigenvalues in Eigh holds of equal singular
// values, and of those that are 0.
func (x Value) SVD() (u, s, vt Value) {
	f := factors("SVD", x, func(g *ir.Graph, x *ir.Node, pos string) []*ir.Node {
		u, s, vt := g.SVD(x, pos)
		return []*ir.Node{u, s, vt}
	})
	return f[0], f[1], f[2]
}

// Lstsq is the y with the least |x·y - b|, and of several the shortest, for x of [… m n] of full rank and b of
// [m] or [… m k]: by QR.
func (x Value) Lstsq(b Value) Value {
	return matrixOp("Lstsq", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Lstsq(in[0], in[1], pos) }, x, b)
}

// PInv is the Moore-Penrose inverse, [… n m], of x of [… m n] of full rank.
func (x Value) PInv() Value {
	return matrixOp("PInv", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.PInv(in[0], pos) }, x)
}

// Expm is the exponential of x of [… n n] as a matrix.
func (x Value) Expm() Value {
	return matrixOp("Expm", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.Call(ir.Expm, 0, pos, in[0]) }, x)
}

// MatrixPower is the n-th power of x of [… n n] as a matrix; of the inverse where n is negative.
func (x Value) MatrixPower(n int) Value {
	return matrixOp("MatrixPower", func(g *ir.Graph, in []*ir.Node, pos string) *ir.Node { return g.MatrixPower(in[0], n, pos) }, x)
}

// Trace is the sum of the diagonal.
func (x Value) Trace() Value { return one("Trace", x, (*ir.Graph).Trace) }

// Diagonal is the diagonal, [… k], k the smaller of m and n.
func (x Value) Diagonal() Value { return one("Diagonal", x, (*ir.Graph).Diagonal) }

// Tril is x with 0 above the diagonal.
func (x Value) Tril() Value { return one("Tril", x, (*ir.Graph).Tril) }

// Triu is x with 0 below the diagonal.
func (x Value) Triu() Value { return one("Triu", x, (*ir.Graph).Triu) }

// Kron is the Kronecker product of matrices.
func (x Value) Kron(y Value) Value {
	return apply("Kron", func(g *ir.Graph, in []*ir.Node) *ir.Node { return g.Kron(in[0], in[1]) }, x, y)
}

// Eye is the unit matrix of n rows.
func (t DType) Eye(n int) Value {
	z := t.Zeros(n, n)
	return one("Eye", z, (*ir.Graph).Identity)
}

// MatrixNorm1 is the largest sum of a column's absolute values.
func (x Value) MatrixNorm1() Value { return x.Abs().Sum(-2).ReduceMax(-1) }

// MatrixNormInf is the largest sum of a row's absolute values.
func (x Value) MatrixNormInf() Value { return x.Abs().Sum(-1).ReduceMax(-1) }

// MatrixNorm2 is the largest singular value; Frobenius' norm is Norm(-2, -1).
func (x Value) MatrixNorm2() Value {
	_, s, _ := x.SVD()
	return s.ReduceMax(-1)
}

// NuclearNorm is the sum of the singular values.
func (x Value) NuclearNorm() Value {
	_, s, _ := x.SVD()
	return s.Sum(-1)
}

// Cond is the quotient of the largest and the smallest singular value.
func (x Value) Cond() Value {
	_, s, _ := x.SVD()
	return s.ReduceMax(-1).Div(s.ReduceMin(-1))
}
