package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var ht = map[string]function{
	"objective": evaluation(htInput, func(h hand) ad.Value { return distances(h.Theta, h.Us, h.Model).Flatten() }, numbers),
	"jacobian":  evaluation(htInput, distancesByPose, rows),
}

// hand is a pose (rotation, translation, four angles of each finger), where on its triangle each measured point is
// thought to be [n, 2] (no value: at a vertex), and the rest.
type hand struct {
	Theta, Us ad.Value
	Model     handModel
}

// handModel is a skeleton with v vertices that follow its bones, and n measured points.
type handModel struct {
	Parents           []int
	Relative, Inverse ad.Value // of each bone: where it is on its parent, and from where it was at first [bones, 4, 4]
	Vertices          ad.Value // where they were at first [v, 4]
	Weights           ad.Value // how much they follow each bone [v, bones]
	Mirrored          bool
	Corners, Measured ad.Value // of each point: its vertex [n] or its triangle's [n, 3], and its place [n, 3]
}

func htInput(in struct {
	Theta []float64
	Us    [][]float64
	Data  struct {
		Model struct {
			Parents   []int
			Relative  [][][]float64 `json:"base_relatives"`
			Inverse   [][][]float64 `json:"inverse_base_absolutes"`
			Positions [][]float64   `json:"base_positions"`
			Weights   [][]float64
			Triangles [][]int32
			Mirrored  bool `json:"is_mirrored"`
		}
		Correspondences []int32
		Points          [][]float64
	}
}, c *checks) hand {
	m := in.Data.Model
	bones, v, n := len(m.Parents), len(m.Positions), len(in.Data.Correspondences)
	c.that(bones >= 21, "parents has %d elements: 21 are needed, for a wrist and five fingers", bones)
	c.size("the number of vertices", v, most)
	c.size("the number of correspondences", n, most)
	for i, p := range m.Parents {
		c.that(p >= -1 && p < i, "parents[%d] is %d: a bone comes after its parent", i, p)
	}
	h := hand{Theta: c.vector("theta", in.Theta, 26), Model: handModel{
		Parents:  m.Parents,
		Relative: c.matrices("base_relatives", m.Relative, bones), Inverse: c.matrices("inverse_base_absolutes", m.Inverse, bones),
		Vertices: c.matrix("base_positions", m.Positions, v, 4), Weights: c.matrix("weights", m.Weights, v, bones),
		Mirrored: m.Mirrored,
		Measured: c.matrix("points", in.Data.Points, n, 3),
	}}
	if len(in.Us) == 0 {
		h.Model.Corners = c.indices("correspondences", in.Data.Correspondences, v)
		return h
	}
	h.Us = c.matrix("us", in.Us, n, 2)
	c.indices("correspondences", in.Data.Correspondences, len(m.Triangles))
	var corners []int32
	for _, i := range in.Data.Correspondences {
		if c.err == nil {
			c.that(len(m.Triangles[i]) == 3, "triangles[%d] has %d corners", i, len(m.Triangles[i]))
			corners = append(corners, m.Triangles[i]...)
		}
	}
	if c.indices("triangles", corners, v); c.err == nil {
		h.Model.Corners = ad.From(corners, n, 3)
	}
	return h
}

// matrices are n of 4 rows and columns.
func (c *checks) matrices(name string, m [][][]float64, n int) ad.Value {
	c.that(len(m) == n, "%s has %d matrices, not %d", name, len(m), n)
	var all [][]float64
	for _, x := range m {
		all = append(all, x...)
	}
	v := c.matrix(name, all, 4*n, 4)
	if c.err != nil {
		return v
	}
	return v.Reshape(n, 4, 4)
}

// distances of the measured points from the posed hand [n, 3].
func distances(theta, us ad.Value, m handModel) ad.Value {
	return m.distancesOf(m.posed(theta), us)
}

func (m handModel) distancesOf(vertices, us ad.Value) ad.Value {
	p := vertices.Take(m.Corners, 0)
	if !us.IsValid() {
		return m.Measured.Sub(p)
	}
	u, v := us.Narrow(1, 0, 1), us.Narrow(1, 1, 1)
	corner := func(i int) ad.Value { return p.Narrow(1, i, 1).Squeeze(1) }
	return m.Measured.Sub(corner(0).Mul(u)).Sub(corner(1).Mul(v)).Sub(corner(2).Mul(u.Add(v).Neg().Shift(1)))
}

// distancesByPose is their derivatives by where each point is on its triangle, of which its own distance alone
// depends, and by theta [3n, 28] or [3n, 26].
func distancesByPose(h hand) ad.Value {
	n := h.Model.Measured.Dim(0)
	j := []ad.Value{ad.Jacobian(func(theta ad.Value) ad.Value { return distances(theta, h.Us, h.Model) })(h.Theta)}
	if h.Us.IsValid() {
		vertices := h.Model.posed(h.Theta)
		byUs := ad.JVP(func(us ad.Value) ad.Value { return h.Model.distancesOf(vertices, us) })
		u := byUs(h.Us, ad.From([]float64{1, 0}).BroadcastTo(n, 2)).Tangent
		v := byUs(h.Us, ad.From([]float64{0, 1}).BroadcastTo(n, 2)).Tangent
		j = []ad.Value{u.ExpandDims(2), v.ExpandDims(2), j[0]}
	}
	return ad.Concat(2, j...).Reshape(3*n, ad.AnyBatch)
}

// posed is where the vertices go [v, 3].
func (m handModel) posed(theta ad.Value) ad.Value {
	bones := len(m.Parents)
	moved := m.absolute(fingers(theta, bones)).MatMul(m.Inverse).Narrow(1, 0, 3) // [bones, 3, 4]
	if m.Mirrored {
		moved = moved.Mul(ad.From([]float64{-1, 1, 1}, 3, 1))
	}
	moved = rotationAbout(theta.Narrow(0, 0, 3)).MatMul(moved)
	following := m.Weights.ExpandDims(2).Mul(m.Vertices.ExpandDims(1)).Reshape(ad.AnyBatch, 4*bones)
	return moved.Transpose(1, 0, 2).Reshape(3, 4*bones).MatMul(following.T()).T().Add(theta.Narrow(0, 3, 3))
}

// fingers is the angles about x, z and y of each bone [bones, 3]: two of each finger's first joint, one of its
// second and third.
func fingers(theta ad.Value, bones int) ad.Value {
	at := make([]int32, 3*bones) // into theta with a zero in front
	for f := range 5 {
		bone, next := 2+4*f, int32(7+4*f)
		copy(at[3*bone:], []int32{next, next + 1, 0, next + 2, 0, 0, next + 3})
	}
	return theta.Pad([]int{1}, []int{0}, 0).Take(ad.From(at, bones, 3), 0)
}

// absolute is where the bones are [bones, 4, 4] that have turned by angles. All of one depth are moved at once.
func (m handModel) absolute(angles ad.Value) ad.Value {
	relative := m.Relative.MatMul(turns(angles))
	depth, place := make([]int, len(m.Parents)), make([]int32, len(m.Parents)) // place: among those of its depth
	var levels [][]int32
	for i, p := range m.Parents {
		if p >= 0 {
			depth[i] = depth[p] + 1
		}
		if depth[i] == len(levels) {
			levels = append(levels, nil)
		}
		place[i] = int32(len(levels[depth[i]]))
		levels[depth[i]] = append(levels[depth[i]], int32(i))
	}
	var done []ad.Value
	for d, level := range levels {
		at := relative.Take(ad.From(level), 0)
		if d > 0 {
			parents := make([]int32, len(level))
			for k, i := range level {
				parents[k] = place[m.Parents[i]]
			}
			at = done[d-1].Take(ad.From(parents), 0).MatMul(at)
		}
		done = append(done, at)
	}
	for i, d := range depth { // from here on among all, in the order of levels
		for _, level := range levels[:d] {
			place[i] += int32(len(level))
		}
	}
	return ad.Concat(0, done...).Take(ad.From(place), 0)
}

// turns are rotations about x, then y, then z, as matrices [bones, 4, 4].
func turns(angles ad.Value) ad.Value {
	sin, cos := angles.Sin().T(), angles.Cos().T()
	sx, sz, sy := sin.Index(0), sin.Index(1), sin.Index(2)
	cx, cz, cy := cos.Index(0), cos.Index(1), cos.Index(2)
	zero, one := sx.FullLike(0), sx.FullLike(1)
	return ad.Stack(1,
		cz.Mul(cy), cz.Mul(sy).Mul(sx).Sub(sz.Mul(cx)), cz.Mul(sy).Mul(cx).Add(sz.Mul(sx)), zero,
		sz.Mul(cy), sz.Mul(sy).Mul(sx).Add(cz.Mul(cx)), sz.Mul(sy).Mul(cx).Sub(cz.Mul(sx)), zero,
		sy.Neg(), cy.Mul(sx), cy.Mul(cx), zero,
		zero, zero, zero, one).Reshape(ad.AnyBatch, 4, 4)
}

// rotationAbout is the rotation about an axis, whose length is the angle, as a matrix; none where that is small.
func rotationAbout(axis ad.Value) ad.Value {
	norm := axis.Norm()
	w := axis.Div(norm)
	x, y, z := w.Index(0), w.Index(1), w.Index(2)
	zero := x.FullLike(0)
	across := ad.Stack(0, zero, z.Neg(), y, z, zero, x.Neg(), y.Neg(), x, zero).Reshape(3, 3)
	eye := ad.From([]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3)
	cos := norm.Cos()
	r := w.Outer(w).Mul(cos.Neg().Shift(1)).Add(across.Mul(norm.Sin())).Add(eye.Mul(cos))
	return ad.Where(norm.Lt(ad.Const(1e-4)), eye, r)
}
