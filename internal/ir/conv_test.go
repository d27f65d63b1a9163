package ir

import (
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// convCase is a convolution of x by w.
type convCase struct {
	name string
	x, w Shape
	c    Convolution
}

func two(a, b int) []int { return []int{a, b} }

var convCases = []convCase{
	{"1-D", Shape{Batch, D(7), D(2)}, Static(3, 2, 4), Convolution{[]int{1}, []int{1}, []int{0}, []int{0}, 1, false}},
	{"1-D, strides, dilation, padding", Static(2, 9, 2), Static(3, 2, 3), Convolution{[]int{2}, []int{2}, []int{1}, []int{2}, 1, false}},
	{"1-D, no batch", Static(6, 2), Static(3, 2, 3), Convolution{[]int{1}, []int{1}, []int{1}, []int{1}, 1, false}},
	{"1-D, stride beyond the filter", Static(1, 11, 2), Static(2, 2, 2), Convolution{[]int{3}, []int{1}, []int{0}, []int{1}, 1, false}},
	{"1-D, dilation shares a factor with the stride", Static(1, 14, 1), Static(3, 1, 2), Convolution{[]int{4}, []int{2}, []int{3}, []int{2}, 1, false}},
	{"1-D, negative padding", Static(1, 9, 2), Static(2, 2, 2), Convolution{[]int{1}, []int{1}, []int{-2}, []int{-1}, 1, false}},
	{"1-D along the batch", Shape{{C: 2, B: 1}, D(2)}, Static(2, 2, 2), Convolution{[]int{1}, []int{1}, []int{1}, []int{1}, 1, false}},
	{"2-D, strides", Static(2, 5, 6, 2), Static(3, 2, 2, 3), Convolution{two(2, 1), two(1, 1), two(1, 0), two(1, 1), 1, false}},
	{"2-D, many phases", Static(1, 7, 8, 1), Static(3, 3, 1, 2), Convolution{two(3, 4), two(1, 1), two(1, 0), two(1, 1), 1, false}},
	{"2-D, 1×1", Shape{Batch, D(2), D(2), D(3)}, Static(1, 1, 3, 2), Convolution{two(1, 1), two(1, 1), two(0, 0), two(0, 0), 1, false}},
	{"2-D, 1×1, strides", Static(2, 3, 4, 2), Static(1, 1, 2, 2), Convolution{two(2, 3), two(1, 1), two(0, 0), two(0, 0), 1, false}},
	{"2-D, groups", Static(1, 4, 4, 4), Static(2, 2, 2, 6), Convolution{two(1, 2), two(1, 1), two(1, 1), two(0, 1), 2, false}},
	{"2-D, depthwise", Shape{Batch, D(3), D(4), D(2)}, Static(2, 3, 1, 2), Convolution{two(1, 1), two(1, 1), two(1, 1), two(0, 1), 2, false}},
	{"2-D, depthwise, strides, multiplied", Static(1, 4, 5, 2), Static(2, 2, 1, 4), Convolution{two(2, 1), two(1, 2), two(0, 1), two(0, 1), 2, false}},
	{"2-D, one filter of one channel", Static(2, 4, 4, 1), Static(2, 2, 1, 1), Convolution{two(1, 1), two(1, 1), two(0, 0), two(0, 0), 1, false}},
	{"3-D", Static(1, 3, 4, 3, 2), Static(2, 2, 2, 2, 2), Convolution{[]int{1, 2, 1}, []int{1, 1, 2}, []int{0, 1, 1}, []int{1, 0, 0}, 1, false}},
}

// naive is the definition, for one batch axis.
func (c convCase) naive(x, w []float64, xs, ws, ys []int) []float64 {
	k := len(c.c.Stride)
	y := make([]float64, mul(ys))
	G := c.c.Groups
	coords(ys, func(i int, at []int) {
		coords(ws[:k+1], func(_ int, tap []int) {
			from := slices.Clone(at)
			for a := range k {
				from[1+a] = at[1+a]*c.c.Stride[a] + tap[a]*c.c.Dilation[a] - c.c.Lo[a]
				if from[1+a] < 0 || from[1+a] >= xs[1+a] || c.c.Lo[a] < 0 && from[1+a] < -c.c.Lo[a] {
					return
				}
			}
			q := at[k+1]
			from[k+1] = q/(ws[k+1]/G)*ws[k] + tap[k]
			y[i] += x[flat(xs, from)] * w[flat(ws, append(slices.Clone(tap), q))]
		})
	})
	return y
}

func mul(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Values against the definition; as structural functions, both modes to order 2 and Vmap.
func TestConv(t *testing.T) {
	for _, c := range convCases {
		t.Run(c.name, func(t *testing.T) {
			p := newProbe(1)
			x, w := p.arg(wide, c.x), p.arg(wide, c.w)
			y := p.g.Conv("Conv", c.c, x, w)
			xs, ys := c.x.At(testBatch), y.Shape.At(testBatch)
			if len(xs) == len(c.c.Stride)+1 {
				xs, ys = slices.Insert(xs, 0, 1), slices.Insert(ys, 0, 1)
			}
			want := c.naive(p.env[x], p.env[w], xs, c.w.At(0), ys)
			for i, v := range p.values(t, y)[0] {
				if !near(v, want[i], want[i], 1e-12) {
					t.Fatalf("element %d: %v, want %v", i, v, want[i])
				}
			}
		})
	}
}

// The gradients by the input and by the filter are convolutions, too: the transpose of the map, on values.
func TestConvTransposes(t *testing.T) {
	for _, c := range convCases {
		t.Run(c.name, func(t *testing.T) {
			p := newProbe(2)
			x, w := p.arg(wide, c.x), p.arg(wide, c.w)
			y := p.g.Conv("Conv", c.c, x, w)
			ct := p.random(y)
			back := p.g.VJP([]*Node{y}, []*Node{ct}, []*Node{x, w})
			direct := p.g.ConvInput("ConvTranspose", c.c, ct, w, c.x)
			v := p.values(t, y, back[0], back[1], direct)
			inner := dot(v[0], p.env[ct])
			if !near(dot(v[1], p.env[x]), inner, inner, 1e-12) || !near(dot(v[2], p.env[w]), inner, inner, 1e-12) || !slices.Equal(v[1], v[3]) {
				t.Errorf("⟨y, ct⟩ = %v, ⟨x, xᵀ⟩ = %v, ⟨w, wᵀ⟩ = %v", inner, dot(v[1], p.env[x]), dot(v[2], p.env[w]))
			}
		})
	}
}

func init() {
	for _, c := range convCases {
		structural["conv "+c.name] = func(p *probe) *Node {
			return p.g.Conv("Conv", c.c, p.arg(wide, c.x), p.arg(wide, c.w))
		}
		structural["conv's transpose "+c.name] = func(p *probe) *Node {
			q := newProbe(1)
			y := q.g.Conv("Conv", c.c, q.arg(wide, c.x), q.arg(wide, c.w))
			return p.g.ConvInput("ConvTranspose", c.c, p.arg(wide, y.Shape), p.arg(wide, c.w), c.x)
		}
	}
	structural["windows"] = func(p *probe) *Node {
		return p.square(p.g.Windows("", p.arg(wide, Shape{Batch, D(7), D(5), D(2)}), 1, two(3, 2), two(2, 1), two(1, 3)))
	}
	structural["fold"] = func(p *probe) *Node {
		return p.square(p.g.Fold("", p.arg(wide, Shape{Batch, D(3), D(2), D(3), D(2), D(2)}), Shape{Batch, D(7), D(5), D(2)}, 1, two(2, 1), two(1, 3)))
	}
	structural["max pool of windows apart"] = func(p *probe) *Node {
		return p.square(p.g.PoolMax("", p.arg(wide, Shape{Batch, D(5), D(7), D(2)}), two(2, 3), two(2, 3), two(1, 0), two(1, 0)))
	}
	structural["max pool"] = func(p *probe) *Node {
		return p.square(p.g.PoolMax("", p.arg(wide, Shape{Batch, D(5), D(6), D(2)}), two(3, 2), two(2, 2), two(1, 0), two(1, 0)))
	}
}

func TestConvErrors(t *testing.T) {
	one := Convolution{[]int{1}, []int{1}, []int{0}, []int{0}, 1, false}
	for _, c := range []struct {
		x, w Shape
		c    Convolution
		want string
	}{
		{Static(2, 7, 3), Static(3, 2, 4), one, "Conv: [2 7 3], [3 2 4]: 1 groups of 2 channels are not 3"},
		{Static(2, 7, 2), Static(3, 2), one, "Conv: [2 7 2], [3 2]: a filter of 3 axes and an input of 2 at least are needed"},
		{Static(2, 2, 2), Static(3, 2, 2), one, "Conv: [2 2 2]: axis 1 of size 2 has no room for a window of 3 elements, 1 apart"},
		{Static(2, 4, 4), Static(3, 2, 3), Convolution{[]int{1}, []int{1}, []int{0}, []int{0}, 2, false}, "Conv: [3 2 3]: 3 filters are no 2 groups"},
		{Static(2, 4, 2), Static(0, 2, 3), one, "Conv: [0 2 3]: an empty filter"},
		{Static(2, 4, 2), Static(1, 2, 3), Convolution{[]int{1}, []int{1}, []int{-3}, []int{-3}, 1, false}, "Conv: [2 4 2]: padding of [-3] and [-3] leaves less than nothing"},
	} {
		g := New()
		got := func() (e string) {
			defer func() {
				if r, ok := recover().(*Error); ok {
					e = r.Op + ": " + r.Msg
				}
			}()
			g.Conv("Conv", c.c, g.Param(0, dtype.F32, c.x), g.Param(1, dtype.F32, c.w))
			return ""
		}()
		if got != c.want {
			t.Errorf("%v, %v: %q, want %q", c.x, c.w, got, c.want)
		}
	}
}
