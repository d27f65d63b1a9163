package runtime

import (
	"errors"
	"fmt"
	"runtime/debug"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// hostUnit runs a user's function: a task is one element of the batch, or all of them if the function takes all.
type hostUnit struct {
	n     *ir.Node
	in    []operand
	dst   int
	batch int
	count int
	bytes []int // of one element of each operand, 0 where all share it
	size  int   // of its results
}

func (b *binding) newHost(n *ir.Node) unit {
	u := newHostUnit(n, b.batch)
	for _, x := range n.In {
		u.in = append(u.in, b.operand(x))
	}
	u.dst = b.root(n)
	return u
}

func newHostUnit(n *ir.Node, batch int) *hostUnit {
	u := &hostUnit{n: n, batch: batch, count: product(n.Shape[:n.Bits].At(batch))}
	u.size = n.Host.Size.At(batch) * n.Type.Size()
	for i, x := range n.In {
		b := product(n.Host.In[i].Shape.At(batch)) * x.Type.Size()
		if n.Axes[i] == 1 {
			b = 0
		}
		u.bytes = append(u.bytes, b)
	}
	return u
}

func (u *hostUnit) all() bool { return u.n.Host.All != nil && u.n.Bits > 0 }

func (u *hostUnit) phases() int { return 1 }
func (u *hostUnit) tasks(_ int) int {
	if u.all() {
		return min(u.count, 1)
	}
	return u.count
}

func (u *hostUnit) do(r *run, _, _, task int) {
	in := make([]unsafe.Pointer, len(u.in))
	for i := range in {
		in[i] = u.in[i].ptr(r)
	}
	if err := u.element(task, in, r.ptr[u.dst]); err != nil {
		r.fail(err)
	}
}

// element computes element i, or all; it may move the pointers.
func (u *hostUnit) element(i int, in []unsafe.Pointer, y unsafe.Pointer) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *ir.Error:
			err = e
		default:
			err = fmt.Errorf("panic: %v\n%s", e, debug.Stack())
		}
		if err != nil {
			err = u.failed(i, err)
		}
	}()
	if u.all() {
		return u.n.Host.All(in, y, u.batch, u.count)
	}
	for k := range in {
		in[k] = unsafe.Add(in[k], i*u.bytes[k])
	}
	return u.n.Host.Run(in, unsafe.Add(y, i*u.size), u.batch)
}

// failed is the error of element i with the user's line; it wraps the function's own.
func (u *hostUnit) failed(i int, err error) error {
	e := &ir.Error{Op: u.n.Host.Name, Msg: err.Error(), Pos: u.n.Pos, Err: err}
	var own *ir.Error
	if errors.As(err, &own) && own == err {
		e.Msg = own.Op + " " + own.Msg
	}
	if u.count > 1 && !u.all() {
		e.Msg += fmt.Sprintf(", element %d of the batch", i)
	}
	return e
}

func referenceHost(r *reference) {
	u := newHostUnit(r.n, r.batch)
	for i := range u.tasks(0) {
		in := make([]unsafe.Pointer, len(r.in))
		for k, x := range r.in {
			in[k] = x.ptr()
		}
		if err := u.element(i, in, r.y.ptr()); err != nil {
			panic(err)
		}
	}
}
