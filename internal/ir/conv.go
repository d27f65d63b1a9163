package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Convolution is how a filter moves over the last axes but one of an array, its spatial axes: one number for each.
//
// Conv, its gradient by the input and that by the filter are three bilinear maps, and the derivatives of each are
// the other two. Each is a product of matrices on a view of windows, which packs what it multiplies from where
// that lies.
type Convolution struct {
	Stride, Dilation []int
	Lo, Hi           []int // zeros around the input; negative: less of it
	Groups           int
	Direct           bool // no product is made from tiles of windows
}

// conv is a Convolution at work.
type conv struct {
	*Graph
	Convolution
	op string
}

// Conv is y[…, o, q] = Σ_{t, p} x[…, o·stride + t·dilation - lo, p]·w[t, p, q], for x of [… spatial… channels] and w
// of [spatial… channels/groups filters].
func (g *Graph) Conv(op string, c Convolution, x, w *Node) *Node {
	v := conv{g, c, op}
	v.check(x, w)
	if in, k := x.Shape[x.Rank()-1], len(c.Stride); in != (Dim{w.Shape[k].C * c.Groups, w.Shape[k].B * c.Groups}) {
		Fail(op, "%v, %v: %d groups of %v channels are not %v", x.Shape, w.Shape, c.Groups, w.Shape[k], in)
	}
	return v.forward(x, w)
}

// ConvInput is the gradient of Conv by its input of shape s: y is what Conv gives, w the filter.
func (g *Graph) ConvInput(op string, c Convolution, y, w *Node, s Shape) *Node {
	v := conv{g, c, op}
	v.check(y, w)
	if last := y.Shape[y.Rank()-1]; last != w.Shape[w.Rank()-1] {
		Fail(op, "%v, %v: %v filters are not %v channels", y.Shape, w.Shape, w.Shape[w.Rank()-1], last)
	}
	return v.input(y, w, s)
}

func (v conv) check(x, w *Node) {
	k := len(v.Stride)
	switch {
	case x.Type != w.Type || !x.Type.IsFloat():
		Fail(v.op, "%v, %v: types %v and %v, not both float32 or both float64", x.Shape, w.Shape, x.Type, w.Type)
	case w.Rank() != k+2 || x.Rank() < k+1:
		Fail(v.op, "%v, %v: a filter of %d axes and an input of %d at least are needed", x.Shape, w.Shape, k+2, k+1)
	case !w.Shape.Static():
		Fail(v.op, "%v: the filter's sizes depend on the batch", w.Shape)
	case slices.ContainsFunc(w.Shape, func(d Dim) bool { return d.C < 1 }):
		Fail(v.op, "%v: an empty filter", w.Shape)
	case v.Groups < 1 || w.Shape[k+1].C%v.Groups != 0:
		Fail(v.op, "%v: %v filters are no %d groups", w.Shape, w.Shape[k+1], v.Groups)
	}
}

// bilinear is f(a, b) with the derivatives that da and db, of the other factor and a cotangent, say; over is f of a batch of a with one b for
// all, if it is not to be made like others.
func (v conv) bilinear(a, b *Node, f, da, db, over func(x, y *Node) *Node) *Node {
	r := &Rule{Name: v.op,
		Batch: func(x, batch []*Node) []*Node {
			if over == nil || batch[1] != nil {
				return nil
			}
			return []*Node{over(batch[0], x[1])}
		},
		VJP: func(_ *Graph, x, _, cts []*Node) []*Node {
			return []*Node{da(x[1], cts[0]), db(x[0], cts[0])}
		},
		JVP: func(g *Graph, x, _, ts []*Node) []*Node {
			var t *Node
			if ts[0] != nil {
				t = f(ts[0], x[1])
			}
			if ts[1] != nil {
				if u := f(x[0], ts[1]); t == nil {
					t = u
				} else {
					t = g.Apply(ops.Add, t, u)
				}
			}
			return []*Node{t}
		}}
	return v.Custom(r, []*Node{a, b}, func(x []*Node) []*Node { return []*Node{f(x[0], x[1])} })[0]
}

func (v conv) forward(x, w *Node) *Node {
	return v.bilinear(x, w, v.forwardBody,
		func(w, ct *Node) *Node { return v.input(ct, w, x.Shape) },
		func(x, ct *Node) *Node { return v.filter(x, ct, w.Shape) },
		v.forward)
}

func (v conv) input(y, w *Node, s Shape) *Node {
	return v.bilinear(y, w, func(y, w *Node) *Node { return v.inputBody(y, w, s) },
		func(w, ct *Node) *Node { return v.forward(ct, w) },
		func(y, ct *Node) *Node { return v.filter(ct, y, w.Shape) },
		func(y, w *Node) *Node { return v.input(y, w, slices.Concat(y.Shape[:1], s)) })
}

func (v conv) filter(x, y *Node, s Shape) *Node {
	return v.bilinear(x, y, func(x, y *Node) *Node { return v.filterBody(x, y, s) },
		func(y, ct *Node) *Node { return v.input(y, ct, x.Shape) },
		func(x, ct *Node) *Node { return v.forward(x, ct) }, nil)
}

// padded is x with zeros around, or less of it.
func (v conv) padded(x *Node) *Node {
	at := x.Rank() - 1 - len(v.Stride)
	return v.padOrCut(v.op, x, at, v.Lo, v.Hi, 0)
}

// padOrCut puts lo[a] elements before and hi[a] after axis at+a, or takes as many away where negative.
func (g *Graph) padOrCut(op string, x *Node, at int, lo, hi []int, fill float64) *Node {
	start, step, size := wholeSpan(x.Shape)
	to, _, s := wholeSpan(x.Shape)
	for a := range lo {
		d := x.Shape[at+a]
		first, end := max(0, -lo[a]), d.Add(D(min(0, hi[a])))
		if d.Static() { // what is cut may be all there is
			first = min(first, d.C)
			end.C = max(end.C, first)
		}
		start[at+a], size[at+a] = D(first), end.Sub(D(first))
		to[at+a] = D(first + lo[a])
		s[at+a] = d.Add(D(lo[a] + hi[a]))
		if n := s[at+a]; n.C+n.B < 0 {
			Fail(op, "%v: padding of %v and %v leaves less than nothing", x.Shape, lo, hi)
		}
		if size[at+a].Is(0) {
			to[at+a] = D(0)
		}
	}
	return g.Place(x.Type, s, FloatBits(x.Type, fill), false, Piece{X: g.Slice(x, start, step, size), Start: to})
}

// taps reports whether the sum over the window is that of pointwise products: nothing is summed over channels, so
// that a product of matrices would have an inner size of the window alone.
func (v conv) taps(w Shape) bool {
	k := len(v.Stride)
	return w[k].Is(1) && (v.Groups > 1 || w[k+1].Is(1)) && w[:k].SizeAt(0) <= 64
}

// windows of padded x: [lead… out… size… channels], of several groups [… groups, channels of one].
func (v conv) windows(x *Node, w Shape, groups int) *Node {
	k, at := len(v.Stride), x.Rank()-1-len(v.Stride)
	x = v.padded(x)
	if groups > 1 {
		x = v.Reshape(x, append(slices.Clone(x.Shape[:at+k]), D(groups), w[k]))
	}
	return v.Windows(v.op, x, at, w[:k].At(0), v.Stride, v.Dilation)
}

// matrix is the windows as [rows, taps·channels], or [groups, rows, taps·channels of one].
func (v conv) matrix(x *Node, w Shape) (m *Node, lead Shape) {
	k := len(v.Stride)
	y := v.windows(x, w, v.Groups)
	r := y.Rank()
	lead = y.Shape[:x.Rank()-1]
	rows, cols := flatSize(v.op, lead), w[:k+1].SizeAt(0)
	if v.Groups == 1 {
		return v.Reshape(y, Shape{rows, D(cols)}), lead
	}
	y = v.MoveAxis(y, r-2, 0)
	return v.Reshape(y, Shape{D(v.Groups), rows, D(cols)}), lead
}

// tiles is the height and width of pictures [lead… height width] whose windows are multiplied in tiles, nil where they are not. Less than so many
// channels take longer to be mapped than to be multiplied. Elements of float64 are asked for their accuracy.
func (v conv) tiles(t dtype.Type, w, lead Shape) []int {
	const least, multiple, size = 32, 16, 4
	k := len(v.Stride)
	if v.Direct || t != dtype.F32 || k != 2 || v.Groups > 1 || !w[:2].Equal(Static(3, 3)) || v.Stride[0] > 1 || v.Stride[1] > 1 || v.Dilation[0] > 1 || v.Dilation[1] > 1 {
		return nil
	}
	for _, d := range w[2:] {
		if d.C < least || d.C%multiple != 0 {
			return nil
		}
	}
	s := lead[len(lead)-2:]
	if !s.Static() || s[0].C < size || s[1].C < size {
		return nil
	}
	return []int{s[0].C, s[1].C}
}

func (v conv) forwardBody(x, w *Node) *Node {
	k, G := len(v.Stride), v.Groups
	if v.taps(w.Shape) {
		return v.forwardTaps(x, w)
	}
	m, lead := v.matrix(x, w.Shape)
	cols, filters := w.Shape[:k+1].SizeAt(0), w.Shape[k+1]
	s := append(slices.Clone(lead), filters)
	if G == 1 {
		return v.Reshape(v.productBy(m, v.Reshape(w, Shape{D(cols), filters}), v.tiles(x.Type, w.Shape, lead), false), s)
	}
	wide := v.Reshape(w, Shape{D(cols), D(G), D(filters.C / G)})
	y := v.MatMul(m, v.MoveAxis(wide, 1, 0))
	return v.Reshape(v.MoveAxis(y, 0, 1), s)
}

// eachTap gives the elements of padded x that meet tap t of the filter, as [lead… out… channels].
func (v conv) eachTap(x *Node, w Shape, f func(t int, x *Node)) {
	k := len(v.Stride)
	y := v.windows(x, w, 1)
	r := y.Rank()
	lead, size := y.Shape[:r-1-k], w[:k].SizeAt(0)
	s := append(slices.Clone(lead), y.Shape[r-1])
	at := make([]int, k)
	for t := range size {
		start, step, span := wholeSpan(y.Shape)
		for a := range k {
			start[len(lead)+a], span[len(lead)+a] = D(at[a]), D(1)
		}
		f(t, v.Reshape(v.Slice(y, start, step, span), s))
		for a := k - 1; a >= 0; a-- {
			if at[a]++; at[a] < w[a].C {
				break
			}
			at[a] = 0
		}
	}
}

func (v conv) forwardTaps(x, w *Node) *Node {
	k := len(v.Stride)
	G, each := v.Groups, w.Shape[k+1].C/v.Groups
	flat := v.Reshape(w, Static(w.Shape[:k].SizeAt(0), G, each))
	var sum *Node
	v.eachTap(x, w.Shape, func(t int, x *Node) {
		one := v.Reshape(v.Narrow(flat, 0, D(t), D(1)), Static(G, each))
		x = v.Reshape(x, append(slices.Clone(x.Shape), D(1)))
		if sum == nil {
			sum = v.Map(ops.Mul, x, one)
		} else {
			sum = v.Map(ops.Fma, x, one, sum)
		}
	})
	r := sum.Rank()
	return v.Reshape(sum, append(slices.Clone(sum.Shape[:r-2]), w.Shape[k+1]))
}

func (v conv) filterBody(x, y *Node, w Shape) *Node {
	k, G := len(v.Stride), v.Groups
	if v.taps(w) {
		r, each := y.Rank(), w[k+1].C/G
		ct := v.Reshape(y, append(slices.Clone(y.Shape[:r-1]), Static(G, each)...))
		var taps []*Node
		v.eachTap(x, w, func(_ int, x *Node) {
			x = v.Reshape(x, append(slices.Clone(x.Shape), D(1)))
			taps = append(taps, v.Reduce(Sum, v.Map(ops.Mul, x, ct), axisRange(0, r-1)...))
		})
		return v.Reshape(v.Stack(0, taps...), w)
	}
	m, lead := v.matrix(x, w)
	rows, cols := flatSize(v.op, lead), w[:k+1].SizeAt(0)
	if G == 1 {
		step := v.tiles(x.Type, w, lead)
		return v.Reshape(v.productBy(v.swapLast(m), v.Reshape(y, Shape{rows, w[k+1]}), step, step != nil), w)
	}
	ct := v.MoveAxis(v.Reshape(y, Shape{rows, D(G), D(w[k+1].C / G)}), 1, 0)
	z := v.MatMul(v.swapLast(m), ct) // [groups, cols, filters of one]
	return v.Reshape(v.MoveAxis(z, 0, 1), slices.Concat(w[:k], Static(cols/w[:k].SizeAt(0)), w[k+1:]))
}

// inputBody is a convolution of y by the filter turned around, for each residue of the place modulo the stride:
// the taps that meet that residue are evenly spaced.
func (v conv) inputBody(y, w *Node, s Shape) *Node {
	k := len(v.Stride)
	at := len(s) - 1 - k
	phases := 1
	whole := true
	for a, st := range v.Stride {
		phases *= st
		whole = whole && (st == 1 || s[at+a].Static())
	}
	// A product of few columns fills few lanes: then windows are made by one of all taps and laid over one another.
	few := w.Shape[k].C <= 4 && w.Shape[k+1].C/v.Groups >= 16
	if phases > 8 || !whole || few {
		return v.inputFold(y, w, s)
	}
	residue := make([]int, k)
	var parts []phase
	for range phases {
		if p, ok := v.phase(y, w, s, residue); ok {
			parts = append(parts, p)
		}
		for a := k - 1; a >= 0; a-- {
			if residue[a]++; residue[a] < v.Stride[a] {
				break
			}
			residue[a] = 0
		}
	}
	var pieces []Piece
	if len(parts) > 1 { // the zeros that some need are put around y once
		lo, hi := make([]int, k), make([]int, k)
		for a := range k {
			for _, p := range parts {
				lo[a], hi[a] = max(lo[a], p.Lo[a]), max(hi[a], p.Hi[a])
			}
		}
		y = v.padOrCut(v.op, y, at, lo, hi, 0)
		for _, p := range parts {
			for a := range k {
				p.Lo[a], p.Hi[a] = p.Lo[a]-lo[a], p.Hi[a]-hi[a]
			}
		}
	}
	for _, p := range parts {
		p.X = conv{v.Graph, p.Convolution, v.op}.forwardBody(y, v.turnedChannels(p.filter))
		pieces = append(pieces, p.Piece)
	}
	return v.Place(y.Type, s, 0, false, pieces...)
}

// phase is a convolution whose results are elements of the input evenly spaced, a piece of it.
type phase struct {
	Piece
	Convolution
	filter *Node
}

// phase is that of the elements whose place, padding included, is residue modulo the stride; ok is false where they are none or zero.
func (v conv) phase(y, w *Node, s Shape, residue []int) (p phase, ok bool) {
	k := len(v.Stride)
	at := len(s) - 1 - k
	start, step, size := wholeSpan(w.Shape)
	p.Start, p.Step, _ = wholeSpan(s)
	p.Convolution = Convolution{Stride: make([]int, k), Dilation: make([]int, k), Lo: make([]int, k), Hi: make([]int, k), Groups: v.Groups, Direct: v.Direct}
	var turned []int
	for a, r := range residue {
		st, d := v.Stride[a], v.Dilation[a]
		common := gcd(d, st)
		taps, t0 := w.Shape[a].C, 0
		for t0 < taps && t0*d%st != r {
			t0++
		}
		if t0 == taps {
			return p, false
		}
		every := st / common
		n := (taps - t0 + every - 1) / every
		j0 := ((r-v.Lo[a])%st + st) % st
		count := s[at+a]
		if st > 1 {
			count = D((s[at+a].C - j0 + st - 1) / st)
		}
		if count.Static() && count.C <= 0 {
			return p, false
		}
		first := (j0 + v.Lo[a] - t0*d) / st // exact
		by := d / common
		p.Stride[a], p.Dilation[a] = 1, by
		p.Lo[a] = (n-1)*by - first
		rest := count.Add(D((n-1)*by - p.Lo[a])).Sub(y.Shape[at+a])
		if !rest.Static() {
			Fail(v.op, "%v, %v: the sizes do not belong together", s, y.Shape)
		}
		p.Hi[a] = rest.C
		start[a], step[a], size[a] = D(t0), every, D(n)
		p.Start[at+a], p.Step[at+a] = D(j0), st
		turned = append(turned, a)
	}
	p.filter = v.Reverse(v.Slice(w, start, step, size), turned...)
	return p, true
}

// turnedChannels is the filter from a group's filters to its channels: [spatial…, filters/groups, channels].
func (v conv) turnedChannels(w *Node) *Node {
	k, G := len(v.Stride), v.Groups
	in, out := w.Shape[k].C, w.Shape[k+1].C/G
	x := v.Reshape(w, append(slices.Clone(w.Shape[:k]), Static(in, G, out)...))
	x = v.Transpose(x, append(axisRange(0, k), k+2, k+1, k))
	return v.Reshape(x, append(slices.Clone(w.Shape[:k]), Static(out, G*in)...))
}

// inputFold makes what each element of y gives each window, and lays the windows over one another.
func (v conv) inputFold(y, w *Node, s Shape) *Node {
	k, G := len(v.Stride), v.Groups
	r := y.Rank()
	lead := y.Shape[:r-1]
	rows := flatSize(v.op, lead)
	in, out, taps := w.Shape[k].C, w.Shape[k+1].C/G, w.Shape[:k].SizeAt(0)
	// [groups, rows, out] × [groups, out, taps·in]
	left := v.MoveAxis(v.Reshape(y, Shape{rows, D(G), D(out)}), 1, 0)
	right := v.Transpose(v.Reshape(w, Static(taps, in, G, out)), []int{2, 3, 0, 1})
	z := v.MatMul(left, v.Reshape(right, Static(G, out, taps*in)))
	z = v.Transpose(v.Reshape(z, Shape{D(G), rows, D(taps), D(in)}), []int{1, 2, 0, 3})
	z = v.Reshape(z, slices.Concat(lead, w.Shape[:k], Static(G*in)))
	full := slices.Clone(s)
	at := len(s) - 1 - k
	less, more := make([]int, k), make([]int, k)
	for a := range k {
		full[at+a] = s[at+a].Add(D(v.Lo[a] + v.Hi[a]))
		less[a], more[a] = -v.Lo[a], -v.Hi[a]
	}
	return v.padOrCut(v.op, v.Fold(v.op, z, full, at, v.Stride, v.Dilation), at, less, more, 0)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// smallWindow bounds the places of a window whose elements are combined place by place, in one pass over slices of the operand.
const smallWindow = 16

// PoolMax is the largest element of each window of the spatial axes; what padding adds is less than any. Where windows are
// small, derivatives go by places in the window, too: no array of windows is made.
func (g *Graph) PoolMax(op string, x *Node, size, stride, lo, hi []int) *Node {
	x = g.poolPadded(op, x, size, lo, hi, -infinity)
	if Static(size...).SizeAt(0) > smallWindow {
		w, axes := g.poolWindows(op, x, size, stride)
		return g.Reduce(Max, w, axes...)
	}
	overlap := false
	for a := range size {
		overlap = overlap || size[a] > stride[a]
	}
	r := &Rule{Name: op,
		VJP: func(g *Graph, x, y, cts []*Node) []*Node {
			each, share := g.poolTies(op, x[0], y[0], size, stride)
			share = g.Apply(ops.Div, cts[0], share)
			if overlap && sharesByPhase(x[0], size, stride) {
				return []*Node{g.poolShares(op, x[0], y[0], share, size, stride)}
			}
			pieces := make([]Piece, len(each))
			for t, e := range each {
				e.X = g.Apply(ops.Where, e.X, share, g.Const(share.Type, share.Shape, 0))
				pieces[t] = e
			}
			return []*Node{g.Place(x[0].Type, x[0].Shape, 0, overlap, pieces...)}
		},
		JVP: func(g *Graph, x, y, ts []*Node) []*Node {
			_, count := g.poolTies(op, x[0], y[0], size, stride)
			return []*Node{g.Apply(ops.Div, g.poolTied(op, x[0], y[0], ts[0], size, stride), count)}
		}}
	return g.Custom(r, []*Node{x}, func(x []*Node) []*Node {
		var y *Node
		for _, e := range g.poolPlaces(op, x[0], size, stride) {
			if y == nil {
				y = e.X
			} else {
				y = g.Apply(ops.Max, y, e.X)
			}
		}
		return []*Node{y}
	})[0]
}

// poolTied is the sum, for each window, of the elements of t where those of x are the largest, y.
func (g *Graph) poolTied(op string, x, y, t *Node, size, stride []int) *Node {
	each, _ := g.poolTies(op, x, y, size, stride)
	var sum *Node
	for i, e := range g.poolPlaces(op, t, size, stride) {
		one := g.Apply(ops.Where, each[i].X, e.X, g.Const(e.X.Type, e.X.Shape, 0))
		if sum == nil {
			sum = one
		} else {
			sum = g.Apply(ops.Add, sum, one)
		}
	}
	return sum
}

// poolShares is the transpose of poolTied, by the windows that each element is in: those of elements a stride apart lie as these do.
func (g *Graph) poolShares(op string, x, y, share *Node, size, stride []int) *Node {
	r := &Rule{Name: op,
		VJP: func(g *Graph, in, _, cts []*Node) []*Node {
			return []*Node{g.poolTied(op, in[1], in[2], cts[0], size, stride), nil, nil}
		},
		JVP: func(g *Graph, in, y, ts []*Node) []*Node {
			if ts[0] == nil {
				return []*Node{g.Const(y[0].Type, y[0].Shape, 0)}
			}
			return []*Node{g.poolShares(op, in[1], in[2], ts[0], size, stride)}
		}}
	return g.Custom(r, []*Node{share, x, y}, func(in []*Node) []*Node {
		x, at := in[1], in[1].Rank()-1-len(size)
		// What lies before the first window and behind the last has no share.
		before, after := make([]int, len(size)), make([]int, len(size))
		for a := range size {
			before[a], after[a] = (size[a]-1)/stride[a], (x.Shape[at+a].C-1)/stride[a]+1-in[2].Shape[at+a].C
		}
		share, y := g.padOrCut(op, in[0], at, before, after, 0), g.padOrCut(op, in[2], at, before, after, 0)
		var pieces []Piece
		phase := make([]int, len(size))
		for range Static(stride...).SizeAt(0) {
			start, step, s := wholeSpan(x.Shape)
			windows := make([]int, len(size))
			for a, r := range phase {
				start[at+a], step[at+a], s[at+a] = D(r), stride[a], D((x.Shape[at+a].C-r+stride[a]-1)/stride[a])
				windows[a] = max(0, (size[a]-r+stride[a]-1)/stride[a])
			}
			if s.SizeAt(1) > 0 {
				if sum := g.sharesOf(g.Slice(x, start, step, s), y, share, at, before, windows); sum != nil {
					pieces = append(pieces, Piece{X: sum, Start: start, Step: step})
				}
			}
			advance(phase, stride)
		}
		return []*Node{g.Place(x.Type, x.Shape, 0, false, pieces...)}
	})[0]
}

// sharesOf is the sum of the shares of the windows that each element of x is in, the last of which is numbered as the element is, behind
// before others: nil where there are none.
func (g *Graph) sharesOf(x, y, share *Node, at int, before, windows []int) (sum *Node) {
	place := make([]int, len(windows))
	for range Static(windows...).SizeAt(0) {
		start, step, _ := wholeSpan(y.Shape)
		for a, w := range windows {
			start[at+a] = D(before[a] - (w - 1 - place[a]))
		}
		one := g.Slice(share, start, step, x.Shape)
		one = g.Apply(ops.Where, g.Apply(ops.Eq, x, g.Slice(y, start, step, x.Shape)), one, g.Const(one.Type, one.Shape, 0))
		if sum == nil {
			sum = one
		} else {
			sum = g.Apply(ops.Add, sum, one)
		}
		advance(place, windows)
	}
	return sum
}

// advance is the next place of those below size, the last axis first.
func advance(place, size []int) {
	for a := len(size) - 1; a >= 0; a-- {
		if place[a]++; place[a] < size[a] {
			return
		}
		place[a] = 0
	}
}

// mostWindows bounds those that an element is in, and the phases of a stride; rows of fewer than leastChannels lie too far apart.
const mostWindows, leastChannels = 16, 16

// sharesByPhase reports whether poolShares is for windows like these: the batch does not say how many there are.
func sharesByPhase(x *Node, size, stride []int) bool {
	at, phases, windows := x.Rank()-1-len(size), 1, 1
	for a := range size {
		phases, windows = phases*stride[a], windows*((size[a]-1)/stride[a]+1)
	}
	return x.Shape[at:].Static() && x.Shape[x.Rank()-1].C >= leastChannels && max(phases, windows) <= mostWindows
}

// poolPlaces are, for each place in a window, the elements of x there, and where they lie in x.
func (g *Graph) poolPlaces(op string, x *Node, size, stride []int) (each []Piece) {
	w, _ := g.poolWindows(op, x, size, stride)
	at := x.Rank() - 1 - len(size)
	s := slices.Concat(w.Shape[:at+len(size)], x.Shape[x.Rank()-1:])
	place := make([]int, len(size))
	for range Static(size...).SizeAt(0) {
		start, step, _ := wholeSpan(x.Shape)
		for a := range size {
			start[at+a], step[at+a] = D(place[a]), stride[a]
		}
		each = append(each, Piece{X: g.Slice(x, start, step, s), Start: start, Step: step})
		advance(place, size)
	}
	return each
}

// poolTies tells, for each place in a window, which elements of x there are their window's largest, y, and where they lie in x; and
// how many of a window do: they share the derivative.
func (g *Graph) poolTies(op string, x, y *Node, size, stride []int) (each []Piece, count *Node) {
	each = g.poolPlaces(op, x, size, stride)
	for i := range each {
		tied := g.Apply(ops.Eq, each[i].X, y)
		each[i].X = tied
		if n := g.Convert(tied, y.Type); count == nil {
			count = n
		} else {
			count = g.Apply(ops.Add, count, n)
		}
	}
	return each, count
}

// PoolSum is the sum of each window; what padding adds is 0.
func (g *Graph) PoolSum(op string, x *Node, size, stride, lo, hi []int) *Node {
	x = g.poolPadded(op, x, size, lo, hi, 0)
	if !slices.Equal(size, stride) || Static(size...).SizeAt(0) > smallWindow {
		w, axes := g.poolWindows(op, x, size, stride)
		return g.Reduce(Sum, w, axes...)
	}
	var sum *Node
	for _, e := range g.poolPlaces(op, x, size, stride) {
		if sum == nil {
			sum = e.X
		} else {
			sum = g.Apply(ops.Add, sum, e.X)
		}
	}
	return sum
}

func (g *Graph) poolPadded(op string, x *Node, size, lo, hi []int, fill float64) *Node {
	k := len(size)
	at := x.Rank() - 1 - k
	if at < 0 || !x.Type.IsFloat() {
		Fail(op, "%v %v: floats, of %d axes at least, are needed", x.Type, x.Shape, k+1)
	}
	for a := range k {
		if lo[a] < 0 || hi[a] < 0 || size[a] > 0 && (lo[a] >= size[a] || hi[a] >= size[a]) {
			Fail(op, "%v: padding of %v and %v leaves nothing but it in a window of %v", x.Shape, lo, hi, size)
		}
	}
	return g.padOrCut(op, x, at, lo, hi, fill)
}

func (g *Graph) poolWindows(op string, x *Node, size, stride []int) (w *Node, axes []int) {
	k := len(size)
	at := x.Rank() - 1 - k
	ones := make([]int, k)
	for a := range ones {
		ones[a] = 1
	}
	return g.Windows(op, x, at, size, stride, ones), axisRange(at+k, at+2*k)
}

// PoolCounts is how many elements of x, not of padding, each window of PoolSum holds: of shape [windows… 1].
func (g *Graph) PoolCounts(op string, t dtype.Type, spatial Shape, size, stride, lo, hi []int) *Node {
	one := g.Const(t, append(slices.Clone(spatial), D(1)), 1)
	return g.PoolSum(op, one, size, stride, lo, hi)
}

// AlongAxis multiplies the rows along axis by the matrix w.
func (g *Graph) AlongAxis(x *Node, axis int, w *Node) *Node {
	last := x.Rank() - 1
	return g.MoveAxis(g.MatMulND(g.MoveAxis(x, axis, last), w), last, axis)
}
