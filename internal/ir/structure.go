package ir

import "slices"

// Concat joins xs along axis.
func (g *Graph) Concat(axis int, xs ...*Node) *Node {
	if len(xs) == 0 {
		Fail("Concat", "of nothing")
	}
	s := slices.Clone(xs[0].Shape)
	checkAxis("Concat", s, axis)
	at := D(0)
	ps := make([]Piece, len(xs))
	for i, x := range xs {
		if x.Type != xs[0].Type {
			Fail("Concat", "of types %v and %v", xs[0].Type, x.Type)
		}
		if x.Rank() != len(s) || !x.Shape.Drop(axis, axis+1).Equal(xs[0].Shape.Drop(axis, axis+1)) {
			Fail("Concat", "%v, %v: the shapes differ beside axis %d", xs[0].Shape, x.Shape, axis)
		}
		start := make([]Dim, len(s))
		start[axis] = at
		ps[i] = Piece{X: x, Start: start}
		at = at.Add(x.Shape[axis])
	}
	s[axis] = at
	return g.Place(xs[0].Type, s, 0, false, ps...)
}
