package runtime

import (
	"fmt"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// A loop of a fixed number of steps is its body's launches once for each, on the addresses of that step: a device
// records them once and replays them. What is decided by data runs on the CPU.

// maxLaunches bounds the launches that a loop becomes.
const maxLaunches = 1 << 14

// deviceLoop is a Loop for a plan.
type deviceLoop struct {
	n      *ir.Node
	body   *Program
	length int
	outs   []int // buffers, -1 for none
	steps  int   // the buffer of the number of steps, -1
}

func (u *deviceLoop) phases() int            { return 0 }
func (u *deviceLoop) tasks(int) int          { return 0 }
func (u *deviceLoop) do(*run, int, int, int) {}

// layLoop makes a loop's unit.
func (d *planner) layLoop(n *ir.Node, c nested) error {
	b, body := d.b, n.Body[0]
	if c.cond != nil || n.Bits == 1 || n.Size.B == 0 && n.Size.C < 0 {
		return &cudasrc.Unsupported{Step: n.Name(), Reason: "loops whose steps data decides run on the CPU"}
	}
	u := &deviceLoop{n: n, body: c.bodies[0], length: n.Size.At(b.batch), outs: make([]int, len(body.Outs)), steps: -1}
	for k := range u.outs {
		u.outs[k] = -1
	}
	b.units = append(b.units, u)
	for _, o := range b.p.low.nodes {
		if o.Kind != ir.Out || o.In[0] != n {
			continue
		}
		b.writes(b.root(o))
		if int(o.Bits) < len(u.outs) {
			u.outs[o.Bits] = b.root(o)
		} else {
			u.steps = b.root(o)
		}
	}
	for _, x := range n.In {
		b.reads(b.elements(x))
	}
	return nil
}

// loop writes a loop: carries go to and fro between two arrays each, so that the last step writes the result.
func (d *planner) loop(name string, u *deviceLoop) error {
	b, body, temporary := d.b, u.n.Body[0], d.w.Temporary
	carry, xs := body.Carry, body.Xs
	bytes := func(x *ir.Node) int { return x.Type.Size() * x.Shape.SizeAt(b.batch) }
	at := func(buffer, offset int) cudasrc.Arg {
		return cudasrc.Arg{Pointer: true, Buffer: buffer, Offset: offset}
	}
	var operands []cudasrc.Arg
	for _, x := range u.n.In {
		o := b.operand(x)
		operands = append(operands, at(o.buffer, o.offset))
	}
	other := make([]int, carry)
	for k, o := range body.Outs {
		switch {
		case k < carry:
			other[k] = temporary(bytes(o))
			if u.outs[k] < 0 {
				u.outs[k] = temporary(bytes(o))
			}
		case u.outs[k] < 0:
			u.outs[k] = temporary(bytes(o) * u.length)
		}
	}
	if u.steps >= 0 {
		k, err := d.w.Place(&cudasrc.Operand{Type: dtype.I64, Buffer: u.steps, Dims: []int{1}}, uint64(u.length), nil, false)
		if err := d.step(name+" steps", k, err); err != nil {
			return err
		}
	}
	copied := func(from, to cudasrc.Arg, o *ir.Node) error {
		n := o.Shape.SizeAt(b.batch)
		operand := func(a cudasrc.Arg) *cudasrc.Operand {
			return &cudasrc.Operand{Type: o.Type, Buffer: a.Buffer, Offset: a.Offset, Align: o.Type.Size(), Dims: []int{n}, Strides: []int{1}}
		}
		k, err := d.w.Map(&cudasrc.Map{Dims: []int{n}, Values: []cudasrc.Value{{Type: o.Type, Leaf: operand(from), Out: operand(to)}}})
		return d.step(name+" copy", k, err)
	}
	if u.length == 0 {
		for k := range carry {
			if err := copied(operands[k], at(u.outs[k], 0), body.Outs[k]); err != nil {
				return err
			}
		}
		return nil
	}
	index := temporary(8 * u.length)
	k, err := d.w.Iota(&cudasrc.Operand{Type: dtype.I64, Buffer: index, Dims: []int{u.length}}, 0)
	if err := d.step(name+" index", k, err); err != nil {
		return err
	}

	e := ends{make([]int, len(body.Params)), make([]int, len(body.Outs))}
	for j := range body.Params {
		i := j
		if j > carry+xs {
			i--
		}
		if j != carry+xs { // the index
			e.ins[j] = gcd(d.align(operands[i].Buffer), operands[i].Offset)
		}
		if j >= carry && j < carry+xs {
			e.ins[j] = gcd(e.ins[j], bytes(body.Params[j]))
		}
	}
	for k, o := range body.Outs {
		e.outs[k] = d.align(u.outs[k])
		if k < carry {
			e.ins[k] = gcd(e.ins[k], e.outs[k])
		} else {
			e.outs[k] = gcd(e.outs[k], bytes(o))
		}
	}
	e.ins[carry+xs] = 8
	s, err := u.body.planned(b.batch, d.w, e)
	if err != nil {
		return err
	}
	launches := 0
	for i := range s.plan.Steps {
		launches += max(1, len(s.plan.Steps[i].Launches))
	}
	switch {
	case s.plan.Status > 0:
		return &cudasrc.Unsupported{Step: u.n.Name(), Reason: "indices are checked within the loop"}
	case launches*u.length > maxLaunches:
		return &cudasrc.Unsupported{Step: u.n.Name(), Reason: fmt.Sprintf("%d steps of %d launches are too many", u.length, launches)}
	}
	// Where the body's buffers are: those of a step, and the others.
	arena := temporary(s.plan.Arena)
	place := make([]cudasrc.Arg, len(s.plan.Buffers))
	ins, outs := make([]cudasrc.Arg, len(body.Params)), make([]cudasrc.Arg, len(body.Outs))
	copy(ins[carry+xs+1:], operands[carry+xs:])
	copy(ins, operands[:carry])
	for k := range s.plan.Buffers {
		switch f := &s.plan.Buffers[k]; f.Place {
		case cudasrc.InArena:
			place[k] = at(arena, f.At)
		case cudasrc.InData:
			b.buffers = append(b.buffers, buffer{node: s.b.buffers[k].node, first: -1, last: -1, offset: -1, out: -1})
			place[k] = at(len(b.buffers)-1, 0)
		}
	}
	for taken := range u.length {
		i := taken
		if u.n.Flag {
			i = u.length - 1 - taken
		}
		for j := range xs {
			ins[carry+j] = operands[carry+j]
			ins[carry+j].Offset += i * bytes(body.Params[carry+j])
		}
		ins[carry+xs] = at(index, 8*i)
		for k, o := range body.Outs {
			switch {
			case k >= carry:
				outs[k] = at(u.outs[k], i*bytes(o))
			case (u.length-taken)%2 == 1:
				outs[k] = at(u.outs[k], 0)
			default:
				outs[k] = at(other[k], 0)
			}
		}
		for k := range place {
			switch f := &s.plan.Buffers[k]; f.Place {
			case cudasrc.InInput:
				place[k] = ins[f.At]
			case cudasrc.InOutput:
				place[k] = outs[f.At]
			}
		}
		for i := range s.plan.Steps {
			d.plan.Steps = append(d.plan.Steps, moved(name, &s.plan.Steps[i], place))
		}
		for k, o := range s.plan.Outs {
			if o.Copied {
				if err := copied(place[o.Buffer], outs[k], body.Outs[k]); err != nil {
					return err
				}
			}
		}
		copy(ins, outs[:carry])
	}
	return nil
}

// gcd is what multiples of a and b are multiples of; 0 is a multiple of everything.
func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// moved is a step of a loop's body on other addresses: those of the buffers in place.
func moved(name string, s *cudasrc.Step, place []cudasrc.Arg) cudasrc.Step {
	move := func(a cudasrc.Arg) cudasrc.Arg {
		if !a.Pointer {
			return a
		}
		p := place[a.Buffer]
		p.Offset += a.Offset
		return p
	}
	y := cudasrc.Step{Name: name + ": " + s.Name}
	for _, l := range s.Launches {
		args := make([]cudasrc.Arg, len(l.Args))
		for i, a := range l.Args {
			args[i] = move(a)
		}
		l.Args = args
		y.Launches = append(y.Launches, l)
	}
	if s.Product != nil {
		p := *s.Product
		p.A, p.B, p.C = move(p.A), move(p.B), move(p.C)
		y.Product = &p
	}
	return y
}
