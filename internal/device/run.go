package device

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
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
	whole     []part                   // the plan's steps
	bodies    map[*cudasrc.Body][]part // those of its controls
	parts     int                      // all of them
	idle      kept.List[run]
}

// Load makes plan ready on d.
func (d *Device) Load(plan *cudasrc.Plan) (*Loaded, error) {
	var functions map[*cudasrc.Kernel]Function
	err := d.room(func() (err error) {
		functions, err = d.kernels(plan.Kernels)
		return err
	})
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
	l.bodies = map[*cudasrc.Body][]part{}
	l.whole = l.cut(plan.Steps)
	if len(l.whole) == 0 || l.whole[0].control != nil {
		l.whole = slices.Insert(l.whole, 0, l.part(nil, nil))
	}
	if last := len(l.whole) - 1; l.whole[last].control != nil {
		l.whole = append(l.whole, l.part(nil, nil))
	}
	l.whole[0].first, l.whole[len(l.whole)-1].last = true, true
	d.mu.Lock()
	d.plans[l] = true
	d.mu.Unlock()
	p := &Loaded{l}
	runtime.AddCleanup(p, (*loaded).close, l)
	return p, nil
}

// part is what is recorded as one: steps, or a control by itself.
type part struct {
	number      int
	first, last bool // of the plan: zeros the status, copies outputs
	steps       []cudasrc.Step
	name        string
	control     *cudasrc.Control
}

func (l *loaded) part(steps []cudasrc.Step, c *cudasrc.Control) part {
	l.parts++
	return part{number: l.parts - 1, steps: steps, control: c}
}

// cut is steps as parts.
func (l *loaded) cut(steps []cudasrc.Step) (parts []part) {
	from := 0
	for i := range steps {
		c := steps[i].Control
		if c == nil {
			continue
		}
		if from < i {
			parts = append(parts, l.part(steps[from:i], nil))
		}
		from = i + 1
		p := l.part(nil, c)
		p.name = steps[i].Name
		parts = append(parts, p)
		for _, b := range c.Bodies {
			if _, ok := l.bodies[b]; !ok {
				l.bodies[b] = l.cut(b.Steps)
			}
		}
	}
	if from < len(steps) {
		parts = append(parts, l.part(steps[from:], nil))
	}
	return parts
}

// close gives everything back; no run is under way.
func (l *loaded) close() {
	l.closeIdle()
	for _, a := range l.held {
		l.d.dropConstant(a)
	}
	l.d.dropKernels(l.plan.Kernels)
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
	copies  Queue          // of the caller's arrays to the device, beside the work of other runs
	block   *memory        // arena, then status
	status  Ptr            // words of the plan's checks
	slots   []*memory      // by input, then output: where shared arrays lie, nil until there is one
	pinned  unsafe.Pointer // for inputs, the status and outputs
	room    int
	inputs  int       // bytes of it for inputs
	in, out []Ptr     // addresses in this run
	held    []*memory // of this run's arrays: inputs
	fresh   []*memory // by output: what is written, nil for shared arrays
	graphs  []recorded
	args    []uint64
	stage   unsafe.Pointer // pinned, for what a control reads and writes
	staged  int            // its bytes
}

// recorded is recordings of the plan's parts on certain addresses.
type recorded struct {
	at    []Ptr // of inputs and outputs
	parts []recording
}

// recording is that of a part: nil and seen, where it has been done once.
type recording struct {
	graph  Graph
	seen   bool
	spoilt int // how often in vain
}

// maxSpoilt is how often a recording may be interrupted before that is an error.
const maxSpoilt = 5

func (r *run) drop(x recorded) {
	for _, g := range x.parts {
		if g.graph != nil {
			r.q.Drop(g.graph)
		}
	}
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
	for _, q := range []*Queue{&r.q, &r.copies} {
		if err = l.d.room(func() error { *q, err = l.d.Queue(); return err }); err != nil {
			return r, err
		}
	}
	arena := (l.plan.Arena + statusAlign - 1) / statusAlign * statusAlign
	if r.block, err = l.d.memory(max(1, arena+8*l.plan.Status())); err != nil {
		return r, err
	}
	r.status = r.block.p + Ptr(arena)
	return r, nil
}

func (r *run) close() {
	for _, g := range r.graphs {
		r.drop(g)
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
	for _, p := range []unsafe.Pointer{r.pinned, r.stage} {
		if p != nil {
			r.l.d.Unpin(p)
		}
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
	for i, a := range out { // from here on it does not count whether somebody shares them
		if !a.isShared() {
			m, err := l.d.memory(max(1, a.bytes))
			if err != nil {
				return err
			}
			r.fresh[i], r.out[i] = m, m.p
			continue
		}
		var err error
		if r.out[i], err = r.slot(len(in)+i, a.bytes); err != nil {
			return err
		}
	}
	if err := r.makeRoom(in, out); err != nil {
		return err
	}
	if err := r.bringInputs(in); err != nil {
		return err
	}
	at := r.inputs
	if err := r.compute(ctx); err != nil {
		return err
	}
	// The status and what the host is to have come back.
	status := unsafe.Pointer(nil)
	if n := 8 * l.plan.Status(); n > 0 {
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
		if err := l.checks(status); err != nil {
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
	r.inputs = 0
	for _, a := range in {
		if a.isShared() {
			r.inputs += lines(a.bytes)
		}
	}
	r.inputs = max(chunk, min(r.inputs, inputRoom)) // for those that somebody shares meanwhile, too
	n := r.inputs + 64 + 8*r.l.plan.Status()
	for i, a := range out {
		if r.fresh[i] == nil {
			n += lines(a.bytes)
		}
	}
	if n <= r.room {
		return nil
	}
	n = round(n)
	p, err := r.l.d.pin(n)
	if err != nil {
		return err
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
// memory. The device fetches one part while the next is copied.
func (r *run) bringInputs(in []*Array) error {
	at, queued := 0, false
	for i, a := range in {
		m, err := a.on(r.l.d)
		if err != nil {
			return err
		}
		if m != nil {
			r.held = append(r.held, m)
			r.in[i] = m.p
			continue
		}
		if r.in[i], err = r.slot(i, a.bytes); err != nil {
			return err
		}
		for from := 0; from < a.bytes; from += chunk {
			n := min(chunk, a.bytes-from)
			if at+n > r.inputs { // from the beginning, when what is there has been fetched
				if err := r.failure("inputs", r.copies.Wait()); err != nil {
					return err
				}
				at = 0
			}
			pin := unsafe.Add(r.pinned, at)
			move(pin, unsafe.Add(a.host, from), n)
			if err := r.copies.ToDevice(r.in[i]+Ptr(from), pin, n); err != nil {
				return r.failure("inputs", err)
			}
			queued = true
			at += lines(n)
		}
	}
	if !queued {
		return nil
	}
	return r.failure("inputs", r.q.After(r.copies))
}

// compute queues the plan's parts: as recordings, where there are such for these addresses. A part is recorded when it is
// done again.
func (r *run) compute(ctx context.Context) error {
	i := slices.IndexFunc(r.graphs, func(g recorded) bool {
		return slices.Equal(g.at[:len(r.in)], r.in) && slices.Equal(g.at[len(r.in):], r.out)
	})
	if i < 0 {
		if i = len(r.graphs); i == maxGraphs {
			i--
			r.drop(r.graphs[i])
		} else {
			r.graphs = append(r.graphs, recorded{})
		}
		r.graphs[i] = recorded{slices.Concat(r.in, r.out), make([]recording, r.l.parts)}
	}
	x := r.graphs[i] // those used last come first
	copy(r.graphs[1:i+1], r.graphs[:i])
	r.graphs[0] = x
	return r.run(ctx, r.l.whole, x.parts)
}

func (r *run) run(ctx context.Context, parts []part, known []recording) error {
	for i := range parts {
		p := &parts[i]
		if p.control != nil {
			if err := p.control.Do(ctx, &machine{r, ctx, p, known}); err != nil {
				return err
			}
			continue
		}
		if err := r.failure("run", r.part(p, &known[p.number])); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) part(p *part, known *recording) error {
	if !known.seen {
		known.seen = true
		return r.queue(p)
	}
	if r.l.d.unrecorded {
		return r.queue(p)
	}
	if known.graph == nil {
		err := r.l.d.room(func() (err error) {
			known.graph, err = r.record(p)
			return err
		})
		if errors.Is(err, ErrInterrupted) && known.spoilt < maxSpoilt { // the next call tries again
			known.graph = nil
			known.spoilt++
			return r.queue(p)
		}
		if err != nil {
			known.graph = nil
			return fmt.Errorf("recording (ADJOINT_GRAPHS=off does without): %w", err)
		}
	}
	return r.l.d.room(func() error { return r.q.Replay(known.graph) })
}

func (r *run) record(p *part) (Graph, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := r.q.Begin(); err != nil {
		return nil, err
	}
	err := r.queue(p)
	g, e := r.q.End()
	if err == nil || errors.Is(e, ErrInterrupted) { // which may have had queueing fail
		err = e
	} else if e == nil {
		r.q.Drop(g)
	}
	return g, err
}

// queue queues a part's steps.
func (r *run) queue(p *part) error {
	plan := r.l.plan
	if n := plan.Status(); p.first && n > 0 {
		if err := r.q.Zero(r.status, 8*n); err != nil {
			return err
		}
	}
	for i := range p.steps {
		if err := r.step(&p.steps[i]); err != nil {
			return fmt.Errorf("%s: %w", p.steps[i].Name, err)
		}
	}
	if !p.last {
		return nil
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

// machine is a run as a control sees it.
type machine struct {
	r     *run
	ctx   context.Context
	part  *part
	known []recording
}

func (m *machine) Run(body int) error {
	return m.r.run(m.ctx, m.r.l.bodies[m.part.control.Bodies[body]], m.known)
}

func (m *machine) at(s cudasrc.Span) Ptr {
	return m.r.address(m.part.control.At[s.Place]) + Ptr(s.Offset)
}

func (m *machine) Copy(to, from cudasrc.Span) error {
	if from.Bytes == 0 {
		return nil
	}
	return m.r.failure(m.part.name, m.r.q.Copy(m.at(to), m.at(from), from.Bytes))
}

func (m *machine) Host(in, out []cudasrc.Span, f func(in, out []unsafe.Pointer) error) error {
	r, n := m.r, lines(8*m.r.l.plan.Status())
	for _, s := range slices.Concat(in, out) {
		n += lines(s.Bytes)
	}
	if err := r.failure(m.part.name, r.makeStage(n)); err != nil {
		return err
	}
	at := r.stage
	take := func(s cudasrc.Span) unsafe.Pointer {
		p := at
		at = unsafe.Add(at, lines(s.Bytes))
		return p
	}
	status := take(cudasrc.Span{Bytes: 8 * r.l.plan.Status()})
	var read, written []unsafe.Pointer
	queue := func() error {
		if n := 8 * r.l.plan.Status(); n > 0 {
			if err := r.q.ToHost(status, r.status, n); err != nil {
				return err
			}
		}
		for _, s := range in {
			p := take(s)
			read = append(read, p)
			if s.Bytes > 0 {
				if err := r.q.ToHost(p, m.at(s), s.Bytes); err != nil {
					return err
				}
			}
		}
		return r.q.Wait()
	}
	if err := r.failure(m.part.name, queue()); err != nil {
		return err
	}
	if err := r.l.checks(status); err != nil {
		return err
	}
	if err := m.ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	for _, s := range out {
		written = append(written, take(s))
	}
	if err := f(read, written); err != nil {
		return err
	}
	for i, s := range out {
		if s.Bytes == 0 {
			continue
		}
		if err := r.failure(m.part.name, r.q.ToDevice(m.at(s), written[i], s.Bytes)); err != nil {
			return err
		}
	}
	return nil
}

// makeStage has pinned memory for a control. What is queued from what there was has to be done before it goes.
func (r *run) makeStage(n int) error {
	if n <= r.staged {
		return nil
	}
	p, err := r.l.d.pin(round(n))
	if err != nil {
		return err
	}
	if r.stage != nil {
		err = r.q.Wait()
		r.l.d.Unpin(r.stage)
	}
	r.stage, r.staged = p, round(n)
	return err
}

func (r *run) step(s *cudasrc.Step) error {
	if p := s.Product; p != nil {
		done := false
		err := r.l.d.room(func() (err error) {
			done, err = r.q.Product(p, r.address(p.A), r.address(p.B), r.address(p.C))
			return err
		})
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

// checks is the error of the first check that failed, by the status words.
func (l *loaded) checks(status unsafe.Pointer) error {
	words := unsafe.Slice((*uint64)(status), l.plan.Status())
	for i := range l.plan.Checks {
		if err := l.plan.Checks[i].Fail(words[2*i:]); err != nil {
			return err
		}
	}
	return nil
}
