package autodiff

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// substituted is the entries of a symmetric pattern, found by substitution from the derivative along the colors of an
// acyclic coloring: the entries between two colors are the edges of trees, so there is always one that is alone, of those
// not yet known, in what its row gives along a color.
func (l *linear) substituted(chunk int, s Sparsity, c Coloring) *ir.Node {
	g := l.g
	// An edge is known by the number of its entry above the diagonal.
	edge := make([]int, len(s.Indices))
	t := s.transposed() // the same pattern: row by row
	next := slices.Clone(t.Indptr)
	for i := range s.Rows {
		for k := s.Indptr[i]; k < s.Indptr[i+1]; k++ {
			j := s.Indices[k]
			edge[k] = k
			if j < i {
				edge[k] = next[j]
			}
			next[j]++
		}
	}
	// What a row gives along a color: how many edges of it are not known, and which, if it is one, by their numbers' xor.
	type star struct{ unknown, edges int }
	stars := map[[2]int]*star{}
	at := func(i, color int) *star {
		x := stars[[2]int{i, color}]
		if x == nil {
			x = &star{}
			stars[[2]int{i, color}] = x
		}
		return x
	}
	var found []entry
	where := make([]int, len(s.Indices)) // of an edge, among those found
	for i := range s.Rows {
		for k := s.Indptr[i]; k < s.Indptr[i+1]; k++ {
			if j := s.Indices[k]; j == i {
				where[k] = len(found)
				found = append(found, entry{false, c.Of[i], i})
			} else {
				x := at(i, c.Of[j])
				x.unknown++
				x.edges ^= edge[k]
			}
		}
	}
	from := slices.Repeat([]int{0}, len(found)+1) // as a Sparsity: what is subtracted from each of those found
	var less []int
	var queue [][2]int
	for i := range s.Rows {
		for _, j := range s.Row(i) {
			if j != i && at(i, c.Of[j]).unknown == 1 {
				queue = append(queue, [2]int{i, c.Of[j]})
			}
		}
	}
	for len(queue) > 0 {
		i, color := queue[0][0], queue[0][1]
		queue = queue[1:]
		x := at(i, color)
		if x.unknown != 1 {
			continue // known from its other end
		}
		e := x.edges
		j := -1 // the other end of e
		for k := s.Indptr[i]; k < s.Indptr[i+1]; k++ {
			if w := s.Indices[k]; w == i || c.Of[w] != color {
			} else if edge[k] != e {
				less = append(less, where[edge[k]])
			} else {
				j = w
			}
		}
		where[e] = len(found)
		found = append(found, entry{false, color, i})
		from = append(from, len(less))
		*x = star{}
		y := at(j, c.Of[i])
		y.unknown--
		if y.edges ^= e; y.unknown == 1 {
			queue = append(queue, [2]int{j, c.Of[i]})
		}
	}
	values := l.entries(chunk, c, Coloring{}, found)
	if len(less) > 0 {
		t := values.Type
		if t.IsHalf() {
			values = g.Convert(values, dtype.F32)
		}
		values = g.Convert(substitute(terms{Value{n: values}, Value{n: wideNumbers(g, from)}, Value{n: wideNumbers(g, less)}}).n, t)
	}
	index := make([]int, len(s.Indices))
	for k := range index {
		index[k] = where[edge[k]]
	}
	return g.Take(values, numbersNode(g, index), 0, ir.UserLine())
}

// terms is a triangular system of equations: what is found is X less what is found at Less[From[i]:From[i+1]], all of
// which comes before.
type terms struct{ X, From, Less Value }

// substitute solves terms; substituteBack is its transpose.
var substitute, substituteBack func(terms) Value

func init() { // they are each other's derivatives
	op := HostOp[terms, Value]{
		Name:  "Substitute",
		Shape: func(x terms) Value { return x.X },
		Run:   func(x terms, y Value) error { return solveTerms(x, y, false) },
		VJP:   func(x terms, _, ct Value) terms { return terms{X: substituteBack(terms{ct, x.From, x.Less})} },
		JVP:   func(x terms, _ Value, t terms) Value { return substitute(terms{t.X, x.From, x.Less}) },
	}
	substitute = Host(op)
	op.Run = func(x terms, y Value) error { return solveTerms(x, y, true) }
	op.VJP = func(x terms, _, ct Value) terms { return terms{X: substitute(terms{ct, x.From, x.Less})} }
	op.JVP = func(x terms, _ Value, t terms) Value { return substituteBack(terms{t.X, x.From, x.Less}) }
	substituteBack = Host(op)
}

func solveTerms(x terms, y Value, transposed bool) error {
	from, less := Data[int64](x.From), Data[int64](x.Less)
	if x.X.DType() == F32 {
		solve(Data[float32](y), Data[float32](x.X), from, less, transposed)
	} else {
		solve(Data[float64](y), Data[float64](x.X), from, less, transposed)
	}
	return nil
}

func solve[T float32 | float64](y, x []T, from, less []int64, transposed bool) {
	copy(y, x)
	if !transposed {
		for i := range y {
			for _, k := range less[from[i]:from[i+1]] {
				y[i] -= y[k]
			}
		}
		return
	}
	for i := len(y) - 1; i >= 0; i-- {
		for _, k := range less[from[i]:from[i+1]] {
			y[k] -= y[i]
		}
	}
}
