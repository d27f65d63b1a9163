package runtime

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/jit"
	"github.com/adjoint-go/adjoint/kernels"
)

// Input is one parameter of a program.
type Input struct {
	Type  dtype.Type
	Shape ir.Shape
}

// Options of Compile; the zero value is the best there is.
type Options struct {
	Threads int    // 0: ADJOINT_THREADS, or one per core
	Level   string // "": ADJOINT_LEVEL, or the fastest of this machine
	Poison  bool   // for tests: graphs are verified, and arrays that are dead in the arena overwritten: who reads one sees NaNs
	Device  string // "cpu" or "cuda:0", …; "": ADJOINT_DEVICE, or the first GPU, or the CPU
	NoCode  bool   // clusters run as tiles, as they do where there is no generated code, or with ADJOINT_JIT=off

	// Profile has CPU profiles name the steps that a program runs: samples get the label "adjoint", with a step's number
	// and operations as String lists them (go tool pprof -tagfocus, or -tagroot=adjoint), beside the labels of the context.
	// Code is named in /tmp/perf-PID.map for Linux's perf, too. It costs an allocation or two per step.
	// ADJOINT_PROFILE=on asks for it everywhere.
	Profile bool

	// CheckNumerics has a run whose results hold a NaN, or an infinity that no argument or constant held, fail with the
	// operation that made it and the user's line. It costs a look at the results and, when there is one, a second run,
	// node by node. ADJOINT_NAN=on asks for it everywhere, in operations on arrays, too. Such programs run on the CPU.
	CheckNumerics bool
}

// Program is a compiled graph; many goroutines may run it at once.
type Program struct {
	inputs  []Input
	level   *kernels.Level
	threads int
	poison  bool
	numeric bool
	low     *lowering
	code    []stepCode // by step
	isa     *jit.ISA   // of generated code, nil where there is none
	profile bool
	labels  []pprof.LabelSet // by step, if profile is set
	within  string           // of a loop's or branch's body: where that is

	dev onDevice

	times Times // Bind is of bindings, guarded by mu

	latest   atomic.Pointer[binding]
	mu       sync.Mutex
	bindings []*binding // the one used last comes first
}

// Times is how long a program took to make.
type Times struct {
	Record time.Duration // the function's own run, derivatives included
	Plan   time.Duration // the graph made into steps, fused
	Bind   time.Duration // memory and machine code, for each batch size at its first run: all of them so far
}

// Times tells how long the program took to make; Record is not known here.
func (p *Program) Times() Times {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times
}

// maxBindings bounds the batch sizes that a program keeps memory for.
const maxBindings = 8

// Compile plans outs, whose Params are numbered as inputs.
func Compile(outs []*ir.Node, inputs []Input, o Options) (p *Program, err error) {
	defer func() {
		if e := recover(); e != nil {
			p, err = nil, panicked(e)
		}
	}()
	start := time.Now()
	p = &Program{inputs: slices.Clone(inputs), poison: o.Poison, numeric: o.CheckNumerics || ir.KeepLines()}
	if p.level, err = kernels.Select(o.Level); err != nil {
		return nil, &ir.Error{Op: "Compile", Msg: err.Error()}
	}
	if p.threads, err = threads(o.Threads); err != nil {
		return nil, err
	}
	if !o.NoCode {
		if p.isa, err = isaOf(p.level); err != nil {
			return nil, err
		}
	}
	if p.profile, err = profiles(); err != nil {
		return nil, err
	}
	p.profile = p.profile || o.Profile
	stripped := ir.SumRows(ir.TakeApart(ir.Strip(outs)))
	if o.Poison {
		for _, outs := range [][]*ir.Node{outs, stripped} {
			if err := ir.Verify(outs); err != nil {
				return nil, err
			}
		}
	}
	p.compile(stripped)
	if !p.numeric {
		err = p.choose(o.Device)
	}
	p.times.Plan = time.Since(start)
	return p, err
}

// compile plans outs, which are stripped.
func (p *Program) compile(outs []*ir.Node) {
	p.low = lower(outs)
	for _, n := range p.low.nodes {
		if n.Kind == ir.Hole || n.Kind == ir.Param && int(n.Bits) >= len(p.inputs) {
			panic(&ir.Error{Op: n.Name(), Msg: fmt.Sprintf("%v has no value", n.Shape), Pos: n.Pos})
		}
	}
	for i := range p.low.steps {
		var c stepCode
		s := &p.low.steps[i]
		if s.cluster != nil {
			c.cluster = p.low.emit(p.level, s.cluster)
		} else if several(s.node) {
			c.nested = p.compileNested(s.node, i)
		}
		p.code = append(p.code, c)
		if p.profile {
			p.labels = append(p.labels, p.label(i))
		}
	}
}

// stepCode is what a step becomes for every batch.
type stepCode struct {
	cluster *mapCode
	nested  nested
}

// several reports whether n has several results, each an Out.
func several(n *ir.Node) bool { return n.Several() }

// threads is the number that a run may use: n, ADJOINT_THREADS, or one per core.
func threads(n int) (int, error) {
	if s := os.Getenv("ADJOINT_THREADS"); n == 0 && s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			return 0, &ir.Error{Op: "Compile", Msg: fmt.Sprintf("ADJOINT_THREADS=%s is not a number of threads", s)}
		}
	}
	if n < 0 || n > maxThreads {
		return 0, &ir.Error{Op: "Compile", Msg: fmt.Sprintf("%d threads: there are 1 … %d, and 0 for one per core", n, maxThreads)}
	}
	if n == 0 {
		n = min(runtime.GOMAXPROCS(0), maxThreads)
	}
	return n, nil
}

// binding returns the plan for a batch, made on first use.
func (p *Program) binding(batch int) (*binding, error) {
	if b := p.latest.Load(); b != nil && b.batch == batch {
		return b, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.bindings, func(b *binding) bool { return b.batch == batch })
	if i < 0 {
		start := time.Now()
		b, err := p.newBinding(batch)
		p.times.Bind += time.Since(start)
		if err != nil {
			return nil, err
		}
		if i = len(p.bindings); i == maxBindings {
			i--
		} else {
			p.bindings = append(p.bindings, nil)
		}
		p.bindings[i] = b
	}
	b := p.bindings[i]
	copy(p.bindings[1:i+1], p.bindings[:i])
	p.bindings[0] = b
	p.latest.Store(b)
	return b, nil
}

// PeakBytes is the memory that one run takes for a batch, beside the caller's: its arena and what its
// threads have for themselves; on a device, there, not what the CPU's steps of the program take.
func (p *Program) PeakBytes(batch int) (int, error) {
	if p.OnDevice() {
		q, err := p.devicePlan(batch, false)
		if err != nil {
			return 0, err
		}
		return q.plan.Arena, nil
	}
	b, err := p.binding(batch)
	if err != nil {
		return 0, err
	}
	return b.peakBytes(), nil
}

// Level is the name of the CPU level.
func (p *Program) Level() string { return p.level.Name }

// Threads is the number of threads that a run may use.
func (p *Program) Threads() int { return p.threads }
