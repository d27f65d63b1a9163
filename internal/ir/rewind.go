package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A Rewind is a loop backwards over the carries that the steps of another began with, of which it keeps few: it makes
// the others again. Body[0] is a step backwards, whose first xs are these carries; Body[1] is a step forwards, which
// gives the next ones. In are the carries that go back, those that the first step forwards begins with, xs, the first
// of which forward steps see, too, what Body[0] captured, what Body[1] did and, if Bits is 1, the count. Axes[0] is the
// number of sets of carries that are kept beside the first, Flag the direction of the forward loop.

// rewind makes one. The forward steps see the first nf of xs.
func (g *Graph) rewind(o LoopOptions, init, first, xs []*Node, nf int, forward func(index *Node, c, x []*Node) []*Node, back LoopStep) (finals, ys []*Node) {
	within := func(holes []*Node, outs []*Node) (*Body, []*Node) {
		in := map[*Node]bool{}
		for _, h := range holes {
			in[h] = true
		}
		return g.enclose(holes, outs, nil, func(n *Node) bool {
			return in[n] || slices.ContainsFunc(n.In, func(x *Node) bool { return in[x] })
		}, in, true)
	}
	parts := g.standIns(xs, 1)
	index := g.Hole(dtype.I64, nil)
	c := g.standIns(first, 0)
	step, used := within(slices.Concat(c, parts[:nf], []*Node{index}), forward(index, c, parts[:nf]))
	step.Carry, step.Xs = len(first), nf
	carry := g.standIns(init, 0)
	was := g.standIns(first, 0)
	x := slices.Concat(was, parts)
	next, each, _ := back(index, carry, x)
	b, captured := within(slices.Concat(carry, x, []*Node{index}), slices.Concat(next, each))
	b.Carry, b.Xs = len(init), len(x)
	n := Node{Kind: Rewind, Body: []*Body{b.finish(), step.finish()}, Size: o.Length, Flag: o.Backward, Axes: []int{o.Slots},
		In: slices.Concat(init, first, xs, captured, used)}
	if o.Forever {
		n.Size = Dim{C: -1}
	}
	if o.Count != nil {
		n.In, n.Bits = append(n.In, o.Count), 1
	}
	outs := g.outs(g.add(n))
	return outs[:len(init)], outs[len(init):]
}

// standIns are stand-ins for ns, without their first axes.
func (g *Graph) standIns(ns []*Node, drop int) []*Node {
	hs := make([]*Node, len(ns))
	for i, n := range ns {
		hs[i] = g.Hole(n.Type, n.Shape[drop:])
	}
	return hs
}

// rewound is a Rewind's operands, or something for each of them, taken apart.
type rewound[T any] struct {
	init, first, xs, captured, used []T
}

func partsOf[T any](n *Node, in []T) (r rewound[T]) {
	b, f := n.Body[0], n.Body[1]
	cut := func(k int) (part []T) {
		part, in = in[:k:k], in[k:]
		return part
	}
	r.init, r.first, r.xs = cut(b.Carry), cut(f.Carry), cut(b.Xs-f.Carry)
	r.captured, r.used = cut(len(b.Params)-b.Carry-b.Xs-1), cut(len(f.Params)-f.Carry-f.Xs-1)
	return r
}

// rewindOptions are those of the forward loop.
func (n *Node) rewindOptions() LoopOptions {
	o := n.options()
	o.Slots = n.Axes[0]
	return o
}

// expandRewind is what the Rewind n gives, of operands in, by two loops: one that keeps all carries, and one backwards.
func (g *Graph) expandRewind(n *Node, in []*Node) []*Node {
	b, f := n.Body[0], n.Body[1]
	o := n.rewindOptions()
	o.Slots = 0
	if o.Forever {
		Fail("While", "has no derivative of its derivative in reverse mode without a bound on its steps (WhileOptions: MaxSteps)")
	}
	if o.Count != nil {
		o.Count = in[len(in)-1]
	}
	p := partsOf(n, in)
	_, was, _ := g.Loop("VJP", o, p.first, p.xs[:f.Xs], func(index *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
		next, _ = g.inline(f, f.indexed(c, x, index, p.used))
		return next, c, nil
	})
	o.Backward = !o.Backward
	finals, ys, _ := g.Loop("VJP", o, p.init, slices.Concat(was, p.xs), func(index *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
		res, _ := g.inline(b, b.indexed(c, x, index, p.captured))
		return res[:b.Carry], res[b.Carry:], nil
	})
	return slices.Concat(finals, ys)
}

// vjpRewind keeps all carries: it derives two loops.
func vjpRewind(s *sweep, n *Node, cts []flow) {
	params := make([]*Node, len(n.In))
	for i, x := range n.In {
		params[i] = s.Alias(x)
	}
	for i, ct := range s.vjp(s.expandRewind(n, params), cts, params) {
		s.give(n.In[i], ct)
	}
}

// jvpRewind carries tangents along, both ways; those that are kept have theirs.
func jvpRewind(g *Graph, n *Node, in []flow) []flow {
	b, f := n.Body[0], n.Body[1]
	p, t := partsOf(n, n.In), partsOf(n, in)
	both := func(xs []*Node, ts []flow) []*Node { // all floats have tangents
		res := slices.Clone(xs)
		for i, x := range xs {
			switch {
			case !x.Type.IsFloat():
			case ts[i].n == nil:
				res = append(res, g.like(x, 0))
			default:
				res = append(res, ts[i].n)
			}
		}
		return res
	}
	// split takes xs and the tangents of its floats apart.
	split := func(like, all []*Node) (xs []*Node, ts []flow) {
		xs, rest := all[:len(like)], all[len(like):]
		for _, x := range like {
			var t flow
			if x.Type.IsFloat() {
				t, rest = flow{rest[0], true}, rest[1:]
			}
			ts = append(ts, t)
		}
		return xs, ts
	}
	push := func(b *Body, params []*Node, ts []flow) (outs []*Node, tangents []flow) {
		aliases := make([]*Node, len(params))
		for i, x := range params {
			aliases[i] = g.Alias(x)
		}
		outs, _ = g.inline(b, aliases)
		return outs, g.jvp(outs, aliases, ts)
	}
	none := []flow{{}} // of the index
	near, far := p.xs[:f.Xs], p.xs[f.Xs:]
	nearBoth := both(near, t.xs[:f.Xs])
	xs := slices.Concat(nearBoth, both(far, t.xs[f.Xs:]))
	finals, ys := g.rewind(n.rewindOptions(), both(p.init, t.init), both(p.first, t.first), xs, len(nearBoth),
		func(index *Node, c, x []*Node) []*Node {
			cs, ct := split(p.first, c)
			ns, nt := split(near, x)
			outs, ts := push(f, f.indexed(cs, ns, index, p.used), slices.Concat(ct, nt, none, t.used))
			return both(outs, ts)
		},
		func(index *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
			cs, ct := split(p.init, c)
			w := len(p.first) + floats(p.first)
			ws, wt := split(p.first, x[:w])
			ns, nt := split(near, x[w:w+len(nearBoth)])
			fs, ft := split(far, x[w+len(nearBoth):])
			outs, ts := push(b, b.indexed(cs, slices.Concat(ws, ns, fs), index, p.captured), slices.Concat(ct, wt, nt, ft, none, t.captured))
			return both(outs[:b.Carry], ts[:b.Carry]), both(outs[b.Carry:], ts[b.Carry:]), nil
		})
	_, ft := split(b.Outs[:b.Carry], finals)
	_, yt := split(b.Outs[b.Carry:], ys)
	return slices.Concat(ft, yt)
}

// floats is how many of ns are.
func floats(ns []*Node) int {
	k := 0
	for _, n := range ns {
		if n.Type.IsFloat() {
			k++
		}
	}
	return k
}

// vmapRewind steps the whole batch at once. Where its elements step differently often, those that are done stay what they are.
func vmapRewind(v *vmap, n *Node) {
	g, b, f := v.Graph, n.Body[0], n.Body[1]
	o := n.rewindOptions()
	var counts *Node // of each element
	if o.Count != nil {
		if counts = v.at[o.Count]; counts != nil {
			o.Count = g.most(counts)
		}
	}
	keep := func(i, r, old *Node) *Node {
		if counts == nil {
			return r
		}
		alive := g.Map(ops.Lt, i, counts)
		return g.Map(ops.Where, g.Reshape(alive, slices.Concat(Shape{v.n}, ones(r.Rank()-1))), r, old)
	}
	p := partsOf(n, n.In)
	lifted := func(xs []*Node) []*Node {
		res := make([]*Node, len(xs))
		for i, x := range xs {
			res[i] = v.lift(x)
		}
		return res
	}
	orAsIs := func(xs []*Node, move bool) []*Node {
		res := slices.Clone(xs)
		for i, x := range xs {
			if c := v.at[x]; c != nil {
				if res[i] = c; move {
					res[i] = g.MoveAxis(c, 0, 1)
				}
			}
		}
		return res
	}
	batched := func(xs []*Node, all bool) []bool {
		is := make([]bool, len(xs))
		for i, x := range xs {
			is[i] = all || v.at[x] != nil
		}
		return is
	}
	used, captured := orAsIs(p.used, false), orAsIs(p.captured, false)
	run := func(b *Body, params []*Node, is []bool) []*Node {
		inner := newVmap(g, v.n)
		holes := slices.Clone(params)
		for i, x := range params {
			if is[i] {
				holes[i] = g.Hole(x.Type, x.Shape[1:])
				inner.at[holes[i]] = x
			}
		}
		outs, _ := g.inline(b, holes)
		inner.run(outs)
		for k, y := range outs {
			outs[k] = inner.lift(y)
		}
		return outs
	}
	index := []bool{false}
	finals, ys := g.rewind(o, lifted(p.init), lifted(p.first), orAsIs(p.xs, true), f.Xs,
		func(i *Node, c, x []*Node) []*Node {
			outs := run(f, f.indexed(c, x, i, used), slices.Concat(batched(p.first, true), batched(p.xs[:f.Xs], false), index, batched(p.used, false)))
			for k, r := range outs {
				outs[k] = keep(i, r, c[k])
			}
			return outs
		},
		func(i *Node, c, x []*Node) (next, ys []*Node, _ *Node) {
			outs := run(b, b.indexed(c, x, i, captured), slices.Concat(batched(p.init, true), batched(p.first, true), batched(p.xs, false), index, batched(p.captured, false)))
			for k, r := range outs {
				if k < b.Carry {
					outs[k] = keep(i, r, c[k])
				} else {
					outs[k] = keep(i, r, g.like(r, 0))
				}
			}
			return outs[:b.Carry], outs[b.Carry:], nil
		})
	v.results[n] = finals
	for _, y := range ys {
		v.results[n] = append(v.results[n], g.MoveAxis(y, 1, 0))
	}
}
