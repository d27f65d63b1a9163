package autodiff

import (
	"gonum.org/v1/gonum/mat"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// CSR is a sparse matrix, its rows compressed: Data holds the entries in the pattern's order. It is a tree of one
// value: a program may give one, and overwrites its entries in place. It is a gonum mat.Matrix.
type CSR struct {
	Sparsity
	Data Value
	// Colors is the number of tangents or cotangents that it was found with.
	Colors int
}

var _ mat.Matrix = CSR{}

// Dims returns the numbers of rows and columns.
func (c CSR) Dims() (rows, cols int) { return c.Rows, c.Cols }

// At returns an element, 0 where there is no entry.
func (c CSR) At(i, j int) float64 {
	if i < 0 || i >= c.Rows {
		panic(mat.ErrRowAccess)
	}
	if j < 0 || j >= c.Cols {
		panic(mat.ErrColAccess)
	}
	if k := c.Index(i, j); k >= 0 {
		return c.Data.concrete("At").at(k)
	}
	return 0
}

// T is the transpose, which shares the entries.
func (c CSR) T() mat.Matrix { return mat.Transpose{Matrix: c} }

// DoNonZero calls f with each entry, row by row; entries that happen to be zero are among them.
func (c CSR) DoNonZero(f func(i, j int, v float64)) {
	for i := range c.Rows {
		c.DoRowNonZero(i, f)
	}
}

// DoRowNonZero calls f with each entry of row i.
func (c CSR) DoRowNonZero(i int, f func(i, j int, v float64)) {
	if i < 0 || i >= c.Rows {
		panic(mat.ErrRowAccess)
	}
	a := c.Data.concrete("DoRowNonZero")
	for k := c.Indptr[i]; k < c.Indptr[i+1]; k++ {
		f(i, c.Indices[k], a.at(k))
	}
}

// ToDense is the matrix with its zeros. It is nil where there are no rows or no columns.
func (c CSR) ToDense() *mat.Dense {
	if c.Rows == 0 || c.Cols == 0 {
		return nil
	}
	d := mat.NewDense(c.Rows, c.Cols, nil)
	c.DoNonZero(func(i, j int, v float64) { d.Set(i, j, v) })
	return d
}

// MulVecTo stores c·x, or cᵀ·x, in dst: what gonum's iterative solvers ask of a matrix.
func (c CSR) MulVecTo(dst *mat.VecDense, trans bool, x mat.Vector) {
	n, m := c.Cols, c.Rows
	if trans {
		n, m = m, n
	}
	if x.Len() != n {
		panic(mat.ErrShape)
	}
	if dst.IsEmpty() {
		dst.ReuseAsVec(m)
	}
	if dst.Len() != m {
		panic(mat.ErrShape)
	}
	sum := make([]float64, m)
	c.DoNonZero(func(i, j int, v float64) {
		if trans {
			sum[j] += v * x.AtVec(i)
		} else {
			sum[i] += v * x.AtVec(j)
		}
	})
	for i, v := range sum {
		dst.SetVec(i, v)
	}
}

// MulVec is c·x, for x of shape [Cols], recorded or at once; it has derivatives by x and by the entries.
func (c CSR) MulVec(x Value) Value {
	if s := x.Shape(); len(s) != 1 || s[0] != c.Cols {
		ir.Fail("MulVec", "%v × %v: a vector of %d is needed", c.Sparsity, s, c.Cols)
	}
	return c.product(x, c.rowNumbers(), c.Indices, c.Rows)
}

// MulVecT is cᵀ·x, for x of shape [Rows].
func (c CSR) MulVecT(x Value) Value {
	if s := x.Shape(); len(s) != 1 || s[0] != c.Rows {
		ir.Fail("MulVecT", "transpose of %v × %v: a vector of %d is needed", c.Sparsity, s, c.Rows)
	}
	return c.product(x, c.Indices, c.rowNumbers(), c.Cols)
}

// product sums the entries times the elements of x at from into the n elements at to.
func (c CSR) product(x Value, to, from []int, n int) Value {
	return apply("MulVec", func(g *ir.Graph, in []*ir.Node) *ir.Node {
		pos := ir.UserLine()
		ys := g.Take(in[1], numbersNode(g, from), 0, pos)
		return g.Scatter(ir.Static(n), numbersNode(g, to), g.Apply(ops.Mul, in[0], ys), 0, pos)
	}, c.Data, x)
}

// rowNumbers is the row of each entry.
func (s Sparsity) rowNumbers() []int {
	rows := make([]int, 0, len(s.Indices))
	for i := range s.Rows {
		for range s.Row(i) {
			rows = append(rows, i)
		}
	}
	return rows
}

// numbersNode is a captured array of indices.
func numbersNode(g *ir.Graph, xs []int) *ir.Node {
	a := newArray(dtype.I32, []int{len(xs)})
	for i, x := range xs {
		if x != int(int32(x)) {
			return wideNumbers(g, xs)
		}
		Data[int32](Value{a: a})[i] = int32(x)
	}
	return g.Captured(dtype.I32, ir.Static(len(xs)), &ir.Array{Bytes: a.bytes()})
}

func wideNumbers(g *ir.Graph, xs []int) *ir.Node {
	a := newArray(dtype.I64, []int{len(xs)})
	for i, x := range xs {
		Data[int64](Value{a: a})[i] = int64(x)
	}
	return g.Captured(dtype.I64, ir.Static(len(xs)), &ir.Array{Bytes: a.bytes()})
}
