package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
)

// A peer is a program that answers one JSON object per line with one, on its standard input and
// output. It begins with a line of its own: name and version.
//
//	{"prepare": NAME, "args": {…}}  → {"ns": NUMBER}, the time of one run, or {"error": WHY}
//	{"at": [INDEX …]}               → {"values": [NUMBER …]}, elements of the result of that run
//	{"run": N}                      → {"ns": NUMBER}, the time of N more runs, by its own clock
type peerProgram struct {
	name string
	argv []string
	env  []string
}

// peerPrograms is the programs that `make peers` leaves in dir, except Go peers, which are in this process.
func peerPrograms(dir string) []peerProgram {
	python := filepath.Join(dir, "py", "bin", "python")
	return []peerProgram{
		{"torch", []string{python, "bench/peers/torch/main.py", "eager"}, nil},
		{"torch.compile", []string{python, "bench/peers/torch/main.py", "compile"}, nil},
		{"jax", []string{python, "bench/peers/jax/main.py"}, nil},
		{"numpy", []string{python, "bench/peers/numpy/main.py"}, nil},
		{"openblas", []string{filepath.Join(dir, "bin", "openblas")}, openblasCore()},
		{"blis", []string{filepath.Join(dir, "bin", "blis")}, nil},
		{"libmvec", []string{filepath.Join(dir, "bin", "libmvec")}, nil},
		{"mkl", []string{filepath.Join(dir, "bin", "mkl")}, nil},
		{"vml", []string{filepath.Join(dir, "bin", "vml")}, nil},
		{"onednn", []string{filepath.Join(dir, "bin", "onednn")}, nil},
		{"gorgonia", []string{filepath.Join(dir, "bin", "gopeers"), "gorgonia"}, gorgoniaRuns()},
		{"gomlx", []string{filepath.Join(dir, "bin", "gopeers"), "gomlx"}, gorgoniaRuns()},
	}
}

// openblasCore names the kernels that suit the processor: Debian's OpenBLAS takes a processor that is
// younger than itself for one without AVX.
func openblasCore() []string {
	switch {
	case cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512DQ, cpuid.AVX512BW, cpuid.AVX512VL):
		return []string{"OPENBLAS_CORETYPE=SkylakeX"}
	case cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3):
		return []string{"OPENBLAS_CORETYPE=Haswell"}
	}
	return nil
}

// gorgoniaRuns tells Gorgonia, which starts with no Go that is newer than itself, that this one is meant; both Go
// peers are one program.
func gorgoniaRuns() []string {
	v := strings.Split(runtime.Version(), ".")
	return []string{"ASSUME_NO_MOVING_GC_UNSAFE_RISK_IT_WITH=" + strings.Join(v[:min(2, len(v))], ".")}
}

// absent are peers that are not run, and why.
var absent = map[string]string{
	"aadc": "not run: its licence is for non-commercial use and forbids publishing benchmarks",
}

// peer is a running program.
type peer struct {
	name, version string
	cmd           *exec.Cmd
	in            io.WriteCloser
	out           *bufio.Reader
	stderr        *tail
	failed        error
}

// patience bounds one answer; compilers of peers are slow.
const patience = 4 * time.Minute

// startPeer starts a program for so many threads. A peer that does not start says why in failed.
func startPeer(p peerProgram, threads int) *peer {
	q := &peer{name: p.name, stderr: &tail{}}
	q.cmd = exec.Command(p.argv[0], p.argv[1:]...)
	q.cmd.Env = append(peerEnv(os.Environ(), threads), p.env...)
	q.cmd.Stderr = q.stderr
	q.in, q.failed = q.cmd.StdinPipe()
	if q.failed != nil {
		return q
	}
	out, err := q.cmd.StdoutPipe()
	if err == nil {
		err = q.cmd.Start()
	}
	if err != nil {
		q.failed = fmt.Errorf("not installed (%s)", reason(err))
		return q
	}
	q.out = bufio.NewReaderSize(out, 1<<20)
	var hello struct{ Name, Version string }
	if q.receive(&hello) == nil {
		q.version = hello.Version
	}
	return q
}

func reason(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return os.ErrNotExist
	}
	return err
}

// peerEnv sets the number of threads for everyone's libraries, and takes out what would choose another
// kernel than the library's own choice.
func peerEnv(env []string, threads int) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, "OPENBLAS_CORETYPE=") && !strings.HasPrefix(v, "OPENBLAS_L2_SIZE=") {
			kept = append(kept, v)
		}
	}
	n := strconv.Itoa(threads)
	for _, k := range []string{"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "PEER_THREADS"} {
		kept = append(kept, k+"="+n)
	}
	return kept
}

// ask sends a request and waits for its answer.
func (p *peer) ask(request, answer any) error {
	if p.failed != nil {
		return p.failed
	}
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return p.fail(err)
	}
	return p.receive(answer)
}

func (p *peer) receive(answer any) error {
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	line, err := p.out.ReadBytes('\n')
	if !timer.Stop() && err != nil {
		err = fmt.Errorf("no answer within %v", patience)
	}
	if err == nil {
		err = json.Unmarshal(line, answer)
	}
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// fail ends a peer that broke the protocol.
func (p *peer) fail(err error) error {
	p.stop()
	if last := p.stderr.lastLine(); last != "" {
		err = errors.New(last)
	}
	p.failed = err
	return err
}

func (p *peer) stop() {
	if p.cmd.Process == nil {
		return
	}
	_ = p.in.Close()
	timer := time.AfterFunc(2*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	timer.Stop()
}

// side prepares a case.
func (p *peer) side(c *Case) *Side {
	s := &Side{Name: p.name, Version: p.version}
	var ready struct {
		NS    float64
		Error string
	}
	err := p.ask(map[string]any{"prepare": c.Name, "args": c.Args}, &ready)
	if err == nil && ready.Error != "" {
		err = errors.New(ready.Error)
	}
	if err != nil {
		s.Missing = err.Error()
		return s
	}
	if c.compiles() { // elsewhere a first run also compiles, which is not the case's work
		s.first = time.Duration(ready.NS)
	}
	s.at = func(index []int) ([]float64, error) {
		var a struct {
			Values []*float64
			Error  string
		}
		if err := p.ask(map[string]any{"at": index}, &a); err != nil {
			return nil, err
		}
		if a.Error != "" {
			return nil, errors.New(a.Error)
		}
		v := make([]float64, len(a.Values))
		for i, x := range a.Values {
			if x == nil {
				return nil, errors.New("wrong result: not a number")
			}
			v[i] = *x
		}
		return v, nil
	}
	s.run = func(n int) (time.Duration, error) {
		var a struct {
			NS    float64
			Error string
		}
		if err := p.ask(map[string]any{"run": n}, &a); err != nil {
			return 0, err
		}
		if a.Error != "" || a.NS <= 0 {
			return 0, fmt.Errorf("run: %s (%v ns)", a.Error, a.NS)
		}
		return time.Duration(a.NS), nil
	}
	return s
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if n := len(t.b) - 4096; n > 0 {
		t.b = t.b[n:]
	}
	return len(b), nil
}

func (t *tail) lastLine() string {
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	return lines[len(lines)-1]
}
