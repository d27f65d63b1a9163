package ir

import (
	"encoding/binary"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A Body is a graph within a node: what a Loop does at each step, or what a Branch does when it is chosen.
// It refers to nothing outside itself: what it captured is an operand of its node.
//
// Params are numbered: the carries, the slices of xs, the index (int64, shape []) where there is one, the
// captured values. Outs of a Loop are the next carries, then what each step gives.
type Body struct {
	Carry, Xs int
	Params    []*Node
	Outs      []*Node
	Cond      *Node // nil, or whether to take the step: a bool of shape [] from the same Params
	key       string
	plain     string // key without rules, made when it is needed
}

func (b *Body) ys() int { return len(b.Outs) - b.Carry }

// all is the outs and, where there is one, the condition.
func (b *Body) all() []*Node {
	if b.Cond == nil {
		return b.Outs
	}
	return append(slices.Clone(b.Outs), b.Cond)
}

func (b *Body) finish() *Body {
	b.key = Key(b.all())
	b.key = string(binary.AppendVarint(binary.AppendVarint([]byte(b.key), int64(b.Carry)), int64(b.Xs)))
	for _, p := range b.Params {
		b.key = string(p.appendKey([]byte(b.key), nil, false))
	}
	if b.Cond != nil {
		b.key += "while"
	}
	return b
}

// LoopStep is one step of a loop under construction: the next carries, what the step gives, and nil or
// whether to take the step at all. Index counts from 0, downwards in a loop that goes backwards.
type LoopStep func(index *Node, carry, x []*Node) (next, ys []*Node, goOn *Node)

// LoopOptions says how often a loop steps.
type LoopOptions struct {
	Length   Dim   // steps, or at most so many
	Forever  bool  // Length is not a bound
	Backward bool  // from the last index to the first
	Count    *Node // nil, or the number of steps, int64 of shape [], at most Length
	Slots    int   // how many sets of carries reverse mode keeps beside the first; 0: all
}

// Loop is the carries after all steps, then what the steps gave, stacked along a new first axis of Length.
// xs have that axis too, and a step sees its slice. Slices of steps not taken are 0.
func (g *Graph) Loop(op string, o LoopOptions, init, xs []*Node, step LoopStep) (finals, ys []*Node, n *Node) {
	var holes []*Node
	hole := func(t dtype.Type, s Shape) *Node {
		h := g.Hole(t, s)
		holes = append(holes, h)
		return h
	}
	carry, x := make([]*Node, len(init)), make([]*Node, len(xs))
	for i, c := range init {
		carry[i] = hole(c.Type, c.Shape)
	}
	for i, v := range xs {
		if v.Rank() == 0 || o.Forever || v.Shape[0] != o.Length {
			Fail(op, "%v: an operand of %v steps is needed", v.Shape, o.Length)
		}
		x[i] = hole(v.Type, v.Shape[1:])
	}
	index := hole(dtype.I64, nil)
	next, each, goOn := step(index, carry, x)
	if len(next) != len(init) {
		Fail(op, "the step gives %d carried values, not %d", len(next), len(init))
	}
	for i, c := range next {
		if c.Type != init[i].Type || !c.Shape.Equal(init[i].Shape) {
			Fail(op, "the step makes carried value %d %v%v, not %v%v", i, c.Type, c.Shape, init[i].Type, init[i].Shape)
		}
	}
	if len(each) > 0 && o.Forever {
		Fail(op, "a loop without a bound cannot stack what its steps give")
	}
	if goOn != nil && (goOn.Type != dtype.Bool || goOn.Rank() != 0) {
		Fail(op, "the condition is %v%v, not one bool", goOn.Type, goOn.Shape)
	}
	within := make(map[*Node]bool, len(holes))
	for _, h := range holes {
		within[h] = true
	}
	b, captured := g.enclose(holes, append(slices.Clone(next), each...), goOn, func(n *Node) bool {
		return within[n] || slices.ContainsFunc(n.In, func(x *Node) bool { return within[x] })
	}, within, true)
	b.Carry, b.Xs = len(init), len(xs)
	n = g.loop(b.finish(), o, slices.Concat(init, xs, captured))
	for k := range b.Outs {
		if k < b.Carry {
			finals = append(finals, g.Out(n, k))
		} else {
			ys = append(ys, g.Out(n, k))
		}
	}
	return finals, ys, n
}

// enclose copies the nodes that are inside, as the function says operands first, into a body whose
// parameters are holes and what the rest gives. A body that is run again and again finds the matrices that it
// multiplies with turned already.
func (g *Graph) enclose(holes, outs []*Node, cond *Node, inside func(n *Node) bool, within map[*Node]bool, again bool) (*Body, []*Node) {
	b := &Body{}
	h := New()
	at := map[*Node]*Node{}
	var captured []*Node
	param := func(n *Node) *Node {
		p := h.Param(len(b.Params), n.Type, n.Shape)
		b.Params = append(b.Params, p)
		return p
	}
	for _, n := range holes {
		at[n] = param(n)
	}
	var capture func(n *Node) *Node
	capture = func(n *Node) *Node {
		c := at[n]
		switch {
		case c != nil:
			return c
		case n.Kind == Const && len(g.cuts) > 0 && !n.Usual(): // may be another one at the next step of a loop of Go's
			one := g.Bits(n.Type, nil, n.Bits)
			if at[one] == nil {
				at[one] = param(one)
				captured = append(captured, one)
			}
			c = h.BroadcastTo("Const", at[one], n.Shape)
		case n.Kind == Const || n.Kind == Iota || n.Kind == DimSize:
			c = h.Copy(n, nil)
		case n.Kind == Broadcast || n.Kind == Reshape || n.Kind == Transpose || n.Kind == Slice || n.Kind == Reverse:
			c = h.Copy(n, []*Node{capture(n.In[0])}) // what it shows is captured, not a copy of it
		case n.Kind == Out || n.Several() || n.Type != dtype.Invalid:
			c = param(n)
			captured = append(captured, n)
		}
		at[n] = c
		return c
	}
	all := outs
	if cond != nil {
		all = append(slices.Clone(outs), cond)
	}
	for _, n := range Reachable(all) {
		if at[n] != nil || len(n.In) == 0 || !inside(n) {
			continue
		}
		within[n] = true
		in := make([]*Node, len(n.In))
		for i, x := range n.In {
			if again && n.Kind == MatMul && x.Kind == Transpose && at[x] == nil {
				at[x] = param(x)
				captured = append(captured, x)
			}
			in[i] = capture(x)
		}
		at[n] = h.Copy(n, in)
	}
	for _, o := range outs {
		b.Outs = append(b.Outs, capture(o))
	}
	if cond != nil {
		b.Cond = capture(cond)
	}
	return b, captured
}

func (g *Graph) loop(b *Body, o LoopOptions, in []*Node) *Node {
	n := Node{Kind: Loop, Body: []*Body{b}, In: in, Size: o.Length, Flag: o.Backward}
	if o.Slots > 0 {
		n.Axes = []int{o.Slots}
	}
	if o.Forever {
		n.Size = Dim{C: -1}
	}
	if o.Count != nil {
		n.In = append(slices.Clone(in), o.Count)
		n.Bits = 1
	}
	return g.add(n)
}

// options are those that n was made with.
func (n *Node) options() LoopOptions {
	o := LoopOptions{Length: n.Size, Backward: n.Flag, Forever: n.Size.C < 0 && n.Size.B == 0}
	if n.Bits == 1 {
		o.Count = n.In[len(n.In)-1]
	}
	if len(n.Axes) > 0 {
		o.Slots = n.Axes[0]
	}
	return o
}

// operands are the loop's carries, xs and captured values, without the count.
func (n *Node) operands() []*Node { return n.In[:len(n.In)-int(n.Bits)] }

// Out is result k of a Loop or Branch. Of a Loop the one after the last is the number of steps taken.
func (g *Graph) Out(n *Node, k int) *Node {
	b := n.Body[0]
	o := Node{Kind: Out, In: []*Node{n}, Bits: uint64(k), Type: dtype.I64}
	if k < len(b.Outs) {
		o.Type, o.Shape = b.Outs[k].Type, b.Outs[k].Shape
		if n.Kind != Branch && k >= b.Carry {
			o.Shape = slices.Concat(Shape{n.Size}, o.Shape)
			o.Shape.Check("Scan")
		}
	}
	return g.add(o)
}

func (g *Graph) outs(n *Node) []*Node {
	res := make([]*Node, len(n.Body[0].Outs))
	for k := range res {
		res[k] = g.Out(n, k)
	}
	return res
}

// inline copies a body's nodes into g, for the given parameters.
func (g *Graph) inline(b *Body, params []*Node) (outs []*Node, cond *Node) {
	at := map[*Node]*Node{}
	for i, p := range b.Params {
		at[p] = params[i]
	}
	all := b.all()
	for _, n := range Reachable(all) {
		if at[n] != nil {
			continue
		}
		in := make([]*Node, len(n.In))
		for i, x := range n.In {
			in[i] = at[x]
		}
		at[n] = g.Copy(n, in)
	}
	for _, o := range b.Outs {
		outs = append(outs, at[o])
	}
	if b.Cond != nil {
		cond = at[b.Cond]
	}
	return outs, cond
}

// indexed puts the index between the operands, as Params have it.
func (b *Body) indexed(carry, x []*Node, index *Node, captured []*Node) []*Node {
	return slices.Concat(carry, x, []*Node{index}, captured)
}

// saving is loop n giving the carries that each step began with, too, and what is dear to compute again: the results
// from first on. It takes n's place when both are in one program.
func (g *Graph) saving(n *Node) (saved *Node, first int) {
	b := n.Body[0]
	if s, ok := g.savings[n]; ok {
		return s, len(b.Outs)
	}
	c := *b
	c.Outs = slices.Concat(b.Outs, b.Params[:b.Carry], dear(b.Outs))
	if len(c.Outs) == len(b.Outs) {
		return n, len(b.Outs)
	}
	if n.options().Forever {
		Fail("While", "has no derivative in reverse mode without a bound on its steps (WhileOptions: MaxSteps, or Binomial)")
	}
	s := g.loop(c.finish(), n.options(), n.operands())
	if g.savings == nil {
		g.savings = map[*Node]*Node{}
	}
	g.savings[n] = s
	return s, len(b.Outs)
}

// dear lists the products of matrices that outs need, but for those so thin that an element takes about as long to be read as to
// be computed, and the factorizations and their like; in the place of what is only added to something, the sum.
func dear(outs []*Node) []*Node {
	const thin = 32
	nodes := Reachable(outs)
	users := map[*Node][]*Node{}
	for _, n := range nodes {
		for _, x := range n.In {
			users[x] = append(users[x], n)
		}
	}
	var list []*Node
	for _, n := range nodes {
		if !n.Type.IsFloat() || n.Kind != Call && (n.Kind != MatMul || n.In[0].Shape[n.Rank()-1].At(1) < thin) {
			continue
		}
		for len(users[n]) == 1 && !slices.Contains(outs, n) {
			u := users[n][0]
			if u.Kind != Pointwise || u.Op != ops.Add && u.Op != ops.Sub {
				break
			}
			n = u
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// needed tells, by ID, what outs need, where the nodes of known are there already.
func needed(outs, known []*Node) []bool {
	g := outs[0].Graph
	need := make([]bool, len(g.Nodes))
	for _, o := range outs {
		need[o.ID] = true
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if n := g.Nodes[i]; need[i] && !slices.Contains(known, n) {
			for _, x := range n.In {
				need[x.ID] = true
			}
		}
	}
	return need
}

// missingOf is what of a step forwards a step backwards, of which cts are the results, computes again though it was dear: the
// numbers of what is to be kept, and of the next carries, given which less is; these only if they may be asked for.
func missingOf(cts []flow, next, dear []*Node, may bool) (missing, later []int) {
	var outs []*Node
	for _, f := range cts {
		if f.n != nil {
			outs = append(outs, f.n)
		}
	}
	if len(outs) == 0 || len(dear) == 0 {
		return nil, nil
	}
	lacking := func(need []bool) (list []int) {
		for j, n := range dear {
			if need[n.ID] {
				list = append(list, j)
			}
		}
		return list
	}
	missing = lacking(needed(outs, nil))
	if !may || missing == nil {
		return missing, nil
	}
	var known []*Node
	for _, n := range next {
		if len(n.In) > 0 && n.Kind != Alias {
			known = append(known, n)
		}
	}
	need := needed(outs, known)
	if less := lacking(need); len(less) < len(missing) {
		missing = less
		for i, n := range next {
			if need[n.ID] && slices.Contains(known, n) {
				later = append(later, i)
			}
		}
	}
	return missing, later
}

// replaced is cts with the values of known taken from by.
func (g *Graph) replaced(cts []flow, known, by []*Node) []flow {
	if len(known) == 0 {
		return cts
	}
	at := map[*Node]*Node{}
	for i, n := range known {
		at[n] = by[i]
	}
	var outs []*Node
	for _, f := range cts {
		if f.n != nil {
			outs = append(outs, f.n)
		}
	}
	for _, n := range Reachable(outs) {
		if at[n] != nil || !slices.ContainsFunc(n.In, func(x *Node) bool { return at[x] != nil }) {
			continue
		}
		in := slices.Clone(n.In)
		for i, x := range in {
			if y := at[x]; y != nil {
				in[i] = y
			}
		}
		at[n] = g.Copy(n, in)
	}
	res := slices.Clone(cts)
	for i := range res {
		if y := at[res[i].n]; y != nil {
			res[i].n = y
		}
	}
	return res
}

// activeCarries tells which carries depend on active operands.
func (b *Body) activeCarries(in []bool) []bool {
	active := slices.Clone(in)
	graph := b.Params[0].Graph
	for again := true; again; {
		again = false
		var wrt []*Node
		for i, p := range b.Params {
			if active[i] {
				wrt = append(wrt, p)
			}
		}
		reached := graph.active(b.Outs, wrt)
		for i := range b.Carry {
			if o := b.Outs[i]; !active[i] && o.ID < len(reached) && reached[o.ID] {
				active[i], again = true, true
			}
		}
	}
	return active
}

// aligned is a flag for each operand as one for each parameter: the index has none.
func (b *Body) aligned(operands []bool) []bool {
	return slices.Insert(slices.Clone(operands), b.Carry+b.Xs, false)
}

// vjpLoop runs the loop backwards over the carries that its steps began with: what is carried is the
// cotangents of the carries and, added up, of what was captured.
func vjpLoop(s *sweep, n *Node, cts []flow) {
	g, b := s.Graph, n.Body[0]
	operands := n.operands()
	in := make([]bool, len(operands))
	for i, x := range operands {
		in[i] = x.Type.IsFloat() && s.active[x.ID]
	}
	active := b.activeCarries(b.aligned(in))
	masked := slices.ContainsFunc(cts, func(f flow) bool { return f.masked })
	orZero := func(f flow, like *Node) *Node {
		if f.n == nil {
			return g.like(like, 0)
		}
		return f.n
	}
	o := n.options()
	stack, first := n, len(b.Outs)
	if o.Slots == 0 {
		stack, first = g.saving(n)
	}
	outs := g.outs(stack)
	o.Backward = !o.Backward
	if b.Cond != nil {
		o.Count = g.Out(stack, len(stack.Body[0].Outs))
	}
	captured := operands[b.Carry+b.Xs:]
	var carries, slots, given []int // carries, xs with a cotangent; results with one, by number
	for i := range b.Carry {
		if active[i] {
			carries = append(carries, i)
		}
	}
	for i := range b.Xs {
		if in[b.Carry+i] {
			slots = append(slots, i)
		}
	}
	saved, own := stack.Body[0], b.Carry // of the results that are saved, those that are carries
	if o.Slots > 0 {
		own = 0
	}
	xs := slices.Concat(outs[first:first+own], operands[b.Carry:b.Carry+b.Xs])
	for k := b.Carry; k < len(b.Outs); k++ {
		if cts[k].n != nil {
			given = append(given, k)
			xs = append(xs, cts[k].n)
		}
	}
	// A step backwards computes again what it needs of the step forwards, but for what was dear: the next carries, which the
	// step before it began with, and what is stacked.
	var later, kept []int // carries; saved results, by number
	values := xs
	var factors []factor // of the products over all steps
	// What is captured gets the sum of the steps' contributions: as a carry or, where all of them are products
	// that are small beside it, as one product over all steps.
	// Where steps are elementwise, so are those backwards: sums over elements are then taken after the loop.
	products := map[int]int{}    // by captured value: how many products
	terms := map[int][]int{}     // by captured value: the axes of a sum that is taken at the end
	wide := b.elementwiseShape() // nil, or the shape of what is added up until then
	alias := func(xs []*Node) []*Node {
		res := make([]*Node, len(xs))
		for i, v := range xs {
			res[i] = g.Alias(v)
		}
		return res
	}
	back := func(init []*Node, step LoopStep) (finals, ys []*Node) {
		if o.Slots == 0 {
			finals, ys, _ = g.Loop("VJP", o, init, values, step)
			return finals, ys
		}
		forward := o
		forward.Backward = n.Flag
		return g.rewind(forward, init, operands[:b.Carry], xs, b.Xs, func(index *Node, c, x []*Node) []*Node {
			res, _ := g.inline(b, b.indexed(c, x, index, captured))
			return res[:b.Carry]
		}, step)
	}
	for again := true; again; {
		again = false
		var init []*Node
		var sums, stacked []int
		after := slices.Clone(later)
		for _, i := range carries {
			init = append(init, orZero(cts[i], operands[i]))
		}
		for _, i := range later {
			init = append(init, outs[i])
		}
		values = slices.Clone(xs)
		for _, k := range kept {
			values = append(values, outs[k])
		}
		for k, x := range captured {
			switch {
			case !in[b.Carry+b.Xs+k]:
			case products[k] > 0:
				stacked = append(stacked, k)
			case terms[k] != nil:
				sums = append(sums, k)
				init = append(init, g.Const(x.Type, wide, 0))
			default:
				sums = append(sums, k)
				init = append(init, g.like(x, 0))
			}
		}
		finals, ys := back(init, func(index *Node, carry, x []*Node) (next, ys []*Node, _ *Node) {
			was, slice, held := alias(x[:b.Carry]), alias(x[b.Carry:b.Carry+b.Xs]), alias(captured)
			res, _ := g.inline(saved, b.indexed(was, slice, index, held))
			res, dear := res[:len(b.Outs)], res[min(first+own, len(res)):]
			flows := make([]flow, len(res))
			for j, i := range carries {
				flows[i] = flow{carry[j], masked}
			}
			for j, k := range given {
				flows[k] = flow{x[b.Carry+b.Xs+j], masked}
			}
			cts := g.vjp(res, flows, slices.Concat(was, slice, held))
			var known, by []*Node
			for j, i := range after {
				known, by = append(known, res[i]), append(by, carry[len(carries)+j])
			}
			for j, k := range kept[:len(values)-len(xs)] {
				known, by = append(known, dear[k-first-own]), append(by, x[len(xs)+j])
			}
			cts = g.replaced(cts, known, by)
			for _, i := range carries {
				next = append(next, orZero(cts[i], was[i]))
				if cts[i].masked && !masked {
					masked, again = true, true
				}
			}
			if o.Slots == 0 {
				missing, ask := missingOf(cts, res[:b.Carry], dear, len(later) == 0)
				later = append(later, ask...)
				for _, j := range missing {
					kept = append(kept, first+own+j)
				}
				again = again || len(ask)+len(missing) > 0
			}
			for _, i := range after {
				next = append(next, was[i])
			}
			for j, k := range sums {
				sum := carry[len(init)-len(sums)+j]
				if f := cts[b.Carry+b.Xs+k]; f.n != nil {
					if n := len(smallProducts(f.n, nil)); n > 0 && o.Slots == 0 {
						products[k], again = n, true
					}
					term := f.n
					if wide != nil {
						x, axes := g.summed(f.n, wide)
						switch {
						case terms[k] != nil:
							term = x
						case x != nil:
							terms[k], again = axes, true
						}
					}
					sum = g.Apply(ops.Add, sum, term)
				}
				next = append(next, sum)
			}
			for _, i := range slots {
				ys = append(ys, orZero(cts[b.Carry+i], slice[i]))
			}
			factors = nil
			for _, k := range stacked {
				for _, p := range smallProducts(cts[b.Carry+b.Xs+k].n, nil) {
					for _, v := range p.In {
						f := factorOf(v, x, values)
						if f.whole == nil {
							ys = append(ys, f.step)
						}
						factors = append(factors, f)
					}
				}
			}
			return next, ys, nil
		})
		if again {
			continue
		}
		for j, i := range carries {
			s.give(operands[i], flow{finals[j], masked})
		}
		for j, k := range sums {
			sum := finals[len(finals)-len(sums)+j]
			if axes := terms[k]; axes != nil {
				sum = g.Reshape(g.Reduce(Sum, sum, axes...), captured[k].Shape)
			}
			s.give(captured[k], flow{sum, masked})
		}
		for j, i := range slots {
			s.give(operands[b.Carry+i], flow{ys[j], masked})
		}
		ys = ys[len(slots):]
		for i := range factors {
			if factors[i].whole == nil {
				factors[i].whole, ys = ys[0], ys[1:]
			}
		}
		for _, k := range stacked {
			for range products[k] {
				s.give(captured[k], flow{g.productOverSteps(factors[0], factors[1]), masked})
				factors = factors[2:]
			}
		}
	}
}

// elementwiseShape is the shape of the carries where all have one and the steps compute elements from elements,
// not of one number alone; nil elsewhere.
func (b *Body) elementwiseShape() Shape {
	var s Shape
	for _, c := range b.Params[:b.Carry] {
		if s != nil && !s.Equal(c.Shape) {
			return nil
		}
		s = c.Shape
	}
	if b.Cond != nil || len(s) == 0 {
		return nil
	}
	for _, n := range Reachable(b.Outs) {
		switch n.Kind {
		case Param, Const, DimSize, Pointwise, Convert, Broadcast, Reshape, Slice:
		default:
			return nil
		}
	}
	return s
}

// summed finds x of shape s and the axes whose sum, reshaped, n is; nil where n is something else.
func (g *Graph) summed(n *Node, s Shape) (x *Node, axes []int) {
	switch {
	case n.Kind == Reshape:
		return g.summed(n.In[0], s)
	case n.Kind == Reduce && n.Reduction == Sum && n.In[0].Shape.Equal(s):
		return n.In[0], axisRange(n.Axes[0], n.Axes[1])
	case n.Kind == Pointwise && n.Op == ops.Neg:
		if x, axes = g.summed(n.In[0], s); x != nil {
			return g.Apply(ops.Neg, x), axes
		}
	case n.Kind == Pointwise && n.Op == ops.Add:
		x, axes = g.summed(n.In[0], s)
		y, more := g.summed(n.In[1], s)
		if x != nil && y != nil && slices.Equal(axes, more) {
			return g.Apply(ops.Add, x, y), axes
		}
	}
	return nil, nil
}

// smallProducts lists the products of matrices that n is a sum of, nil where it is more than that or one of
// them has operands that are not small beside it.
func smallProducts(n *Node, list []*Node) []*Node {
	switch {
	case n.Kind == MatMul && n.Rank() == 2:
		m, k, w := n.Shape[0], n.In[0].Shape[1], n.Shape[1]
		if m.Static() && k.Static() && w.Static() && m.C*w.C >= 2*k.C*(m.C+w.C) {
			return append(list, n)
		}
	case n.Kind == Pointwise && n.Op == ops.Add:
		if left := smallProducts(n.In[0], list); left != nil {
			return smallProducts(n.In[1], left)
		}
	}
	return nil
}

// factor is an operand of a product that each step makes: of all steps, or nil and that of the step.
type factor struct {
	whole, step *Node
	turned      bool
}

// factorOf is v, which may be a slice of one of xs, by whose stand-ins x a step knows them.
func factorOf(v *Node, x, xs []*Node) factor {
	f := factor{step: v}
	if v.Kind == Transpose {
		f.step, f.turned = v.In[0], true
	}
	for f.step.Kind == Alias {
		f.step = f.step.In[0]
	}
	if i := slices.Index(x, f.step); i >= 0 {
		f.whole = xs[i]
	}
	return f
}

// productOverSteps is Σ x[i]·y[i], for x [steps m k] and y [steps k n], as one product.
func (g *Graph) productOverSteps(x, y factor) *Node {
	a, b := x.whole, y.whole
	rows := func(v *Node) *Node {
		n, _ := v.Shape[:2].Size()
		return g.Reshape(v, Shape{n, v.Shape[2]})
	}
	if x.turned {
		a = g.Transpose(rows(a), []int{1, 0})
	} else {
		n, _ := Shape{a.Shape[0], a.Shape[2]}.Size()
		a = g.Reshape(g.Transpose(a, []int{1, 0, 2}), Shape{a.Shape[1], n})
	}
	if y.turned {
		b = g.Transpose(b, []int{0, 2, 1})
	}
	return g.product(a, rows(b))
}

// jvpLoop carries tangents along. It returns those of the results, no node where there is none.
func jvpLoop(g *Graph, n *Node, in []flow) []flow {
	b := n.Body[0]
	operands := n.operands()
	moved := make([]bool, len(operands))
	masked := false
	for i := range operands {
		moved[i] = in[i].n != nil
		masked = masked || in[i].masked
	}
	active := b.activeCarries(b.aligned(moved))
	captured := operands[b.Carry+b.Xs:]
	init, xs := slices.Clone(operands[:b.Carry]), slices.Clone(operands[b.Carry:b.Carry+b.Xs])
	var carries, slots []int
	for i := range b.Carry {
		if active[i] {
			carries = append(carries, i)
			if in[i].n != nil {
				init = append(init, in[i].n)
			} else {
				init = append(init, g.like(operands[i], 0))
			}
		}
	}
	for i := range b.Xs {
		if t := in[b.Carry+i].n; t != nil {
			slots = append(slots, i)
			xs = append(xs, t)
		}
	}
	var outs []*Node
	var gives []int
	for again := true; again; {
		again = false
		gives = nil
		finals, ys, _ := g.Loop("JVP", n.options(), init, xs, func(index *Node, carry, x []*Node) (next, ys []*Node, goOn *Node) {
			params := b.indexed(carry[:b.Carry], x[:b.Xs], index, captured)
			wrt := make([]*Node, len(params))
			tangents := make([]flow, len(params))
			for i, p := range params {
				wrt[i] = g.Alias(p)
			}
			for j, i := range carries {
				tangents[i] = flow{carry[b.Carry+j], masked}
			}
			for j, i := range slots {
				tangents[b.Carry+i] = flow{x[b.Xs+j], masked}
			}
			for k := range captured {
				tangents[b.Carry+b.Xs+1+k] = in[b.Carry+b.Xs+k]
			}
			res, goOn := g.inline(b, wrt)
			ts := g.jvp(res, wrt, tangents)
			next, ys = append(next, res[:b.Carry]...), append(ys, res[b.Carry:]...)
			for _, i := range carries {
				if ts[i].n == nil {
					ts[i].n = g.like(res[i], 0)
				}
				again = again || ts[i].masked && !masked
				next = append(next, ts[i].n)
			}
			for k := b.Carry; k < len(res); k++ {
				if ts[k].n != nil {
					gives = append(gives, k)
					ys = append(ys, ts[k].n)
				}
			}
			return next, ys, goOn
		})
		masked = masked || again
		outs = append(finals, ys...)
	}
	res := make([]flow, len(b.Outs))
	for j, i := range carries {
		res[i] = flow{outs[b.Carry+j], masked}
	}
	for j, k := range gives {
		res[k] = flow{outs[b.Carry+len(carries)+b.ys()+j], masked}
	}
	return res
}

// most is the largest of the numbers of steps of a batch, 0 of none.
func (g *Graph) most(counts *Node) *Node {
	if counts.Shape[0].Is(0) {
		return g.Const(counts.Type, nil, 0)
	}
	return g.Reduce(Max, counts, 0)
}

// vmapLoop steps the whole batch at once. Elements that are done while others are not keep what they have.
func vmapLoop(v *vmap, n *Node) {
	g, b := v.Graph, n.Body[0]
	operands := n.operands()
	batched := make([]bool, len(operands))
	for i, x := range operands {
		batched[i] = v.at[x] != nil
	}
	o := n.options()
	var counts *Node // of each element
	if o.Count != nil {
		if counts = v.at[o.Count]; counts != nil {
			o.Count = g.most(counts)
		}
	}
	var captured []*Node
	for _, x := range operands[b.Carry+b.Xs:] {
		if c := v.at[x]; c != nil {
			captured = append(captured, c)
		} else {
			captured = append(captured, x)
		}
	}
	xs := make([]*Node, b.Xs)
	for i := range xs {
		if xs[i] = operands[b.Carry+i]; batched[b.Carry+i] {
			xs[i] = g.MoveAxis(v.at[xs[i]], 0, 1)
		}
	}
	// A carry is batched once a step makes it so. A loop that ends on data counts each element's steps.
	each := slices.Clone(batched)
	isBatched := make([]bool, len(b.Outs))
	for again := true; again; {
		again = false
		init := make([]*Node, b.Carry)
		for i := range init {
			if init[i] = operands[i]; each[i] {
				init[i] = v.lift(operands[i])
			}
		}
		if b.Cond != nil {
			init = append(init, g.Const(dtype.I64, Shape{v.n}, 0))
		}
		trial := slices.Clone(each)
		finals, ys, loop := g.Loop("Vmap", o, init, xs, func(index *Node, carry, x []*Node) (next, ys []*Node, goOn *Node) {
			params := b.indexed(carry[:b.Carry], x, index, captured)
			inner := newVmap(g, v.n)
			holes := slices.Clone(params)
			for i, is := range b.aligned(trial) {
				if is {
					holes[i] = g.Hole(params[i].Type, params[i].Shape[1:])
					inner.at[holes[i]] = params[i]
				}
			}
			res, goOn := g.inline(b, holes)
			if goOn == nil {
				inner.run(res)
			} else {
				inner.run(append(slices.Clone(res), goOn))
			}
			var alive *Node // of each element, where they differ
			switch {
			case goOn != nil && inner.at[goOn] != nil:
				alive = inner.at[goOn]
				goOn = g.Reduce(Max, alive, 0)
			case counts != nil:
				alive = g.Map(ops.Lt, index, counts)
			}
			keep := func(r, old *Node) *Node {
				if alive == nil {
					return r
				}
				return g.Map(ops.Where, g.Reshape(alive, slices.Concat(Shape{v.n}, ones(r.Rank()-1))), r, old)
			}
			for k, r := range res {
				is := inner.at[r] != nil || alive != nil || k < b.Carry && trial[k]
				isBatched[k] = is
				if is {
					r = inner.lift(r)
				}
				switch {
				case k >= b.Carry && is:
					r = keep(r, g.like(r, 0))
				case k < b.Carry && is && trial[k]:
					r = keep(r, carry[k])
				case k < b.Carry && is:
					each[k], again = true, true // this trial is thrown away
					r = carry[k]
				}
				if k < b.Carry {
					next = append(next, r)
				} else {
					ys = append(ys, r)
				}
			}
			if b.Cond != nil {
				steps := carry[b.Carry]
				next = append(next, keep(g.Apply(ops.Add, steps, g.like(steps, 1)), steps))
			}
			return next, ys, goOn
		})
		if again {
			continue
		}
		res := make([]*Node, len(b.Outs)+1)
		for k := range b.Outs {
			switch {
			case k < b.Carry && isBatched[k]:
				res[k] = finals[k]
			case k < b.Carry:
				res[k] = v.repeat(finals[k])
			case isBatched[k]:
				res[k] = g.MoveAxis(ys[k-b.Carry], 1, 0)
			default:
				res[k] = v.repeat(ys[k-b.Carry])
			}
		}
		switch {
		case b.Cond != nil:
			res[len(b.Outs)] = finals[b.Carry]
		case counts != nil:
			res[len(b.Outs)] = counts
		default:
			res[len(b.Outs)] = v.repeat(g.Out(loop, len(loop.Body[0].Outs)))
		}
		v.results[n] = res
	}
}
