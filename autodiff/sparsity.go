package autodiff

import (
	"fmt"
	"slices"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// Sparsity is the pattern of a sparse matrix: which entries may be other than zero. Those of row i are in the
// columns Indices[Indptr[i]:Indptr[i+1]], which ascend.
type Sparsity struct {
	Rows, Cols int
	Indptr     []int // Rows + 1
	Indices    []int
}

// NewSparsity makes a pattern of the columns of each row's entries, in any order.
func NewSparsity(rows [][]int, cols int) Sparsity {
	s := Sparsity{Rows: len(rows), Cols: cols, Indptr: make([]int, 1, len(rows)+1)}
	for _, r := range rows {
		r = slices.Clone(r)
		slices.Sort(r)
		s.Indices = append(s.Indices, slices.Compact(r)...)
		s.Indptr = append(s.Indptr, len(s.Indices))
	}
	s.check("NewSparsity")
	return s
}

// Banded is the n × n pattern of the diagonal with lower diagonals below it and upper ones above.
func Banded(n, lower, upper int) Sparsity {
	if n < 0 || lower < 0 || upper < 0 {
		ir.Fail("Banded", "%d × %d, %d below and %d above the diagonal: a negative size", n, n, lower, upper)
	}
	s := Sparsity{Rows: n, Cols: n, Indptr: make([]int, 1, n+1)}
	for i := range n {
		for j := max(0, i-lower); j <= min(n-1, i+upper); j++ {
			s.Indices = append(s.Indices, j)
		}
		s.Indptr = append(s.Indptr, len(s.Indices))
	}
	return s
}

func (s Sparsity) check(op string) {
	if s.Rows < 0 || s.Cols < 0 || len(s.Indptr) != s.Rows+1 || s.Indptr[0] != 0 || s.Indptr[s.Rows] != len(s.Indices) {
		ir.Fail(op, "a pattern of %d × %d with %d pointers and %d entries", s.Rows, s.Cols, len(s.Indptr), len(s.Indices))
	}
	for i := range s.Rows {
		if s.Indptr[i] > s.Indptr[i+1] || s.Indptr[i+1] > len(s.Indices) {
			ir.Fail(op, "row %d of the pattern is from %d to %d of %d entries", i, s.Indptr[i], s.Indptr[i+1], len(s.Indices))
		}
		last := -1
		for _, j := range s.Row(i) {
			if j <= last || j >= s.Cols {
				ir.Fail(op, "row %d of the pattern has column %d behind %d, of %d", i, j, last, s.Cols)
			}
			last = j
		}
	}
}

// Row is the columns of row i's entries.
func (s Sparsity) Row(i int) []int { return s.Indices[s.Indptr[i]:s.Indptr[i+1]] }

// NNZ is the number of entries.
func (s Sparsity) NNZ() int { return len(s.Indices) }

// Index is the number of the entry in row i and column j, -1 where there is none.
func (s Sparsity) Index(i, j int) int {
	if k, ok := slices.BinarySearch(s.Row(i), j); ok {
		return s.Indptr[i] + k
	}
	return -1
}

// String tells the size and the number of entries.
func (s Sparsity) String() string {
	return fmt.Sprintf("%d × %d, %d entries", s.Rows, s.Cols, len(s.Indices))
}

func (s Sparsity) longestRow() int {
	n := 0
	for i := range s.Rows {
		n = max(n, s.Indptr[i+1]-s.Indptr[i])
	}
	return n
}

func (s Sparsity) transposed() Sparsity {
	t := Sparsity{Rows: s.Cols, Cols: s.Rows, Indptr: make([]int, s.Cols+1), Indices: make([]int, len(s.Indices))}
	for _, j := range s.Indices {
		t.Indptr[j+1]++
	}
	for j := range s.Cols {
		t.Indptr[j+1] += t.Indptr[j]
	}
	next := slices.Clone(t.Indptr)
	for i := range s.Rows {
		for _, j := range s.Row(i) {
			t.Indices[next[j]] = i
			next[j]++
		}
	}
	return t
}

func (s Sparsity) equal(t Sparsity) bool {
	return s.Rows == t.Rows && s.Cols == t.Cols && slices.Equal(s.Indptr, t.Indptr) && slices.Equal(s.Indices, t.Indices)
}

func (s Sparsity) checkSymmetric(op string) {
	if !s.equal(s.transposed()) {
		ir.Fail(op, "the pattern (%v) is not symmetric", s)
	}
}

// symmetrized is the union of the pattern with its transpose.
func (s Sparsity) symmetrized() Sparsity {
	t := s.transposed()
	if s.equal(t) {
		return s
	}
	u := Sparsity{Rows: s.Rows, Cols: s.Cols, Indptr: make([]int, 1, s.Rows+1)}
	for i := range s.Rows {
		row := slices.Concat(s.Row(i), t.Row(i))
		slices.Sort(row)
		u.Indices = append(u.Indices, slices.Compact(row)...)
		u.Indptr = append(u.Indptr, len(u.Indices))
	}
	return u
}
