package ir

import (
	"slices"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// Jet pushes truncated Taylor series forward: series[i][k-1] is coefficient k of wrt[i] as a function of one number,
// nil for zero, and so is result[i][k-1] of outs[i]. Coefficient 0 is the nodes themselves.
//
// Linear operations go coefficient by coefficient, products are Cauchy's. Any other y = f(x) follows from forward
// mode's rule: where that says y' = g(x, y, x'), coefficient k of y is coefficient k-1 of g, divided by k, and g is
// graph like any other, in which y may occur. Coefficients are therefore made one after the other, on demand; n of
// them cost O(n²) products (Griewank and Walther, "Evaluating Derivatives", chapter 13).
func (g *Graph) Jet(outs, wrt []*Node, series [][]*Node) [][]*Node {
	j := newJet(g, 0)
	for i, w := range wrt {
		j.order = max(j.order, len(series[i]))
		for _, c := range series[i] {
			if c != nil && (c.Type != w.Type || !c.Shape.Equal(w.Shape)) {
				Fail("Jet", "%v %v: a coefficient of %v %v", w.Type, w.Shape, c.Type, c.Shape)
			}
		}
	}
	for i, w := range wrt {
		j.at[w] = given(w, series[i], false)
	}
	return j.run(outs)
}

// jet is one Jet.
type jet struct {
	*Graph
	order   int
	at      map[*Node]*power
	primes  map[*Node]*Node    // stand-ins for derivatives, by what is derived
	loops   map[*Node][]*Node  // by Rewind: what it is as loops
	pushed  map[*Node][]flow   // by Branch with a rule: the derivatives of its results
	results map[*Node][]*power // by Loop or Branch: its results
}

func newJet(g *Graph, order int) *jet {
	return &jet{Graph: g, order: order, at: map[*Node]*power{}, primes: map[*Node]*Node{}, pushed: map[*Node][]flow{}, loops: map[*Node][]*Node{}, results: map[*Node][]*power{}}
}

// power is a power series whose coefficients are made on demand; next makes number len(c) from those before. No
// node is zero. A constant has no more than coefficient 0.
type power struct {
	c        []*Node
	next     func(k int) *Node
	constant bool
	masked   bool // as in flow: of the coefficients that are derivatives
	tangent  bool // coefficient 0 is one, too
}

func (p *power) coef(k int) *Node {
	if p.constant && k > 0 {
		return nil
	}
	for len(p.c) <= k {
		c := p.next(len(p.c))
		p.c = append(p.c, c)
	}
	return p.c[k]
}

func (p *power) flow(k int) flow { return flow{p.coef(k), p.masked && (k > 0 || p.tangent)} }

// given is the series of x with the coefficients from the first on.
func given(x *Node, cs []*Node, masked bool) *power {
	return &power{c: []*Node{x}, masked: masked, next: func(k int) *Node {
		if k <= len(cs) {
			return cs[k-1]
		}
		return nil
	}}
}

func (j *jet) run(outs []*Node) [][]*Node {
	follow := j.Graph.follow()
	defer j.Graph.derive()()
	for _, n := range Reachable(outs) { // so that recursion stays shallow
		follow(n)
		j.Graph.deriving = n
		if !n.Several() {
			j.of(n).coef(j.order)
		}
	}
	res := make([][]*Node, len(outs))
	for i, o := range outs {
		p := j.of(o)
		for k := range j.order {
			res[i] = append(res[i], p.coef(k+1))
		}
	}
	return res
}

// of is n's series.
func (j *jet) of(n *Node) *power {
	if p := j.at[n]; p != nil {
		return p
	}
	in := n.In
	if n.Kind == Out {
		in = n.In[0].In
	}
	p := &power{}
	x := make([]*power, len(in))
	first := make([]*Node, len(in))
	p.constant = n.Kind == Stop || !n.Type.IsFloat()
	moves, same := false, true
	for i, v := range in {
		x[i] = j.of(v)
		if first[i] = x[i].coef(0); first[i] == nil {
			first[i] = j.like(v, 0)
		}
		same = same && first[i] == v
		moves = moves || !x[i].constant
		p.masked = p.masked || x[i].masked
		p.tangent = p.tangent || x[i].tangent
	}
	p.constant = p.constant || !moves
	p.masked = p.masked || selects(n)
	j.at[n] = p
	c0 := n
	switch {
	case same:
	case n.Kind == Out:
		c0 = j.Out(j.Copy(n.In[0], first), int(n.Bits))
	default:
		c0 = j.Copy(n, first)
	}
	p.c = []*Node{c0}
	if !p.constant {
		on := n // with first coefficients for operands
		if !same {
			copied := *n
			if on = c0; n.Kind != Reduce {
				on, copied.In = &copied, first
			}
		}
		p.next = j.rule(n, on, p, x)
	}
	return p
}

// selects reports whether derivatives of n come through a select.
func selects(n *Node) bool {
	switch n.Kind {
	case Reduce:
		return n.Reduction == Max || n.Reduction == Min
	case Out:
		return true
	case Pointwise:
		if n.Op == ops.Where || n.Op == ops.MulZ {
			return true
		}
		for i := range n.In {
			if e := n.Op.Row().Partial(i); e != nil && e.Op == ops.Where {
				return true
			}
		}
	}
	return false
}

// rule is what makes coefficients from number 1 on.
func (j *jet) rule(n, on *Node, p *power, x []*power) func(k int) *Node {
	switch n.Kind {
	case Alias:
		return x[0].coef
	case Convert, Broadcast, Reshape, Transpose, Slice, Reverse, Place, Take, Scatter:
		return j.linear(on, x)
	case Reduce, Cumulate:
		if n.Reduction != Prod {
			return j.linear(on, x)
		}
	case MatMul:
		return j.cauchy(x[0], x[1], func(a, b flow) flow { return flow{n: j.MatMul(a.n, b.n)} })
	case Out:
		switch of := n.In[0]; {
		case of.Kind == Rewind:
			return j.of(j.expanded(of)[n.Bits]).coef
		case of.Rule == nil:
			return j.result(of, int(n.Bits))
		}
	case Pointwise:
		switch n.Op {
		case ops.Add, ops.Sub, ops.Neg, ops.Where:
			return j.linear(on, x)
		case ops.Mul:
			return j.cauchy(x[0], x[1], j.product)
		case ops.Square:
			return j.square(x[0])
		case ops.MulZ:
			return j.cauchy(x[0], x[1], func(a, b flow) flow {
				if b.masked && !a.masked {
					return j.behindZ(a.n, b)
				}
				return flow{j.mulZ(a.n, b.n), true}
			})
		case ops.Fma:
			ab := j.cauchy(x[0], x[1], j.product)
			return func(k int) *Node { return j.addFlow(flow{n: ab(k)}, x[2].flow(k)).n }
		case ops.Div:
			return j.quotient(n, p, x[0], x[1])
		}
	}
	return j.derived(n, x)
}

// linear applies forward mode's rule to coefficients.
func (j *jet) linear(n *Node, x []*power) func(k int) *Node {
	return func(k int) *Node {
		in := make([]flow, len(x))
		moved := false
		for i := range x {
			if in[i] = x[i].flow(k); n.Kind == Pointwise && n.Op == ops.Where && i == 0 || !n.In[i].Type.IsFloat() {
				in[i] = flow{}
			}
			moved = moved || in[i].n != nil
		}
		if !moved {
			return nil
		}
		return jvpRules[n.Kind](j.Graph, n, in).n
	}
}

func (j *jet) product(a, b flow) flow {
	if b.masked && !a.masked {
		a, b = b, a
	}
	return j.mulFlow(a, b.n)
}

func (j *jet) cauchy(a, b *power, times func(a, b flow) flow) func(k int) *Node {
	return func(k int) *Node {
		var sum flow
		for i := range k + 1 {
			if x, y := a.flow(i), b.flow(k-i); x.n != nil && y.n != nil {
				sum = j.addFlow(sum, times(x, y))
			}
		}
		return sum.n
	}
}

func (j *jet) square(a *power) func(k int) *Node {
	return func(k int) *Node {
		var sum flow
		for i := 0; 2*i < k; i++ {
			if x, y := a.flow(i), a.flow(k-i); x.n != nil && y.n != nil {
				sum = j.addFlow(sum, j.product(x, y))
			}
		}
		if sum.n != nil {
			sum.n = j.Apply(ops.Mul, sum.n, j.like(sum.n, 2))
		}
		if m := a.coef(k / 2); k%2 == 0 && m != nil {
			sum = j.addFlow(sum, flow{n: j.Apply(ops.Square, m)})
		}
		return sum.n
	}
}

// quotient is y = a/b from y·b = a.
func (j *jet) quotient(n *Node, y, a, b *power) func(k int) *Node {
	return func(k int) *Node {
		sum := a.flow(k)
		for i := range k {
			if u, v := y.flow(i), b.flow(k-i); u.n != nil && v.n != nil {
				f := j.product(v, flow{n: u.n})
				f.n = j.Apply(ops.Neg, f.n)
				sum = j.addFlow(sum, f)
			}
		}
		switch {
		case sum.n == nil:
			return nil
		case y.masked:
			return j.mulZ(sum.n, j.Apply(ops.Div, j.like(sum.n, 1), b.coef(0)))
		}
		return j.Apply(ops.Div, sum.n, b.coef(0))
	}
}

// prime is a stand-in for the derivative of x: its series is that of x, derived.
func (j *jet) prime(x *Node) *Node {
	if h := j.primes[x]; h != nil {
		return h
	}
	h := j.Hole(x.Type, x.Shape)
	p := j.of(x)
	d := &power{masked: p.masked, tangent: true}
	d.next = func(k int) *Node {
		c := p.coef(k + 1)
		if c != nil && k > 0 {
			c = j.Apply(ops.Mul, c, j.like(c, float64(k+1)))
		}
		return c
	}
	j.primes[x], j.at[h] = h, d
	return h
}

// derived integrates the derivative that forward mode's rule gives.
func (j *jet) derived(n *Node, x []*power) func(k int) *Node {
	var dy *power
	return func(k int) *Node {
		if dy == nil {
			dy = &power{constant: true, c: []*Node{nil}}
			if f := j.derivative(n, x); f.n != nil {
				dy = j.of(f.n)
			}
		}
		c := dy.coef(k - 1)
		if c != nil && k > 1 {
			c = j.Apply(ops.Div, c, j.like(c, float64(k)))
		}
		return c
	}
}

func (j *jet) derivative(n *Node, x []*power) flow {
	of := n
	if n.Kind == Out {
		of = n.In[0]
	}
	in := make([]flow, len(of.In))
	for i, v := range of.In {
		if !x[i].constant {
			in[i] = flow{j.prime(v), x[i].masked}
		}
	}
	if n.Kind == Out {
		if j.pushed[of] == nil {
			j.pushed[of] = of.Rule.push(j.Graph, of, in)
		}
		return j.pushed[of][n.Bits]
	}
	rule := jvpRules[n.Kind]
	if rule == nil {
		Fail("Jet", "%v: no rule for %s", n.Shape, n.Name())
	}
	return rule(j.Graph, n, in)
}

// result is result k of a Loop or Branch whose bodies are pushed through.
func (j *jet) result(n *Node, k int) func(k int) *Node {
	return func(i int) *Node {
		if _, ok := j.results[n]; !ok {
			j.results[n] = nil
			if n.Kind == Loop {
				j.results[n] = j.loop(n)
			} else {
				j.results[n] = j.branch(n)
			}
		}
		if j.results[n] == nil {
			Fail("Jet", "a rule's derivative contains a %v of what it derives", n.Kind)
		}
		return j.results[n][k].coef(i)
	}
}

// expanded is the Rewind n as loops.
func (j *jet) expanded(n *Node) []*Node {
	if j.loops[n] == nil {
		j.loops[n] = j.expandRewind(n, n.In)
	}
	return j.loops[n]
}

// within pushes a body's results through: coefs[i] are those of params[i].
func (j *jet) within(outs, params []*Node, coefs [][]*Node) [][]*Node {
	in := newJet(j.Graph, j.order)
	for i, p := range params {
		if coefs[i] != nil {
			in.at[p] = given(p, coefs[i], true)
		}
	}
	return in.run(outs)
}

// coefs are coefficients 1 … order of n, nil where all are zero; full: zeros are nodes.
func (j *jet) coefs(n *Node, full bool) []*Node {
	p := j.of(n)
	var cs []*Node
	any := false
	for k := range j.order {
		c := p.coef(k + 1)
		any = any || c != nil
		if c == nil && full {
			c = j.like(n, 0)
		}
		cs = append(cs, c)
	}
	if !any && !full {
		return nil
	}
	return cs
}

func (j *jet) filled(cs []*Node, like *Node) []*Node {
	res := make([]*Node, j.order)
	for k := range res {
		if res[k] = j.like(like, 0); cs[k] != nil {
			res[k] = cs[k]
		}
	}
	return res
}

func (j *jet) branch(n *Node) []*power {
	inner := make([][]*Node, len(n.In)-1)
	for i, x := range n.In[1:] {
		if x.Type.IsFloat() {
			inner[i] = j.coefs(x, false)
		}
	}
	b := n.Body[0]
	all := j.Graph.derived("Jet", n, func(outs, params []*Node) (res []*Node) {
		for i, cs := range j.within(outs, params, inner) {
			if b.Outs[i].Type.IsFloat() {
				res = append(res, j.filled(cs, outs[i])...)
			}
		}
		return res
	})
	return j.split(n, all, func(k int) bool { return b.Outs[k].Type.IsFloat() })
}

// split makes series of coefficients that lie one after the other.
func (j *jet) split(n *Node, all []*Node, has func(k int) bool) []*power {
	res := make([]*power, len(n.Body[0].Outs)+1)
	for k := range res {
		res[k] = &power{constant: true}
		if k < len(res)-1 && has(k) {
			res[k] = given(nil, all[:j.order], true)
			all = all[j.order:]
		}
	}
	return res
}

func (j *jet) loop(n *Node) []*power {
	g, b := j.Graph, n.Body[0]
	operands := n.operands()
	moved := make([]bool, len(operands))
	cs := make([][]*Node, len(operands))
	for i, x := range operands {
		if x.Type.IsFloat() {
			cs[i] = j.coefs(x, false)
		}
		moved[i] = cs[i] != nil
	}
	active := b.activeCarries(b.aligned(moved))
	init, xs := slices.Clone(operands[:b.Carry]), slices.Clone(operands[b.Carry:b.Carry+b.Xs])
	captured := operands[b.Carry+b.Xs:]
	for i := range b.Carry {
		if active[i] {
			init = append(init, j.coefs(operands[i], true)...)
		}
	}
	for i := range b.Xs {
		if moved[b.Carry+i] {
			xs = append(xs, j.coefs(operands[b.Carry+i], true)...)
		}
	}
	finals, ys, _ := g.Loop("Jet", n.options(), init, xs, func(index *Node, carry, x []*Node) (next, ys []*Node, goOn *Node) {
		params := b.indexed(carry[:b.Carry], x[:b.Xs], index, captured)
		inner := make([][]*Node, len(params))
		more := carry[b.Carry:]
		for i := range b.Carry {
			if active[i] {
				inner[i], more = more[:j.order], more[j.order:]
			}
		}
		more = x[b.Xs:]
		for i := range b.Xs {
			if moved[b.Carry+i] {
				inner[b.Carry+i], more = more[:j.order], more[j.order:]
			}
		}
		for k := range captured {
			inner[b.Carry+b.Xs+1+k] = cs[b.Carry+b.Xs+k]
		}
		for i, p := range params {
			params[i] = g.Alias(p)
		}
		res, goOn := g.inline(b, params)
		next, ys = slices.Clone(res[:b.Carry]), slices.Clone(res[b.Carry:])
		for k, c := range j.within(res, params, inner) {
			switch {
			case k < b.Carry && active[k]:
				next = append(next, j.filled(c, res[k])...)
			case k >= b.Carry && res[k].Type.IsFloat():
				ys = append(ys, j.filled(c, res[k])...)
			}
		}
		return next, ys, goOn
	})
	all := slices.Concat(finals[b.Carry:], ys[b.ys():])
	return j.split(n, all, func(k int) bool {
		return k < b.Carry && active[k] || k >= b.Carry && b.Outs[k].Type.IsFloat()
	})
}
