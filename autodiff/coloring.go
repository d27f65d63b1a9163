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

// ColorBoth colors columns and rows, so that a tangent per color of the columns and a cotangent per color of the rows
// tell every entry: it is the only one of its color in its row, or in its column. -1 is no color: the long rows are
// told by cotangents and the others by tangents, or the long columns by tangents and the others by cotangents. A matrix
// with one full row and column and a diagonal needs 3 where columns or rows alone need all (Coleman and Verma, "The
// efficient computation of sparse Jacobian matrices using automatic differentiation", SIAM J. Sci. Comput. 19, 1998).
func (s Sparsity) ColorBoth(o Order) (columns, rows Coloring) {
	columns, rows, _ = s.colorBoth(s.transposed(), o, s.Rows+s.Cols)
	return columns, rows
}

// colorBoth is ColorBoth where fewer than most colors may do: ok says so.
func (s Sparsity) colorBoth(t Sparsity, o Order, most int) (columns, rows Coloring, ok bool) {
	long, n := s.longest()
	tall, m := t.longest()
	if min(n, m) >= most {
		return columns, rows, false
	}
	if n <= m {
		columns, rows = s.colorParts(long, o)
	} else {
		rows, columns = t.colorParts(tall, o)
	}
	return columns, rows, columns.Colors+rows.Colors < most
}

// longest is how many of the longest rows to leave to cotangents: so many that their fullest column, and the longest
// of the rows that remain, have the fewest entries together, which is the least number of colors.
func (s Sparsity) longest() (cut []bool, colors int) {
	size := func(i int) int { return s.Indptr[i+1] - s.Indptr[i] }
	by := order(LargestFirst, s.Rows, size)
	colors = s.longestRow()
	best, fullest := 0, 0
	count := make([]int, s.Cols)
	for k, i := range by {
		for _, j := range s.Row(i) {
			count[j]++
			fullest = max(fullest, count[j])
		}
		n := fullest
		if k+1 < len(by) {
			n += size(by[k+1])
		}
		if n < colors {
			best, colors = k+1, n
		}
	}
	cut = make([]bool, s.Rows)
	for _, i := range by[:best] {
		cut[i] = true
	}
	return cut, colors
}

// colorParts colors the rows that are cut, and columns for the others.
func (s Sparsity) colorParts(cut []bool, o Order) (columns, rows Coloring) {
	part := func(of bool) Sparsity {
		p := Sparsity{Rows: s.Rows, Cols: s.Cols, Indptr: make([]int, 1, s.Rows+1)}
		for i := range s.Rows {
			if cut[i] == of {
				p.Indices = append(p.Indices, s.Row(i)...)
			}
			p.Indptr = append(p.Indptr, len(p.Indices))
		}
		return p
	}
	color := func(p, t Sparsity) Coloring { // of p's columns that have entries; t is p transposed
		if len(p.Indices) == 0 {
			return Coloring{0, slices.Repeat([]int{-1}, p.Cols)}
		}
		c := p.colorColumns(t, o)
		for j := range c.Of {
			if len(t.Row(j)) == 0 {
				c.Of[j] = -1
			}
		}
		return c
	}
	rest, long := part(false), part(true)
	return color(rest, rest.transposed()), color(long.transposed(), long)
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

// ColorAcyclic colors a symmetric pattern so that every entry of a symmetric matrix can be found from its products with
// the sums of unit vectors by substitution: neighbors differ, and no cycle has but two colors (Coleman and Cai 1986;
// Gebremedhin, Tarafdar, Manne and Pothen 2007). It takes fewer colors than ColorSymmetric: of a band of three diagonals
// 2 for 3, of eleven 6 for 11, of a grid's five-point stencil 4 for 5.
func (s Sparsity) ColorAcyclic(o Order) Coloring {
	s.checkSymmetric("ColorAcyclic")
	c := Coloring{Of: slices.Repeat([]int{-1}, s.Cols)}
	taken := make([]int, s.Cols+1)
	f := forest{number: map[[2]int]int{}, colors: make([][]int, s.Cols)}
	for _, j := range order(o, s.Cols, func(j int) int { return len(s.Row(j)) }) {
		colored := func(f func(w int)) {
			for _, w := range s.Row(j) {
				if w != j && c.Of[w] >= 0 {
					f(w)
				}
			}
		}
		colored(func(w int) { taken[c.Of[w]] = j + 1 })
		colored(func(w int) { // Two ways from j into one tree would close a cycle, if j had the tree's other color.
			for _, k := range f.colors[w] {
				if taken[k] == j+1 {
					continue
				}
				v := &f.seen[f.root(f.number[[2]int{w, k}])]
				if v[0] != j+1 {
					*v = [2]int{j + 1, w}
				} else if v[1] != w {
					taken[k] = j + 1
				}
			}
		})
		c.give(j, taken)
		colored(func(w int) { f.unite(f.star(w, c.Of[j]), f.star(j, c.Of[w])) })
	}
	return c
}

// forest is the trees of two colors in an acyclic coloring. The neighbors of a color that a vertex has are a star, stars
// with an edge in common are of one tree.
type forest struct {
	number map[[2]int]int // of a star, by vertex and color
	colors [][]int        // by vertex: of its stars
	parent []int          // by star; a root is its own
	seen   [][2]int       // by root: the last vertex, + 1, that looked, and by which neighbor
}

func (f *forest) star(w, k int) int {
	n, ok := f.number[[2]int{w, k}]
	if !ok {
		n = len(f.parent)
		f.number[[2]int{w, k}] = n
		f.colors[w] = append(f.colors[w], k)
		f.parent = append(f.parent, n)
		f.seen = append(f.seen, [2]int{})
	}
	return n
}

func (f *forest) root(n int) int {
	for f.parent[n] != n {
		f.parent[n] = f.parent[f.parent[n]]
		n = f.parent[n]
	}
	return n
}

func (f *forest) unite(a, b int) { f.parent[f.root(a)] = f.root(b) }
