package device

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/kept"
)

// Loaded is a plan on a device. Many goroutines may run it at once: each run has a queue and memory of its own.
type Loaded struct{ *loaded }

type loaded struct {
	d         *Device
	plan      *cudasrc.Plan
	functions map[*cudasrc.Kernel]Function
	data      []Ptr // by buffer: where constants lie
	held      []*ir.Array
	idle      kept.List[run]
}

// Load makes plan ready on d.
func (d *Device) Load(plan *cudasrc.Plan) (*Loaded, error) {
	functions, err := d.kernels(plan.Kernels)
	if err != nil {
		return nil, err
	}
	l := &loaded{d: d, plan: plan, functions: functions, data: make([]Ptr, len(plan.Buffers))}
	for i := range plan.Buffers {
		if b := &plan.Buffers[i]; b.Place == cudasrc.InData {
			p, err := d.constant(b.Data)
			if err != nil {
				l.close()
				return nil, err
			}
			l.data[i] = p
			l.held = append(l.held, b.Data)
		}
	}
	d.mu.Lock()
	d.plans[l] = true
	d.mu.Unlock()
	p := &Loaded{l}
	runtime.AddCleanup(p, (*loaded).close, l)
	return p, nil
}

// close gives everything back; no run is under way.
func (l *loaded) close() {
	l.closeIdle()
	for _, a := range l.held {
		l.d.dropConstant(a)
	}
	l.d.mu.Lock()
	delete(l.d.plans, l)
	l.d.mu.Unlock()
}

func (l *loaded) closeIdle() {
	for r := l.idle.Take(); r != nil; r = l.idle.Take() {
		r.close()
	}
}

// run is what one run has for itself, kept for the next.
type run struct {
	l       *loaded
	q       Queue
	copies  Queue     // of the caller's arrays to the device, beside the work of other runs
	block   *memory   // arena, then status
	status  Ptr       // words of the plan's checks
	slots   []*memory // by input, then output: where shared arrays lie, nil until there is one
	pinned  unsafe.Pointer
	room    int
	in, out []Ptr     // addresses in this run
	held    []*memory // of this run's arrays: inputs
	fresh   []*memory // by output: what is written, nil for shared arrays
	graphs  []recorded
	args    []uint64
}

// recorded is a recording of the plan's steps on certain addresses.
type recorded struct {
	at    []Ptr // of inputs and outputs
	graph Graph // nil: the addresses have been seen once
}

// maxGraphs bounds the recordings of a run: a caller whose arrays alternate has few addresses.
const maxGraphs = 8

// statusAlign is the alignment of buffers.
const statusAlign = 256

func (l *loaded) newRun() (r *run, err error) {
	r = &run{l: l, in: make([]Ptr, len(l.plan.Inputs)), out: make([]Ptr, len(l.plan.Outs)),
		slots: make([]*memory, len(l.plan.Inputs)+len(l.plan.Outs)), fresh: make([]*memory, len(l.plan.Outs))}
	defer func() {
		if err != nil {
			r.close()
			r = nil
		}
	}()
	if r.q, err = l.d.Queue(); err != nil {
		return r, err
	}
	if r.copies, err = l.d.Queue(); err != nil {
		return r, err
	}
	arena := (l.plan.Arena + statusAlign - 1) / statusAlign * statusAlign
	if r.block, err = l.d.memory(max(1, arena+8*l.plan.Status)); err != nil {
		return r, err
	}
	r.status = r.block.p + Ptr(arena)
	return r, nil
}

func (r *run) close() {
	for _, g := range r.graphs {
		if g.graph != nil {
			r.q.Drop(g.graph)
		}
	}
	for _, q := range []Queue{r.q, r.copies} {
		if q != nil {
			q.Close()
		}
	}
	if r.block != nil {
		r.block.drop()
	}
	for _, m := range r.slots {
		if m != nil {
			m.drop()
		}
	}
	if r.pinned != nil {
		r.l.d.Unpin(r.pinned)
	}
}

// Run computes the plan's outputs from in into out. On an error, a cancelled ctx included, no output has changed,
// and the plan may be run again.
func (p *Loaded) Run(ctx context.Context, in, out []*Array) error {
	l := p.loaded
	defer runtime.KeepAlive(p)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	r := l.idle.Take()
	if r == nil {
		var err error
		if r, err = l.newRun(); err != nil {
			return err
		}
	}
	err := r.do(ctx, in, out)
	if err != nil { // something may still be queued, on memory that others get next
		r.copies.Wait()
		r.q.Wait()
	}
	r.letGo()
	var failed *Failure
	if errors.As(err, &failed) {
		r.close() // what is queued in it is in an unknown state
	} else {
		l.idle.Put(r)
	}
	return err
}

// Failure is the error of a device that did not do what was asked.
type Failure struct {
	Device, Step string
	Err          error
}

func (e *Failure) Error() string { return fmt.Sprintf("%s: %s: %v", e.Device, e.Step, e.Err) }
func (e *Failure) Unwrap() error { return e.Err }

func (r *run) failure(step string, err error) error {
	if err == nil {
		return nil
	}
	return &Failure{r.l.d.Name(), step, err}
}

// letGo drops what belongs to one call.
func (r *run) letGo() {
	for _, m := range r.held {
		m.drop()
	}
	r.held = r.held[:0]
	for i, m := range r.fresh {
		if m != nil {
			m.drop()
		}
		r.fresh[i] = nil
	}
}

func (r *run) do(ctx context.Context, in, out []*Array) error {
	l := r.l
	if err := r.makeRoom(in, out); err != nil {
		return err
	}
	at, err := r.bringInputs(in)
	if err != nil {
		return err
	}
	for i, a := range out {
		if r.fresh[i] == nil && !a.isShared() {
			m, err := l.d.memory(max(1, a.bytes))
			if err != nil {
				return err
			}
			r.fresh[i] = m
		}
		if m := r.fresh[i]; m != nil {
			r.out[i] = m.p
		} else if r.out[i], err = r.slot(len(in)+i, a.bytes); err != nil {
			return err
		}
	}
	if err := r.failure("run", r.compute()); err != nil {
		return err
	}
	// The status and what the host is to have come back.
	status := unsafe.Pointer(nil)
	if n := 8 * l.plan.Status; n > 0 {
		status = unsafe.Add(r.pinned, at)
		at += n
		if err := r.failure("status", r.q.ToHost(status, r.status, n)); err != nil {
			return err
		}
	}
	first := at
	for i, a := range out {
		if r.fresh[i] == nil && a.bytes > 0 {
			if err := r.failure("outputs", r.q.ToHost(unsafe.Add(r.pinned, at), r.out[i], a.bytes)); err != nil {
				return err
			}
			at += lines(a.bytes)
		}
	}
	if err := r.failure("run", r.q.Wait()); err != nil {
		return err
	}
	if status != nil {
		if err := r.checks(unsafe.Slice((*uint64)(status), l.plan.Status)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	at = first
	for i, a := range out {
		if m := r.fresh[i]; m != nil {
			r.fresh[i] = nil
			a.wrote(m)
		} else if a.bytes > 0 {
			a.wroteHost(unsafe.Add(r.pinned, at))
			at += lines(a.bytes)
		}
	}
	return nil
}

func lines(n int) int { return (n + 63) &^ 63 }

func (a *Array) isShared() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shared
}

// makeRoom has pinned memory for what is copied in a call.
func (r *run) makeRoom(in, out []*Array) error {
	n := 64 + 8*r.l.plan.Status
	for _, list := range [][]*Array{in, out} {
		for _, a := range list {
			if a.isShared() {
				n += lines(a.bytes)
			}
		}
	}
	if n <= r.room {
		return nil
	}
	n = round(n)
	p, err := r.l.d.Pin(n)
	if err != nil {
		return fmt.Errorf("%s: %w", r.l.d.Name(), err)
	}
	if r.pinned != nil {
		r.l.d.Unpin(r.pinned)
	}
	r.pinned, r.room = p, n
	return nil
}

// slot is the run's own memory for a shared array.
func (r *run) slot(i, bytes int) (Ptr, error) {
	if r.slots[i] == nil {
		m, err := r.l.d.memory(max(1, bytes))
		if err != nil {
			return 0, err
		}
		r.slots[i] = m
	}
	return r.slots[i].p, nil
}

// bringInputs has the inputs on the device: those that are there already in place, shared ones through pinned
// memory, of which it returns how much it took. The device fetches one part while the next is copied.
func (r *run) bringInputs(in []*Array) (at int, err error) {
	queued := false
	for i, a := range in {
		m, err := a.on(r.l.d)
		if err != nil {
			return 0, err
		}
		if m != nil {
			r.held = append(r.held, m)
			r.in[i] = m.p
			continue
		}
		if r.in[i], err = r.slot(i, a.bytes); err != nil {
			return 0, err
		}
		for from := 0; from < a.bytes; from += chunk {
			n := min(chunk, a.bytes-from)
			pin := unsafe.Add(r.pinned, at+from)
			move(pin, unsafe.Add(a.host, from), n)
			if err := r.copies.ToDevice(r.in[i]+Ptr(from), pin, n); err != nil {
				return 0, r.failure("inputs", err)
			}
			queued = true
		}
		at += lines(a.bytes)
	}
	if queued {
		err = r.failure("inputs", r.q.After(r.copies))
	}
	return at, err
}

// compute queues the steps: as a recording, if there is one for these addresses. They are recorded when they are
// seen again.
func (r *run) compute() error {
	for i := range r.graphs {
		g := &r.graphs[i]
		if !slices.Equal(g.at[:len(r.in)], r.in) || !slices.Equal(g.at[len(r.in):], r.out) {
			continue
		}
		if g.graph == nil {
			x, err := r.record()
			if err != nil {
				return err
			}
			g.graph = x
		}
		if i > 0 { // those used last come first
			x := *g
			copy(r.graphs[1:i+1], r.graphs[:i])
			r.graphs[0] = x
			g = &r.graphs[0]
		}
		return r.q.Replay(g.graph)
	}
	if len(r.graphs) == maxGraphs {
		last := &r.graphs[maxGraphs-1]
		if last.graph != nil {
			r.q.Drop(last.graph)
		}
		r.graphs = r.graphs[:maxGraphs-1]
	}
	r.graphs = slices.Insert(r.graphs, 0, recorded{at: slices.Concat(r.in, r.out)})
	return r.steps()
}

func (r *run) record() (Graph, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := r.q.Begin(); err != nil {
		return nil, err
	}
	err := r.steps()
	g, e := r.q.End()
	if err == nil {
		err = e
	} else if e == nil {
		r.q.Drop(g)
	}
	return g, err
}

// steps queues the plan's steps.
func (r *run) steps() error {
	plan := r.l.plan
	if plan.Status > 0 {
		if err := r.q.Zero(r.status, 8*plan.Status); err != nil {
			return err
		}
	}
	for i := range plan.Steps {
		if err := r.step(&plan.Steps[i]); err != nil {
			return fmt.Errorf("%s: %w", plan.Steps[i].Name, err)
		}
	}
	for i := range plan.Outs {
		if o := &plan.Outs[i]; o.Copied && o.Bytes > 0 {
			if err := r.q.Copy(r.out[i], r.address(cudasrc.Arg{Pointer: true, Buffer: o.Buffer}), o.Bytes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) step(s *cudasrc.Step) error {
	if p := s.Product; p != nil {
		done, err := r.q.Product(p, r.address(p.A), r.address(p.B), r.address(p.C))
		if done || err != nil {
			return err
		}
	}
	for i := range s.Launches {
		l := &s.Launches[i]
		r.args = r.args[:0]
		for _, a := range l.Args {
			if a.Pointer {
				r.args = append(r.args, uint64(r.address(a)))
			} else {
				r.args = append(r.args, a.Bits)
			}
		}
		if err := r.q.Launch(r.l.functions[l.Kernel], l, r.args); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) address(a cudasrc.Arg) Ptr {
	b := &r.l.plan.Buffers[a.Buffer]
	at := Ptr(a.Offset)
	switch b.Place {
	case cudasrc.InArena:
		return r.block.p + Ptr(b.At) + at
	case cudasrc.InInput:
		return r.in[b.At] + at
	case cudasrc.InOutput:
		return r.out[b.At] + at
	case cudasrc.InData:
		return r.l.data[a.Buffer] + at
	}
	return r.status + at
}

// checks is the error of the first check that failed.
func (r *run) checks(words []uint64) error {
	for i := range r.l.plan.Steps {
		c := r.l.plan.Steps[i].Check
		if c == nil || words[c.Word] == 0 {
			continue
		}
		size := c.Type.Size()
		if err := r.q.ToHost(r.pinned, r.address(c.Indices)+Ptr(int(words[c.Word]-1)*size), size); err != nil {
			return r.failure("check", err)
		}
		if err := r.q.Wait(); err != nil {
			return r.failure("check", err)
		}
		index := int(*(*int32)(r.pinned))
		if c.Type == dtype.I64 {
			index = int(*(*int64)(r.pinned))
		}
		return &ir.Error{Op: c.Op, Msg: fmt.Sprintf("index %d is not in 0 … %d", index, c.Size-1), Pos: c.Pos}
	}
	return nil
}
