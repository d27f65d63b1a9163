package autodiff

import (
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// VmapOptions says which axes [Vmap] maps over; the zero value is the first of every value.
type VmapOptions struct {
	// In is the axis of each value of the argument that the function does not see, in the order of [TreeLeaves],
	// counted from the end where negative. [Whole] is a value that every call gets as it is. One axis alone is
	// for all values, none at all the first of each.
	In []int
	// Out is where that axis is in each value of the result, likewise, but never Whole.
	Out []int
}

// Whole stands for an axis in [VmapOptions] where there is none.
const Whole = math.MinInt

// Vmap is f over a batch: the values of the argument have one axis more than f takes, all of one size, and the
// values of the result one more than f gives; which, the options say.
func Vmap[P, R any](f func(P) R, o ...VmapOptions) func(P) R {
	var opt VmapOptions
	if len(o) > 0 {
		opt = o[0]
	}
	return func(x P) R {
		return recorded("Vmap", x, func(g *ir.Graph, x P) R {
			xs := leaves(x)
			axes := vmapAxes("In", opt.In, len(xs))
			inside := make([]Value, len(xs))
			var holes, batched []*ir.Node
			for i, v := range xs {
				if !v.IsValid() {
					continue
				}
				n := v.node(g, "Vmap", dtype.Invalid)
				if axes[i] == Whole {
					inside[i] = v
					continue
				}
				if n.Rank() == 0 {
					ir.Fail("Vmap", "%v of %v: an axis to map over is needed", n.Shape, n.Type)
				}
				n = g.MoveAxis(n, ir.Axis("Vmap", n.Shape, axes[i]), 0)
				if len(batched) > 0 && n.Shape[0] != batched[0].Shape[0] {
					ir.Fail("Vmap", "%v, %v: the axes to map over, here in front, differ", batched[0].Shape, n.Shape)
				}
				h := g.Hole(n.Type, n.Shape[1:])
				inside[i] = Value{n: h}
				holes, batched = append(holes, h), append(batched, n)
			}
			if len(batched) == 0 {
				ir.Fail("Vmap", "the argument holds no value to map over")
			}
			y := f(replaced(x, inside))
			ys := results("Vmap", g, y)
			to := vmapAxes("Out", opt.Out, len(ys))
			outs, at := present(ys)
			given := leaves(y)
			res := make([]Value, len(ys))
			for i, n := range g.Vmap(outs, holes, batched, batched[0].Shape[0]) {
				k := at[i]
				if to[k] == Whole {
					ir.Fail("Vmap", "every value of the result has the axis of the batch: Whole does not go with Out")
				}
				res[k] = Value{n: g.MoveAxis(n, 0, ir.Axis("Vmap", n.Shape, to[k])), cut: given[k].cut}
			}
			return replaced(y, res)
		})
	}
}

// vmapAxes is an axis for each of n values.
func vmapAxes(name string, axes []int, n int) []int {
	switch len(axes) {
	case n:
		return axes
	case 0:
		return make([]int, n)
	case 1:
		return slices.Repeat(axes, n)
	}
	ir.Fail("Vmap", "%s has %d axes for %d values", name, len(axes), n)
	return nil
}
