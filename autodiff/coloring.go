package autodiff

import (
	"cmp"
	"slices"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// Order is the order in which a greedy coloring goes through the columns.
type Order int

const (
	NaturalOrder Order = iota // as numbered: of a band, the fewest colors
	LargestFirst              // those with the most neighbors first, equal ones as numbered
)

// Coloring gives each column (row) of a pattern one of Colors colors, so that the entries of a matrix can be read
// from its products with (cotangents') sums of the unit vectors of each color.
type Coloring struct {
	Colors int
	Of     []int // the color of each column, or row
}

// ColorColumns colors columns so that no two of one color have an entry in one row: forward mode then needs a
// tangent per color. It is greedy, each column getting the least color that is free (Curtis, Powell and Reid 1974;
// Gebremedhin, Manne and Pothen, "What color is your Jacobian?", SIAM Review 47, 2005).
func (s Sparsity) ColorColumns(o Order) Coloring { return s.colorColumns(s.transposed(), o) }

// ColorRows is ColorColumns of the transpose: reverse mode needs a cotangent per color.
func (s Sparsity) ColorRows(o Order) Coloring {
	t := s.transposed()
	return t.colorColumns(s, o)
}

func (s Sparsity) colorColumns(t Sparsity, o Order) Coloring {
	if s.longestRow() == s.Cols { // all differ
		of := make([]int, s.Cols)
		for j := range of {
			of[j] = j
		}
		return Coloring{s.Cols, of}
	}
	c := Coloring{Of: slices.Repeat([]int{-1}, s.Cols)}
	taken := make([]int, s.Cols+1) // by color: the last column, + 1, that may not have it
	for _, j := range order(o, s.Cols, func(j int) int {
		n := 0
		for _, i := range t.Row(j) {
			n += len(s.Row(i))
		}
		return n
	}) {
		for _, i := range t.Row(j) {
			for _, k := range s.Row(i) {
				if c.Of[k] >= 0 {
					taken[c.Of[k]] = j + 1
				}
			}
		}
		c.give(j, taken)
	}
	return c
}

// give colors j with the least color that is not taken by it.
func (c *Coloring) give(j int, taken []int) {
	k := 0
	for taken[k] == j+1 {
		k++
	}
	c.Of[j] = k
	c.Colors = max(c.Colors, k+1)
}

func order(o Order, n int, degree func(j int) int) []int {
	js := make([]int, n)
	for j := range js {
		js[j] = j
	}
	switch o {
	case NaturalOrder:
	case LargestFirst:
		d := make([]int, n)
		for j := range d {
			d[j] = degree(j)
		}
		slices.SortStableFunc(js, func(a, b int) int { return cmp.Compare(d[b], d[a]) })
	default:
		ir.Fail("Coloring", "no order %d", o)
	}
	return js
}

// ColorSymmetric colors a symmetric pattern so that every entry of a symmetric matrix can be read from one of its
// products with the sums of unit vectors, the entry or its mirror image: neighbors differ, and no path of four has
// but two colors (a star coloring; Coleman and Moré 1984, Gebremedhin, Tarafdar, Manne and Pothen, "New acyclic
// and star coloring algorithms", SIAM J. Sci. Comput. 29, 2007). A matrix with one full row and column and a
// diagonal needs 2.
func (s Sparsity) ColorSymmetric(o Order) Coloring {
	s.checkSymmetric("ColorSymmetric")
	c := Coloring{Of: slices.Repeat([]int{-1}, s.Cols)}
	taken := make([]int, s.Cols+1)
	st := stars{s: s, of: c.Of, neighbors: map[[2]int]neighbor{}, colors: make([][]int, s.Cols), hubs: make([][]int, s.Cols)}
	for _, j := range order(o, s.Cols, func(j int) int { return len(s.Row(j)) }) {
		for _, w := range s.Row(j) {
			if w == j || c.Of[w] < 0 {
				continue
			}
			taken[c.Of[w]] = j + 1
			for _, k := range st.hubs[w] { // j - w - hub - another like w
				taken[k] = j + 1
			}
		}
		// Where two neighbors of j have one color, j becomes a hub: what is beyond them may not look like j.
		for _, w := range s.Row(j) {
			if w != j && c.Of[w] >= 0 && st.neighbors[[2]int{j, c.Of[w]}].count > 1 {
				for _, k := range st.colors[w] {
					taken[k] = j + 1
				}
			}
		}
		c.give(j, taken)
		st.colored(j)
	}
	return c
}

// colorDiagonal colors a symmetric pattern so that neighbors differ: its diagonal can be read then.
func (s Sparsity) colorDiagonal(o Order) Coloring {
	c := Coloring{Of: slices.Repeat([]int{-1}, s.Cols)}
	taken := make([]int, s.Cols+1)
	for _, j := range order(o, s.Cols, func(j int) int { return len(s.Row(j)) }) {
		for _, w := range s.Row(j) {
			if w != j && c.Of[w] >= 0 {
				taken[c.Of[w]] = j + 1
			}
		}
		c.give(j, taken)
	}
	return c
}

// stars is what a star coloring knows about colored vertices.
type stars struct {
	s         Sparsity
	of        []int
	neighbors map[[2]int]neighbor // by vertex, colored or not, and color: its neighbors of that color
	colors    [][]int             // by vertex: the colors of its neighbors
	hubs      [][]int             // by colored vertex: the colors of neighbors that have another one of its color
}

type neighbor struct{ count, first int }

// colored notes that j has got its color.
func (st *stars) colored(j int) {
	hub := func(w, k int) {
		if !slices.Contains(st.hubs[w], k) {
			st.hubs[w] = append(st.hubs[w], k)
		}
	}
	k := st.of[j]
	for _, w := range st.s.Row(j) {
		if w == j {
			continue
		}
		// w has one more neighbor of color k.
		n := st.neighbors[[2]int{w, k}]
		if n.count++; n.count == 1 {
			n.first = j
			st.colors[w] = append(st.colors[w], k)
		}
		st.neighbors[[2]int{w, k}] = n
		if st.of[w] < 0 {
			continue
		}
		if n.count > 1 {
			hub(n.first, st.of[w])
			hub(j, st.of[w])
		}
		if st.neighbors[[2]int{j, st.of[w]}].count > 1 {
			hub(w, k)
		}
	}
}
