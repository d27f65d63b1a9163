package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Kron is the Kronecker product of matrices, batches of them broadcasting.
func (g *Graph) Kron(x, y *Node) *Node {
	a, b := x.Rank(), y.Rank()
	if a < 2 || b < 2 {
		Fail("Kron", "%v, %v: two axes at least are needed", x.Shape, y.Shape)
	}
	one := D(1)
	xs := slices.Concat(x.Shape[:a-2], Shape{x.Shape[a-2], one, x.Shape[a-1], one})
	ys := slices.Concat(y.Shape[:b-2], Shape{one, y.Shape[b-2], one, y.Shape[b-1]})
	z := g.Map(ops.Mul, g.Reshape(x, xs), g.Reshape(y, ys))
	r := z.Rank()
	return g.Reshape(z, slices.Concat(z.Shape[:r-4], Shape{flatSize("Kron", z.Shape[r-4:r-2]), flatSize("Kron", z.Shape[r-2:])}))
}

// Solving is f(a, b), for a of [… n n] and right sides b: [n], or [… n m], batches of both broadcasting. Where
// a is one matrix, a batch of right sides are columns.
func (g *Graph) Solving(op string, a, b *Node, f func(a, b *Node) *Node) *Node {
	switch {
	case a.Rank() < 2 || b.Rank() == 0:
		Fail(op, "%v, %v: a matrix, and a vector or a matrix, are needed", a.Shape, b.Shape)
	case b.Rank() == 1:
		y := g.Solving(op, a, g.Reshape(b, Shape{b.Shape[0], D(1)}), f)
		return g.Reshape(y, y.Shape[:y.Rank()-1])
	case a.Rank() == 2 && b.Rank() > 2:
		c := g.MoveAxis(b, b.Rank()-2, 0)
		if cols, ok := c.Shape[1:].Size(); ok {
			y := f(a, g.Reshape(c, Shape{c.Shape[0], cols}))
			y = g.Reshape(y, slices.Concat(y.Shape[:1], c.Shape[1:]))
			return g.MoveAxis(y, 0, y.Rank()-2)
		}
	}
	s := BroadcastShapes(op, a.Shape[:a.Rank()-2], b.Shape[:b.Rank()-2])
	a = g.BroadcastTo(op, a, slices.Concat(s, a.Shape[a.Rank()-2:]))
	b = g.BroadcastTo(op, b, slices.Concat(s, b.Shape[b.Rank()-2:]))
	return f(a, b)
}

// matrix fails where x has fewer than two axes.
func matrix(op string, x *Node) (rows, cols Dim) {
	if x.Rank() < 2 {
		Fail(op, "%v: 2 axes at least are needed", x.Shape)
	}
	return x.Shape[x.Rank()-2], x.Shape[x.Rank()-1]
}

// isWide reports whether x has more columns than rows, for every batch.
func isWide(m, n Dim) bool {
	d := n.Sub(m)
	return d.B >= 0 && d.C+d.B > 0
}

// QR is q of [… m k] and r of [… k n], k the smaller of m and n.
func (g *Graph) QR(x *Node, pos string) (q, r *Node) {
	m, n := matrix("QR", x)
	a := x
	if isWide(m, n) {
		a = g.Narrow(x, x.Rank()-1, D(0), m)
	}
	c := g.Call(QR, 0, pos, a)
	parts := g.Parts(c, c)
	q, r = parts[0], parts[1]
	if a != x {
		r = g.Concat(-1, r, g.MatMul(g.swapLast(q), g.Narrow(x, x.Rank()-1, m, n.Sub(m))))
	}
	return q, r
}

// SVD is u of [… m k], s of [… k], vt of [… k n], k the smaller of m and n.
func (g *Graph) SVD(x *Node, pos string) (u, s, vt *Node) {
	if m, n := matrix("SVD", x); isWide(m, n) {
		v, s, ut := g.SVD(g.swapLast(x), pos)
		return g.swapLast(ut), s, g.swapLast(v)
	}
	c := g.Call(SVD, 0, pos, x)
	parts := g.Parts(c, c)
	return parts[0], g.lastRow(parts[2]), g.swapLast(parts[1])
}

// lastRow is [… n] of [… 1 n].
func (g *Graph) lastRow(x *Node) *Node {
	r := x.Rank()
	return g.Reshape(x, append(slices.Clone(x.Shape[:r-2]), x.Shape[r-1]))
}

// Cholesky is the factor of x's symmetric part.
func (g *Graph) Cholesky(x *Node, pos string) *Node { return g.ofSymmetric(Cholesky, x, pos) }

// Eigh is the eigenvalues and, as columns, the eigenvectors of x's symmetric part.
func (g *Graph) Eigh(x *Node, pos string) (w, v *Node) {
	c := g.ofSymmetric(Eigh, x, pos)
	parts := g.Parts(c, c)
	return g.lastRow(parts[1]), parts[0]
}

// LUFactors is P·x = L·U: perm[i] is the row of x that is row i of P·x.
func (g *Graph) LUFactors(x *Node, pos string) (perm, l, u *Node) {
	c := g.Call(LU, 0, pos, x)
	parts := g.Parts(c, c)
	lu := parts[0]
	l = g.Apply(ops.Add, g.where(ops.Gt, lu), g.Identity(lu))
	return g.Convert(g.lastRow(g.Stop(parts[1])), dtype.I64), l, g.Triu(lu)
}

// Det is the determinant: of up to three rows from the elements, so that it has derivatives of every order
// where the matrix is singular, too.
func (g *Graph) Det(x *Node, pos string) *Node {
	m, n := matrix("Det", x)
	if m != n || !n.Static() || n.C > 3 || n.C == 0 {
		return g.Call(Det, 0, pos, x)
	}
	r := x.Rank()
	at := func(i, j int) *Node {
		e := g.Narrow(g.Narrow(x, r-2, D(i), D(1)), r-1, D(j), D(1))
		return g.Reshape(e, x.Shape[:r-2])
	}
	mul := func(x, y *Node) *Node { return g.Apply(ops.Mul, x, y) }
	minor := func(i, j, p, q int) *Node { return g.sub(mul(at(i, p), at(j, q)), mul(at(i, q), at(j, p))) }
	switch n.C {
	case 1:
		return at(0, 0)
	case 2:
		return minor(0, 1, 0, 1)
	}
	sum := g.sub(mul(at(0, 0), minor(1, 2, 1, 2)), mul(at(0, 1), minor(1, 2, 0, 2)))
	return g.Apply(ops.Add, sum, mul(at(0, 2), minor(1, 2, 0, 1)))
}

// Lstsq is the least-squares solution, of least norm where there are several, for x of full rank.
func (g *Graph) Lstsq(a, b *Node, pos string) *Node {
	m, n := matrix("Lstsq", a)
	return g.Solving("Lstsq", a, b, func(a, b *Node) *Node {
		if b.Shape[b.Rank()-2] != m {
			Fail("Lstsq", "%v, %v: %v equations with right sides of %v", a.Shape, b.Shape, m, b.Shape[b.Rank()-2])
		}
		if isWide(m, n) {
			q, r := g.QR(g.swapLast(a), pos)
			return g.MatMul(q, g.Call(TriSolve, Upper|Transposed, pos, r, b))
		}
		q, r := g.QR(a, pos)
		return g.Call(TriSolve, Upper, pos, r, g.MatMul(g.swapLast(q), b))
	})
}

// MatrixPower is xⁿ by repeated squaring.
func (g *Graph) MatrixPower(x *Node, n int, pos string) *Node {
	matrix("MatrixPower", x)
	checkSquare("MatrixPower", x.Shape[x.Rank()-2:])
	if n < 0 {
		x, n = g.Inverse(x, pos), -n
	}
	var y *Node
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			if y == nil {
				y = x
			} else {
				y = g.MatMul(y, x)
			}
		}
		if n > 1 {
			x = g.MatMul(x, x)
		}
	}
	if y == nil {
		return g.Identity(x)
	}
	return y
}

// Solve is a⁻¹·b by LU, for b of [… n m]; batch axes agree.
func (g *Graph) Solve(a, b *Node, pos string) *Node {
	f := g.Stop(g.Call(LU, 0, pos, a))
	return g.Call(LUSolve, 0, pos, a, f, b)
}

// Inverse is a⁻¹.
func (g *Graph) Inverse(a *Node, pos string) *Node { return g.Solve(a, g.Identity(a), pos) }

// SignLogDet is the sign of det a and log |det a|.
func (g *Graph) SignLogDet(a *Node, pos string) (sign, log *Node) {
	n := g.Call(LU, 0, pos, a)
	if batch := a.Shape[:a.Rank()-2]; a.Shape[len(batch)].Is(0) {
		return g.Const(a.Type, batch, 1), g.Const(a.Type, batch, 0)
	}
	f := g.Stop(n)
	parts := g.Parts(n, f)
	u := f // the factors' diagonal is that of all, which is read where it lies
	if !f.Shape[f.Rank()-1].Static() {
		u = parts[0]
	}
	u = g.Diagonal(u)
	d := g.Apply(ops.Sign, u)
	parity := g.Narrow(parts[2], n.Rank()-1, D(0), D(1))
	sign = g.Apply(ops.Mul, g.Reduce(Prod, d, d.Rank()-1), g.Reshape(parity, d.Shape[:d.Rank()-1]))
	logs := g.Apply(ops.Log, g.Apply(ops.Abs, g.Convert(u, dtype.F64)))
	log = g.Convert(g.Reduce(Sum, logs, u.Rank()-1), a.Type)
	return g.Stop(sign), g.Call(LogDet, 0, pos, a, f, g.Stop(g.Reshape(log, append(slices.Clone(log.Shape), D(1)))))
}

// PInv is the pseudoinverse of a matrix of full rank.
func (g *Graph) PInv(a *Node, pos string) *Node {
	m, _ := matrix("PInv", a)
	e := g.Const(a.Type, slices.Concat(a.Shape[:a.Rank()-2], Shape{m, m}), 0)
	return g.Lstsq(a, g.Identity(e), pos)
}
