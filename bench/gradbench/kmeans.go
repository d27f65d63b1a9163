package main

import ad "github.com/adjoint-go/adjoint/autodiff"

var kmeans = map[string]function{
	"cost": evaluation(kmeansInput, func(a clusters) ad.Value { return cost(a.Centroids, a.Points) }, number),
	"dir":  evaluation(kmeansInput, direction, rows),
}

// clusters is n points and k centroids in d dimensions.
type clusters struct{ Points, Centroids ad.Value }

func kmeansInput(in struct{ Points, Centroids [][]float64 }, c *checks) clusters {
	n, k := c.size("the number of points", len(in.Points), most), c.size("the number of centroids", len(in.Centroids), most)
	if c.err != nil {
		return clusters{}
	}
	d := c.size("the length of points[0]", len(in.Points[0]), most)
	return clusters{c.matrix("points", in.Points, n, d), c.matrix("centroids", in.Centroids, k, d)}
}

// cost is the sum of the points' squared distances from the nearest centroids. Which those are is found by a
// product of matrices, without the points' own squares; it has no derivative.
func cost(centroids, points ad.Value) ad.Value {
	nearest := centroids.Square().Sum(1).ExpandDims(1).Sub(centroids.MatMul(points.T()).Scale(2)).ArgMin(0)
	return points.Sub(centroids.Take(nearest, 0)).Square().Sum()
}

// direction is Newton's: the gradient over the Hessian, which is diagonal, so that its product with ones is all of
// it.
func direction(a clusters) ad.Value {
	g := ad.JVP(func(c ad.Value) ad.Value { return ad.Grad2(cost)(c, a.Points) })(a.Centroids, a.Centroids.FullLike(1))
	return g.Value.Div(g.Tangent)
}
