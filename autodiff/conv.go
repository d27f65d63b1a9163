package autodiff

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Arrays that Conv and the pools take have channels last: [… spatial axes… channels], with any number of axes in
// front, and 1, 2 or 3 spatial axes, as many as the filter or window says.

// Padding is what a convolution or a pool puts around its spatial axes. The zero Padding is none, "valid".
type Padding struct {
	// Same pads so that an axis of n elements gives ⌈n/stride⌉, the odd element behind, as TensorFlow and JAX do.
	Same bool
	// Lo and Hi are the elements before and behind each axis; one number serves all, no Hi means Lo. Negative ones
	// take elements away (Conv only).
	Lo, Hi []int
}

// Same is the padding that keeps ⌈n/stride⌉ of n elements.
var Same = Padding{Same: true}

// Pad is n elements around each spatial axis, or n[i] around axis i.
func Pad(n ...int) Padding { return Padding{Lo: n} }

// ConvOptions says how a filter moves. The zero value is steps of 1, no padding, one group. In lists one number
// serves all spatial axes, none means 1.
type ConvOptions struct {
	Stride, Dilation []int
	Padding          Padding
	Groups           int   // of channels, each with its own filters; 0 means 1
	OutputPadding    []int // of ConvTranspose: more elements at the ends, less than the stride
	Direct           bool  // sums of products themselves where they would be made in tiles: see Conv
}

// perAxis is list with a number for each of k axes.
func perAxis(op, what string, list []int, k, none int) []int {
	switch {
	case len(list) == 0:
		list = []int{none}
	case len(list) != 1 && len(list) != k:
		ir.Fail(op, "%d numbers of %s for %d spatial axes", len(list), what, k)
	}
	if len(list) == 1 {
		list = slices.Repeat(list, k)
	}
	return slices.Clone(list)
}

// around is the padding of spatial axes for windows of span elements.
func (p Padding) around(op string, spatial ir.Shape, span, stride []int) (lo, hi []int) {
	k := len(span)
	if !p.Same {
		hi = p.Hi
		if hi == nil {
			hi = p.Lo
		}
		return perAxis(op, "padding", p.Lo, k, 0), perAxis(op, "padding", hi, k, 0)
	}
	if p.Lo != nil || p.Hi != nil {
		ir.Fail(op, "padding is Same and %v, %v", p.Lo, p.Hi)
	}
	lo, hi = make([]int, k), make([]int, k)
	for a, d := range spatial {
		more := span[a] - stride[a]
		if stride[a] > 1 {
			if d.B%stride[a] != 0 {
				ir.Fail(op, "%v: with a stride of %d, Same padding of an axis of %v depends on the batch", spatial, stride[a], d)
			}
			if rest := d.C % stride[a]; rest > 0 {
				more = span[a] - rest
			}
		}
		lo[a] = max(0, more) / 2
		hi[a] = max(0, more) - lo[a]
	}
	return lo, hi
}

// at is o for a filter w over x, whose spatial axes are those of a convolution's input.
func (o ConvOptions) at(op string, spatial ir.Shape, w *ir.Node) ir.Convolution {
	k := len(spatial)
	c := ir.Convolution{Stride: perAxis(op, "stride", o.Stride, k, 1), Dilation: perAxis(op, "dilation", o.Dilation, k, 1), Groups: max(1, o.Groups), Direct: o.Direct}
	span := make([]int, k)
	for a := range k {
		if c.Stride[a] < 1 || c.Dilation[a] < 1 {
			ir.Fail(op, "stride %v, dilation %v: positive numbers are needed", c.Stride, c.Dilation)
		}
		span[a] = (w.Shape[a].C-1)*c.Dilation[a] + 1
	}
	c.Lo, c.Hi = o.Padding.around(op, spatial, span, c.Stride)
	return c
}

// spatialAxes is the last axes of x but one, as many as filter w has.
func spatialAxes(op string, x, w *ir.Node) ir.Shape {
	k := w.Rank() - 2
	if k < 1 || x.Rank() < k+1 {
		ir.Fail(op, "%v, %v: a filter of [spatial… channels filters] and an input of [… spatial… channels] are needed", x.Shape, w.Shape)
	}
	return x.Shape[x.Rank()-1-k : x.Rank()-1]
}

// Conv is the convolution of x, [… spatial… channels], with the filters w, [size… channels/groups filters], as
// networks have it (the filter is not turned around): the result is [… spatial… filters].
//
// It and its derivatives are products of matrices that read windows of x where they lie: no array of them is made.
//
// Filters of 3×3 float32s without strides, dilation and groups, of 32 channels and filters or more and multiples of 16, are multiplied in tiles by
// Winograd's algorithm F(2×2, 3×3), with 2.25 times fewer products (A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks",
// 2016). Errors are those of the sums of products, of a few units in the last place of the sum of magnitudes, but in 4×4 places, not 3×3: a NaN,
// an infinity or a large element reaches one place farther. ConvOptions.Direct asks for the sums of products themselves.
func (x Value) Conv(w Value, o ConvOptions) Value {
	return apply("Conv", func(g *ir.Graph, in []*ir.Node) *ir.Node {
		return g.Conv("Conv", o.at("Conv", spatialAxes("Conv", in[0], in[1]), in[1]), in[0], in[1])
	}, x, w)
}

// ConvTranspose is the transpose of Conv with the same filters and options, its gradient by the input: x of
// [… spatial… filters] gives [… spatial… channels]. Of the sizes that Conv takes to x's, it gives the least
// (n-1)·stride + (size-1)·dilation + 1 less the padding, n·stride where that is Same, and OutputPadding more.
func (x Value) ConvTranspose(w Value, o ConvOptions) Value {
	const op = "ConvTranspose"
	return apply(op, func(g *ir.Graph, in []*ir.Node) *ir.Node {
		x, w := in[0], in[1]
		spatial := spatialAxes(op, x, w)
		k := len(spatial)
		big := make(ir.Shape, k)
		stride := perAxis(op, "stride", o.Stride, k, 1)
		more := perAxis(op, "output padding", o.OutputPadding, k, 0)
		for a, d := range spatial {
			if more[a] < 0 || more[a] > 0 && more[a] >= stride[a] {
				ir.Fail(op, "output padding %v is not below the stride %v", more, stride)
			}
			big[a] = ir.Dim{C: d.C * stride[a], B: d.B * stride[a]}
		}
		c := o.at(op, big, w)
		for a, d := range spatial {
			if !o.Padding.Same {
				big[a] = ir.Dim{C: (d.C-1)*stride[a] + (w.Shape[a].C-1)*c.Dilation[a] + 1 - c.Lo[a] - c.Hi[a], B: d.B * stride[a]}
			}
			big[a] = big[a].Add(ir.D(more[a]))
			if big[a].C+big[a].B < 1 {
				ir.Fail(op, "%v, %v: padding of %v and %v leaves nothing", x.Shape, w.Shape, c.Lo, c.Hi)
			}
		}
		s := slices.Concat(x.Shape[:x.Rank()-1-k], big, ir.Static(w.Shape[k].C*c.Groups))
		return g.ConvInput(op, c, x, w, s)
	}, x, w)
}

// PoolOptions says how the window of a pool moves. The zero value is windows side by side, no padding.
type PoolOptions struct {
	Stride     []int // none means the window's size
	Padding    Padding
	IgnoreEdge bool // AvgPool divides by the number of elements that are no padding
}

func (o PoolOptions) at(op string, x *ir.Node, size []int) (spatial ir.Shape, stride, lo, hi []int) {
	k := len(size)
	if k < 1 || x.Rank() < k+1 {
		ir.Fail(op, "%v: a window of %v needs %d axes at least", x.Shape, size, k+1)
	}
	stride = size
	if o.Stride != nil {
		stride = perAxis(op, "stride", o.Stride, k, 1)
	}
	for a := range k {
		if size[a] < 1 || stride[a] < 1 {
			ir.Fail(op, "window %v, stride %v: positive numbers are needed", size, stride)
		}
	}
	spatial = x.Shape[x.Rank()-1-k : x.Rank()-1]
	lo, hi = o.Padding.around(op, spatial, size, stride)
	return spatial, stride, lo, hi
}

// MaxPool is the largest element of each window of the given size; padding is less than any element. The derivative
// is shared equally by the elements of a window that are tied. A NaN is the largest.
func (x Value) MaxPool(o PoolOptions, size ...int) Value {
	return one("MaxPool", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		_, stride, lo, hi := o.at("MaxPool", n, size)
		return g.PoolMax("MaxPool", n, size, stride, lo, hi)
	})
}

// AvgPool is the mean of each window of the given size; padding counts as zeros, unless IgnoreEdge says otherwise.
func (x Value) AvgPool(o PoolOptions, size ...int) Value {
	return one("AvgPool", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		spatial, stride, lo, hi := o.at("AvgPool", n, size)
		sum := g.PoolSum("AvgPool", n, size, stride, lo, hi)
		if o.IgnoreEdge {
			return g.Map(ops.Div, sum, g.PoolCounts("AvgPool", n.Type, spatial, size, stride, lo, hi))
		}
		count := 1
		for _, s := range size {
			count *= s
		}
		return g.Map(ops.Div, sum, g.Const(n.Type, nil, float64(count)))
	})
}

// GlobalAvgPool is the mean over the k axes before the last, which go.
func (x Value) GlobalAvgPool(k int) Value {
	return one("GlobalAvgPool", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		axes := make([]int, k)
		for i := range axes {
			axes[i] = n.Rank() - 1 - k + i
		}
		if k < 1 || axes[0] < 0 {
			ir.Fail("GlobalAvgPool", "%v: %d axes before the last", n.Shape, k)
		}
		return g.Mean(n, axes...)
	})
}

// AdaptiveAvgPool makes the spatial axes, as many as sizes, of those sizes: element i of an axis is the mean of
// elements ⌊i·n/size⌋ to ⌈(i+1)·n/size⌉-1 of n, as PyTorch's.
func (x Value) AdaptiveAvgPool(sizes ...int) Value {
	const op = "AdaptiveAvgPool"
	return one(op, x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		return overSpatial(op, g, n, sizes, func(x *ir.Node, axis, d, size int) *ir.Node {
			if d%size == 0 {
				s := slices.Insert(slices.Clone(x.Shape), axis+1, ir.D(d/size))
				s[axis] = ir.D(size)
				return g.Mean(g.Reshape(x, s), axis+1)
			}
			w := make([]float64, d*size)
			for i := range size {
				lo, hi := i*d/size, ((i+1)*d+size-1)/size
				for j := lo; j < hi; j++ {
					w[j*size+i] = 1 / float64(hi-lo)
				}
			}
			return g.AlongAxis(x, axis, floats(g, x.Type, w, d, size))
		})
	})
}

// overSpatial does f along each spatial axis whose size, which does not depend on the batch, is not yet that of
// sizes.
func overSpatial(op string, g *ir.Graph, x *ir.Node, sizes []int, f func(x *ir.Node, axis, d, size int) *ir.Node) *ir.Node {
	k := len(sizes)
	if k < 1 || x.Rank() < k+1 || !x.Type.IsFloat() {
		ir.Fail(op, "%v %v to %v: floats, of %d axes at least, are needed", x.Type, x.Shape, sizes, k+1)
	}
	for i, size := range sizes {
		axis := x.Rank() - 1 - k + i
		d := x.Shape[axis]
		if size < 1 || !d.Static() || d.C < 1 {
			ir.Fail(op, "%v to %v: axis %d of %v to %d", x.Shape, sizes, axis, d, size)
		}
		if d.C != size {
			x = f(x, axis, d.C, size)
		}
	}
	return x
}

// floats is an array of constants of type t.
func floats(g *ir.Graph, t dtype.Type, x []float64, dims ...int) *ir.Node {
	return From(x, dims...).Convert(DType{t}).node(g, "constant", t)
}

// ResizeMethod is how Resize makes an element of its neighbours.
type ResizeMethod int

const (
	// Nearest takes element ⌊(i + ½)·n/size⌋, as jax.image.resize and PyTorch's nearest-exact do.
	Nearest ResizeMethod = iota
	// NearestFloor takes element ⌊i·n/size⌋, as PyTorch's nearest does.
	NearestFloor
	// Linear weighs the two elements around (i + ½)·n/size - ½: PyTorch's linear, bilinear and trilinear with
	// align_corners=False, jax.image.resize's linear with antialias=False.
	Linear
	// LinearCorners weighs the two elements around i·(n-1)/(size-1): PyTorch's with align_corners=True.
	LinearCorners
	// Cubic weighs the four elements around (i + ½)·n/size - ½ by Keys' cubic of parameter -¾, the outermost standing for those
	// beyond the ends: PyTorch's bicubic with align_corners=False.
	Cubic
	// CubicKeys weighs them by Keys' own parameter, -½, those that there are, their weights in sum 1: jax.image.resize's cubic
	// with antialias=False. It passes through squares.
	CubicKeys
)

// keys is the cubic convolution kernel of parameter a at distance x ≥ 0 (Keys, "Cubic convolution interpolation for
// digital image processing", 1981).
func keys(a, x float64) float64 {
	switch {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}

// taps is what elements of d an axis of size ones is made of.
func (m ResizeMethod) taps(d, size int) [][]ir.Tap {
	taps := make([][]ir.Tap, size)
	middle := func(i int) float64 { return (float64(i)+0.5)*float64(d)/float64(size) - 0.5 }
	for i := range taps {
		p := 0.0 // the place among x's elements
		switch m {
		case Nearest:
			p = float64((2*i + 1) * d / (2 * size))
		case NearestFloor:
			p = float64(i * d / size)
		case Linear:
			p = min(max(middle(i), 0), float64(d-1))
		case LinearCorners:
			if size > 1 {
				p = float64(i) * float64(d-1) / float64(size-1)
			}
		case Cubic, CubicKeys:
			taps[i] = m.cubic(middle(i), d)
			continue
		default:
			ir.Fail("Resize", "unknown method %d", m)
		}
		lo := int(p)
		rest := p - float64(lo)
		taps[i] = []ir.Tap{{At: lo, Weight: 1 - rest}}
		if rest > 0 && lo+1 < d {
			taps[i] = append(taps[i], ir.Tap{At: lo + 1, Weight: rest})
		}
	}
	return taps
}

// cubic is the elements of d around place p, four at most.
func (m ResizeMethod) cubic(p float64, d int) (taps []ir.Tap) {
	a := -0.75
	if m == CubicKeys {
		a = -0.5
	}
	sum := 0.0
	for k := range 4 {
		j := math.Floor(p) - 1 + float64(k)
		if m == CubicKeys && (j < 0 || j >= float64(d)) {
			continue
		}
		w := keys(a, math.Abs(p-j))
		if w == 0 {
			continue
		}
		taps = append(taps, ir.Tap{At: int(min(max(j, 0), float64(d-1))), Weight: w})
		sum += w
	}
	for k := range taps {
		taps[k].Weight /= sum
	}
	return taps
}

// Resize interpolates the spatial axes, the last but one, to the given sizes.
func (x Value) Resize(m ResizeMethod, sizes ...int) Value {
	return one("Resize", x, func(g *ir.Graph, n *ir.Node) *ir.Node {
		if x := bilinear(g, m, n, sizes); x != nil {
			return x
		}
		return overSpatial("Resize", g, n, sizes, func(x *ir.Node, axis, d, size int) *ir.Node {
			return g.Weigh("Resize", x, axis, m.taps(d, size))
		})
	})
}

// bilinear weighs four elements at once, where they are worth more than an array of what two weigh, nil elsewhere: two axes of many
// channels.
func bilinear(g *ir.Graph, m ResizeMethod, x *ir.Node, sizes []int) *ir.Node {
	const many = 16
	r := x.Rank()
	if m != Linear && m != LinearCorners || len(sizes) != 2 || r < 3 || !x.Type.IsFloat() || min(sizes[0], sizes[1]) < 1 {
		return nil
	}
	h, w, c := x.Shape[r-3], x.Shape[r-2], x.Shape[r-1]
	if !h.Static() || !w.Static() || !c.Static() || h.C < 1 || w.C < 1 || c.C < many || h.C == sizes[0] || w.C == sizes[1] {
		return nil
	}
	front := x.Shape[:r-3]
	y := g.Reshape(x, slices.Concat(front, ir.Static(h.C*w.C, c.C)))
	y = g.Weigh("Resize", y, r-3, ir.CrossTaps(m.taps(h.C, sizes[0]), m.taps(w.C, sizes[1]), w.C))
	return g.Reshape(y, slices.Concat(front, ir.Static(sizes[0], sizes[1], c.C)))
}
