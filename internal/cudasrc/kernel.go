// Package cudasrc writes programs as CUDA C++: kernels as text, and how they are launched. It holds no
// device and builds everywhere; package cuda compiles and runs what is written here. It imports dtype, ir, ops
// and vec.
package cudasrc

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Options are the compiler's options that a kernel's bits rely on, for nvcc and NVRTC alike, beside the
// architecture. Sums and products are never contracted: where an fma is meant the text says so.
var Options = []string{"--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true", "--std=c++17"}

// Kernel is one __global__ function in a translation unit of its own. Kernels of one text are one *Kernel
// within a Plan; across plans and batches they are found again by Source, which holds no address and, apart from
// what makes other code worth while, no size.
type Kernel struct {
	Name   string // of the entry, which is extern "C"
	Source string // all of it: no #include, the same for every architecture
	Block  int    // threads of a block, also its __launch_bounds__
	Shared int    // bytes of dynamic shared memory; at most 48 KiB
	Hot    bool   // worth a look when the compiler reports spills
}

// Launch starts a kernel on a grid of Grid blocks of Kernel.Block threads, one-dimensional both. Grid is at least 1
// and at most 2³¹-1. A launch depends on all launches before it.
type Launch struct {
	Kernel *Kernel
	Grid   int
	Args   []Arg
}

// Arg is a kernel's parameter. Every parameter is 8 bytes wide, aligned to 8: a pointer or Bits.
type Arg struct {
	Pointer bool
	Buffer  int    // Pointer: number in Plan.Buffers
	Offset  int    // Pointer: bytes from the buffer's start; may be negative where strides are
	Bits    uint64 // else
}

// Status is the words of the status buffer.
func (p *Plan) Status() int { return 2 * len(p.Checks) }

// Plan is a program for one batch as a device runs it: its steps in order, on one stream. It is made by
// runtime's Program.Plan, does not change, and may serve any number of runs at once, each with an arena, a status
// buffer and outputs of its own.
type Plan struct {
	Batch   int
	Arena   int     // bytes, a multiple of 256; offsets in it are multiples of 64
	Checks  []Check // each has two words of 8 bytes in the status buffer; all 0 when a run begins
	Inputs  []int
	Buffers []Buffer
	Steps   []Step
	Outs    []Out
	Kernels []*Kernel // all of them, each once
}

// Place says what memory a buffer is.
type Place uint8

const (
	InArena  Place = iota // At bytes into the run's arena
	InInput               // the caller's input number At; never written
	InOutput              // the memory of output number At
	InData                // a constant array Data, the same for every run: copied to the device once
	InStatus              // the run's status buffer
)

// Buffer is an array of a run. All but views of the arena are aligned to 256 bytes; Bytes may be 0, and the
// pointer then is anything.
type Buffer struct {
	Place Place
	At    int
	Bytes int
	Data  *ir.Array
}

// Out is where an output is when the steps are done: in Buffer. Where Copied is set that is another place than
// the output's own memory (an input, an array that another output is, too), and the device copies; else
// Buffers[Buffer] is InOutput.
type Out struct {
	Buffer int
	Copied bool
	Bytes  int
}

// Step is a step of the program.
type Step struct {
	Name     string   // for messages and profiles: "map [B 10]", "matmul %7"
	Launches []Launch // none where nothing is to be done
	Product  *Product // not nil: the device's library may compute this instead of Launches
	Control  *Control // not nil: the host directs this step
}

// Control is a step that the host directs while the device waits for it: a loop that data ends, a branch, and what has
// no kernel.
type Control struct {
	Why    string // not "": the host computes it, for this reason
	At     []Arg  // the places that Do speaks of, by number
	Bodies []*Body
	Do     func(ctx context.Context, m Machine) error
}

// Body is steps that a Control runs, on the same addresses each time.
type Body struct{ Steps []Step }

// Machine is a device as a Control sees it. What is queued is done in order.
type Machine interface {
	// Run queues a body's steps.
	Run(body int) error
	// Copy queues a copy.
	Copy(to, from Span) error
	// Host waits until in is known, calls f with it, and queues copies of what f has written to out. A failed check is
	// an error.
	Host(in, out []Span, f func(in, out []unsafe.Pointer) error) error
}

// Span is a part of a place of a Control.
type Span struct{ Place, Offset, Bytes int }

// Check is what a failed check means. Two words of the status buffer are its own: 1 + the place of the first
// index that is not in 0 … Size-1, 0 if all are, and that index; or 1 + the number of the first matrix without a result.
// Later steps skip bad indices, so that they fault nowhere, and their results have no meaning: a device looks at the
// status before it gives results.
type Check struct {
	Op, Pos string // of the error: "Take" or "ScatterAdd", and the user's line
	Size    int
	Msg     string // of matrices: what is wrong with it
	Batch   int    // of these: how many there are
}

// Fail is the error that the words tell, if they do.
func (c *Check) Fail(words []uint64) error {
	switch {
	case words[0] == 0:
		return nil
	case c.Msg == "":
		return &ir.Error{Op: c.Op, Msg: fmt.Sprintf("index %d is not in 0 … %d", int64(words[1]), c.Size-1), Pos: c.Pos}
	case c.Batch == 1:
		return &ir.Error{Op: c.Op, Msg: c.Msg, Pos: c.Pos}
	}
	return &ir.Error{Op: c.Op, Msg: fmt.Sprintf("%s, element %d of the batch", c.Msg, words[0]-1), Pos: c.Pos}
}

// Product is C[b,i,j] = Σ A[b,i,k]·B[b,k,j]. Strides are in elements; one of Row and Col is 1 (or the size along
// the other is at most 1) for A and B, C's columns lie one behind the other. A batch stride of 0 shares an operand.
type Product struct {
	Type               dtype.Type // of A and B, a float; C is F32 of BF16s and F16s
	Batch, M, N, K     int        // all at least 1
	A, B, C            Arg
	ARow, ACol, ABatch int
	BRow, BCol, BBatch int
	CRow, CBatch       int
}

// Operand is an array as a step reads or writes it: element (i0, i1, …) lies Σ i·Strides elements after Offset bytes
// of Buffer. A splat is one value everywhere and has no buffer.
type Operand struct {
	Type          dtype.Type
	Splat         bool
	Bits          uint64
	Buffer        int
	Offset        int
	Align         int // what the buffer's address is a multiple of, where that is less than an array's own
	Dims, Strides []int
}

// aligned reports whether o begins at a multiple of bytes.
func (o *Operand) aligned(bytes int) bool { return o.Offset%bytes == 0 && o.Align%bytes == 0 }

// Unit is what a step becomes: launches in order.
type Unit struct {
	Launches []Launch
	Product  *Product
}

// Unsupported is the error for a step that no kernel computes: the host does.
type Unsupported struct {
	Step   string // the operation's name
	Reason string
}

func (e *Unsupported) Error() string { return "cuda: no kernel for " + e.Step + ": " + e.Reason }
