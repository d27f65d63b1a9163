package runtime

import (
	"context"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
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
}

// Program is a compiled graph; many goroutines may run it at once.
type Program struct {
	outs   []*ir.Node
	inputs []Input
}

// Compile plans outs, whose Params are numbered as inputs.
func Compile(outs []*ir.Node, inputs []Input, o Options) (*Program, error) {
	return &Program{outs: outs, inputs: inputs}, nil
}

// Run computes the outputs for a batch: in[i] points at the elements of input i, out[i] at room for
// those of output i. An output may overlap inputs.
func (p *Program) Run(ctx context.Context, batch int, in, out []unsafe.Pointer) error {
	bytes := func(p unsafe.Pointer, t dtype.Type, s ir.Shape) []byte {
		return unsafe.Slice((*byte)(p), t.Size()*product(s.At(batch)))
	}
	b := make([][]byte, len(in))
	for i, x := range p.inputs {
		b[i] = bytes(in[i], x.Type, x.Shape)
	}
	res, err := Reference(p.outs, batch, b)
	for i := range res {
		copy(bytes(out[i], p.outs[i].Type, p.outs[i].Shape), res[i])
	}
	return err
}

// Level is the name of the CPU level.
func (p *Program) Level() string { return "purego" }

// Threads is the number of threads that a run may use.
func (p *Program) Threads() int { return 1 }

// String describes the program.
func (p *Program) String() string { return ir.Print(p.outs) }

// Dot draws the program in Graphviz' language.
func (p *Program) Dot() string { return "digraph {}" }
