package runtime

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// runChecked runs into arrays of its own, and copies from there if all is finite. Where it is not, the graph is
// computed again, node by node, and followed back from the result to the node whose operands are in order.
func (b *binding) runChecked(ctx context.Context, in, out []unsafe.Pointer) error {
	own := make([]unsafe.Pointer, len(out))
	bytes := make([][]byte, len(out))
	for i, o := range b.outs {
		if out[i] == nil && o.bytes > 0 {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("output %d is nil", i)}
		}
		bytes[i] = padded(o.bytes, dtype.F64)
		own[i] = unsafe.Pointer(unsafe.SliceData(bytes[i]))
	}
	if err := b.run(nil, ctx, in, own); err != nil {
		return err
	}
	for i, n := range b.p.low.outs {
		if k, _ := worst(array{t: n.Type, bytes: bytes[i]}); k != finite {
			if err := b.explain(n, in); err != nil {
				return err
			}
		}
	}
	for i := range out {
		copy(unsafe.Slice((*byte)(out[i]), len(bytes[i])), bytes[i])
	}
	return nil
}

// number is what a float may be.
type number uint8

const (
	finite number = iota
	infinite
	notANumber
)

func (k number) String() string { return [...]string{"finite number", "infinity", "NaN"}[k] }

// worst is the worst element of an array and where it is.
func worst(a array) (k number, at int) {
	if !a.t.IsFloat() {
		return finite, 0
	}
	for i := range a.len() {
		if e := kind(a, i); e > k {
			k, at = e, i
		}
	}
	return k, at
}

func kind(a array, i int) number {
	switch x := ir.BitsFloat(a.t, a.bits(i)); {
	case math.IsNaN(x):
		return notANumber
	case math.IsInf(x, 0):
		return infinite
	}
	return finite
}

// explain is the error of a run whose result out is not finite; nil for an infinity that came with the arguments.
func (b *binding) explain(out *ir.Node, in []unsafe.Pointer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	inputs := make([][]byte, len(in))
	for i, p := range in {
		inputs[i] = unsafe.Slice((*byte)(p), b.inBytes[i])
	}
	t := tracer{batch: b.batch, at: referenceValues(b.p.low.outs, b.batch, inputs)}
	k, at := worst(t.at[out])
	o := t.origin(out, k, at)
	if o.kind == infinite && len(o.n.In) == 0 {
		return nil
	}
	return o.error()
}

// tracer follows a number that is not finite back through values.
type tracer struct {
	batch int
	at    map[*ir.Node]array
}

// origin is where a number came from: a node, or a parameter.
type origin struct {
	n    *ir.Node
	kind number
	at   int
	step int     // of the loop that the node is in, or -1
	inf  *origin // of a NaN made of an infinity: where that came from
}

func (t *tracer) origin(n *ir.Node, k number, at int) origin {
	for {
		if n.Kind == ir.Out {
			o, outer := t.inside(n, k)
			if outer == nil {
				return o
			}
			n, k, at = outer, o.kind, o.at
			continue
		}
		x, kx, ax := t.operand(n, k, at)
		switch {
		case x == nil:
			return origin{n: n, kind: k, at: at, step: -1}
		case k == notANumber && kx == infinite:
			inf := t.origin(x, kx, ax)
			return origin{n: n, kind: k, at: at, step: -1, inf: &inf}
		}
		n, k, at = x, kx, ax
	}
}

// operand is the operand of n whose element made that of n what it is, nil where all are finite.
func (t *tracer) operand(n *ir.Node, k number, at int) (from *ir.Node, what number, where int) {
	for i, x := range n.In {
		a, ok := t.at[x]
		if !ok || !x.Type.IsFloat() {
			continue
		}
		if n.Kind == ir.Pointwise && n.Op == ops.Where && (t.at[n.In[0]].bits(at) == 0) != (i == 2) {
			continue // not selected
		}
		kx, ax := finite, at
		if n.Kind == ir.Pointwise || n.Kind == ir.Convert {
			kx = kind(a, at)
		} else {
			kx, ax = worst(a)
		}
		if kx > k { // a NaN elsewhere, of which this infinity is not made
			kx = finite
		}
		if kx > what {
			from, what, where = x, kx, ax
		}
	}
	return from, what, where
}

// inside looks into the loop or branch whose result n is. If the number came from outside, outer is the operand.
func (t *tracer) inside(n *ir.Node, k number) (o origin, outer *ir.Node) {
	of := n.In[0]
	in := make([]array, len(of.In))
	for i, x := range of.In {
		in[i] = t.at[x]
	}
	step, found := 0, false
	referenceNested(of, in, t.batch, func(b *ir.Body, params [][]byte, ys []array) {
		for i, y := range ys {
			ky, at := worst(y)
			if found || ky == finite || of.Kind == ir.Branch && uint64(i) != n.Bits {
				continue
			}
			found = true
			body := tracer{t.batch, referenceValues(b.Outs, t.batch, params)}
			o = body.origin(b.Outs[i], ky, at)
			if o.step < 0 && of.Kind == ir.Loop {
				o.step = step
			}
		}
		step++
	})
	place := int(n.Bits)
	if found {
		if o.n.Kind != ir.Param {
			return o, nil
		}
		place = int(o.n.Bits)
		if of.Kind == ir.Branch {
			place++
		} else if b := of.Body[0]; place > b.Carry+b.Xs { // behind the index
			place--
		}
	}
	outer = of.In[place]
	o.kind, o.at = worst(t.at[outer])
	if o.kind == finite {
		return origin{n: of, kind: k, step: -1}, nil
	}
	return o, outer
}

func (o origin) error() error {
	e := &ir.Error{Op: o.n.PublicName(), Pos: o.n.Line}
	if e.Pos == "" {
		e.Pos = o.n.Pos
	}
	what := fmt.Sprintf("%v%v", o.n.Type, o.n.Shape)
	if len(o.n.Shape) > 0 {
		what = fmt.Sprintf("element %d of %s", o.at, what)
	}
	switch o.n.Kind {
	case ir.Param:
		e.Op, e.Msg = "CheckNumerics", fmt.Sprintf("%v is in the arguments, %s, value %d of them", o.kind, what, o.n.Bits)
		return e
	case ir.Const, ir.Data:
		e.Op, e.Msg = "CheckNumerics", fmt.Sprintf("%v is in a constant, %s", o.kind, what)
		return e
	}
	if o.n.Of != "" {
		e.Msg = fmt.Sprintf("in the derivative of %s ", o.n.Of)
	}
	e.Msg += fmt.Sprintf("makes the first %v, %s", o.kind, what)
	if o.step >= 0 {
		e.Msg += fmt.Sprintf(", in step %d of a loop", o.step)
	}
	if o.inf != nil {
		e.Msg += fmt.Sprintf("; of an infinity: %v", o.inf.error())
	}
	return e
}
