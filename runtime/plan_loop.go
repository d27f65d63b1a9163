package runtime

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// A loop of a fixed number of steps is its body's launches once for each, on the addresses of that step: a device
// records them once and replays them. Where that would be too many, or data decides, a step is on the same addresses
// every time, recorded by itself, and the host says which comes next: it reads conditions and choices back.

// Tests change these.
var (
	maxLaunches = 1 << 14 // that a loop becomes
	deviceWork  = 1 << 14 // of a step, in elements, from which on waiting for a device is worth while
)

// deviceNested is a Loop, Rewind or Branch for a plan.
type deviceNested struct {
	n *ir.Node
	nested
	outs  []int // buffers, -1 for none
	steps int   // the buffer of the number of steps, -1
}

func (u *deviceNested) phases() int            { return 0 }
func (u *deviceNested) tasks(int) int          { return 0 }
func (u *deviceNested) do(*run, int, int, int) {}

// results finds the buffers of n's results, which the last unit writes.
func (d *planner) results(n *ir.Node) (outs []int, steps int) {
	b, body := d.b, n.Body[0]
	outs = make([]int, len(body.Outs)+1)
	for k := range outs {
		outs[k] = -1
	}
	for _, o := range b.p.low.nodes {
		if o.Kind == ir.Out && o.In[0] == n {
			outs[o.Bits] = b.root(o)
			b.writes(b.root(o))
		}
	}
	return outs[:len(body.Outs)], outs[len(body.Outs)]
}

func (d *planner) nested(name string, u *deviceNested) error {
	switch u.n.Kind {
	case ir.Branch:
		return d.branch(name, u)
	case ir.Rewind:
		return d.rewind(name, u)
	}
	return d.loop(name, u)
}

// bytes is the size of x.
func (d *planner) bytes(x *ir.Node) int { return x.Type.Size() * x.Shape.SizeAt(d.b.batch) }

func arg(buffer, offset int) cudasrc.Arg {
	return cudasrc.Arg{Pointer: true, Buffer: buffer, Offset: offset}
}

// operands is where nodes' elements are; they are contiguous.
func (d *planner) operands(in []*ir.Node) (list []cudasrc.Arg) {
	for _, x := range in {
		o := d.b.operand(x)
		list = append(list, arg(o.buffer, o.offset))
	}
	return list
}

// aligned is what the address of an array is a multiple of.
func (d *planner) aligned(a cudasrc.Arg) int { return gcd(d.align(a.Buffer), a.Offset) }

// rooms makes arrays like nodes.
func (d *planner) rooms(like []*ir.Node) (list []cudasrc.Arg) {
	for _, x := range like {
		list = append(list, arg(d.temporary(d.bytes(x)), 0))
	}
	return list
}

// inner is a body as a plan of its own, to be done on this one's buffers.
type inner struct {
	d     *planner // of the body
	place []cudasrc.Arg
}

// inner plans a body. Alignments are those of its inputs and outputs.
func (d *planner) inner(p *Program, e ends) (*inner, error) {
	x := &inner{d: &planner{w: d.w, all: d.all, ends: e}}
	err := x.d.make(p, d.b.batch)
	d.w.Temporary = d.temporary
	if err != nil {
		return nil, err
	}
	plan := x.d.plan
	arena, status := d.temporary(plan.Arena), d.plan.Status()
	x.place = make([]cudasrc.Arg, len(plan.Buffers))
	for k := range plan.Buffers {
		switch f := &plan.Buffers[k]; f.Place {
		case cudasrc.InArena:
			x.place[k] = arg(arena, f.At)
		case cudasrc.InStatus:
			x.place[k] = arg(d.status, 8*status)
		case cudasrc.InData:
			d.b.buffers = append(d.b.buffers, buffer{node: x.d.b.buffers[k].node, first: -1, last: -1, offset: -1, out: -1})
			x.place[k] = arg(len(d.b.buffers)-1, 0)
		}
	}
	d.plan.Checks = append(d.plan.Checks, plan.Checks...)
	return x, nil
}

// launches is how many a step takes, -1 where the host takes part.
func (x *inner) launches() int {
	n := 0
	for i := range x.d.plan.Steps {
		s := &x.d.plan.Steps[i]
		if s.Control != nil {
			return -1
		}
		n += max(1, len(s.Launches))
	}
	return n
}

// on is the body's steps on inputs and outputs.
func (x *inner) on(d *planner, name string, ins, outs []cudasrc.Arg) (steps []cudasrc.Step, err error) {
	plan := x.d.plan
	for k := range x.place {
		switch f := &plan.Buffers[k]; f.Place {
		case cudasrc.InInput:
			x.place[k] = ins[f.At]
		case cudasrc.InOutput:
			x.place[k] = outs[f.At]
		}
	}
	for i := range plan.Steps {
		steps = append(steps, moved(name+": ", &plan.Steps[i], x.place))
	}
	for k, o := range plan.Outs {
		if n := x.d.b.p.low.outs[k]; o.Copied {
			s, err := d.copied(name, x.place[o.Buffer], outs[k], n.Type, n.Shape.SizeAt(d.b.batch))
			if err != nil {
				return nil, err
			}
			steps = append(steps, s)
		}
	}
	return steps, nil
}

// copied copies n elements.
func (d *planner) copied(name string, from, to cudasrc.Arg, t dtype.Type, n int) (cudasrc.Step, error) {
	operand := func(a cudasrc.Arg) *cudasrc.Operand {
		return &cudasrc.Operand{Type: t, Buffer: a.Buffer, Offset: a.Offset, Align: t.Size(), Dims: []int{n}, Strides: []int{1}}
	}
	k, err := d.w.Map(&cudasrc.Map{Dims: []int{n}, Values: []cudasrc.Value{{Type: t, Leaf: operand(from), Out: operand(to)}}})
	return cudasrc.Step{Name: name + " copy", Launches: k.Launches}, err
}

func (d *planner) copy(name string, from, to cudasrc.Arg, x *ir.Node) error {
	s, err := d.copied(name, from, to, x.Type, x.Shape.SizeAt(d.b.batch))
	d.plan.Steps = append(d.plan.Steps, s)
	return err
}

// fill writes n elements of one value.
func (d *planner) fill(name string, a cudasrc.Arg, t dtype.Type, n int, bits uint64) error {
	k, err := d.w.Place(&cudasrc.Operand{Type: t, Buffer: a.Buffer, Offset: a.Offset, Dims: []int{n}}, bits, nil, false)
	return d.step(name, k, err)
}

// work is about how many elements a body's step computes.
func work(b *ir.Body, batch int) int {
	sum := 0
	nodes := b.Outs
	if b.Cond != nil {
		nodes = append(nodes[:len(nodes):len(nodes)], b.Cond)
	}
	for _, n := range ir.Reachable(nodes) {
		switch n.Kind {
		case ir.Reduce:
			sum += n.In[0].Shape.SizeAt(batch)
		case ir.MatMul:
			x := n.In[0].Shape
			sum += n.Shape.SizeAt(batch) * x[len(x)-1].At(batch)
		case ir.Loop, ir.Rewind, ir.Branch:
			most := 0
			for _, b := range n.Body {
				most = max(most, work(b, batch))
			}
			if n.Kind != ir.Branch && (n.Size.B != 0 || n.Size.C > 0) {
				most *= n.Size.At(batch)
			}
			sum += most
		case ir.Param, ir.Data, ir.Const, ir.Out:
		default:
			if !viewKind(n.Kind) {
				sum += n.Shape.SizeAt(batch)
			}
		}
		if sum < 0 || sum > deviceWork {
			return deviceWork
		}
	}
	return sum
}

// small is the error for steps that take longer to start than to compute.
func (d *planner) small(n *ir.Node) error {
	if d.all || work(n.Body[0], d.b.batch) >= deviceWork {
		return nil
	}
	return &cudasrc.Unsupported{Step: n.Name(), Reason: "its steps are too small for a device"}
}

// places numbers the places of a control.
type places []cudasrc.Arg

func (p *places) add(a cudasrc.Arg, bytes int) cudasrc.Span {
	*p = append(*p, a)
	return cudasrc.Span{Place: len(*p) - 1, Bytes: bytes}
}

// part is the part of a span that step i has, of n bytes.
func part(s cudasrc.Span, i, n int) cudasrc.Span {
	return cudasrc.Span{Place: s.Place, Offset: i * n, Bytes: n}
}

// setInt has the host write an integer, readInt read one.
func setInt(m cudasrc.Machine, s cudasrc.Span, x int) error {
	return m.Host(nil, []cudasrc.Span{s}, func(_, out []unsafe.Pointer) error {
		*(*int64)(out[0]) = int64(x)
		return nil
	})
}

func readInt(m cudasrc.Machine, s cudasrc.Span) (x int, err error) {
	err = m.Host([]cudasrc.Span{s}, nil, func(in, _ []unsafe.Pointer) error {
		x = int(*(*int64)(in[0]))
		return nil
	})
	return x, err
}

// stepsOf is the number of a loop's steps: what is at count, where it is counted, and length at most.
func stepsOf(m cudasrc.Machine, length int, counted bool, count cudasrc.Span) (int, error) {
	if !counted {
		return length, nil
	}
	k, err := readInt(m, count)
	return max(0, min(length, k)), err
}

// branch writes a Branch: the host reads the choice.
func (d *planner) branch(name string, u *deviceNested) error {
	in := d.operands(u.n.In)
	var e ends
	for _, a := range in[1:] {
		e.ins = append(e.ins, d.aligned(a))
	}
	outs := make([]cudasrc.Arg, len(u.outs))
	for k, o := range u.n.Body[0].Outs {
		if u.outs[k] < 0 {
			u.outs[k] = d.temporary(d.bytes(o))
		}
		outs[k] = arg(u.outs[k], 0)
		e.outs = append(e.outs, d.aligned(outs[k]))
	}
	c := &cudasrc.Control{}
	why, device := "", false // a body has something for the device
	for _, p := range u.bodies {
		x, err := d.inner(p, e)
		if err != nil {
			return err
		}
		w := onHost(x.d.plan.Steps)
		device = device || w == "" && len(x.d.plan.Steps) > 0
		if why == "" {
			why = w
		}
		steps, err := x.on(d, name, in[1:], outs)
		if err != nil {
			return err
		}
		c.Bodies = append(c.Bodies, &cudasrc.Body{Steps: steps})
	}
	switch {
	case why != "" && !device:
		return &cudasrc.Unsupported{Step: u.n.Name(), Reason: "nothing within it runs on a device: " + why}
	case len(c.Bodies) == 1: // a checkpoint
		d.plan.Steps = append(d.plan.Steps, c.Bodies[0].Steps...)
		return nil
	}
	var p places
	which := p.add(in[0], 8)
	c.At = p
	last := len(c.Bodies) - 1
	c.Do = func(ctx context.Context, m cudasrc.Machine) error {
		i, err := readInt(m, which)
		if err != nil {
			return err
		}
		return m.Run(max(0, min(last, i)))
	}
	d.plan.Steps = append(d.plan.Steps, cudasrc.Step{Name: name, Control: c})
	return nil
}

// loop writes a Loop. Carries go to and fro between two arrays each.
func (d *planner) loop(name string, u *deviceNested) error {
	b, n, body := d.b, u.n, u.n.Body[0]
	carry, xs := body.Carry, body.Xs
	counted := n.Bits == 1
	forever := n.Size.B == 0 && n.Size.C < 0
	fixed := body.Cond == nil && !counted && !forever
	length := math.MaxInt
	if !forever {
		length = n.Size.At(b.batch)
	}
	if !fixed {
		if err := d.small(n); err != nil {
			return err
		}
	}
	operands := d.operands(n.In)
	outs := make([]cudasrc.Arg, len(u.outs))
	for k, o := range body.Outs {
		if u.outs[k] < 0 {
			size := d.bytes(o)
			if k >= carry {
				size *= length
			}
			u.outs[k] = d.temporary(size)
		}
		outs[k] = arg(u.outs[k], 0)
	}
	other := d.rooms(body.Outs[:carry])
	// What is known of addresses: slices of a step begin anywhere.
	e := ends{make([]int, len(body.Params)), make([]int, len(body.Outs))}
	for j := range body.Params {
		switch {
		case j < carry:
			e.ins[j] = gcd(d.aligned(operands[j]), d.aligned(outs[j]))
		case j < carry+xs:
			e.ins[j] = gcd(d.aligned(operands[j]), d.bytes(body.Params[j]))
		case j == carry+xs:
			e.ins[j] = 8
		default:
			e.ins[j] = d.aligned(operands[j-1])
		}
	}
	for k, o := range body.Outs {
		if e.outs[k] = d.aligned(outs[k]); k >= carry {
			e.outs[k] = gcd(e.outs[k], d.bytes(o))
		}
	}
	x, err := d.inner(u.bodies[0], e)
	if err != nil {
		return err
	}
	launches := x.launches()
	unroll := fixed && launches >= 0 && (launches == 0 || length <= maxLaunches/launches)
	if !unroll {
		if err := d.small(n); err != nil {
			return err
		}
		if why := onHost(x.d.plan.Steps); why != "" {
			return &cudasrc.Unsupported{Step: n.Name(), Reason: "nothing within it runs on a device: " + why}
		}
		return d.directed(name, u, x, e, operands, outs, other, length)
	}
	if u.steps >= 0 {
		if err := d.fill(name+" steps", arg(u.steps, 0), dtype.I64, 1, uint64(length)); err != nil {
			return err
		}
	}
	if length == 0 {
		for k := range carry {
			if err := d.copy(name, operands[k], outs[k], body.Outs[k]); err != nil {
				return err
			}
		}
		return nil
	}
	index := d.temporary(8 * length)
	k, err := d.w.Iota(&cudasrc.Operand{Type: dtype.I64, Buffer: index, Dims: []int{length}}, 0)
	if err := d.step(name+" index", k, err); err != nil {
		return err
	}
	in, out := make([]cudasrc.Arg, len(body.Params)), make([]cudasrc.Arg, len(body.Outs))
	copy(in[carry+xs+1:], operands[carry+xs:])
	copy(in, operands[:carry])
	for taken := range length {
		i := taken
		if n.Flag {
			i = length - 1 - taken
		}
		for j := range xs {
			in[carry+j] = operands[carry+j]
			in[carry+j].Offset += i * d.bytes(body.Params[carry+j])
		}
		in[carry+xs] = arg(index, 8*i)
		for k, o := range body.Outs {
			switch {
			case k >= carry:
				out[k] = outs[k]
				out[k].Offset += i * d.bytes(o)
			case (length-taken)%2 == 1: // so that the last step writes the result
				out[k] = outs[k]
			default:
				out[k] = other[k]
			}
		}
		steps, err := x.on(d, name, in, out)
		if err != nil {
			return err
		}
		d.plan.Steps = append(d.plan.Steps, steps...)
		copy(in, out[:carry])
	}
	return nil
}

// stepped is what a step of a directed loop sees of arrays that have a slice for each step.
type stepped struct {
	all, one cudasrc.Span
	bytes    int
}

// slices gives a step arrays of its own for its slices of others.
func (d *planner) slices(p *places, arrays []cudasrc.Arg, like []*ir.Node) (list []stepped, own []cudasrc.Arg) {
	own = d.rooms(like)
	for j, x := range like {
		list = append(list, stepped{p.add(arrays[j], 0), p.add(own[j], 0), d.bytes(x)})
	}
	return list, own
}

func bring(m cudasrc.Machine, list []stepped, i int) error {
	for _, s := range list {
		if err := m.Copy(part(s.one, 0, s.bytes), part(s.all, i, s.bytes)); err != nil {
			return err
		}
	}
	return nil
}

func take(m cudasrc.Machine, list []stepped, i int) error {
	for _, s := range list {
		if err := m.Copy(part(s.all, i, s.bytes), part(s.one, 0, s.bytes)); err != nil {
			return err
		}
	}
	return nil
}

// swaps is the two arrays of each carry, of which the first holds the result in the end.
type swaps [][2]cudasrc.Span

func (d *planner) swaps(p *places, outs, other []cudasrc.Arg, like []*ir.Node) (list swaps) {
	for k, x := range like {
		list = append(list, [2]cudasrc.Span{p.add(outs[k], d.bytes(x)), p.add(other[k], d.bytes(x))})
	}
	return list
}

// settle copies carries that are in their other array.
func (s swaps) settle(m cudasrc.Machine, turn int) error {
	for _, c := range s {
		if turn == 1 {
			if err := m.Copy(c[0], c[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// turns is a body's steps in two ways: from the first arrays of carries to the others, and back.
func (x *inner) turns(d *planner, name string, carry int, in, out, first, other []cudasrc.Arg, more ...cudasrc.Step) (list []*cudasrc.Body, err error) {
	for range 2 {
		copy(in, first[:carry])
		copy(out, other[:carry])
		steps, err := x.on(d, name, in, out)
		if err != nil {
			return nil, err
		}
		list = append(list, &cudasrc.Body{Steps: append(steps, more...)})
		first, other = other, first
	}
	return list, nil
}

// counter is a step that adds to an index.
func (d *planner) counter(name string, index cudasrc.Arg, by int64) (cudasrc.Step, error) {
	o := &cudasrc.Operand{Type: dtype.I64, Buffer: index.Buffer, Offset: index.Offset, Dims: []int{1}, Strides: []int{1}}
	k, err := d.w.Map(&cudasrc.Map{Dims: []int{1}, Values: []cudasrc.Value{{Type: dtype.I64, Leaf: o},
		{Type: dtype.I64, Leaf: &cudasrc.Operand{Type: dtype.I64, Splat: true, Bits: uint64(by), Dims: []int{1}}},
		{Type: dtype.I64, Op: ops.Add, Args: []int{0, 1}, Out: o}}})
	return cudasrc.Step{Name: name + " index", Launches: k.Launches}, err
}

// directed writes a loop that the host directs: x is its body.
func (d *planner) directed(name string, u *deviceNested, x *inner, e ends, operands, outs, other []cudasrc.Arg, length int) error {
	n, body := u.n, u.n.Body[0]
	carry, xs, backward := body.Carry, body.Xs, u.n.Flag
	var p places
	c := &cudasrc.Control{}
	for k := range carry {
		if err := d.copy(name, operands[k], outs[k], body.Outs[k]); err != nil {
			return err
		}
	}
	if body.Cond != nil || n.Bits == 1 { // steps not taken give zeros
		for k, o := range body.Outs[carry:] {
			if err := d.fill(name+" zeros", outs[carry+k], o.Type, o.Shape.SizeAt(d.b.batch)*length, 0); err != nil {
				return err
			}
		}
	}
	index := arg(d.temporary(8), 0)
	counter, by := p.add(index, 8), int64(1)
	if backward {
		by = -1
	}
	next, err := d.counter(name, index, by)
	if err != nil {
		return err
	}
	in, out := make([]cudasrc.Arg, len(body.Params)), make([]cudasrc.Arg, len(body.Outs))
	reads, own := d.slices(&p, operands[carry:], body.Params[carry:carry+xs])
	copy(in[carry:], own)
	writes, own := d.slices(&p, outs[carry:], body.Outs[carry:])
	copy(out[carry:], own)
	in[carry+xs] = index
	copy(in[carry+xs+1:], operands[carry+xs:])
	both := d.swaps(&p, outs, other, body.Outs[:carry])
	if c.Bodies, err = x.turns(d, name, carry, in, out, outs, other, next); err != nil {
		return err
	}
	var verdict, count, taken cudasrc.Span
	if body.Cond != nil {
		flag := arg(d.temporary(1), 0)
		verdict = p.add(flag, 1)
		y, err := d.inner(u.cond, ends{e.ins, []int{0}})
		if err != nil {
			return err
		}
		for turn := range 2 {
			copy(in, [][]cudasrc.Arg{outs, other}[turn][:carry])
			steps, err := y.on(d, name+" condition", in, []cudasrc.Arg{flag})
			if err != nil {
				return err
			}
			c.Bodies = append(c.Bodies, &cudasrc.Body{Steps: steps})
		}
	}
	if n.Bits == 1 {
		count = p.add(operands[len(operands)-1], 8)
	}
	if u.steps >= 0 {
		taken = p.add(arg(u.steps, 0), 8)
	}
	counted, conditional, told := n.Bits == 1, body.Cond != nil, u.steps >= 0
	c.At = p
	c.Do = func(ctx context.Context, m cudasrc.Machine) error {
		steps, err := stepsOf(m, length, counted, count)
		if err != nil {
			return err
		}
		first := 0
		if backward {
			first = steps - 1
		}
		if err := setInt(m, counter, first); err != nil {
			return err
		}
		t := 0
		for ; t < steps; t++ {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("autodiff: Run: %w", err)
			}
			i := t
			if backward {
				i = steps - 1 - t
			}
			if err := bring(m, reads, i); err != nil {
				return err
			}
			if conditional {
				if err := m.Run(2 + t%2); err != nil {
					return err
				}
				goOn := false
				if err := m.Host([]cudasrc.Span{verdict}, nil, func(in, _ []unsafe.Pointer) error {
					goOn = *(*uint8)(in[0]) != 0
					return nil
				}); err != nil {
					return err
				}
				if !goOn {
					break
				}
			}
			if err := m.Run(t % 2); err != nil {
				return err
			}
			if err := take(m, writes, i); err != nil {
				return err
			}
		}
		if told {
			if err := setInt(m, taken, t); err != nil {
				return err
			}
		}
		return both.settle(m, t%2)
	}
	d.plan.Steps = append(d.plan.Steps, cudasrc.Step{Name: name, Control: c})
	return nil
}

// rewind writes a Rewind: a loop backwards over sets of carries, few of which are kept and the others made again.
func (d *planner) rewind(name string, u *deviceNested) error {
	b, n, back, forward := d.b, u.n, u.n.Body[0], u.n.Body[1]
	if err := d.small(n); err != nil {
		return err
	}
	length := math.MaxInt
	if n.Size.B != 0 || n.Size.C >= 0 {
		length = n.Size.At(b.batch)
	}
	operands := d.operands(n.In)
	var p places
	c := &cudasrc.Control{}
	var count cudasrc.Span
	counted := n.Bits == 1
	if counted {
		count = p.add(operands[len(operands)-1], 8)
		operands = operands[:len(operands)-1]
	}
	carries, first := forward.Carry, back.Carry+forward.Carry
	used := len(operands) - (len(forward.Params) - carries - forward.Xs - 1)
	outs := make([]cudasrc.Arg, len(back.Outs))
	for k, o := range back.Outs {
		if u.outs[k] < 0 {
			size := d.bytes(o)
			if k >= back.Carry {
				size *= length
			}
			u.outs[k] = d.temporary(size)
		}
		outs[k] = arg(u.outs[k], 0)
		if k < back.Carry {
			if err := d.copy(name, operands[k], outs[k], o); err != nil {
				return err
			}
		} else if counted {
			if err := d.fill(name+" zeros", outs[k], o.Type, o.Shape.SizeAt(b.batch)*length, 0); err != nil {
				return err
			}
		}
	}
	other := d.rooms(back.Outs[:back.Carry])
	index := arg(d.temporary(8), 0)
	counter := p.add(index, 8)
	both := d.swaps(&p, outs, other, back.Outs[:back.Carry])
	begin, end := d.rooms(forward.Params[:carries]), d.rooms(forward.Params[:carries])
	slots := n.Axes[0]
	if length-1 < slots {
		slots = max(0, length-1)
	}
	var sets []carrySets
	for k, x := range forward.Params[:carries] {
		size := d.bytes(x)
		sets = append(sets, carrySets{p.add(operands[back.Carry+k], size), p.add(begin[k], size), p.add(end[k], size),
			p.add(arg(d.temporary(slots*size), 0), size)})
	}
	reads, own := d.slices(&p, operands[first:], back.Params[first:back.Carry+back.Xs])
	writes, given := d.slices(&p, outs[back.Carry:], back.Outs[back.Carry:])

	in := make([]cudasrc.Arg, len(back.Params))
	copy(in[back.Carry:], begin)
	copy(in[first:], own)
	in[back.Carry+back.Xs] = index
	copy(in[back.Carry+back.Xs+1:], operands[back.Carry+back.Xs:used])
	out := make([]cudasrc.Arg, len(back.Outs))
	copy(out[back.Carry:], given)
	e := ends{ends{}.ins, make([]int, len(back.Outs))}
	for j := range back.Params {
		switch {
		case j < back.Carry:
			e.ins = append(e.ins, d.aligned(outs[j]))
			e.outs[j] = d.aligned(outs[j])
		default:
			e.ins = append(e.ins, d.aligned(in[j]))
		}
	}
	x, err := d.inner(u.bodies[0], e)
	if err != nil {
		return err
	}
	if c.Bodies, err = x.turns(d, name, back.Carry, in, out, outs, other); err != nil {
		return err
	}
	ahead := append(append([]cudasrc.Arg(nil), begin...), own[:forward.Xs]...)
	ahead = append(append(ahead, index), operands[used:]...)
	e = ends{nil, make([]int, carries)}
	for _, a := range ahead {
		e.ins = append(e.ins, d.aligned(a))
	}
	y, err := d.inner(u.bodies[1], e)
	if err != nil {
		return err
	}
	steps, err := y.on(d, name+" again", ahead, end)
	if err != nil {
		return err
	}
	c.Bodies = append(c.Bodies, &cudasrc.Body{Steps: steps})
	if why := onHost(append(steps, c.Bodies[0].Steps...)); why != "" {
		return &cudasrc.Unsupported{Step: n.Name(), Reason: "nothing within it runs on a device: " + why}
	}
	c.At = p
	near, backward := forward.Xs, n.Flag
	c.Do = func(ctx context.Context, m cudasrc.Machine) error {
		total, err := stepsOf(m, length, counted, count)
		if err != nil {
			return err
		}
		r := rewinding{ctx: ctx, m: m, total: total, backward: backward, near: near, slots: slots, counter: counter, sets: sets, reads: reads, writes: writes, here: -1}
		if err := revolve(&r, slots, total, make([]int, 0, slots+1)); err != nil {
			return err
		}
		return both.settle(m, r.turn)
	}
	d.plan.Steps = append(d.plan.Steps, cudasrc.Step{Name: name, Control: c})
	return nil
}

// carrySets is where a carry lies: what the loop begins with, what a step begins with and what it gives, and what is kept.
type carrySets struct{ start, begin, end, kept cudasrc.Span }

// rewinding is a Rewind under way on a device.
type rewinding struct {
	ctx           context.Context
	m             cudasrc.Machine
	total         int
	backward      bool
	near, slots   int
	counter       cudasrc.Span
	sets          []carrySets
	reads, writes []stepped
	here          int // the step that the carries of begin are of
	turn          int // of the carries backwards
}

// ready has step t's carries, index and slices in place, and gives the index.
func (r *rewinding) ready(t, from int, reads []stepped) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fmt.Errorf("autodiff: Run: %w", err)
	}
	for _, s := range r.sets {
		if r.here == t {
			break
		}
		x := s.start
		if from >= 0 {
			x = part(s.kept, from, s.kept.Bytes)
		}
		if err := r.m.Copy(s.begin, x); err != nil {
			return 0, err
		}
	}
	r.here = t
	if r.backward {
		t = r.total - 1 - t
	}
	if err := setInt(r.m, r.counter, t); err != nil {
		return 0, err
	}
	return t, bring(r.m, reads, t)
}

func (r *rewinding) again(t, from, to int) error {
	if _, err := r.ready(t, from, r.reads[:r.near]); err != nil {
		return err
	}
	if err := r.m.Run(2); err != nil {
		return err
	}
	for _, s := range r.sets {
		if err := r.m.Copy(s.begin, s.end); err != nil {
			return err
		}
		if to < r.slots {
			if err := r.m.Copy(part(s.kept, to, s.kept.Bytes), s.end); err != nil {
				return err
			}
		}
	}
	r.here = t + 1
	return nil
}

func (r *rewinding) back(t, from int) error {
	i, err := r.ready(t, from, r.reads)
	if err != nil {
		return err
	}
	if err := r.m.Run(r.turn); err != nil {
		return err
	}
	r.turn = 1 - r.turn
	return take(r.m, r.writes, i)
}

// gcd is what multiples of a and b are multiples of; 0 is a multiple of everything.
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// moved is a step of a body on other addresses: those of the buffers in place.
func moved(prefix string, s *cudasrc.Step, place []cudasrc.Arg) cudasrc.Step {
	move := func(a cudasrc.Arg) cudasrc.Arg {
		if !a.Pointer {
			return a
		}
		p := place[a.Buffer]
		p.Offset += a.Offset
		return p
	}
	all := func(list []cudasrc.Arg) []cudasrc.Arg {
		args := make([]cudasrc.Arg, len(list))
		for i, a := range list {
			args[i] = move(a)
		}
		return args
	}
	y := cudasrc.Step{Name: prefix + s.Name}
	for _, l := range s.Launches {
		l.Args = all(l.Args)
		y.Launches = append(y.Launches, l)
	}
	if s.Product != nil {
		p := *s.Product
		p.A, p.B, p.C = move(p.A), move(p.B), move(p.C)
		y.Product = &p
	}
	if c := s.Control; c != nil {
		z := *c
		z.At, z.Bodies = all(c.At), nil
		for _, b := range c.Bodies {
			to := &cudasrc.Body{}
			for i := range b.Steps {
				to.Steps = append(to.Steps, moved("", &b.Steps[i], place))
			}
			z.Bodies = append(z.Bodies, to)
		}
		y.Control = &z
	}
	return y
}
