package autodiff

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Mode is the way a derivative goes.
type Mode int

const (
	Auto    Mode = iota // the cheaper of the two
	Forward             // tangents: columns
	Reverse             // cotangents: rows
	Both                // tangents for some rows or columns of a sparse Jacobian, cotangents for the others
)

// SparseOptions says how a sparse derivative is found; the zero value reads the pattern off the graph and colors it
// in the natural order.
type SparseOptions struct {
	// Pattern is what is known of the pattern: every entry that can be other than 0 is in it. Entries that are not
	// are lost, and add to others.
	Pattern *Sparsity
	Order   Order
	// Mode is for Jacobians. Auto takes the mode with fewer colors, forward where they are equal, and both modes where
	// that saves more than one ([Sparsity.ColorBoth]).
	Mode Mode
	// Substitute is for Hessians: some entries are found from others, by an acyclic coloring ([Sparsity.ColorAcyclic]) in
	// place of a star coloring. There are fewer products with the Hessian, and an entry has the rounding errors of those
	// that it was found from: worth it where the function costs much more than its arguments' number says.
	Substitute bool
	// Chunk bounds how many tangents or cotangents are carried along at once, and with them the memory; 0 is all.
	Chunk int
}

// SparseJacobian is the derivative of every float of f's result by every float of its argument as a sparse matrix:
// both are numbered through, value by value in the order of [TreeLeaves]. The pattern is read off the graph, colored,
// and the entries are read from as many derivatives along sums of unit vectors as there are colors, all at once.
// Pattern and coloring are found when the function is recorded: [Compile] it to evaluate it often. All floats are of
// one type, and all sizes are independent of the batch (Vmap maps over one).
//
// The pattern is that of the derivative at all arguments: it has what may be other than zero at one of them. What
// elements of indices depend on, or what a factorization mixes, counts as mixed altogether.
func SparseJacobian[P, R any](f func(P) R, o ...SparseOptions) func(P) CSR {
	return func(x P) CSR {
		return recorded("SparseJacobian", x, func(g *ir.Graph, x P) CSR {
			l := derivative("SparseJacobian", g, f, x)
			opt, s := l.options(o)
			columns, rows := s.coloring(opt)
			at := make([]entry, 0, len(s.Indices))
			inRow := make([]int, columns.Colors)
			for i := range s.Rows {
				clear(inRow)
				for _, j := range s.Row(i) {
					if columns.Of != nil && columns.Of[j] >= 0 {
						inRow[columns.Of[j]]++
					}
				}
				for _, j := range s.Row(i) {
					if columns.Of != nil && columns.Of[j] >= 0 && inRow[columns.Of[j]] == 1 {
						at = append(at, entry{false, columns.Of[j], i})
					} else {
						at = append(at, entry{true, rows.Of[i], j})
					}
				}
			}
			return CSR{s, Value{n: l.entries(opt.Chunk, columns, rows, at)}, columns.Colors + rows.Colors}
		})
	}
}

// coloring is that of the columns, of the rows, or of both. There are at least as many colors as a row (column) has
// entries, unless both are colored.
func (s Sparsity) coloring(o SparseOptions) (columns, rows Coloring) {
	switch o.Mode {
	case Forward:
		return s.ColorColumns(o.Order), Coloring{}
	case Reverse:
		return Coloring{}, s.ColorRows(o.Order)
	case Both:
		return s.ColorBoth(o.Order)
	}
	t := s.transposed()
	columns, rows = s.colorSide(t, o)
	if c, r, ok := s.colorBoth(t, o.Order, columns.Colors+rows.Colors-1); ok {
		return c, r
	}
	return columns, rows
}

// colorSide colors columns or rows, whichever takes fewer colors.
func (s Sparsity) colorSide(t Sparsity, o SparseOptions) (columns, rows Coloring) {
	none := Coloring{}
	if t.longestRow() < s.longestRow() {
		if rows = t.colorColumns(s, o.Order); rows.Colors < s.longestRow() {
			return none, rows
		}
	}
	if columns = s.colorColumns(t, o.Order); columns.Colors <= t.longestRow() {
		return columns, none
	}
	if rows.Of == nil {
		rows = t.colorColumns(s, o.Order)
	}
	if rows.Colors < columns.Colors {
		return none, rows
	}
	return columns, none
}

// SparseHessian is the matrix of second derivatives of a scalar function as a sparse, exactly symmetric matrix; what
// is said of [SparseJacobian] holds here. The entries are read from as many products with the Hessian, forward over
// reverse mode, as a star coloring ([Sparsity.ColorSymmetric]) has colors, or one of the columns where that has fewer.
func SparseHessian[P any](f func(P) Value, o ...SparseOptions) func(P) CSR {
	return func(x P) CSR {
		return recorded("SparseHessian", x, func(g *ir.Graph, x P) CSR {
			l := derivative("SparseHessian", g, Grad(f), x)
			opt, s := l.options(o)
			if opt.Pattern == nil {
				s = s.symmetrized()
			}
			if opt.Substitute {
				c := s.ColorAcyclic(opt.Order)
				return CSR{s, Value{n: l.substituted(opt.Chunk, s, c)}, c.Colors}
			}
			c := s.ColorSymmetric(opt.Order)
			if s.longestRow() < c.Colors { // as few colors as columns need, if not fewer
				if columns := s.ColorColumns(opt.Order); columns.Colors < c.Colors {
					c = columns
				}
			}
			count := map[[2]int]int{} // by row and color
			for i := range s.Rows {
				for _, j := range s.Row(i) {
					count[[2]int{i, c.Of[j]}]++
				}
			}
			at := make([]entry, 0, len(s.Indices))
			for i := range s.Rows {
				for _, j := range s.Row(i) {
					a, b := min(i, j), max(i, j) // one source for both
					if count[[2]int{a, c.Of[b]}] > 1 {
						a, b = b, a
					}
					at = append(at, entry{false, c.Of[b], a})
				}
			}
			return CSR{s, Value{n: l.entries(opt.Chunk, c, Coloring{}, at)}, c.Colors}
		})
	}
}

// HessianDiag is the diagonal of a scalar function's Hessian: a tree like the argument. It takes as many products with
// the Hessian as a coloring needs that tells neighbors apart: one for a sum of functions of one element each, as many
// as there are elements where all depend on each other. What is said of [SparseJacobian] holds here.
func HessianDiag[P any](f func(P) Value, o ...SparseOptions) func(P) P {
	return func(x P) P {
		return recorded("HessianDiag", x, func(g *ir.Graph, x P) P {
			l := derivative("HessianDiag", g, Grad(f), x)
			opt, s := l.options(o)
			if opt.Pattern == nil {
				s = s.symmetrized()
			}
			s.checkSymmetric("HessianDiag")
			c := s.colorDiagonal(opt.Order)
			at := make([]entry, s.Rows)
			for i := range at {
				at[i] = entry{false, c.Of[i], i}
			}
			d := l.entries(opt.Chunk, c, Coloring{}, at)
			res := make([]Value, len(leaves(x)))
			from := ir.D(0)
			for i, w := range l.wrt {
				n, _ := w.Shape.Size()
				res[l.at[i]] = Value{n: g.Reshape(g.Narrow(d, 0, from, n), w.Shape)}
				from = from.Add(n)
			}
			return replaced(x, res)
		})
	}
}

// JacobianSparsity is the pattern of [SparseJacobian], which does not depend on x's elements: specs ([DType.Spec]) do.
func JacobianSparsity[P, R any](f func(P) R, x P) Sparsity {
	return shaped("JacobianSparsity", x, func(g *ir.Graph, x P) Sparsity {
		return derivative("JacobianSparsity", g, f, x).sparsity()
	})
}

// HessianSparsity is the pattern of [SparseHessian], which does not depend on x's elements: specs ([DType.Spec]) do.
func HessianSparsity[P any](f func(P) Value, x P) Sparsity {
	return shaped("HessianSparsity", x, func(g *ir.Graph, x P) Sparsity {
		return derivative("HessianSparsity", g, Grad(f), x).sparsity().symmetrized()
	})
}

// shaped records f on values of x's shapes, and does not run it.
func shaped[A, R any](op string, x A, f func(g *ir.Graph, x A) R) R {
	xs := leaves(x)
	if g := graphOf(xs); g != nil {
		return f(g, x)
	}
	g := ir.New()
	in := make([]Value, len(xs))
	for i, v := range xs {
		if v.IsValid() {
			in[i] = Value{n: g.Param(i, v.a.t, v.a.shape())}
		}
	}
	y, outer := attempt(g, func() R { return f(g, replaced(x, in)) })
	if outer != nil {
		ir.Fail(op, "the function uses values of another recording")
	}
	return y
}

// linear is the derivative of some floats by others, of one type.
type linear struct {
	op        string
	g         *ir.Graph
	wrt, outs []*ir.Node
	at        []int // where wrt stand in the argument
	// dirs are tangents, and pushed what they give, nil where it is zero.
	dirs, pushed []*ir.Node
}

func derivative[P, R any](op string, g *ir.Graph, f func(P) R, x P) *linear {
	v := variables(op, g, x)
	l := &linear{op: op, g: g}
	outs := nodes(op, g, f(v.tree))
	l.wrt, l.at = v.wrt()
	if len(l.wrt) == 0 {
		ir.Fail(op, "the argument holds no float")
	}
	for _, y := range outs {
		if y.Type.IsFloat() {
			l.outs = append(l.outs, y)
		}
	}
	if len(l.outs) == 0 {
		ir.Fail(op, "the function's result holds no float")
	}
	for _, n := range slices.Concat(l.wrt, l.outs) {
		if n.Type != l.wrt[0].Type {
			ir.Fail(op, "floats of %v and %v: one type is needed (use Convert)", l.wrt[0].Type, n.Type)
		}
		if !n.Shape.Static() {
			ir.Fail(op, "%v: a size depends on the batch (Vmap maps over one)", n.Shape)
		}
	}
	for _, w := range l.wrt {
		l.dirs = append(l.dirs, g.Hole(w.Type, w.Shape))
	}
	return l
}

// push finds the tangents of outs.
func (l *linear) push() []*ir.Node {
	if l.pushed == nil {
		l.pushed = l.g.JVP(l.outs, l.wrt, l.dirs)
		for i, t := range l.pushed {
			if t == nil {
				l.pushed[i] = l.g.Const(l.outs[i].Type, l.outs[i].Shape, 0)
			}
		}
	}
	return l.pushed
}

// sparsity reads the pattern off the tangents' graph, which is linear in the directions.
func (l *linear) sparsity() Sparsity {
	s := Sparsity{Rows: total(l.outs), Cols: total(l.wrt)}
	s.Indptr, s.Indices = ir.Pattern(l.push(), l.dirs)
	return s
}

// total is the number of the nodes' elements.
func total(ns []*ir.Node) int {
	n := 0
	for _, x := range ns {
		n += x.Shape.SizeAt(1)
	}
	return n
}

func (l *linear) options(o []SparseOptions) (opt SparseOptions, s Sparsity) {
	if len(o) > 0 {
		opt = o[0]
	}
	if opt.Chunk < 0 || opt.Mode < Auto || opt.Mode > Both {
		ir.Fail(l.op, "%+v: chunks of %d, mode %d", opt, opt.Chunk, opt.Mode)
	}
	if opt.Pattern == nil {
		return opt, l.sparsity()
	}
	s = *opt.Pattern
	s.check(l.op)
	if s.Rows != total(l.outs) || s.Cols != total(l.wrt) {
		ir.Fail(l.op, "the pattern is %d × %d, the derivative %d × %d", s.Rows, s.Cols, total(l.outs), total(l.wrt))
	}
	return opt, s
}

// entry says where an entry is found: in the derivative along (the cotangents') color, at an element.
type entry struct {
	reverse        bool
	color, element int
}

// entries compresses the derivative by the colors of columns, of rows, or of both, and reads the entries.
func (l *linear) entries(chunk int, columns, rows Coloring, at []entry) *ir.Node {
	g := l.g
	if len(at) == 0 {
		return g.Const(l.wrt[0].Type, ir.Static(0), 0)
	}
	var parts []*ir.Node
	base := 0 // of the cotangents
	if columns.Colors > 0 {
		parts = append(parts, l.compressed(chunk, false, columns))
		base = parts[0].Shape.SizeAt(1)
	}
	if rows.Colors > 0 {
		parts = append(parts, l.compressed(chunk, true, rows))
	}
	n, m := total(l.outs), total(l.wrt)
	index := make([]int, len(at))
	for i, e := range at {
		index[i] = e.color*n + e.element
		if e.reverse {
			index[i] = base + e.color*m + e.element
		}
	}
	return g.Take(g.Concat(0, parts...), numbersNode(g, index), 0, ir.UserLine())
}

// compressed is the derivative along the sum of the unit vectors of each color, one behind the other.
func (l *linear) compressed(chunk int, reverse bool, c Coloring) *ir.Node {
	g := l.g
	t := l.wrt[0].Type
	of := l.wrt
	if reverse {
		of = l.outs
	}
	all := l.along(chunk, reverse, c.Colors, func(first *ir.Node, k int) []*ir.Node {
		seeds := make([]*ir.Node, len(of))
		done := 0
		for i, x := range of {
			n := x.Shape.SizeAt(1)
			colors := g.Reshape(numbersNode(g, c.Of[done:done+n]), slices.Concat(ir.Static(1), x.Shape))
			done += n
			number := g.Iota(colors.Type, ir.Static(k), 0)
			if first != nil {
				number = g.Map(ops.Add, number, g.Convert(first, colors.Type))
			}
			ones := make(ir.Shape, x.Rank()+1)
			for a := range ones {
				ones[a] = ir.D(1)
			}
			ones[0] = ir.D(k)
			seeds[i] = g.Convert(g.Map(ops.Eq, colors, g.Reshape(number, ones)), t)
		}
		return seeds
	})
	flat, _ := all.Shape.Size()
	return g.Reshape(all, ir.Shape{flat})
}

// along is the derivative along n directions, [≥ n, elements]: seeds gives k of them from number first on (nil: 0).
// At most chunk are carried along at once.
func (l *linear) along(chunk int, reverse bool, n int, seeds func(first *ir.Node, k int) []*ir.Node) *ir.Node {
	g := l.g
	dirs := l.dirs
	var outs []*ir.Node
	if reverse {
		dirs = nil
		for _, y := range l.outs {
			dirs = append(dirs, g.Hole(y.Type, y.Shape))
		}
		outs = g.VJP(l.outs, dirs, l.wrt)
		for i, ct := range outs {
			if ct == nil {
				outs[i] = g.Const(l.wrt[i].Type, l.wrt[i].Shape, 0)
			}
		}
	} else {
		outs = l.push()
	}
	part := func(first *ir.Node, k int) *ir.Node {
		rows := g.Vmap(outs, dirs, seeds(first, k), ir.D(k))
		for i, y := range rows {
			rows[i] = g.Reshape(y, ir.Static(k, outs[i].Shape.SizeAt(1)))
		}
		return g.Concat(1, rows...)
	}
	return inChunks(g, l.op, n, chunk, part)
}
