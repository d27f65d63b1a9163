package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var ba = map[string]function{
	"objective": evaluation(baInput, reproject, residues.json),
	"jacobian":  evaluation(baInput, sparse, matrixCSR.json),
}

// scene is n cameras [n, 11] (rotation, center, focal length, principal point, distortion), m points [m, 3] and p
// observations: which camera sees which point, with which weight, at which place [p, 2] of its picture.
type scene struct{ Cams, Points, Cam, Point, Weights, Features ad.Value }

// baInput repeats the one camera, point and observation that GradBench sends.
func baInput(in struct {
	N, M, P      int
	Cam, X, Feat []float64
	W            *float64
}, c *checks) scene {
	n, m, p := c.size("n", in.N, 1<<26), c.size("m", in.M, 1<<26), c.size("p", in.P, 1<<25)
	c.that(in.W != nil, "w is missing")
	c.vector("cam", in.Cam, 11)
	c.vector("x", in.X, 3)
	c.vector("feat", in.Feat, 2)
	if c.err != nil {
		return scene{}
	}
	return scene{
		Cams: ad.From(repeated(in.Cam, n), n, 11), Points: ad.From(repeated(in.X, m), m, 3),
		Cam: ad.From(counted(p, n)), Point: ad.From(counted(p, m)),
		Weights: ad.From(repeated([]float64{*in.W}, p)), Features: ad.From(repeated(in.Feat, p), p, 2),
	}
}

func repeated(x []float64, n int) []float64 {
	res := make([]float64, 0, n*len(x))
	for range n {
		res = append(res, x...)
	}
	return res
}

// counted is 0, 1, … n-1, 0, 1, …, p in all.
func counted(p, n int) []int32 {
	res := make([]int32, p)
	for i := range res {
		res[i] = int32(i % n)
	}
	return res
}

// sight is what an observation's error depends on; as values of a batch, one element for each observation.
type sight struct {
	Cam    [11]ad.Value
	Point  [3]ad.Value
	Weight ad.Value
}

func (s scene) sights() (o sight, feature [2]ad.Value) {
	cams, points, features := s.Cams.T().Take(s.Cam, 1), s.Points.T().Take(s.Point, 1), s.Features.T()
	for i := range o.Cam {
		o.Cam[i] = cams.Index(i)
	}
	for i := range o.Point {
		o.Point[i] = points.Index(i)
	}
	o.Weight = s.Weights
	return o, [2]ad.Value{features.Index(0), features.Index(1)}
}

// miss is how far the camera's picture of the point is from the feature.
func miss(o sight, feature [2]ad.Value) [2]ad.Value {
	var x [3]ad.Value
	for i := range x {
		x[i] = o.Point[i].Sub(o.Cam[3+i])
	}
	x = rotate([3]ad.Value(o.Cam[:3]), x)
	u, v := x[0].Div(x[2]), x[1].Div(x[2])
	r := u.Square().Add(v.Square())
	scale := r.Mul(o.Cam[9].Add(r.Mul(o.Cam[10]))).Shift(1).Mul(o.Cam[6])
	return [2]ad.Value{
		u.Mul(scale).Add(o.Cam[7]).Sub(feature[0]).Mul(o.Weight),
		v.Mul(scale).Add(o.Cam[8]).Sub(feature[1]).Mul(o.Weight),
	}
}

// rotate turns x about an axis, whose length is the angle, after Rodrigues. No rotation at all is to first order
// the same as a small one.
func rotate(axis, x [3]ad.Value) [3]ad.Value {
	square := dot(axis, axis)
	none := square.Eq(ad.Const(0))
	theta := ad.Where(none, square.FullLike(1), square).Sqrt()
	sin, cos := theta.Sin(), theta.Cos()
	var w, y [3]ad.Value
	for i := range w {
		w[i] = axis[i].Div(theta)
	}
	along := dot(w, x).Mul(cos.Neg().Shift(1))
	turned, small := cross(w, x), cross(axis, x)
	for i := range y {
		y[i] = ad.Where(none, x[i].Add(small[i]), x[i].Mul(cos).Add(turned[i].Mul(sin)).Add(w[i].Mul(along)))
	}
	return y
}

func dot(a, b [3]ad.Value) ad.Value { return a[0].Mul(b[0]).Add(a[1].Mul(b[1])).Add(a[2].Mul(b[2])) }

func cross(a, b [3]ad.Value) (c [3]ad.Value) {
	for i := range c {
		j, k := (i+1)%3, (i+2)%3
		c[i] = a[j].Mul(b[k]).Sub(a[k].Mul(b[j]))
	}
	return c
}

func excess(weight ad.Value) ad.Value { return weight.Square().Neg().Shift(1) }

// residues is the errors of projection [p, 2] and of the weights [p].
type residues struct{ Reprojection, Weight ad.Value }

func reproject(s scene) residues {
	o, feature := s.sights()
	r := miss(o, feature)
	return residues{ad.Stack(1, r[0], r[1]), excess(s.Weights)}
}

func (r residues) json() any {
	p := r.Weight.Dim(0)
	return map[string]any{
		"reproj_error": map[string]any{"elements": ad.Data[float64](r.Reprojection)[:2], "repeated": p},
		"w_err":        map[string]any{"element": r.Weight.At(0), "repeated": p},
	}
}

// matrixCSR is the Jacobian of the residues by cameras, points and weights as rows of a sparse matrix: two of each
// observation's block [p, 2, 15], then one of each weight [p].
type matrixCSR struct{ Rows, BlockCols, BlockVals, WeightCols, WeightVals ad.Value }

func sparse(s scene) matrixCSR {
	n, m, p := s.Cams.Dim(0), s.Points.Dim(0), s.Cam.Dim(0)
	o, feature := s.sights()
	type batch struct {
		O sight
		F [2]ad.Value
	}
	block := ad.Vmap(func(b batch) ad.Value {
		var all []ad.Value
		for i := range 2 {
			all = append(all, ad.TreeLeaves(ad.Grad(func(o sight) ad.Value { return miss(o, b.F)[i] })(b.O))...)
		}
		return ad.Stack(0, all...)
	})(batch{o, feature})

	observation := s.Cam.IotaLike(0)
	weights := observation.Shift(float64(11*n + 3*m))
	cols := ad.Concat(1,
		s.Cam.Scale(11).ExpandDims(1).Add(ad.I32.Iota(0, 11)),
		s.Point.Scale(3).ExpandDims(1).Add(ad.I32.Iota(0, 3)).Shift(float64(11*n)),
		weights.ExpandDims(1))
	return matrixCSR{
		Rows:      ad.Concat(0, ad.I32.Iota(0, 2*p).Scale(15), observation.Shift(float64(30*p)), ad.I32.Full(float64(31*p), 1)),
		BlockCols: cols.ExpandDims(1).BroadcastTo(p, 2, 15), BlockVals: block,
		WeightCols: weights, WeightVals: ad.Vmap(ad.Grad(excess))(s.Weights),
	}
}

// json is the first block and the last number of each list.
func (m matrixCSR) json() any {
	rows, weightCols, weightVals := ad.Data[int32](m.Rows), ad.Data[int32](m.WeightCols), ad.Data[float64](m.WeightVals)
	last := len(weightVals) - 1
	first := ad.Data[int32](m.Rows)[:min(30, len(rows)-1)]
	return map[string]any{
		"rows": append(append([]int32{}, first...), rows[len(rows)-1]),
		"cols": append(append([]int32{}, ad.Data[int32](m.BlockCols)[:30]...), weightCols[last]),
		"vals": append(append([]float64{}, ad.Data[float64](m.BlockVals)[:30]...), weightVals[last]),
	}
}
