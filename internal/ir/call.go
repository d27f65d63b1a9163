package ir

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// CallID names a function on matrices or rows that is computed by ordinary Go, one batch element at a time.
// Leading axes are batch axes, the same for all operands.
//
// What has several results packs them as rows below one another: parts lists them.
type CallID uint8

const (
	Cholesky    CallID = iota // A: the lower triangular L of L·Lᵀ = A, of A's lower triangle, or of (A + Aᵀ)/2 with the flag Symmetrized
	TriSolve                  // A, B: op(A)⁻¹·B; flags Upper, Transposed, UnitDiagonal. Reads one triangle of A
	LU                        // A: L below and U above the diagonal, the permutation's row, a row of its sign
	LUSolve                   // A, LU of A, B: op(A)⁻¹·B; flag Transposed
	LogDet                    // A, LU of A, log |det A| as a row of one: that, with its derivative
	Det                       // A
	Cofactor                  // A: det A·A⁻ᵀ, where A is singular too
	QR                        // A of no more columns than rows: Q, R
	Eigh                      // A, symmetric, or (A + Aᵀ)/2 with the flag Symmetrized: V, the eigenvalues' row, ascending
	SVD                       // A of no more columns than rows: U, V, the singular values' row, descending
	Expm                      // A: eᴬ
	ExpmFrechet               // A, E: the derivative of eᴬ along E
	ArgSort                   // x: the indices that sort a row, stably, NaN last; flag Descending
	FFT                       // rows re and im of n: the discrete Fourier transform, not divided by n; flag Transposed: exp(+2πi…)
	RFFT                      // a row of n: the first n/2+1 elements of its transform, rows re and im
	HalfEven                  // what RFFT gives: the row of even length n that it is of, times n
	HalfOdd                   // the same of odd length
	SegmentMax                // x, ids (int32 or int64): the largest element of each of as many segments as the flags say
	Recurrence                // a, b: y[0] = b[0], y[k] = a[k]·y[k-1] + b[k] along rows, b[k] after a 0
	Shuffle                   // x, int64s of random bits: 0 … n-1 in the order that they give a row
	NumCalls
)

// Flags of TriSolve, LUSolve, ArgSort, Cholesky and Eigh.
const (
	Upper uint64 = 1 << iota
	Transposed
	UnitDiagonal
	Descending
	Symmetrized
)

// TopShift is where the flags of ArgSort hold how many indices are asked for, the first ones; others are then 0 or in order, as
// is quickest. 0: all.
const TopShift = 8

// callRow says what a call gives, and its derivatives. Its value is in package runtime.
//
// The derivative by the first operand is that of the parts along a tangent; reverse mode is the transpose of
// that, unless there is a rule of its own. Further operands have derivatives by vjp and jvp only: the factors
// that LUSolve and LogDet take beside a matrix are a matter of computing.
type callRow struct {
	name  string
	in    []int // axes of each operand behind the batch axes: 2, or 1
	out   func(op string, x []Shape) Shape
	parts func(x Shape) Shape // the numbers of rows of the parts; nil: one part
	jvp   func(g *Graph, n *Node, t []*Node) []*Node
	vjp   func(g *Graph, n, ct *Node) []*Node
}

var callRows [NumCalls]callRow

func init() { // the rules make calls, and use the sweep that uses them
	vjpRules[Call] = vjpCall
	square := []int{2}
	callRows = [NumCalls]callRow{
		Cholesky:    {name: "Cholesky", in: square, out: outSquare(0), jvp: jvpCholesky},
		TriSolve:    {name: "SolveTriangular", in: []int{2, 2}, out: outSolve, jvp: jvpTriSolve, vjp: vjpTriSolve},
		LU:          {name: "LU", in: square, out: outSquare(2), parts: partsSquare(1, 1), jvp: jvpLU},
		LUSolve:     {name: "Solve", in: []int{2, 2, 2}, out: outSolve, jvp: jvpLUSolve, vjp: vjpLUSolve},
		LogDet:      {name: "LogDet", in: []int{2, 2, 1}, out: outScalar, jvp: jvpLogDet},
		Det:         {name: "Det", in: square, out: outScalar, jvp: jvpDet},
		Cofactor:    {name: "Cofactor", in: square, out: outSquare(0), jvp: jvpCofactor},
		QR:          {name: "QR", in: square, out: outTall(0), parts: partsTall(), jvp: jvpQR},
		Eigh:        {name: "Eigh", in: square, out: outSquare(1), parts: partsSquare(1), jvp: jvpEigh},
		SVD:         {name: "SVD", in: square, out: outTall(1), parts: partsTall(1), jvp: jvpSVD},
		Expm:        {name: "Expm", in: square, out: outSquare(0), jvp: jvpExpm, vjp: vjpExpm},
		ExpmFrechet: {name: "Expm", in: []int{2, 2}, out: outSquare(0), jvp: jvpFrechet, vjp: vjpFrechet},
		ArgSort:     {name: "ArgSort", in: []int{1}, out: outSame},
		FFT:         {name: "FFT", in: square, out: outFFT, jvp: jvpSame, vjp: vjpFFT},
		RFFT:        {name: "RFFT", in: square, out: outRFFT, jvp: jvpSame, vjp: vjpRFFT},
		HalfEven:    {name: "IRFFT", in: square, out: outHalf(-2), jvp: jvpSame, vjp: vjpHalf},
		HalfOdd:     {name: "IRFFT", in: square, out: outHalf(-1), jvp: jvpSame, vjp: vjpHalf},
		Shuffle:     {name: "Permutation", in: []int{1}, out: outSame},
		Recurrence:  {name: "Recurrence", in: []int{1, 1}, out: outSame, jvp: jvpRecurrence, vjp: vjpRecurrence},

		SegmentMax: {name: "SegmentMax", in: []int{1, 1}}, // of a size that Call knows
	}
}

func (c CallID) String() string { return callRows[c].name }

// Core is the number of axes of operand i that are not batch axes.
func (c CallID) Core(i int) int { return callRows[c].in[i] }

func checkSquare(op string, s Shape) {
	if s[0] != s[1] {
		Fail(op, "%v: the matrix is not square", s)
	}
}

// outSame is the shape of the first operand.
func outSame(_ string, x []Shape) Shape { return x[0] }

// outSquare is the shape of a square matrix with more rows below it.
func outSquare(more int) func(op string, x []Shape) Shape {
	return func(op string, x []Shape) Shape {
		checkSquare(op, x[0])
		return Shape{x[0][0].Add(D(more)), x[0][1]}
	}
}

// outTall is that of a matrix, a square one below it, and more rows.
func outTall(more int) func(op string, x []Shape) Shape {
	return func(op string, x []Shape) Shape {
		m, n := x[0][0], x[0][1]
		if d := m.Sub(n); d.B < 0 || d.C+d.B < 0 {
			Fail(op, "%v: more columns than rows", x[0])
		}
		return Shape{m.Add(n).Add(D(more)), n}
	}
}

func outScalar(op string, x []Shape) Shape {
	checkSquare(op, x[0])
	return nil
}

func outSolve(op string, x []Shape) Shape {
	b := x[len(x)-1]
	checkSquare(op, x[0])
	if b[0] != x[0][1] {
		Fail(op, "%v, %v: %v equations with right sides of %v", x[0], b, x[0][0], b[0])
	}
	return b
}

func partsSquare(more ...int) func(x Shape) Shape {
	return func(x Shape) Shape { return append(Shape{x[0]}, Static(more...)...) }
}

func partsTall(more ...int) func(x Shape) Shape {
	return func(x Shape) Shape { return append(Shape{x[0], x[1]}, Static(more...)...) }
}

// Call is function c of in. pos is the user's line: the run can fail.
func (g *Graph) Call(c CallID, flags uint64, pos string, in ...*Node) *Node {
	row := &callRows[c]
	core := make([]Shape, len(in))
	var batch Shape
	for i, x := range in {
		r := x.Rank() - row.in[i]
		if r < 0 {
			Fail(row.name, "%v: %d axes at least are needed", x.Shape, row.in[i])
		}
		if (row.in[i] == 2 || c == Recurrence) && !x.Type.IsFloat() || c == Shuffle && x.Type != dtype.I64 || x.Type == dtype.Bool || x.Type.IsHalf() || x.Type != in[0].Type && c != SegmentMax {
			Fail(row.name, "%v of %v is not defined (use Convert)", x.Shape, x.Type)
		}
		if i == 0 {
			batch = x.Shape[:r]
		} else if !batch.Equal(x.Shape[:r]) {
			Fail(row.name, "%v, %v: the batch axes differ", in[0].Shape, x.Shape)
		}
		core[i] = x.Shape[r:]
	}
	n := Node{Kind: Call, Call: c, Type: in[0].Type, Bits: flags, In: slices.Clone(in), Pos: pos}
	switch {
	case c == SegmentMax:
		n.Shape = append(slices.Clone(batch), D(int(flags)))
	case row.in[0] == 1 && c != Recurrence:
		n.Type = dtype.I64
		fallthrough
	default:
		n.Shape = slices.Concat(batch, row.out(row.name, core))
	}
	n.Shape.Check(row.name)
	return g.add(n)
}

// Parts are the packed results of call n, below one another in x, which has n's shape.
func (g *Graph) Parts(n, x *Node) []*Node {
	f := callRows[n.Call].parts
	if f == nil {
		return []*Node{x}
	}
	in := n.In[0].Shape
	var res []*Node
	at := D(0)
	for _, rows := range f(in[len(in)-2:]) {
		res = append(res, g.Narrow(x, x.Rank()-2, at, rows))
		at = at.Add(rows)
	}
	return res
}

// pack is the inverse of Parts; nil parts are zero.
func (g *Graph) pack(n *Node, parts []*Node) *Node {
	if len(parts) == 1 {
		return parts[0]
	}
	in := n.In[0].Shape
	at := D(0)
	var ps []Piece
	for i, rows := range callRows[n.Call].parts(in[len(in)-2:]) {
		start := make([]Dim, n.Rank())
		start[n.Rank()-2] = at
		at = at.Add(rows)
		if parts[i] != nil {
			ps = append(ps, Piece{X: parts[i], Start: start})
		}
	}
	return g.Place(n.Type, n.Shape, 0, false, ps...)
}

func jvpCall(g *Graph, n *Node, in []flow) flow {
	row := &callRows[n.Call]
	if row.jvp == nil {
		Fail("JVP", "%v: no rule for %s", n.Shape, n.Name())
	}
	ts, masked := bare(in)
	parts := row.jvp(g, n, ts)
	if len(parts) == 1 && parts[0] == nil {
		return flow{}
	}
	return flow{g.pack(n, parts), masked}
}

func vjpCall(s *sweep, n *Node, ct flow) {
	row := &callRows[n.Call]
	if row.vjp != nil {
		for i, c := range row.vjp(s.Graph, n, ct.n) {
			if c != nil {
				s.give(n.In[i], flow{c, ct.masked})
			}
		}
		return
	}
	if row.jvp == nil {
		Fail("VJP", "%v: no rule for %s", n.Shape, n.Name())
	}
	// The tangent's own value plays no part: the parts are linear in it.
	x := n.In[0]
	t := s.Hole(x.Type, x.Shape)
	ts := make([]*Node, len(n.In))
	ts[0] = t
	var outs []*Node
	var cts []flow
	parts := row.jvp(s.Graph, n, ts)
	for i, c := range s.Parts(n, ct.n) {
		if parts[i] != nil && !c.IsConst(0) {
			outs, cts = append(outs, parts[i]), append(cts, flow{c, ct.masked})
		}
	}
	if len(outs) > 0 {
		s.give(x, s.vjp(outs, cts, []*Node{t})[0])
	}
}

// vmapCall makes the batch one more leading axis. Where a matrix serves all of a batch of right sides these
// are columns.
func vmapCall(v *vmap, x *Node) *Node {
	last := len(x.In) - 1
	if last > 0 && v.at[x.In[0]] == nil && x.Rank() == 2 && (x.Call == TriSolve || x.Call == LUSolve) {
		if cols, ok := (Shape{v.n, x.Shape[1]}).Size(); ok {
			b := v.MoveAxis(v.at[x.In[last]], 0, 1)
			in := append(slices.Clone(x.In[:last]), v.Reshape(b, Shape{x.Shape[0], cols}))
			y := v.Call(x.Call, x.Bits, x.Pos, in...)
			return v.MoveAxis(v.Reshape(y, b.Shape), 1, 0)
		}
	}
	in := make([]*Node, len(x.In))
	for i, y := range x.In {
		in[i] = v.lift(y)
	}
	return v.Call(x.Call, x.Bits, x.Pos, in...)
}

// The derivatives are those of M. Giles, "Collected matrix derivative results for forward and reverse mode
// algorithmic differentiation" (2008); of Cholesky I. Murray, "Differentiation of the Cholesky decomposition"
// (2016); of QR, S. Walter and L. Lehmann (2010); of SVD, J. Townsend, "Differentiating the singular value
// decomposition" (2016).

// mask is where op(row, column) holds, for the last two axes of s.
func (g *Graph) mask(op ops.ID, s Shape) *Node {
	s = s[len(s)-2:]
	t := dtype.I64
	if s[0].Static() && s[1].Static() && max(s[0].C, s[1].C) <= math.MaxInt32 {
		t = dtype.I32
	}
	return g.Apply(op, g.Iota(t, s, 0), g.Iota(t, s, 1))
}

// where keeps x where op(row, column) holds, else it is 0.
func (g *Graph) where(op ops.ID, x *Node) *Node {
	return g.Map(ops.Where, g.mask(op, x.Shape), x, g.like(x, 0))
}

// Tril and Triu keep one triangle of matrices.
func (g *Graph) Tril(x *Node) *Node { return g.where(ops.Ge, x) }
func (g *Graph) Triu(x *Node) *Node { return g.where(ops.Le, x) }

// Identity is the unit matrix of x's type and shape.
func (g *Graph) Identity(x *Node) *Node {
	return g.BroadcastTo("Identity", g.Convert(g.mask(ops.Eq, x.Shape), x.Type), x.Shape)
}

// Diagonal is [… k] of matrices [… m n], k the smaller of m and n; where these depend on the batch, they are
// equal.
func (g *Graph) Diagonal(x *Node) *Node {
	r := x.Rank()
	if r < 2 {
		Fail("Diagonal", "%v: two axes at least are needed", x.Shape)
	}
	m, n := x.Shape[r-2], x.Shape[r-1]
	switch {
	case !m.Static() || !n.Static():
		checkSquare("Diagonal", x.Shape[r-2:])
		return g.Reduce(Sum, g.where(ops.Eq, x), r-1)
	case m.C == 0 || n.C == 0:
		return g.Const(x.Type, append(slices.Clone(x.Shape[:r-2]), D(0)), 0)
	}
	k := min(m.C, n.C)
	flat := g.Reshape(x, append(slices.Clone(x.Shape[:r-2]), D(m.C*n.C)))
	start, step, size := wholeSpan(flat.Shape)
	step[r-2], size[r-2] = n.C+1, D(k)
	return g.Slice(flat, start, step, size)
}

// Trace is the sum of the diagonal.
func (g *Graph) Trace(x *Node) *Node {
	d := g.Diagonal(x)
	return g.Reduce(Sum, d, d.Rank()-1)
}

// Symmetric is (x + xᵀ)/2.
func (g *Graph) Symmetric(op string, x *Node) *Node {
	if x.Rank() < 2 {
		Fail(op, "%v: 2 axes at least are needed", x.Shape)
	}
	checkSquare(op, x.Shape[x.Rank()-2:])
	sum := g.Apply(ops.Add, x, g.swapLast(x))
	return g.Apply(ops.Mul, sum, g.like(sum, 0.5))
}

// ofSymmetric is a call of x's symmetric part, which a large matrix's makes as it reads x.
func (g *Graph) ofSymmetric(c CallID, x *Node, pos string) *Node {
	least := 33 // from which on package linalg does
	if c == Cholesky {
		least = 65
	}
	if r := x.Rank(); r >= 2 && x.Shape[r-1].Static() && x.Shape[r-1].C >= least {
		return g.Call(c, Symmetrized, pos, x)
	}
	return g.Call(c, 0, pos, g.Symmetric(c.String(), x))
}

// symmetric is what of a tangent t the call n reads.
func (g *Graph) symmetric(n, t *Node) *Node {
	if n.Bits&Symmetrized == 0 {
		return t
	}
	return g.Symmetric(n.Name(), t)
}

// column and row make factors of a matrix's rows and columns of [… 1 n].
func (g *Graph) column(w *Node) *Node { return g.swapLast(w) }

// tri is op(a)⁻¹·b for a triangle of a.
func (g *Graph) tri(n, a, b *Node, flags uint64) *Node { return g.Call(TriSolve, flags, n.Pos, a, b) }

// overR is x·u⁻¹ for the upper triangle u.
func (g *Graph) overR(n, x, u *Node) *Node {
	return g.swapLast(g.tri(n, u, g.swapLast(x), Upper|Transposed))
}

// inner is the sum of the products of two matrices' elements.
func (g *Graph) inner(x, y *Node) *Node {
	p := g.Apply(ops.Mul, x, y)
	return g.Reduce(Sum, p, p.Rank()-2, p.Rank()-1)
}

func (g *Graph) neg(x *Node) *Node    { return g.Apply(ops.Neg, x) }
func (g *Graph) sub(x, y *Node) *Node { return g.Apply(ops.Sub, x, y) }

// dL = L·Φ(L⁻¹·dA·L⁻ᵀ), Φ the lower triangle with half of the diagonal.
func jvpCholesky(g *Graph, l *Node, t []*Node) []*Node {
	x := g.tri(l, l, g.symmetric(l, t[0]), 0)
	x = g.tri(l, l, g.swapLast(x), 0) // its transpose
	x = g.swapLast(x)
	lower, strict := g.Tril(x), g.where(ops.Gt, x)
	half := g.Apply(ops.Mul, g.Apply(ops.Add, lower, strict), g.like(x, 0.5))
	return []*Node{g.MatMul(l, half)}
}

// triangle is the part of x that TriSolve n reads of its matrix.
func (g *Graph) triangle(n, x *Node) *Node {
	op := ops.Ge
	switch n.Bits & (Upper | UnitDiagonal) {
	case UnitDiagonal:
		op = ops.Gt
	case Upper:
		op = ops.Le
	case Upper | UnitDiagonal:
		op = ops.Lt
	}
	return g.where(op, x)
}

// jvpSolve is op(A)⁻¹·(dB - op(dA)·X).
func (g *Graph) jvpSolve(n, da, db *Node) *Node {
	if da != nil {
		if n.Bits&Transposed != 0 {
			da = g.swapLast(da)
		}
		if p := g.MatMul(da, n); db == nil {
			db = g.neg(p)
		} else {
			db = g.sub(db, p)
		}
	}
	if db == nil {
		return nil
	}
	in := slices.Clone(n.In)
	in[len(in)-1] = db
	return g.Call(n.Call, n.Bits, n.Pos, in...)
}

// vjpSolve is op(A)⁻ᵀ·ct for B, and -that·Xᵀ for A.
func (g *Graph) vjpSolve(n, ct *Node) (a, b *Node) {
	in := slices.Clone(n.In)
	in[len(in)-1] = ct
	b = g.Call(n.Call, n.Bits^Transposed, n.Pos, in...)
	if n.Bits&Transposed != 0 {
		a = g.neg(g.MatMul(n, g.swapLast(b)))
	} else {
		a = g.neg(g.MatMul(b, g.swapLast(n)))
	}
	return a, b
}

func jvpTriSolve(g *Graph, n *Node, t []*Node) []*Node {
	da := t[0]
	if da != nil {
		da = g.triangle(n, da)
	}
	return []*Node{g.jvpSolve(n, da, t[1])}
}

func vjpTriSolve(g *Graph, n, ct *Node) []*Node {
	a, b := g.vjpSolve(n, ct)
	return []*Node{g.triangle(n, a), b}
}

func jvpLUSolve(g *Graph, n *Node, t []*Node) []*Node { return []*Node{g.jvpSolve(n, t[0], t[2])} }

func vjpLUSolve(g *Graph, n, ct *Node) []*Node {
	a, b := g.vjpSolve(n, ct)
	return []*Node{a, nil, b}
}

// d(L + U) = L·(the strictly lower part of X) + (the rest of X)·U with X = L⁻¹·P·dA·U⁻¹.
func jvpLU(g *Graph, n *Node, t []*Node) []*Node {
	parts := g.Parts(n, n)
	lu := parts[0]
	perm := g.Convert(g.Stop(parts[1]), dtype.I64)
	rows := g.BroadcastTo("LU", g.swapLast(perm), lu.Shape)
	x := g.tri(n, lu, g.TakeAlong(t[0], rows, -2, n.Pos), UnitDiagonal)
	x = g.overR(n, x, lu)
	below := g.where(ops.Gt, x)
	d := g.Apply(ops.Add, g.MatMul(g.where(ops.Gt, lu), below), below)
	d = g.Apply(ops.Add, d, g.MatMul(g.Triu(x), g.Triu(lu)))
	return []*Node{d, nil, nil}
}

// tr(A⁻¹·dA).
func jvpLogDet(g *Graph, n *Node, t []*Node) []*Node {
	return []*Node{g.Trace(g.Call(LUSolve, 0, n.Pos, n.In[0], n.In[1], t[0]))}
}

func jvpDet(g *Graph, n *Node, t []*Node) []*Node {
	return []*Node{g.inner(g.Call(Cofactor, 0, n.Pos, n.In[0]), t[0])}
}

// dC = tr(A⁻¹·dA)·C - A⁻ᵀ·dAᵀ·C.
func jvpCofactor(g *Graph, c *Node, t []*Node) []*Node {
	a := c.In[0]
	inv := g.Inverse(a, c.Pos)
	tr := g.inner(g.swapLast(inv), t[0])
	tr = g.Reshape(tr, slices.Concat(tr.Shape, ones(2)))
	return []*Node{g.sub(g.Map(ops.Mul, tr, c), g.MatMul(g.swapLast(g.MatMul(t[0], inv)), c))}
}

// With M = Qᵀ·dA·R⁻¹ and the skew W of M's lower part: dQ = Q·(W - M) + dA·R⁻¹, dR = (M - W)·R.
func jvpQR(g *Graph, n *Node, t []*Node) []*Node {
	parts := g.Parts(n, n)
	q, r := parts[0], parts[1]
	x := g.overR(n, t[0], r)
	m := g.MatMul(g.swapLast(q), x)
	low := g.where(ops.Gt, m)
	d := g.sub(g.sub(low, g.swapLast(low)), m)
	return []*Node{g.Apply(ops.Add, g.MatMul(q, d), x), g.neg(g.MatMul(d, r))}
}

// gaps is 1/d, 0 where d is 0.
func (g *Graph) gaps(d *Node) *Node {
	zero := g.Apply(ops.Eq, d, g.like(d, 0))
	return g.Apply(ops.Where, zero, g.like(d, 0), g.Apply(ops.Reciprocal, g.Apply(ops.Where, zero, g.like(d, 1), d)))
}

// With P = Vᵀ·dA·V: dw is its diagonal, dV = V·(P/(wⱼ - wᵢ)), 0 where wᵢ = wⱼ.
func jvpEigh(g *Graph, n *Node, t []*Node) []*Node {
	parts := g.Parts(n, n)
	v, w := parts[0], parts[1]
	p := g.MatMul(g.swapLast(v), g.MatMul(g.symmetric(n, t[0]), v))
	f := g.gaps(g.Map(ops.Sub, w, g.column(w)))
	return []*Node{g.MatMul(v, g.Apply(ops.Mul, f, p)), g.Reshape(g.Diagonal(p), w.Shape)}
}

// With P = Uᵀ·dA·V and F = 1/(sⱼ² - sᵢ²), 0 where sᵢ = sⱼ: ds is P's diagonal,
// dU = U·(F∘(P·S + S·Pᵀ)) + (I - U·Uᵀ)·dA·V·S⁻¹, dV = V·(F∘(S·P + Pᵀ·S)).
func jvpSVD(g *Graph, n *Node, t []*Node) []*Node {
	parts := g.Parts(n, n)
	u, v, s := parts[0], parts[1], parts[2]
	col := g.column(s)
	x := g.MatMul(t[0], v)
	p := g.MatMul(g.swapLast(u), x)
	f := g.gaps(g.Apply(ops.Mul, g.Map(ops.Sub, s, col), g.Map(ops.Add, s, col)))
	pt := g.swapLast(p)
	du := g.MatMul(u, g.Apply(ops.Mul, f, g.Apply(ops.Add, g.Map(ops.Mul, p, s), g.Map(ops.Mul, pt, col))))
	if u.Shape[u.Rank()-2] != u.Shape[u.Rank()-1] {
		rest := g.sub(x, g.MatMul(u, p))
		du = g.Apply(ops.Add, du, g.Map(ops.Mul, rest, g.gaps(s)))
	}
	dv := g.MatMul(v, g.Apply(ops.Mul, f, g.Apply(ops.Add, g.Map(ops.Mul, p, col), g.Map(ops.Mul, pt, s))))
	return []*Node{du, dv, g.Reshape(g.Diagonal(p), s.Shape)}
}

func jvpExpm(g *Graph, n *Node, t []*Node) []*Node {
	return []*Node{g.Call(ExpmFrechet, 0, n.Pos, n.In[0], t[0])}
}

func vjpExpm(g *Graph, n, ct *Node) []*Node {
	return []*Node{g.Call(ExpmFrechet, 0, n.Pos, g.swapLast(n.In[0]), ct)}
}

// The derivative L of eᴬ along E is the corner of the exponential of B = [[A, E], [0, A]], so L's derivative is that corner of the one of
// eᴮ along the tangent of B.
func jvpFrechet(g *Graph, n *Node, t []*Node) []*Node {
	a, e := n.In[0], n.In[1]
	if t[0] == nil {
		return []*Node{g.Call(ExpmFrechet, 0, n.Pos, a, t[1])}
	}
	zero := g.like(a, 0)
	de := t[1]
	if de == nil {
		de = zero
	}
	y := g.Call(ExpmFrechet, 0, n.Pos, g.blocks(a, e, zero, a), g.blocks(t[0], de, zero, t[0]))
	return []*Node{g.block(y, 0, 1, a.Shape[a.Rank()-1])}
}

// And the adjoint of a derivative at B is the derivative at Bᵀ.
func vjpFrechet(g *Graph, n, ct *Node) []*Node {
	a, e := g.swapLast(n.In[0]), g.swapLast(n.In[1])
	zero := g.like(n.In[0], 0)
	y := g.Call(ExpmFrechet, 0, n.Pos, g.blocks(a, zero, e, a), g.blocks(zero, ct, zero, zero))
	size := a.Shape[a.Rank()-1]
	return []*Node{g.Apply(ops.Add, g.block(y, 0, 0, size), g.block(y, 1, 1, size)), g.block(y, 0, 1, size)}
}

// blocks is the matrix [[a, b], [c, d]] of four of the same shape, block one of them.
func (g *Graph) blocks(a, b, c, d *Node) *Node {
	r := a.Rank()
	return g.Concat(r-2, g.Concat(r-1, a, b), g.Concat(r-1, c, d))
}

func (g *Graph) block(x *Node, i, j int, size Dim) *Node {
	from := [2]Dim{D(0), size}
	return g.Narrow(g.Narrow(x, x.Rank()-2, from[i], size), x.Rank()-1, from[j], size)
}
