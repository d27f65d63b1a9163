package autodiff

import (
	"gonum.org/v1/gonum/mat"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// FromMatrix makes a float64 array of shape [rows columns] of a matrix. It shares the elements of a
// *mat.Dense without gaps between its rows, and copies others.
func FromMatrix(m mat.Matrix) Value {
	rows, cols := m.Dims()
	if d, ok := m.(*mat.Dense); ok {
		if raw := d.RawMatrix(); raw.Stride == cols {
			return From(raw.Data[:rows*cols], rows, cols)
		}
	}
	data := make([]float64, rows*cols)
	for i := range rows {
		for j := range cols {
			data[i*cols+j] = m.At(i, j)
		}
	}
	return From(data, rows, cols)
}

// Matrix returns a float64 array of two axes, neither of them empty, as a matrix that shares its elements.
func (v Value) Matrix() *mat.Dense {
	a := v.concrete("Matrix")
	if a.t != dtype.F64 || len(a.dims) != 2 || a.n == 0 {
		ir.Fail("Matrix", "%v of %v: two axes of float64, not empty, are needed", a.dims, a.t)
	}
	return mat.NewDense(a.dims[0], a.dims[1], Data[float64](v))
}
