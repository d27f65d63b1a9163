package autodiff

import (
	"context"
	"fmt"
	"reflect"
	"time"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/kept"
	"github.com/adjoint-go/adjoint/runtime"
)

// Options of Compile; the zero value is the best there is.
type Options = runtime.Options

// Program is a compiled function of an A that gives an R. Any number of goroutines may run it at once.
type Program[A, R any] struct{ code }

// Program2 is a compiled function of two arguments.
type Program2[A, B, R any] struct{ code }

// Compile records f once, on an argument like example, whose arrays give types and shapes only; specs
// ([DType.Spec]) do as well, and may leave the batch open. The program serves arguments of those types and
// shapes. What f does beside values (reading a variable, a branch of Go's) is done once, now: arrays that
// it refers to are copied.
func Compile[A, R any](f func(A) R, example A, o ...Options) (p *Program[A, R], err error) {
	defer failure(&err)
	r := recorder{g: newGraph(o), start: time.Now()}
	y := f(parameters(&r, "argument", example))
	q := &Program[A, R]{}
	if err := q.compile(&r, reflect.ValueOf(&y).Elem(), o); err != nil {
		return nil, err
	}
	return q, nil
}

// Compile2 is Compile for a function of two arguments, such as parameters and data.
func Compile2[A, B, R any](f func(A, B) R, a A, b B, o ...Options) (p *Program2[A, B, R], err error) {
	defer failure(&err)
	r := recorder{g: newGraph(o), start: time.Now()}
	x := parameters(&r, "first argument", a)
	y := f(x, parameters(&r, "second argument", b))
	q := &Program2[A, B, R]{}
	if err := q.compile(&r, reflect.ValueOf(&y).Elem(), o); err != nil {
		return nil, err
	}
	return q, nil
}

// Run computes the result for an argument, in new arrays. On an error, a cancelled ctx included, the result
// is the zero R.
func (p *Program[A, R]) Run(ctx context.Context, a A) (y R, err error) {
	err = p.RunInto(ctx, &y, a)
	return y, err
}

// RunInto is Run into the arrays that *y holds, where it holds some of the right types and shapes: those
// are overwritten, and then the call allocates nothing. They may be arrays of the argument, too: a step of
// training updates its weights in place, for all who share them ([TreeClone] gives others of their own). On an error nothing has been written.
func (p *Program[A, R]) RunInto(ctx context.Context, y *R, a A) error {
	if p.enter(ctx, [...]unsafe.Pointer{unsafe.Pointer(y), unsafe.Pointer(&a), nil}) {
		return nil
	}
	fr := p.frame()
	err := bind(&p.args[0], fr, &a)
	return p.run(ctx, fr, unsafe.Pointer(y), err)
}

// Run is [Program.Run].
func (p *Program2[A, B, R]) Run(ctx context.Context, a A, b B) (y R, err error) {
	err = p.RunInto(ctx, &y, a, b)
	return y, err
}

// RunInto is [Program.RunInto].
func (p *Program2[A, B, R]) RunInto(ctx context.Context, y *R, a A, b B) error {
	if p.enter(ctx, [...]unsafe.Pointer{unsafe.Pointer(y), unsafe.Pointer(&a), unsafe.Pointer(&b)}) {
		return nil
	}
	fr := p.frame()
	err := bind(&p.args[0], fr, &a)
	if err == nil {
		err = bind(&p.args[1], fr, &b)
	}
	return p.run(ctx, fr, unsafe.Pointer(y), err)
}

func newGraph(o []Options) *ir.Graph {
	g := ir.New()
	g.Lines = ir.KeepLines() || len(o) > 0 && o[0].CheckNumerics
	return g
}

// recorder is a function under recording: its parameters.
type recorder struct {
	g      *ir.Graph
	start  time.Time
	inputs []runtime.Input
	args   []argument
}

// argument is one argument's form and the specs of its values.
type argument struct {
	name  string
	typ   reflect.Type
	form  form
	specs []spec
}

// spec is what the value of an argument must be.
type spec struct {
	t     dtype.Type
	shape ir.Shape
	input int // -1 where there is no value
}

func parameters[A any](r *recorder, name string, example A) A {
	v := reflect.ValueOf(&example).Elem()
	f, xs := formOf(v)
	a := argument{name: name, typ: v.Type(), form: f}
	in := make([]Value, len(xs))
	for i, x := range xs {
		if !x.IsValid() {
			a.specs = append(a.specs, spec{input: -1})
			continue
		}
		if x.n != nil {
			ir.Fail("Compile", "%s%s is a value of another recording", name, f.at[i].name)
		}
		s := x.a.shape()
		k := len(r.inputs)
		a.specs = append(a.specs, spec{x.a.t, s, k})
		r.inputs = append(r.inputs, runtime.Input{Type: x.a.t, Shape: s})
		in[i] = Value{n: r.g.Param(k, x.a.t, s)}
	}
	r.args = append(r.args, a)
	return replaced(example, in)
}

// code is a program and how its arguments and result lie in memory.
type code struct {
	p      *runtime.Program
	args   []argument
	result argument
	made   reflect.Value // the result as recorded: what it holds beside values
	cut    []bool
	inputs int
	size   [2]int // of a frame: values of the result, outputs
	places []place
	frames kept.List[frame]
	record time.Duration
}

// place is a value of the result or of an argument that a call without a frame looks at.
type place struct {
	tree  int // 0 is the result, then come the arguments
	path  *path
	spec  *spec
	place int // of a runtime.Entry

	near   bool // it lies at offset
	offset uintptr
	kind   uint64 // what it is to be whatever the batch, 0 where that is not known
}

// fits reports whether a is of the type and shape wanted.
func (p *place) fits(a *array, batch int) bool {
	return !a.weak && a.t == p.spec.t && sameDims(a.dims, p.spec.shape, batch)
}

// findPlaces lists what there is to look at, nothing where calls need frames.
func (c *code) findPlaces() {
	trees := []*argument{&c.result}
	for i := range c.args {
		trees = append(trees, &c.args[i])
	}
	for t, a := range trees {
		if a.form.slow {
			c.places = nil
			return
		}
		for i := range a.specs {
			p := place{tree: t, path: &a.form.at[i], spec: &a.specs[i], place: a.specs[i].input}
			if hops := p.path.hops; len(hops) == 1 && hops[0].kind == stay {
				p.near, p.offset = true, hops[0].offset
			}
			if p.spec.shape.Static() {
				p.kind = kindOf(p.spec.t, p.spec.shape.At(1))
			}
			if t == 0 {
				p.place += c.inputs
			}
			if p.spec.input >= 0 {
				c.places = append(c.places, p)
			}
		}
	}
}

// enter runs a program that is a runtime.Entry from result and arguments, where all are as they were compiled. It
// reports whether it has: else a call with a frame does it, or finds what is wrong.
func (c *code) enter(ctx context.Context, trees [3]unsafe.Pointer) bool {
	e := c.p.Entry()
	if e == nil || len(c.places) == 0 || ctx == nil || ctx.Err() != nil {
		return false
	}
	var places runtime.Places
	for i := range c.places {
		p := &c.places[i]
		var v *Value
		if p.near {
			v = (*Value)(unsafe.Add(trees[p.tree], p.offset))
		} else if v = p.path.find(trees[p.tree]); v == nil {
			return false
		}
		a := v.a
		if a == nil || a.home.there.Load() != nil || (a.kind == 0 || a.kind != p.kind) && !p.fits(a, e.Batch) {
			return false
		}
		places[p.place] = a.p
	}
	return e.Run(&places)
}

// frame is what one call needs.
type frame struct {
	seat     runtime.Seat
	batch    int              // -1: no argument has told it yet
	in, out  []unsafe.Pointer // of the runtime's program
	there    []*device.Array  // where that is on a device: inputs, then outputs
	old, res []*array         // by value of the result: what the caller offers, what is written
	memory   []unsafe.Pointer // in, then out
	arrays   []*array         // old, then res
}

func (c *code) compile(r *recorder, y reflect.Value, o []Options) error {
	var options Options
	if len(o) > 0 {
		options = o[0]
	}
	f, ys := formOf(y)
	c.args, c.inputs = r.args, len(r.inputs)
	c.result = argument{name: "result", typ: y.Type(), form: f}
	var outs []*ir.Node
	for _, v := range ys {
		if !v.IsValid() {
			c.result.specs = append(c.result.specs, spec{input: -1})
		} else {
			n := v.node(r.g, "Compile", dtype.Invalid)
			if n.Graph != r.g {
				ir.Fail("Compile", "%v: the result belongs to another function's recording", n.Shape)
			}
			c.result.specs = append(c.result.specs, spec{n.Type, n.Shape, len(outs)})
			outs = append(outs, n)
		}
		c.cut = append(c.cut, v.cut)
	}
	if len(outs) == 0 {
		ir.Fail("Compile", "the function's result holds no value")
	}
	c.made = mapped(y, func(path, Value) Value { return Value{} })
	c.record = time.Since(r.start)
	var err error
	c.p, err = runtime.Compile(outs, r.inputs, options)
	c.size = [2]int{len(ys), len(outs)}
	c.findPlaces()
	return err
}

// frame takes a frame that no call uses.
func (c *code) frame() *frame {
	fr := c.frames.Take()
	if fr == nil {
		n, m := c.size[0], c.size[1]
		memory, arrays := make([]unsafe.Pointer, c.inputs+m), make([]*array, 2*n)
		fr = &frame{memory: memory, arrays: arrays, in: memory[:c.inputs], out: memory[c.inputs:], old: arrays[:n], res: arrays[n:]}
		if c.p.OnDevice() {
			fr.there = make([]*device.Array, c.inputs+m)
		}
	}
	fr.batch = -1
	return fr
}

func (c *code) release(fr *frame) {
	clear(fr.memory)
	clear(fr.arrays)
	clear(fr.there)
	c.frames.Put(fr)
}

// run runs the program, if the arguments are bound, into the tree at result.
func (c *code) run(ctx context.Context, fr *frame, result unsafe.Pointer, err error) error {
	if err == nil {
		err = c.runBound(ctx, fr, result)
	}
	c.release(fr)
	return err
}

// array is a new array for a result, whose size may be none for this batch.
func (s *spec) array(batch int) (a *array, err error) {
	defer failure(&err)
	return newArray(s.t, s.shape.At(batch)), nil
}

func (c *code) runBound(ctx context.Context, fr *frame, result unsafe.Pointer) error {
	batch := fr.batch
	if batch < 0 { // no size is symbolic
		batch = 1
	}
	c.result.offered(fr, result)
	fresh := false
	for i := range c.result.specs {
		s := &c.result.specs[i]
		if s.input < 0 {
			continue
		}
		a := fr.old[i]
		if a == nil || a.p == nil || a.weak || a.t != s.t || !sameDims(a.dims, s.shape, batch) {
			var err error
			if a, err = s.array(batch); err != nil {
				return err
			}
			fresh = true
		}
		fr.res[i], fr.out[s.input] = a, a.p
		var err error
		if fr.there != nil {
			fr.there[c.inputs+s.input], err = a.onDevice()
		} else {
			err = a.overwritten()
		}
		if err != nil {
			return err
		}
	}
	var err error
	if fr.there != nil {
		err = c.p.RunArrays(ctx, batch, fr.there[:c.inputs], fr.there[c.inputs:])
	} else {
		err = c.p.RunIn(&fr.seat, ctx, batch, fr.in, fr.out)
	}
	if err != nil {
		return err
	}
	if fresh {
		c.store(fr, result)
	}
	return nil
}

// bind points the frame at an argument's arrays. The argument stays where it is: only a copy of it goes
// through reflection, and only where its form needs that.
func bind[T any](a *argument, fr *frame, x *T) error {
	if a.form.slow {
		return a.bindSlow(fr, reflect.ValueOf(*x))
	}
	for i := range a.form.at {
		v := a.form.at[i].find(unsafe.Pointer(x))
		if v == nil {
			return a.otherForm()
		}
		if err := a.bindValue(fr, i, v); err != nil {
			return err
		}
	}
	return nil
}

func (a *argument) bindSlow(fr *frame, tree reflect.Value) error {
	var err error
	ok := a.visit(tree, func(i int, v Value) {
		if err == nil {
			err = a.bindValue(fr, i, &v)
		}
	})
	if !ok {
		return a.otherForm()
	}
	return err
}

// visit calls f with the values of a tree, if it is built like the one that was compiled.
func (a *argument) visit(tree reflect.Value, f func(i int, v Value)) bool {
	var xs []Value
	same := true
	mapped(tree, func(at path, v Value) Value {
		same = same && len(xs) < len(a.form.at) && a.form.at[len(xs)].name == at.name
		xs = append(xs, v)
		return v
	})
	if !same || len(xs) != len(a.form.at) {
		return false
	}
	for i, v := range xs {
		f(i, v)
	}
	return true
}

func (a *argument) otherForm() error {
	return &Error{Op: "Run", Msg: fmt.Sprintf("the %s is built differently from the one that was compiled (lengths of slices, keys of maps, nil pointers)", a.name), Pos: ir.UserLine()}
}

func (a *argument) bindValue(fr *frame, i int, v *Value) error {
	s := &a.specs[i]
	if s.input < 0 {
		return nil
	}
	x := v.a
	if x == nil || x.p == nil && x.n > 0 || len(x.dims) != len(s.shape) || x.t != s.t {
		return a.mismatch(fr, i, v)
	}
	for k, d := range s.shape {
		switch {
		case d.Static():
			if x.dims[k] != d.C {
				return a.mismatch(fr, i, v)
			}
		case fr.batch < 0:
			fr.batch = x.dims[k]
		case x.dims[k] != fr.batch:
			return a.mismatch(fr, i, v)
		}
	}
	fr.in[s.input] = x.p
	if fr.there != nil {
		var err error
		fr.there[s.input], err = x.onDevice()
		return err
	}
	return x.fetch()
}

func (a *argument) mismatch(fr *frame, i int, v *Value) error {
	s := &a.specs[i]
	msg := fmt.Sprintf("%s%s is %v, not %v%v", a.name, a.form.at[i].name, v.describe(), s.t, s.shape)
	if fr.batch >= 0 && !s.shape.Static() {
		msg += fmt.Sprintf(" for B = %d", fr.batch)
	}
	return &Error{Op: "Run", Msg: msg, Pos: ir.UserLine()}
}

func (v Value) describe() string {
	if v.a == nil {
		return v.String()
	}
	return fmt.Sprintf("%v%v", v.a.t, v.a.shape())
}

func sameDims(dims []int, s ir.Shape, batch int) bool {
	if len(dims) != len(s) {
		return false
	}
	for i, d := range s {
		if dims[i] != d.At(batch) {
			return false
		}
	}
	return true
}

// offered notes the arrays that the result tree holds already.
func (a *argument) offered(fr *frame, tree unsafe.Pointer) {
	if a.form.slow {
		a.visit(reflect.NewAt(a.typ, tree).Elem(), func(i int, v Value) { fr.old[i] = v.a })
		return
	}
	for i := range a.form.at {
		v := a.form.at[i].find(tree)
		if v == nil {
			clear(fr.old)
			return
		}
		fr.old[i] = v.a
	}
}

// store makes the tree at result one of the frame's arrays.
func (c *code) store(fr *frame, result unsafe.Pointer) {
	i := -1
	y := mapped(c.made, func(path, Value) Value {
		i++
		if fr.res[i] == nil {
			return Value{}
		}
		return Value{a: fr.res[i], cut: c.cut[i]}
	})
	reflect.NewAt(c.result.typ, result).Elem().Set(y)
}

// String prints what was recorded and the steps that it became.
func (c *code) String() string { return c.p.String() }

// Dot draws that in Graphviz' language.
func (c *code) Dot() string { return c.p.Dot() }

// PeakBytes is the memory that a run for a batch size takes beside arguments and results, for all threads; of a program on a device, the
// memory there.
func (c *code) PeakBytes(batch int) (int, error) { return c.p.PeakBytes(batch) }

// CompileTimes is how long a program took to make: the function recorded and derived, planned, and bound to the
// batch sizes that it has run for.
type CompileTimes = runtime.Times

// CompileTimes tells how long the program took to make, so far.
func (c *code) CompileTimes() CompileTimes {
	t := c.p.Times()
	t.Record = c.record
	return t
}

// Disassemble lists the machine code of the fused operations and loops for a batch size, each instruction with the
// operation that it serves; it is empty where none is made.
func (c *code) Disassemble(batch int) (string, error) { return c.p.Disassemble(batch) }

// Device is the name of the device that the program runs on: "cpu", "cuda:0".
func (c *code) Device() string { return c.p.Device() }

// Level is the name of the CPU level that the program runs on.
func (c *code) Level() string { return c.p.Level() }

// Threads is the number of threads that a run may use.
func (c *code) Threads() int { return c.p.Threads() }
