// Package shim runs CUDA kernels on the CPU for tests: g++ compiles them as they are, with a header that stands for
// CUDA. It imports cudasrc and ir.
package shim

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/ir"
)

var (
	//go:embed shim.h
	header string
	//go:embed machine.h
	machineText string
)

// Flags are for g++. What is not aligned as its type says ends the process, as on a GPU. Optimization costs more here than it saves, and
// C++'s own headers, even compiled, more than a kernel.
var Flags = []string{"-std=c++17", "-O0", "-w", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv",
	"-fsanitize=alignment", "-fsanitize-undefined-trap-on-error", "-nostdinc++"}

// Prepare has a folder ready for the emulated driver and NVRTC: machine.h, which is to be part of them, the header, compiled,
// and the flags.
func Prepare(dir string) error {
	err := errors.Join(os.WriteFile(filepath.Join(dir, "flags"), []byte(strings.Join(Flags, " ")), 0o666),
		os.WriteFile(filepath.Join(dir, "machine.h"), []byte(header+machineText), 0o666),
		os.WriteFile(filepath.Join(dir, "shim.h"), []byte(header), 0o666))
	if err != nil {
		return err
	}
	gxx := exec.Command("g++", append([]string{"-fPIC", "-x", "c++-header", filepath.Join(dir, "shim.h")}, Flags...)...)
	if out, err := gxx.CombinedOutput(); err != nil {
		return fmt.Errorf("g++: %v\n%.4000s", err, out)
	}
	return nil
}

// Missing is why Build cannot work here: there is no g++.
func Missing() error {
	if _, err := exec.LookPath("g++"); err != nil {
		return errors.New("no g++ on this machine: CUDA C++ is not run on the CPU")
	}
	return nil
}

// waits reports whether threads of k wait for each other.
func waits(k *cudasrc.Kernel) bool {
	_, own, _ := strings.Cut(k.Source, "#endif") // behind the prelude
	return slices.ContainsFunc([]string{"shift_down(", "__sync", "_sync("}, func(w string) bool { return strings.Contains(own, w) })
}

// Host is a program that runs a set of kernels.
type Host struct {
	number map[string]int // of the kernels, by name
	cmd    *exec.Cmd
	in     *bufio.Writer
	pipe   io.Closer
	out    *bufio.Reader
	errors bytes.Buffer
}

// Build compiles kernels in folder dir and starts the program.
func Build(dir string, kernels []*cudasrc.Kernel) (*Host, error) {
	h := &Host{number: map[string]int{}}
	var s, table strings.Builder
	s.WriteString(header)
	s.WriteString(machineText)
	for _, k := range kernels {
		if _, ok := h.number[k.Name]; ok {
			continue
		}
		h.number[k.Name] = len(h.number)
		fmt.Fprintf(&s, "#undef __shared__\n#define __shared__ static __attribute__((section(\"shared_%s\")))\n", k.Name)
		fmt.Fprintf(&s, "%s\nSHIM_KERNEL(%s, %d, %v)\n", k.Source, k.Name, k.Block, waits(k))
		fmt.Fprintf(&table, "\t&row_%s,\n", k.Name)
	}
	fmt.Fprintf(&s, "static const shim_row *const kernels[] = {\n%s};\nint main() { return shim_serve(kernels, %d); }\n", table.String(), len(h.number))
	src, bin := filepath.Join(dir, "kernels.cc"), filepath.Join(dir, "kernels")
	if err := os.WriteFile(src, []byte(s.String()), 0o666); err != nil {
		return nil, err
	}
	gxx := exec.Command("g++", append([]string{"-o", bin, src}, Flags...)...)
	if out, err := gxx.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("g++: %v\n%.4000s", err, out)
	}
	h.cmd = exec.Command(bin)
	h.cmd.Stderr = &h.errors
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.pipe, h.out = bufio.NewWriter(in), in, bufio.NewReader(out)
	return h, h.cmd.Start()
}

// Close ends the program.
func (h *Host) Close() error {
	h.pipe.Close()
	return h.cmd.Wait()
}

// Run runs launches in order on buffers, and leaves there what they made of them.
func (h *Host) Run(buffers [][]byte, launches []cudasrc.Launch) error {
	word := func(x int) { binary.Write(h.in, binary.LittleEndian, uint64(x)) }
	word(len(buffers))
	for _, b := range buffers {
		word(len(b))
		h.in.Write(b)
	}
	word(len(launches))
	for _, l := range launches {
		k, ok := h.number[l.Kernel.Name]
		if !ok {
			return fmt.Errorf("kernel %s was not built", l.Kernel.Name)
		}
		word(k)
		word(l.Grid)
		word(len(l.Args))
		for _, a := range l.Args {
			if a.Pointer {
				word(a.Buffer)
				word(a.Offset)
			} else {
				word(-1)
				word(int(a.Bits))
			}
		}
	}
	err := h.in.Flush()
	for _, b := range buffers {
		if err == nil {
			_, err = io.ReadFull(h.out, b)
		}
	}
	if err != nil {
		h.pipe.Close()
		h.cmd.Wait()
		return fmt.Errorf("%v\n%s", err, h.errors.String())
	}
	return nil
}

// RunPlan runs a plan whose kernels were built, and gives its outputs and status words. The arena begins full of NaNs.
func (h *Host) RunPlan(p *cudasrc.Plan, inputs [][]byte) (outs [][]byte, status []uint64, err error) {
	// The memory: inputs, outputs, the arena, the status words, then data.
	m := &machine{h: h, plan: p, inputs: len(inputs), data: map[*ir.Array]int{}}
	for i := range inputs {
		m.memory = append(m.memory, slices.Clone(inputs[i]))
	}
	for _, o := range p.Outs {
		m.memory = append(m.memory, make([]byte, o.Bytes))
	}
	words := make([]byte, 8*p.Status())
	m.memory = append(m.memory, bytes.Repeat([]byte{0xff}, p.Arena), words)
	if err := m.steps(p.Steps); err != nil {
		return nil, nil, err
	}
	if err := m.flush(); err != nil {
		return nil, nil, err
	}
	for i := range inputs {
		if !bytes.Equal(inputs[i], m.memory[i]) {
			return nil, nil, fmt.Errorf("input %d was written", i)
		}
	}
	for i, o := range p.Outs {
		if !o.Copied {
			outs = append(outs, m.memory[len(inputs)+i])
			continue
		}
		a := m.at(cudasrc.Arg{Pointer: true, Buffer: o.Buffer})
		outs = append(outs, slices.Clone(m.memory[a.Buffer][a.Offset:a.Offset+o.Bytes]))
	}
	for i := 0; i < len(words); i += 8 {
		status = append(status, binary.LittleEndian.Uint64(words[i:]))
	}
	return outs, status, nil
}

// machine is a run of a plan.
type machine struct {
	h        *Host
	plan     *cudasrc.Plan
	inputs   int
	memory   [][]byte
	launches []cudasrc.Launch  // not yet done
	data     map[*ir.Array]int // where in memory
	control  *cudasrc.Control  // the one that directs
}

func (m *machine) at(a cudasrc.Arg) cudasrc.Arg {
	if !a.Pointer {
		return a
	}
	arena := m.inputs + len(m.plan.Outs)
	switch b := &m.plan.Buffers[a.Buffer]; b.Place {
	case cudasrc.InArena:
		a.Buffer, a.Offset = arena, a.Offset+b.At
	case cudasrc.InInput:
		a.Buffer = b.At
	case cudasrc.InOutput:
		a.Buffer = m.inputs + b.At
	case cudasrc.InStatus:
		a.Buffer = arena + 1
	case cudasrc.InData:
		k, ok := m.data[b.Data]
		if !ok {
			k = len(m.memory)
			m.data[b.Data] = k
			m.memory = append(m.memory, slices.Clone(b.Data.Bytes))
		}
		a.Buffer = k
	}
	return a
}

func (m *machine) steps(steps []cudasrc.Step) error {
	for i := range steps {
		s := &steps[i]
		for _, l := range s.Launches {
			args := make([]cudasrc.Arg, len(l.Args))
			for i, a := range l.Args {
				args[i] = m.at(a)
			}
			m.launches = append(m.launches, cudasrc.Launch{Kernel: l.Kernel, Grid: l.Grid, Args: args})
		}
		if c := s.Control; c != nil {
			around := m.control
			m.control = c
			if err := c.Do(context.Background(), m); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
			m.control = around
		}
	}
	return nil
}

func (m *machine) flush() error {
	l := m.launches
	m.launches = nil
	if len(l) == 0 {
		return nil
	}
	return m.h.Run(m.memory, l)
}

func (m *machine) span(s cudasrc.Span) []byte {
	a := m.at(m.control.At[s.Place])
	return m.memory[a.Buffer][a.Offset+s.Offset:][:s.Bytes:s.Bytes]
}

func (m *machine) Run(body int) error { return m.steps(m.control.Bodies[body].Steps) }

func (m *machine) Copy(to, from cudasrc.Span) error {
	err := m.flush()
	copy(m.span(to), m.span(from))
	return err
}

func (m *machine) Host(in, out []cudasrc.Span, f func(in, out []unsafe.Pointer) error) error {
	if err := m.flush(); err != nil {
		return err
	}
	room := func(s cudasrc.Span) []byte { // aligned as an array is
		words := make([]uint64, s.Bytes/8+9)
		p := unsafe.Pointer(&words[0])
		p = unsafe.Add(p, -int(uintptr(p))&63)
		return unsafe.Slice((*byte)(p), s.Bytes)
	}
	var read, written []unsafe.Pointer
	var results [][]byte
	for _, s := range in {
		b := room(s)
		copy(b, m.span(s))
		read = append(read, unsafe.Pointer(unsafe.SliceData(b)))
	}
	for _, s := range out {
		b := room(s)
		results, written = append(results, b), append(written, unsafe.Pointer(unsafe.SliceData(b)))
	}
	if err := f(read, written); err != nil {
		return err
	}
	for i, s := range out {
		copy(m.span(s), results[i])
	}
	return nil
}
