// Package shim runs CUDA kernels on the CPU for tests: g++ compiles them as they are, with a header that stands for
// CUDA. It imports cudasrc.
package shim

import (
	"bufio"
	"bytes"
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

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

//go:embed shim.h
var header string

// Missing is why Build cannot work here: there is no g++.
func Missing() error {
	if _, err := exec.LookPath("g++"); err != nil {
		return errors.New("no g++ on this machine: CUDA C++ is not run on the CPU")
	}
	return nil
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
	for _, k := range kernels {
		if _, ok := h.number[k.Name]; ok {
			continue
		}
		h.number[k.Name] = len(h.number)
		s.WriteString(k.Source)
		fmt.Fprintf(&table, "\t{shim_kernel<%s>::call, %d, %v},\n", k.Name, k.Block, waits(k))
	}
	fmt.Fprintf(&s, "static const shim_row kernels[] = {\n%s};\nint main() { return shim_serve(kernels, %d); }\n", table.String(), len(h.number))
	src, bin := filepath.Join(dir, "kernels.cc"), filepath.Join(dir, "kernels")
	if err := os.WriteFile(src, []byte(s.String()), 0o666); err != nil {
		return nil, err
	}
	// Optimization costs more here than it saves.
	gxx := exec.Command("g++", "-std=c++17", "-O0", "-w", "-ffp-contract=off", "-fno-strict-aliasing", "-fwrapv", "-o", bin, src)
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
	memory := slices.Clone(inputs)
	for _, o := range p.Outs {
		memory = append(memory, make([]byte, o.Bytes))
	}
	arena := len(memory)
	words := make([]byte, 8*p.Status)
	memory = append(memory, bytes.Repeat([]byte{0xff}, p.Arena), words)
	at := func(a cudasrc.Arg) cudasrc.Arg {
		if !a.Pointer {
			return a
		}
		switch b := &p.Buffers[a.Buffer]; b.Place {
		case cudasrc.InArena:
			a.Buffer, a.Offset = arena, a.Offset+b.At
		case cudasrc.InInput:
			a.Buffer = b.At
		case cudasrc.InOutput:
			a.Buffer = len(inputs) + b.At
		case cudasrc.InStatus:
			a.Buffer = arena + 1
		case cudasrc.InData:
			memory = append(memory, slices.Clone(b.Data.Bytes))
			a.Buffer = len(memory) - 1
		}
		return a
	}
	var launches []cudasrc.Launch
	for _, s := range p.Steps {
		for _, l := range s.Launches {
			args := make([]cudasrc.Arg, len(l.Args))
			for i, a := range l.Args {
				args[i] = at(a)
			}
			launches = append(launches, cudasrc.Launch{Kernel: l.Kernel, Grid: l.Grid, Args: args})
		}
	}
	kept := make([][]byte, len(inputs))
	for i := range inputs {
		kept[i] = slices.Clone(inputs[i])
		memory[i] = slices.Clone(inputs[i])
	}
	if err := h.Run(memory, launches); err != nil {
		return nil, nil, err
	}
	for i := range inputs {
		if !bytes.Equal(kept[i], memory[i]) {
			return nil, nil, fmt.Errorf("input %d was written", i)
		}
	}
	for i, o := range p.Outs {
		if !o.Copied {
			outs = append(outs, memory[len(inputs)+i])
			continue
		}
		a := at(cudasrc.Arg{Pointer: true, Buffer: o.Buffer})
		outs = append(outs, slices.Clone(memory[a.Buffer][a.Offset:a.Offset+o.Bytes]))
	}
	for i := 0; i < len(words); i += 8 {
		status = append(status, binary.LittleEndian.Uint64(words[i:]))
	}
	return outs, status, nil
}
