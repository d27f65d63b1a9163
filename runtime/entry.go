package runtime

import (
	"runtime"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/internal/kept"
	"github.com/adjoint-go/adjoint/kernels"
)

// MaxPlaces bounds the inputs and outputs of a program that has an Entry.
const MaxPlaces = 8

const (
	entryCalls = 8  // of an Entry: it is not given up once begun
	entryArgs  = 12 // of its code
)

// Entry is what a program does for one batch size where that is a few calls of kernels and code, each for all of its
// elements. A caller needs no run for it: at most some memory, where not all arrays are its own.
type Entry struct {
	Batch int

	calls callList
	pairs []pair
	arena int // bytes, those of calls for themselves come behind them
	room  int // bytes, 0 for none
	rooms kept.List[entryRoom]
}

// entryRoom is an Entry's own memory.
type entryRoom struct {
	memory unsafe.Pointer
	worker [1]unsafe.Pointer // where calls have their scratch
}

// Places is where the inputs of an Entry are, then its outputs. The rest is its own.
type Places [MaxPlaces + 2]unsafe.Pointer

// What an Entry has for itself: arrays, and its calls' scratch.
const (
	roomPlace = MaxPlaces + iota
	scratchPlace
)

// entryCall is a product (A, B and C are its args), a fold (to and from are), or code.
type entryCall struct {
	product *kernels.GemmPlan
	small   bool // is the product
	fold    kernels.FoldRows
	code    *jit.Func
	args    []entryArg
	rows, n int
	spill   entryArg // of code: where it spills
}

// entryArg is where a call finds an array.
type entryArg struct {
	fixed  unsafe.Pointer // if not nil
	place  int
	offset int
	row    uintptr // bytes from one row to the next
}

// callList is calls one after the other, on arrays from places on.
type callList []entryCall

func (x *entryArg) at(places []unsafe.Pointer) unsafe.Pointer {
	if x.fixed != nil {
		return x.fixed
	}
	return unsafe.Add(places[x.place], x.offset)
}

// pair is an output and an input or another output, which may not overlap but where they may be the same.
type pair struct {
	out, other           int
	outBytes, otherBytes uintptr
	same                 bool
}

// Entry is the program for the batch size used last, nil where it is more than that.
func (p *Program) Entry() *Entry {
	if b := p.latest.Load(); b != nil {
		return b.entry
	}
	return nil
}

// Run computes the outputs, or reports that another way has to be found, as arrays are missing or overlap. Who calls it
// has looked at a context before.
func (e *Entry) Run(p *Places) bool {
	for i := range e.pairs {
		x := &e.pairs[i]
		out, other := uintptr(p[x.out]), uintptr(p[x.other])
		if d := out - other; out == 0 || other == 0 || (d < x.otherBytes || -d < x.outBytes) && !(d == 0 && x.same) {
			return false
		}
	}
	if e.room == 0 {
		e.calls.run(p[:], nil)
		return true
	}
	room := e.rooms.Take()
	if room == nil {
		room = &entryRoom{memory: scratch(e.room)}
		room.worker[0] = unsafe.Add(room.memory, e.arena)
	}
	p[roomPlace], p[scratchPlace] = room.memory, room.worker[0]
	e.calls.run(p[:], &room.worker)
	e.rooms.Put(room)
	return true
}

// run makes the calls. worker, where there is any scratch, is its place once more.
func (l callList) run(places []unsafe.Pointer, worker *[1]unsafe.Pointer) {
	for i := range l {
		switch c := &l[i]; {
		case c.code != nil:
			c.enter(places)
		case c.small:
			c.product.Multiply(c.args[0].at(places), c.args[1].at(places), c.args[2].at(places))
		case c.product != nil:
			r := kernels.GemmRun{Plan: c.product, A: c.args[0].at(places), B: c.args[1].at(places), C: c.args[2].at(places)}
			if worker != nil {
				r.Worker = worker[:]
			}
			r.Do(0, 0, 0)
		default:
			c.fold(c.args[0].at(places), c.args[1].at(places), c.rows, c.n)
		}
	}
}

func (c *entryCall) enter(places []unsafe.Pointer) {
	var args [jit.ArgArrays + 2*entryArgs]uintptr
	for k := range c.args {
		x := &c.args[k]
		args[jit.ArgArrays+2*k], args[jit.ArgArrays+2*k+1] = uintptr(x.at(places)), x.row
	}
	args[jit.ArgN], args[jit.ArgTail] = c.code.Split(c.n)
	args[jit.ArgRows], args[jit.ArgSpill] = uintptr(c.rows), uintptr(c.spill.at(places))
	c.code.Run(args[:])
	runtime.KeepAlive(places)
}

// entryWriter makes an Entry of a binding.
type entryWriter struct {
	*Entry
	b         *binding
	moved, to int  // the buffer of a product that is made where another's output goes
	body      bool // places are those of a run's buffers
	own       int  // the place of scratch
}

// newEntry is b as an Entry, nil where it is more than that.
func (b *binding) newEntry() *Entry {
	if len(b.units) == 0 || len(b.units) > entryCalls || b.copies || b.p.poison || b.p.profile || b.p.numeric || b.p.within != "" ||
		len(b.inBytes)+len(b.outs) > MaxPlaces {
		return nil
	}
	w := entryWriter{&Entry{Batch: b.batch, arena: lines(b.arena)}, b, -1, -1, false, scratchPlace}
	for i := range b.outs {
		o := &b.outs[i]
		for j, n := range b.inBytes {
			w.pairs = append(w.pairs, pair{len(b.inBytes) + i, j, uintptr(o.bytes), uintptr(n), o.in[j] && o.bytes == n})
		}
		for j := range i {
			w.pairs = append(w.pairs, pair{len(b.inBytes) + i, len(b.inBytes) + j, uintptr(o.bytes), uintptr(b.outs[j].bytes), false})
		}
	}
	for _, x := range w.pairs {
		if x.outBytes == 0 || x.otherBytes == 0 {
			return nil
		}
	}
	if !w.write() {
		return nil
	}
	return w.Entry
}

// bodyCalls is what a step does of a loop's or branch's body that consists of nothing else, nil where there is more.
func (b *binding) bodyCalls() callList {
	w := entryWriter{&Entry{}, b, -1, -1, true, len(b.buffers)}
	if b.p.within == "" || b.p.poison || b.p.profile || !w.write() {
		return nil
	}
	return w.calls
}

// write adds the calls that the units are.
func (w *entryWriter) write() bool {
	for _, u := range w.b.units {
		ok := false
		switch u := u.(type) {
		case *mapUnit:
			ok = w.enter(u)
		case *productUnit:
			ok = w.multiply(u) && (u.epilogue == nil || w.enter(u.epilogue))
		}
		if !ok || len(w.calls) > entryCalls && !w.body {
			return false
		}
	}
	return true
}

// arg finds buffer k from offset on.
func (w *entryWriter) arg(k, offset int) (x entryArg, ok bool) {
	if k == w.moved {
		k = w.to
	}
	if k < 0 {
		return x, false
	}
	x.offset = offset
	switch f := &w.b.buffers[k]; {
	case w.body:
		x.place = k
	case f.out >= 0:
		x.place = len(w.b.inBytes) + f.out
	case f.node != nil && f.node.Kind == ir.Param:
		x.place = int(f.node.Bits)
	case f.node != nil && f.node.Kind == ir.Data:
		x.fixed = unsafe.Add(unsafe.Pointer(unsafe.SliceData(f.node.Data.Bytes)), offset)
		return x, f.bytes > 0
	case f.offset >= 0:
		x.place, x.offset = roomPlace, f.offset+offset
		w.room = max(w.room, w.arena)
	default:
		return x, false
	}
	return x, true
}

// scratch has so many bytes be there for a call.
func (w *entryWriter) scratch(bytes int) {
	if bytes > 0 {
		w.room = max(w.room, w.arena+lines(bytes))
	}
}

func (w *entryWriter) multiply(u *productUnit) bool {
	p := u.plan
	if p.SharedBytes > 0 || p.Phases() != 1 || p.Tasks(0) != 1 {
		return false
	}
	if !w.body && len(w.b.units) == 1 && u.epilogue != nil && w.b.buffers[u.c].out < 0 {
		w.move(u)
	}
	w.scratch(p.WorkerBytes)
	c := entryCall{product: p, small: p.Small()}
	for _, x := range []address{u.a, u.b, {u.c, u.start}} {
		y, ok := w.arg(x.buffer, x.offset)
		if !ok {
			return false
		}
		c.args = append(c.args, y)
	}
	w.calls = append(w.calls, c)
	return true
}

// move has u's product, which only its epilogue reads, made where that puts a result of the same size. No input may lie there
// then.
func (w *entryWriter) move(u *productUnit) {
	for i := range u.epilogue.ops {
		k := u.epilogue.ops[i].buffer
		if k < 0 || w.b.buffers[k].out < 0 || w.b.buffers[k].bytes != w.b.buffers[u.c].bytes || !u.epilogue.inPlace(u.c, k) {
			continue
		}
		w.moved, w.to = u.c, k
		for j := range w.pairs {
			if x := &w.pairs[j]; x.out == len(w.b.inBytes)+w.b.buffers[k].out {
				x.same = false
			}
		}
		return
	}
}

// enter has u's code entered, if that is once for all elements, and its folds done.
func (w *entryWriter) enter(u *mapUnit) bool {
	if u.tasks(0) != 1 || u.mode != flat && u.mode != rows {
		return false
	}
	if u.bare {
		return u.mode == rows && w.folds(u, func(j int) ref {
			return ref{leaf: u.ops[u.folds[j].value].leaf, buffer: -1}
		})
	}
	if u.code == nil || len(u.code.segs) != 1 || len(u.placed) > 0 || u.streamed || u.wide > 0 || u.strip > 0 {
		return false
	}
	s := &u.code.segs[0]
	c := entryCall{code: s.f, rows: u.elems / u.cols, n: u.cols}
	switch {
	case s.f == nil || len(s.loads) > 0 || len(s.args) > entryArgs || c.n%s.f.Step() != 0 || u.even > 0 && c.rows > u.even:
		return false
	case u.mode == rows && u.code.folds && u.cols == u.run && u.elems <= u.code.most():
	case u.mode == rows && !u.code.folds && u.run <= u.tile && u.outer <= u.step:
	case u.mode == flat && u.elems <= u.tile:
	default:
		return false
	}
	w.scratch(u.tileRoom() + s.f.SpillBytes())
	for k := range u.refs[0] {
		y, ok := w.ref(u, &u.refs[0][k])
		if !ok {
			return false
		}
		y.row = uintptr(u.refs[0][k].row)
		c.args = append(c.args, y)
	}
	if s.f.SpillBytes() > 0 {
		c.spill = entryArg{place: w.own, offset: u.tileRoom()}
	}
	w.calls = append(w.calls, c)
	return u.code.folds || w.folds(u, func(j int) ref { return u.folded[j] })
}

// folds has u's folds done of the values that from tells.
func (w *entryWriter) folds(u *mapUnit, from func(j int) ref) bool {
	for j := range u.folds {
		f, x := &u.folds[j], from(j)
		dst, ok := w.arg(f.buffer, 0)
		src, found := w.ref(u, &x)
		if !ok || !found {
			return false
		}
		w.calls = append(w.calls, entryCall{fold: f.foldRows, rows: u.outer, n: u.run, args: []entryArg{dst, src}})
	}
	return true
}

// ref finds what u's code reads or writes.
func (w *entryWriter) ref(u *mapUnit, x *ref) (entryArg, bool) {
	switch {
	case x.splat:
		return entryArg{fixed: u.leaf[x.leaf].splat}, true
	case x.listed: // each call makes the list
		return entryArg{}, false
	case x.leaf >= 0:
		return w.arg(u.leaf[x.leaf].buffer, u.leaf[x.leaf].offset)
	case x.buffer >= 0:
		return w.arg(x.buffer, 0)
	}
	return entryArg{place: w.own, offset: x.slot}, true
}
