package runtime

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// padAnything has padded arrays of all sizes made in small rooms, if yes.
func padAnything(yes bool) (restore func()) {
	bytes, least, room, far := padBytes, nearLeast, nearRoom, farBytes
	if yes {
		padBytes, nearLeast, nearRoom, farBytes = 1, 0, 1<<13, 0
	}
	return func() { padBytes, nearLeast, nearRoom, farBytes = bytes, least, room, far }
}

// nearCases are clusters that read windows of a padded picture.
var nearCases = map[string]func(s *sketch, t dtype.Type) *ir.Node{
	"depthwise": func(s *sketch, t dtype.Type) *ir.Node {
		x, w := s.param(t, ir.Shape{ir.Batch, ir.D(9), ir.D(7), ir.D(32)}, 0), s.param(t, ir.Static(3, 3, 1, 32), 0)
		return s.g.Conv("Conv", ir.Convolution{Stride: []int{1, 1}, Dilation: []int{1, 1}, Lo: []int{1, 1}, Hi: []int{1, 1}, Groups: 32}, x, w)
	},
	"depthwise and its input": func(s *sketch, t dtype.Type) *ir.Node {
		x, w := s.param(t, ir.Shape{ir.Batch, ir.D(9), ir.D(7), ir.D(16)}, 0), s.param(t, ir.Static(3, 3, 1, 16), 0)
		y := s.g.Conv("Conv", ir.Convolution{Stride: []int{1, 1}, Dilation: []int{1, 1}, Lo: []int{1, 1}, Hi: []int{1, 1}, Groups: 16}, x, w)
		return s.g.Map(ops.Add, x, y)
	},
	"depthwise by steps of 2, dilated": func(s *sketch, t dtype.Type) *ir.Node {
		x, w := s.param(t, ir.Shape{ir.Batch, ir.D(11), ir.D(9), ir.D(5)}, 0), s.param(t, ir.Static(3, 3, 1, 5), 0)
		return s.g.Conv("Conv", ir.Convolution{Stride: []int{2, 1}, Dilation: []int{2, 1}, Lo: []int{2, 0}, Hi: []int{1, 1}, Groups: 5}, x, w)
	},
	"depthwise 1-D": func(s *sketch, t dtype.Type) *ir.Node {
		x, w := s.param(t, ir.Shape{ir.D(2), ir.Batch, ir.D(13), ir.D(8)}, 0), s.param(t, ir.Static(5, 1, 8), 0)
		return s.g.Conv("Conv", ir.Convolution{Stride: []int{1}, Dilation: []int{1}, Lo: []int{4}, Hi: []int{0}, Groups: 8}, x, w)
	},
	"maxima": func(s *sketch, t dtype.Type) *ir.Node {
		return s.g.PoolMax("MaxPool", s.param(t, ir.Shape{ir.Batch, ir.D(9), ir.D(8), ir.D(17)}, 0), []int{3, 3}, []int{2, 2}, []int{1, 1}, []int{1, 1})
	},
	"differences": func(s *sketch, t dtype.Type) *ir.Node {
		x := s.g.Pad(s.param(t, ir.Shape{ir.Batch, ir.D(21), ir.D(3)}, 0), []int{0, 1, 0}, []int{0, 0, 2}, math.Copysign(0, -1))
		to := ir.Shape{ir.Batch, ir.D(20), ir.D(5)}
		part := func(from int) *ir.Node { return s.g.Slice(x, ir.Static(0, from, 0), []int{1, 1, 1}, to) }
		return s.g.Apply(ops.Exp, s.g.Map(ops.Sub, part(2), part(1)))
	},
}

// What a cluster reads of a padded picture is made block by block: the reference's bits, results past the caches and on an argument among them.
func TestNear(t *testing.T) {
	defer padAnything(true)()
	rng := rand.New(rand.NewPCG(1, 41))
	for name, build := range nearCases {
		for _, typ := range []dtype.Type{dtype.F32, dtype.F64} {
			t.Run(fmt.Sprint(name, " ", typ), func(t *testing.T) {
				s := newSketch()
				outs := []*ir.Node{build(s, typ)}
				for _, o := range []Options{{Threads: 2}, {Threads: 2, NoCode: true}} {
					p, err := Compile(outs, s.inputs, o)
					if err != nil {
						t.Fatal(err)
					}
					b, err := p.binding(40)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.ContainsFunc(b.units, func(u unit) bool { _, ok := u.(*nearUnit); return ok }) {
						t.Errorf("the padded array is made whole\n%s", p)
					}
				}
				s.check(t, outs, rng, 0, 1, 2, 9, 40)
				s.checkInPlace(t, outs, rng, 40)
				defer placeAnything()()
				s.check(t, outs, rng, 40)
			})
		}
	}
}

// A program that pads a large picture for one cluster has no memory for it; one that gives it, or reads it twice, has.
func TestNearMemory(t *testing.T) {
	s := newSketch()
	x := s.param(dtype.F32, ir.Shape{ir.Batch, ir.D(56), ir.D(56), ir.D(32)}, 0)
	p := s.g.Pad(x, []int{0, 1, 1, 0}, []int{0, 1, 1, 0}, 0)
	part := func(h, w int) *ir.Node { return s.g.Slice(p, ir.Static(0, h, w, 0), []int{1, 1, 1, 1}, x.Shape) }
	y := s.g.Map(ops.Sub, part(2, 2), part(0, 1))
	const whole = 8 * 58 * 58 * 32 * 4
	for i, outs := range [][]*ir.Node{{y}, {y, p}, {y, s.g.Reduce(ir.Sum, p, 0, 1, 2, 3)}} {
		c, err := Compile(outs, s.inputs, Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		bytes, err := c.PeakBytes(8)
		if err != nil {
			t.Fatal(err)
		}
		if bytes < whole != (i < 2) { // an output's memory is the caller's

			t.Errorf("program %d takes %d bytes beside a padded array of %d\n%s", i, bytes, whole, c)
		}
		s.check(t, outs, rand.New(rand.NewPCG(1, 42)), 2, 8)
	}
}
