package fake

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/cudasrc/shim"
)

// Shim gives kernels the meaning that their text has: they are compiled for the CPU, in folders within dir.
type Shim struct {
	Dir   string
	mu    sync.Mutex
	hosts []*shim.Host
}

// Close ends the programs that run the kernels.
func (s *Shim) Close() {
	for _, h := range s.hosts {
		h.Close()
	}
}

// Compile is for a Driver.
func (s *Shim) Compile(list []*cudasrc.Kernel) ([]Kernel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := filepath.Join(s.Dir, fmt.Sprint(len(s.hosts)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	h, err := shim.Build(dir, list)
	if err != nil {
		return nil, err
	}
	s.hosts = append(s.hosts, h)
	var mu sync.Mutex
	run := func(m *Memory, l *cudasrc.Launch, args []uint64) error {
		mu.Lock()
		defer mu.Unlock()
		var buffers [][]byte
		call := cudasrc.Launch{Kernel: l.Kernel, Grid: l.Grid}
		for i, a := range l.Args {
			x := cudasrc.Arg{Bits: args[i]}
			if a.Pointer {
				at, b := m.around(uintptr(args[i]) - uintptr(a.Offset))
				if b == nil {
					return fmt.Errorf("%s: argument %d, %#x, is in no array", l.Kernel.Name, i, args[i])
				}
				k := slices.IndexFunc(buffers, func(c []byte) bool { return &c[0] == &b[0] })
				if k < 0 {
					k = len(buffers)
					buffers = append(buffers, b)
				}
				x = cudasrc.Arg{Pointer: true, Buffer: k, Offset: int(args[i] - uint64(at))}
			}
			call.Args = append(call.Args, x)
		}
		return h.Run(buffers, []cudasrc.Launch{call})
	}
	made := make([]Kernel, len(list))
	for i := range made {
		made[i] = run
	}
	return made, nil
}

// around is the array that p points into, or behind: an array of no elements lies there.
func (m *Memory) around(p uintptr) (at uintptr, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for x, c := range m.at {
		if p >= x && p < x+uintptr(len(c)) {
			return x, c
		}
		if p == x+uintptr(len(c)) {
			at, b = x, c
		}
	}
	return at, b
}
