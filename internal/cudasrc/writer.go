package cudasrc

import (
	"fmt"
	"hash/fnv"
	"math/bits"
	"strings"
)

// Writer writes the steps of one plan.
type Writer struct {
	Kernels   []*Kernel           // those written so far
	Temporary func(bytes int) int // makes a buffer for the step that is being written, and returns its number
	by        map[string]*Kernel  // by text
}

// block is the threads of a block.
const block = 256

// maxParams bounds a kernel's parameters: 4 KiB of them are passed on every architecture.
const maxParams = 500

// text is a kernel that is being written. An @ in it becomes a name that no other text has.
type text struct {
	kind   string
	above  strings.Builder // what stands before the entry
	params []string
	args   []Arg
	body   strings.Builder
	needs  map[*string]bool
	sizes  map[string]bool
	hot    bool
}

func newText(kind string) *text {
	return &text{kind: kind, needs: map[*string]bool{}, sizes: map[string]bool{}}
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(&t.body, "\t"+format+"\n", args...) }

func (t *text) param(decl string, a Arg) {
	t.params = append(t.params, decl)
	t.args = append(t.args, a)
}

// in and out are pointer parameters.
func (t *text) in(typ, name string, a Arg)  { t.param("const "+typ+" *"+name, a) }
func (t *text) out(typ, name string, a Arg) { t.param(typ+" *"+name, a) }

// number is a parameter of a kernel that is an integer.
func (t *text) number(name string, x int) {
	if !t.sizes[name] {
		t.sizes[name] = true
		t.param("i64 "+name, Arg{Bits: uint64(x)})
	}
}

// size is a parameter without sign.
func (t *text) size(name string, x int) {
	if !t.sizes[name] {
		t.sizes[name] = true
		t.param("u64 "+name, Arg{Bits: uint64(x)})
	}
}

// divisor is a parameter to split by.
func (t *text) divisor(name string, n int, wide bool) {
	x := uint64(n)
	if !wide {
		x = Divisor(uint32(n))
	}
	t.param("u64 "+name, Arg{Bits: x})
}

// Divisor is n, 1 ≤ n < 2³¹, with what dividing by it takes: see split in prelude.cuh.
func Divisor(n uint32) uint64 {
	s := bits.Len32(n - 1)
	m := (1<<32*(1<<s-uint64(n)))/uint64(n) + 1
	return uint64(n) | m<<32
}

// launch finishes t: threads of it run.
func (w *Writer) launch(t *text, blocks int) (Launch, error) {
	if len(t.params) > maxParams {
		return Launch{}, &Unsupported{t.kind, fmt.Sprintf("%d parameters are too many", len(t.params))}
	}
	if blocks >= 1<<31 {
		return Launch{}, &Unsupported{t.kind, "the grid is too large"}
	}
	var s strings.Builder
	s.WriteString(prelude)
	if t.needs[&special] || t.needs[&orders] { // orders stands on special
		s.WriteString(special)
	}
	if t.needs[&orders] {
		s.WriteString(orders)
	}
	if t.needs[&beyond] {
		s.WriteString(beyondTables())
		s.WriteString(beyond)
	}
	if t.needs[&gemm] {
		s.WriteString(gemm)
	}
	if t.needs[&linalg] {
		s.WriteString(linalg)
	}
	s.WriteString(t.above.String())
	fmt.Fprintf(&s, "\nextern \"C\" __global__ void __launch_bounds__(%d) %s_@(%s) {\n%s}\n", block, t.kind,
		strings.Join(t.params, ", "), t.body.String())
	src := s.String()
	k := w.by[src]
	if k == nil {
		h := fnv.New64a()
		h.Write([]byte(src))
		id := fmt.Sprintf("%016x", h.Sum64())
		k = &Kernel{Name: t.kind + "_" + id, Source: strings.ReplaceAll(src, "@", id), Block: block, Hot: t.hot && !t.needs[&orders]} // functions that iterate are bound by that, not by some bytes
		if w.by == nil {
			w.by = map[string]*Kernel{}
		}
		w.by[src] = k
		w.Kernels = append(w.Kernels, k)
	}
	return Launch{Kernel: k, Grid: max(1, blocks), Args: t.args}, nil
}

func ceil(n, d int) int { return (n + d - 1) / d }

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// around splits the sizes at axes lo … hi-1: those before, the run, those behind.
func around(dims []int, lo, hi int) (outer, run, inner int) {
	return product(dims[:lo]), product(dims[lo:hi]), product(dims[hi:])
}

func (o *Operand) arg() Arg { return Arg{Pointer: true, Buffer: o.Buffer, Offset: o.Offset} }

// index is the type of indices: 32 bits where they do.
func index(wide bool) string {
	if wide {
		return "u64"
	}
	return "u32"
}

func signed(wide bool) string {
	if wide {
		return "i64"
	}
	return "int"
}

// narrow bounds what 32-bit indices reach. Only tests change it.
var narrow = 1 << 31

// thread is the number of a thread in the grid.
func thread(wide bool) string {
	if wide {
		return fmt.Sprintf("(u64)blockIdx.x * %du + threadIdx.x", block)
	}
	return fmt.Sprintf("blockIdx.x * %du + threadIdx.x", block)
}
