package runtime

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/kernels"
)

// run is the memory of one run of a binding, used by one caller at a time and kept for the next.
type run struct {
	b       *binding
	arena   unsafe.Pointer
	ptr     []unsafe.Pointer // by buffer, then scratch
	loans   []loan           // what of ptr is the caller's
	workers []worker
	scratch [1]unsafe.Pointer // of the first one
	gemms   []kernels.GemmRun
	loops   []*nestedRun
	spill   []byte // outputs that may not be written before the end
	spilled []bool // by output
	spills  bool   // some are
	team    *team
	failed  atomic.Pointer[error]
	done    <-chan struct{} // of the context, while it is looked at
}

// worker is what one thread of a run has for itself.
type worker struct {
	scratch unsafe.Pointer
	lanes   unsafe.Pointer
	ptr     []unsafe.Pointer // by value of a cluster
	args    []uintptr        // to code: addresses in arrays that ptr and the run keep
	near    near
}

func (w *worker) lane(fold int) unsafe.Pointer { return unsafe.Add(w.lanes, fold*kernels.LaneBytes) }

// loan is a buffer that lies in the caller's memory, where input or output number index does.
type loan struct {
	buffer, index int
	out           bool
}

// Seat is for the calls of one caller at a time: it keeps ready for the next what one of them used. The zero Seat
// is ready; a nil one keeps nothing.
type Seat struct{ r *run }

// take gives a run of b.
func (s *Seat) take(b *binding) *run {
	if s != nil && s.r != nil {
		r := s.r
		if r.b == b {
			return r
		}
		s.r = nil
		r.b.idle.Put(r)
	}
	if r := b.idle.Take(); r != nil {
		return r
	}
	return b.newRun(nil, nil)
}

// leave lets go of the caller's memory and keeps r for the next call.
func (s *Seat) leave(r *run) {
	for i := range r.loans {
		r.ptr[r.loans[i].buffer] = nil
	}
	for _, g := range r.b.guests {
		r.ptr[g.buffer] = nil
	}
	if s != nil {
		s.r = r
	} else {
		r.b.idle.Put(r)
	}
}

// newRun makes a run with a team and memory of its own or, within a loop or branch, those of the run around it.
func (b *binding) newRun(team *team, memory unsafe.Pointer) *run {
	if memory == nil {
		memory = scratch(b.peakBytes() + 64) // so that its end lies within, too
	}
	take := func(bytes int) unsafe.Pointer {
		p := memory
		memory = unsafe.Add(memory, lines(bytes))
		return p
	}
	r := &run{b: b, workers: make([]worker, b.p.threads), gemms: make([]kernels.GemmRun, len(b.gemms)), loops: make([]*nestedRun, len(b.loops))}
	r.ptr = make([]unsafe.Pointer, len(b.buffers)+1)
	r.spilled = make([]bool, len(b.outs))
	r.arena = take(b.arena)
	for k := range b.buffers {
		f := &b.buffers[k]
		switch {
		case f.out >= 0:
			r.loans = append(r.loans, loan{k, f.out, true})
		case f.node != nil && f.node.Kind == ir.Param:
			r.loans = append(r.loans, loan{k, int(f.node.Bits), false})
		case f.offset >= 0:
			r.ptr[k] = unsafe.Add(r.arena, f.offset)
		case f.node != nil && f.node.Kind == ir.Data:
			r.ptr[k] = unsafe.Pointer(unsafe.SliceData(f.node.Data.Bytes))
		}
	}
	for i := range r.workers {
		r.workers[i] = worker{scratch: take(b.scratch), lanes: take(b.folds * kernels.LaneBytes), ptr: make([]unsafe.Pointer, b.values), args: make([]uintptr, b.words)}
	}
	r.scratch[0], r.ptr[len(b.buffers)] = r.workers[0].scratch, r.workers[0].scratch
	for i, u := range b.gemms {
		r.gemms[i] = kernels.GemmRun{Plan: u.plan}
		for j := range r.workers {
			r.gemms[i].Worker = append(r.gemms[i].Worker, r.workers[j].scratch)
		}
		if u.epilogue != nil {
			r.gemms[i].Epilogue = &epilogue{r, u}
		}
	}
	r.team = team
	if team == nil {
		r.team = newTeam(b.p.threads)
	}
	for i, u := range b.loops {
		r.loops[i] = u.newRun(r, memory)
	}
	return r
}

// Run computes the outputs for a batch: in[i] points at the elements of input i, out[i] at room for
// those of output i. An output may lie where inputs do, but not where another output does. On an error,
// a cancelled ctx included, nothing has been written: from the first write into an output on, ctx is no
// longer looked at.
func (p *Program) Run(ctx context.Context, batch int, in, out []unsafe.Pointer) error {
	return p.RunIn(nil, ctx, batch, in, out)
}

// RunIn is Run at a seat.
func (p *Program) RunIn(seat *Seat, ctx context.Context, batch int, in, out []unsafe.Pointer) error {
	if len(in) != len(p.inputs) || len(out) != len(p.low.outs) {
		return &ir.Error{Op: "Run", Msg: fmt.Sprintf("takes %d inputs and %d outputs, not %d and %d", len(p.inputs), len(p.low.outs), len(in), len(out))}
	}
	if ctx == nil {
		return &ir.Error{Op: "Run", Msg: "the context is nil"}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("autodiff: Run: %w", err)
	}
	if p.OnDevice() {
		return p.runShared(ctx, batch, in, out)
	}
	b, err := p.binding(batch)
	if err != nil {
		return err
	}
	if p.numeric {
		return b.runChecked(ctx, in, out)
	}
	if b.entry != nil {
		var places Places
		copy(places[copy(places[:], in):], out)
		if b.entry.Run(&places) {
			return nil
		}
	}
	return b.run(seat, ctx, in, out)
}

func (b *binding) run(seat *Seat, ctx context.Context, in, out []unsafe.Pointer) error {
	r := seat.take(b)
	err := r.place(in, out)
	if err == nil {
		err = r.do(ctx)
	}
	if err == nil && (b.copies || r.spills) {
		r.finish(out)
	}
	seat.leave(r)
	return err
}

// point has the buffers of inputs and outputs where those lie.
func (r *run) point(in, out []unsafe.Pointer) {
	for i := range r.loans {
		if p := &r.loans[i]; p.out {
			r.ptr[p.buffer] = out[p.index]
		} else {
			r.ptr[p.buffer] = in[p.index]
		}
	}
}

// place is point for a caller's memory, of which nothing is known.
func (r *run) place(in, out []unsafe.Pointer) error {
	b := r.b
	r.point(in, out)
	for j, n := range b.inBytes {
		if in[j] == nil && n > 0 {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("input %d is nil", j)}
		}
	}
	room := 0
	for i := range b.outs {
		o := &b.outs[i]
		if out[i] == nil && o.bytes > 0 {
			return &ir.Error{Op: "Run", Msg: fmt.Sprintf("output %d is nil", i)}
		}
		r.spilled[i] = false
		for j := range i {
			if overlap(out[i], o.bytes, out[j], b.outs[j].bytes) {
				return &ir.Error{Op: "Run", Msg: fmt.Sprintf("outputs %d and %d lie in the same memory", j, i)}
			}
		}
		for j := range in {
			if overlap(out[i], o.bytes, in[j], b.inBytes[j]) && !(o.in[j] && out[i] == in[j] && o.bytes == b.inBytes[j]) {
				r.spilled[i] = true
			}
		}
		if r.spilled[i] {
			room += lines(o.bytes)
		}
	}
	for _, g := range b.guests {
		r.ptr[g.buffer] = out[g.out]
		for j := range in {
			if overlap(out[g.out], b.outs[g.out].bytes, in[j], b.inBytes[j]) {
				r.ptr[g.buffer] = unsafe.Add(r.arena, b.buffers[g.buffer].offset)
			}
		}
	}
	r.spills = room > 0
	if !r.spills {
		return nil
	}
	if len(r.spill) < room {
		r.spill = make([]byte, room)
	}
	at := 0
	for i, s := range r.spilled {
		if !s {
			continue
		}
		o := &b.outs[i]
		if !o.copied {
			r.ptr[o.buffer] = unsafe.Pointer(&r.spill[at])
		}
		at += lines(o.bytes)
	}
	return nil
}

// overlap reports whether two ranges have a byte in common.
func overlap(p unsafe.Pointer, n int, q unsafe.Pointer, m int) bool {
	a, b := uintptr(p), uintptr(q)
	return a < b+uintptr(m) && b < a+uintptr(n) && n > 0 && m > 0
}

// finish writes the outputs that no unit wrote where they belong: copies first, those that overlap an
// input by way of the spill, so that none overwrites what another one still reads.
func (r *run) finish(out []unsafe.Pointer) {
	for _, late := range []bool{false, true} {
		at := 0
		for i := range r.b.outs {
			o := &r.b.outs[i]
			to, from := out[i], r.ptr[o.buffer]
			spilled := r.spilled[i]
			if spilled {
				spill := unsafe.Pointer(&r.spill[at])
				at += lines(o.bytes)
				if late {
					from = spill
				} else {
					to = spill
				}
			}
			if late && spilled || !late && o.copied {
				move(to, from, o.bytes)
			}
		}
	}
}

// do runs the units.
func (r *run) do(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
		r.team.release()
	}()
	if r.b.p.profile {
		defer pprof.SetGoroutineLabels(ctx)
	}
	return r.steps(ctx, r.b.committed)
}

// steps runs the units one after the other; ctx is looked at before unit number committed.
func (r *run) steps(ctx context.Context, committed int) error {
	b := r.b
	for i := range r.gemms {
		u := b.gemms[i]
		r.gemms[i].A, r.gemms[i].B, r.gemms[i].C = u.a.at(r), u.b.at(r), unsafe.Add(r.ptr[u.c], u.start)
		if u.shared >= 0 {
			r.gemms[i].Shared = r.ptr[u.shared]
		}
	}
	r.done = ctx.Done()
	for i, u := range b.units {
		if i == committed {
			r.done = nil
		}
		if b.p.poison {
			r.poison(i)
		}
		if b.p.profile {
			r.labelStep(ctx, i)
		}
		if u, ok := u.(*nestedUnit); ok {
			if err := u.run(ctx, r); err != nil {
				return err
			}
			continue
		}
		for phase := range u.phases() {
			r.phase(u, phase)
			if e := r.failed.Load(); e != nil {
				r.failed.Store(nil)
				return *e
			}
			if r.done != nil && ctx.Err() != nil {
				return fmt.Errorf("autodiff: Run: %w", ctx.Err())
			}
		}
	}
	return nil
}

// stopped reports whether the context is done.
func (r *run) stopped() bool {
	select {
	case <-r.done: // nil blocks
		return true
	default:
		return false
	}
}

func (r *run) fail(err error) { r.failed.CompareAndSwap(nil, &err) }

// panicked is the error for a panic in a unit.
func panicked(p any) error {
	if e, ok := p.(*ir.Error); ok {
		return e
	}
	return &ir.Error{Op: "Run", Msg: fmt.Sprintf("failed inside: %v\n%s", p, debug.Stack())}
}
