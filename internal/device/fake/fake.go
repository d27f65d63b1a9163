// Package fake is a device that needs no hardware: memory of the host, queues that do nothing before somebody
// waits, kernels that are Go functions. It refuses what a GPU would refuse or silently get wrong (addresses outside
// of any array, pinned memory that changes before it is copied, copies from memory that is not pinned, waiting while recording), fails on demand, and counts. It
// imports device and cudasrc.
package fake

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/device"
)

// Kernel is what a kernel means: it finds arrays by their addresses in args.
type Kernel func(m *Memory, l *cudasrc.Launch, args []uint64) error

// Driver is a fake device.
type Driver struct {
	Number int
	// Compile gives kernels their meaning.
	Compile func(list []*cudasrc.Kernel) ([]Kernel, error)
	// Library, if not nil, computes products instead of the plan's kernels.
	Library func(m *Memory, p *cudasrc.Product, a, b, c device.Ptr) error
	// Limit bounds the bytes of memory, where it is not 0.
	Limit int

	mu     sync.Mutex
	mem    Memory
	pinned Memory
	fail   map[string]failing
	counts map[string]int
	lost   error // of a fault: as on a GPU, nothing works any more
}

type failing struct {
	after int
	err   error
}

// Memory is the arrays of a device.
type Memory struct {
	mu    sync.Mutex
	at    map[uintptr][]byte
	keep  map[uintptr][]uint64 // what the slices lie in
	bytes int
}

const align = 256

func (m *Memory) alloc(n int) unsafe.Pointer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == nil {
		m.at, m.keep = map[uintptr][]byte{}, map[uintptr][]uint64{}
	}
	room := make([]uint64, (n+2*align)/8)
	p := (uintptr(unsafe.Pointer(&room[0])) + align - 1) / align * align
	b := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(&room[0]), p-uintptr(unsafe.Pointer(&room[0])))), n)
	for i := range b {
		b[i] = 0xa5 // nobody may rely on zeros
	}
	m.at[p], m.keep[p] = b, room
	m.bytes += n
	return unsafe.Pointer(&b[0])
}

func (m *Memory) free(p uintptr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.at[p]
	if !ok {
		return fmt.Errorf("%#x is not an address that was given out", p)
	}
	for i := range b {
		b[i] = 0x5a // who still reads it, sees nonsense
	}
	m.bytes -= len(b)
	delete(m.at, p)
	delete(m.keep, p)
	return nil
}

// Bytes is the n bytes at p, if they are within one array.
func (m *Memory) Bytes(p device.Ptr, n int) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at, b := range m.at {
		if o := uintptr(p) - at; uintptr(p) >= at && o+uintptr(n) <= uintptr(len(b)) {
			return b[o : int(o)+n], nil
		}
	}
	return nil, fmt.Errorf("%d bytes at %#x are in no array", n, p)
}

// Slice is n elements at p.
func Slice[T any](m *Memory, p uint64, n int) ([]T, error) {
	b, err := m.Bytes(device.Ptr(p), n*int(unsafe.Sizeof(*new(T))))
	if err != nil || n == 0 {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), nil
}

// Fail has the call of that name fail once, after so many that do not: "Alloc", "Launch", "Kernels", "Wait", "Begin",
// "ToDevice", …
func (d *Driver) Fail(call string, after int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		d.fail = map[string]failing{}
	}
	d.fail[call] = failing{after, err}
}

// Count is how often a call was made; what a recording holds counts when it is replayed, as "Replay" once and as
// what it does.
func (d *Driver) Count(call string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[call]
}

// Bytes is what is allocated.
func (d *Driver) Bytes() int {
	d.mem.mu.Lock()
	defer d.mem.mu.Unlock()
	return d.mem.bytes
}

func (d *Driver) call(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = map[string]int{}
	}
	d.counts[name]++
	if d.lost != nil {
		return d.lost
	}
	f, ok := d.fail[name]
	if !ok {
		return nil
	}
	if f.after > 0 {
		f.after--
		d.fail[name] = f
		return nil
	}
	delete(d.fail, name)
	return f.err
}

func (d *Driver) Name() string     { return fmt.Sprintf("cuda:%d", d.Number) }
func (d *Driver) Describe() string { return d.Name() + " (fake)" }

func (d *Driver) Alloc(n int) (device.Ptr, error) {
	if err := d.call("Alloc"); err != nil {
		return 0, err
	}
	if d.Limit > 0 && d.Bytes()+n > d.Limit {
		return 0, device.ErrMemory
	}
	return device.Ptr(uintptr(d.mem.alloc(n))), nil
}

func (d *Driver) Free(p device.Ptr) error {
	if err := d.call("Free"); err != nil {
		return err
	}
	return d.mem.free(uintptr(p))
}

func (d *Driver) Pin(n int) (unsafe.Pointer, error) {
	if err := d.call("Pin"); err != nil {
		return nil, err
	}
	return d.pinned.alloc(n), nil
}

func (d *Driver) Unpin(p unsafe.Pointer) error {
	if err := d.call("Unpin"); err != nil {
		return err
	}
	return d.pinned.free(uintptr(p))
}

func (d *Driver) Kernels(list []*cudasrc.Kernel) ([]device.Function, error) {
	if err := d.call("Kernels"); err != nil {
		return nil, err
	}
	made, err := d.Compile(list)
	if err != nil {
		return nil, err
	}
	res := make([]device.Function, len(made))
	for i, k := range made {
		res[i] = k
	}
	return res, nil
}

func (d *Driver) Unload(device.Function) error { return d.call("Unload") }

func (d *Driver) Queue() (device.Queue, error) {
	if err := d.call("Queue"); err != nil {
		return nil, err
	}
	return &queue{d: d}, nil
}

var seed = maphash.MakeSeed()

// queue holds what is to be done, in order.
type queue struct {
	d      *Driver
	mu     sync.Mutex
	todo   []func() error
	done   int // things that are no longer in todo
	record bool
	graph  graph
	closed bool
}

type graph []func() error

func (q *queue) add(name string, f func() error) error {
	if q.closed {
		return fmt.Errorf("%s on a closed queue", name)
	}
	if err := q.d.call(name); err != nil {
		return err
	}
	if q.record {
		q.graph = append(q.graph, f)
		return nil
	}
	q.mu.Lock()
	q.todo = append(q.todo, f)
	q.mu.Unlock()
	return nil
}

func (q *queue) ToDevice(to device.Ptr, from unsafe.Pointer, n int) error {
	at := device.Ptr(uintptr(from))
	b, _ := q.d.pinned.Bytes(at, n)
	was := maphash.Bytes(seed, b)
	return q.add("ToDevice", func() error {
		if b, _ := q.d.pinned.Bytes(at, n); maphash.Bytes(seed, b) != was {
			return errors.New("pinned memory has changed before it was copied")
		}
		return q.copy(&q.d.mem, to, &q.d.pinned, at, n)
	})
}

func (q *queue) ToHost(to unsafe.Pointer, from device.Ptr, n int) error {
	return q.add("ToHost", func() error { return q.copy(&q.d.pinned, device.Ptr(uintptr(to)), &q.d.mem, from, n) })
}

func (q *queue) Copy(to, from device.Ptr, n int) error {
	return q.add("Copy", func() error { return q.copy(&q.d.mem, to, &q.d.mem, from, n) })
}

func (q *queue) copy(to *Memory, p device.Ptr, from *Memory, x device.Ptr, n int) error {
	dst, err := to.Bytes(p, n)
	if err != nil {
		return err
	}
	src, err := from.Bytes(x, n)
	copy(dst, src)
	return err
}

func (q *queue) Zero(to device.Ptr, n int) error {
	return q.add("Zero", func() error {
		b, err := q.d.mem.Bytes(to, n)
		clear(b)
		return err
	})
}

func (q *queue) Launch(f device.Function, l *cudasrc.Launch, args []uint64) error {
	k, grid := l.Kernel, l.Grid
	if grid < 1 || k.Block < 1 || k.Block > 1024 || k.Shared > 227<<10 {
		return fmt.Errorf("launch of %s: %d blocks of %d threads, %d bytes shared", k.Name, grid, k.Block, k.Shared)
	}
	args = append([]uint64(nil), args...) // a launch copies its arguments
	return q.add("Launch", func() error { return f.(Kernel)(&q.d.mem, l, args) })
}

func (q *queue) Product(p *cudasrc.Product, a, b, c device.Ptr) (bool, error) {
	if q.d.Library == nil {
		return false, nil
	}
	return true, q.add("Product", func() error { return q.d.Library(&q.d.mem, p, a, b, c) })
}

func (q *queue) After(other device.Queue) error {
	o := other.(*queue)
	end := o.end()
	return q.add("After", func() error { return o.run(end) })
}

func (q *queue) Begin() error {
	if q.record {
		return fmt.Errorf("a recording within a recording")
	}
	if err := q.d.call("Begin"); err != nil {
		return err
	}
	q.record = true
	return nil
}

func (q *queue) End() (device.Graph, error) {
	g := q.graph
	q.record, q.graph = false, nil
	if err := q.d.call("End"); err != nil {
		return nil, err
	}
	return g, nil
}

func (q *queue) Replay(g device.Graph) error {
	if err := q.add("Replay", func() error { return nil }); err != nil {
		return err
	}
	q.mu.Lock()
	q.todo = append(q.todo, g.(graph)...)
	q.mu.Unlock()
	return nil
}

func (q *queue) Drop(device.Graph) { q.d.call("Drop") }

func (q *queue) end() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.done + len(q.todo)
}

// run does what is queued before number end.
func (q *queue) run(end int) error {
	for {
		q.mu.Lock()
		if q.done >= end || len(q.todo) == 0 {
			q.mu.Unlock()
			return nil
		}
		f := q.todo[0]
		q.todo = q.todo[1:]
		q.done++
		q.mu.Unlock()
		if err := f(); err != nil {
			q.d.mu.Lock()
			q.d.lost = err
			q.d.mu.Unlock()
			return err
		}
	}
}

func (q *queue) Wait() error {
	if q.record {
		return fmt.Errorf("waiting while recording")
	}
	if err := q.d.call("Wait"); err != nil {
		q.mu.Lock()
		q.done += len(q.todo)
		q.todo = nil
		q.mu.Unlock()
		return err
	}
	return q.run(q.end())
}

func (q *queue) Close() {
	q.closed = true
	q.d.call("Close")
}
