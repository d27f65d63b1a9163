//go:build cuda && linux && cgo

package cuda

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/cuda/internal/driver"
	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
	"github.com/adjoint-go/adjoint/internal/dtype"
)

func init() { device.Find = find }

func find() ([]device.Driver, error) {
	list, err := Devices()
	if err != nil {
		return nil, err
	}
	if _, err := driver.NVRTC(); err != nil && len(list) > 0 {
		return nil, err
	}
	var drivers []device.Driver
	for _, d := range list {
		drivers = append(drivers, &gpu{Device: d, tf32: os.Getenv("ADJOINT_TF32") == "on", own: os.Getenv("ADJOINT_CUBLAS") == "off", cache: device.DefaultCache()})
	}
	return drivers, nil
}

// gpu is a GPU as package device drives it.
type gpu struct {
	Device
	tf32  bool // products of float32 round their factors
	own   bool // products are ours, with the CPU's bits
	cache device.Cache
	mu    sync.Mutex
	ctx   driver.Context
	blas  []*driver.BLAS // handles that no queue has
}

// context is made when it is first needed: it takes a fifth of a second and some hundred MB of the device.
func (g *gpu) context() (driver.Context, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx == (driver.Context{}) {
		var err error
		if g.ctx, err = driver.Retain(g.Number); err != nil { // the next call asks again
			g.ctx = driver.Context{}
			return g.ctx, full(err)
		}
	}
	return g.ctx, nil
}

// full is err, as package device knows it where the device or pinned memory is full.
func full(err error) error {
	if e := (*driver.Error)(nil); errors.As(err, &e) && e.Full() {
		return fmt.Errorf("%w (%w)", device.ErrMemory, err)
	}
	return err
}

// handle is one of cuBLAS's that no queue has.
func (g *gpu) handle() (*driver.BLAS, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := len(g.blas); n > 0 {
		b := g.blas[n-1]
		g.blas = g.blas[:n-1]
		return b, nil
	}
	return g.ctx.BLAS()
}

func (g *gpu) keep(b *driver.BLAS) {
	g.mu.Lock()
	g.blas = append(g.blas, b)
	g.mu.Unlock()
}

func (g *gpu) Name() string { return fmt.Sprintf("cuda:%d", g.Number) }

func (g *gpu) Describe() string {
	s := g.Device.String()
	if v, err := driver.NVRTC(); err == nil {
		s += ", NVRTC " + v
	}
	if g.own {
		s += ", products by kernels"
	} else if err := driver.CUBLAS(); err != nil {
		s += ", products by kernels (" + err.Error() + ")"
	} else if g.tf32 {
		s += ", cuBLAS with tf32"
	} else {
		s += ", cuBLAS"
	}
	return s
}

func (g *gpu) Alloc(n int) (device.Ptr, error) {
	c, err := g.context()
	if err != nil {
		return 0, err
	}
	p, err := c.Alloc(n)
	return device.Ptr(p), full(err)
}

func (g *gpu) Free(p device.Ptr) error { return g.ctx.Free(uint64(p)) }

// Room is for tests of what NVIDIA's libraries keep for themselves, beside what they are asked for.
func (g *gpu) Room() (free, total int, err error) {
	c, err := g.context()
	if err != nil {
		return 0, 0, err
	}
	return c.Room()
}

func (g *gpu) Pin(n int) (unsafe.Pointer, error) {
	c, err := g.context()
	if err != nil {
		return nil, err
	}
	p, err := c.Pin(n)
	return p, full(err)
}

func (g *gpu) Unpin(p unsafe.Pointer) error { return g.ctx.Unpin(p) }

// loaded is a kernel with the module that it is in by itself.
type loaded struct {
	driver.Function
	module driver.Module
}

func (g *gpu) Unload(f device.Function) error { return g.ctx.Unload(f.(loaded).module) }

// Kernels compiles several at a time: that takes NVRTC tens of milliseconds each.
func (g *gpu) Kernels(list []*cudasrc.Kernel) ([]device.Function, error) {
	c, err := g.context()
	if err != nil {
		return nil, err
	}
	made, errs := make([]device.Function, len(list)), make([]error, len(list))
	modules := make([]driver.Module, len(list))
	var wg sync.WaitGroup
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, k := range list {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			image, err := compile(g.cache, g.Arch, k)
			if err == nil {
				modules[i], err = c.Load(image)
			}
			if err == nil {
				var f driver.Function
				f, err = c.Function(modules[i], k.Name, k.Shared)
				made[i] = loaded{f, modules[i]}
			}
			if err != nil {
				errs[i] = fmt.Errorf("kernel %s: %w", k.Name, full(err))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, m := range modules {
			if m != (driver.Module{}) {
				c.Unload(m)
			}
		}
		return nil, err
	}
	return made, nil
}

// compile makes code for an architecture: for itself or, where NVRTC is older than the GPU, PTX for the newest that it
// knows, of which the driver makes code.
func compile(cache device.Cache, arch string, k *cudasrc.Kernel) ([]byte, error) {
	version, err := driver.NVRTC()
	if err != nil {
		return nil, err
	}
	known, err := driver.Archs()
	if err != nil {
		return nil, err
	}
	target, ptx := arch, false
	var number int
	if _, err := fmt.Sscanf(arch, "sm_%d", &number); err != nil {
		return nil, fmt.Errorf("cuda: %s is no architecture", arch)
	}
	if !slices.Contains(known, number) {
		older := -1
		for _, a := range known {
			if a < number {
				older = max(older, a)
			}
		}
		if older < 0 {
			return nil, fmt.Errorf("cuda: NVRTC %s knows %v, not %s", version, known, arch)
		}
		target, ptx = fmt.Sprintf("compute_%d", older), true
	}
	options := append(slices.Clone(cudasrc.Options), "--gpu-architecture="+target)
	key := append([]string{k.Source, "NVRTC " + version}, options...)
	return cache.Get(key, func() ([]byte, error) { return driver.Compile(k.Source, options, ptx) })
}

func (g *gpu) Queue() (device.Queue, error) {
	c, err := g.context()
	if err != nil {
		return nil, err
	}
	s, err := c.Stream()
	if err != nil {
		return nil, full(err)
	}
	return &queue{Stream: s, g: g}, nil
}

// queue is a stream with a handle of cuBLAS, made for the first product.
type queue struct {
	driver.Stream
	g     *gpu
	blas  *driver.BLAS
	space uint64
	none  bool // there is no cuBLAS
}

func (q *queue) ToDevice(to device.Ptr, from unsafe.Pointer, n int) error {
	return q.Stream.ToDevice(uint64(to), from, n)
}

func (q *queue) ToHost(to unsafe.Pointer, from device.Ptr, n int) error {
	return q.Stream.ToHost(to, uint64(from), n)
}

func (q *queue) Copy(to, from device.Ptr, n int) error {
	return q.Stream.Copy(uint64(to), uint64(from), n)
}
func (q *queue) Zero(to device.Ptr, n int) error { return q.Stream.Zero(uint64(to), n) }
func (q *queue) After(other device.Queue) error  { return q.Stream.After(other.(*queue).Stream) }

func (q *queue) Launch(f device.Function, l *cudasrc.Launch, args []uint64) error {
	return q.Stream.Launch(f.(loaded).Function, l.Grid, l.Kernel.Block, l.Kernel.Shared, args)
}

func (q *queue) End() (device.Graph, error) {
	g, err := q.Stream.End()
	if e := (*driver.Error)(nil); errors.As(err, &e) && e.Interrupted() {
		return g, fmt.Errorf("%w (%w)", device.ErrInterrupted, err)
	}
	return g, full(err)
}

func (q *queue) Replay(x device.Graph) error { return full(q.Stream.Replay(x.(driver.Graph))) }
func (q *queue) Drop(x device.Graph)         { q.g.ctx.Drop(x.(driver.Graph)) }

func (q *queue) Close() {
	if q.blas != nil {
		q.blas.Off()
		q.g.keep(q.blas)
		q.g.ctx.Free(q.space)
	}
	q.Stream.Close()
}

// workspace is what cuBLAS takes for itself by default: of that size it is ours, so that calls can be recorded and
// choose the same algorithms in every run.
func (g *gpu) workspace() int {
	if g.Arch >= "sm_90" || len(g.Arch) > len("sm_90") {
		return 32 << 20
	}
	return 4 << 20
}

// multiplies gives q a handle of cuBLAS.
func (q *queue) multiplies() error {
	b, err := q.g.handle()
	if err != nil {
		return err
	}
	space, err := q.g.ctx.Alloc(q.g.workspace())
	if err != nil {
		q.g.keep(b)
		return err
	}
	if err := b.On(q.Stream, space, q.g.workspace()); err != nil {
		b.Off()
		q.g.keep(b)
		q.g.ctx.Free(space)
		return err
	}
	q.blas, q.space = b, space
	return nil
}

func (q *queue) Product(p *cudasrc.Product, a, b, c device.Ptr) (bool, error) {
	if q.none || q.g.own {
		return false, nil
	}
	t, ok := numbers[p.Type]
	by, can := device.ByColumns(p)
	if !ok || !can {
		return false, nil
	}
	if q.blas == nil {
		if driver.CUBLAS() != nil {
			q.none = true // Describe says so
			return false, nil
		}
		if err := q.multiplies(); err != nil {
			return false, full(err)
		}
	}
	err := q.blas.Gemm(&driver.Gemm{
		Type: t, TransA: by.TransA, TransB: by.TransB, M: by.M, N: by.N, K: by.K,
		A: uint64(b), B: uint64(a), C: uint64(c), LdA: by.LdA, LdB: by.LdB, LdC: by.LdC,
		StrideA: by.StrideA, StrideB: by.StrideB, StrideC: by.StrideC, Batch: by.Batch, TF32: q.g.tf32,
	})
	if e := (*driver.Error)(nil); errors.As(err, &e) && e.Unsupported() {
		return false, nil // bfloat16s before sm_80: our kernel computes
	}
	return true, err
}

var numbers = map[dtype.Type]driver.Number{dtype.F32: driver.F32, dtype.F64: driver.F64, dtype.BF16: driver.BF16, dtype.F16: driver.F16}
