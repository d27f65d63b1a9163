package device

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// Device is a driver with what it keeps: memory for the next who asks, kernels, constant arrays.
type Device struct {
	Driver

	mu        sync.Mutex
	free      map[int][]Ptr // by size
	freeBytes int
	used      int // bytes given out

	plans     map[*loaded]bool
	loading   sync.Mutex
	functions map[string]*function // by source, under loading
	constants map[*ir.Array]*constant
	copying   sync.Mutex
	copies    Queue          // of arrays by themselves, not within a run; under copying
	pinned    unsafe.Pointer // for those

	unrecorded bool // runs are queued anew each time
}

// New makes a device of a driver.
func New(d Driver) *Device {
	return &Device{Driver: d, free: map[int][]Ptr{}, plans: map[*loaded]bool{}, functions: map[string]*function{}, constants: map[*ir.Array]*constant{},
		unrecorded: os.Getenv("ADJOINT_GRAPHS") == "off"}
}

// round is the size that n bytes take: one of four per power of two, so that memory fits again.
func round(n int) int {
	step := 256
	for step*8 < n {
		step *= 2
	}
	return max(256, (n+step-1)/step*step)
}

// alloc gives out memory that was used before, if there is some of the size.
func (d *Device) alloc(n int) (p Ptr, err error) {
	n = round(n)
	err = d.room(func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if s := d.free[n]; len(s) > 0 {
			p = s[len(s)-1]
			d.free[n] = s[:len(s)-1]
			d.freeBytes -= n
		} else if p, err = d.Alloc(n); err != nil {
			return fmt.Errorf("%s: %d bytes beside %d in use: %w", d.Name(), n, d.used, err)
		}
		d.used += n
		return nil
	})
	return p, err
}

// room does f, again where the device was full and is given back what is kept, by runs that wait for a call, too; then what the
// collector finds to be garbage. The caller holds no lock that cleanups take.
func (d *Device) room(f func() error) error {
	for try := 0; ; try++ {
		err := f()
		if !errors.Is(err, ErrMemory) || try == 2 {
			return err
		}
		if try == 1 {
			collect()
		}
		d.Trim()
	}
}

// collect lets the cleanups of arrays that nobody refers to run.
func collect() {
	done := make(chan struct{})
	marker := new([16]byte)
	runtime.AddCleanup(marker, func(c chan struct{}) { close(c) }, done)
	runtime.GC()
	runtime.GC()
	<-done
}

// Trim gives the device back what is kept for later calls, and the code of plans that are no more.
func (d *Device) Trim() {
	d.mu.Lock()
	var plans []*loaded
	for l := range d.plans {
		plans = append(plans, l)
	}
	d.mu.Unlock()
	for _, l := range plans {
		l.closeIdle()
	}
	if d.loading.TryLock() { // else kernels are just being loaded: those of this call, perhaps
		for source, f := range d.functions {
			if f.plans == 0 {
				d.Unload(f.Function)
				delete(d.functions, source)
			}
		}
		d.loading.Unlock()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, s := range d.free {
		for _, p := range s {
			d.Free(p)
		}
		delete(d.free, n)
	}
	d.freeBytes = 0
}

func (d *Device) release(p Ptr, n int) {
	n = round(n)
	d.mu.Lock()
	d.free[n] = append(d.free[n], p)
	d.freeBytes += n
	d.used -= n
	d.mu.Unlock()
}

// Used is the number of bytes in use, Kept of those kept for later.
func (d *Device) Used() (used, kept int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used, d.freeBytes
}

// pin makes pinned memory.
func (d *Device) pin(n int) (p unsafe.Pointer, err error) {
	err = d.room(func() error {
		if p, err = d.Pin(n); err != nil {
			return fmt.Errorf("%s: %d bytes of pinned memory: %w", d.Name(), n, err)
		}
		return nil
	})
	return p, err
}

// memory is a range of device memory that arrays and runs share.
type memory struct {
	d    *Device
	p    Ptr
	n    int
	refs atomic.Int32
}

func (d *Device) memory(n int) (*memory, error) {
	p, err := d.alloc(n)
	if err != nil {
		return nil, err
	}
	m := &memory{d: d, p: p, n: n}
	m.refs.Store(1)
	return m, nil
}

func (m *memory) drop() {
	if m.refs.Add(-1) == 0 {
		m.d.release(m.p, m.n)
	}
}

// function is a loaded kernel and how many plans hold it.
type function struct {
	Function
	plans int
}

// kernels makes kernels ready that no plan has brought yet; dropKernels gives them up.
func (d *Device) kernels(list []*cudasrc.Kernel) (map[*cudasrc.Kernel]Function, error) {
	d.loading.Lock()
	defer d.loading.Unlock()
	var missing []*cudasrc.Kernel
	for _, k := range list {
		if _, ok := d.functions[k.Source]; !ok {
			missing = append(missing, k)
		}
	}
	if len(missing) > 0 {
		made, err := d.Kernels(missing)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name(), err)
		}
		for i, f := range made {
			d.functions[missing[i].Source] = &function{Function: f}
		}
	}
	found := map[*cudasrc.Kernel]Function{}
	for _, k := range list {
		f := d.functions[k.Source]
		f.plans++
		found[k] = f.Function
	}
	return found, nil
}

func (d *Device) dropKernels(list []*cudasrc.Kernel) {
	d.loading.Lock()
	defer d.loading.Unlock()
	for _, k := range list {
		d.functions[k.Source].plans--
	}
}

// constant is a constant array on the device, once for all plans that hold it.
type constant struct {
	m    *memory
	refs int
}

func (d *Device) constant(a *ir.Array) (Ptr, error) {
	find := func() *constant {
		c := d.constants[a]
		if c != nil {
			c.refs++
		}
		return c
	}
	d.copying.Lock()
	c := find()
	d.copying.Unlock()
	if c != nil {
		return c.m.p, nil
	}
	m, err := d.memory(max(1, len(a.Bytes))) // without the lock, which cleanups take
	if err != nil {
		return 0, err
	}
	p := m.p
	err = d.copyingAlone(func() error {
		if c := find(); c != nil { // somebody else was faster
			m.drop()
			p = c.m.p
			return nil
		}
		err := d.upload(m.p, unsafe.Pointer(unsafe.SliceData(a.Bytes)), len(a.Bytes))
		if err == nil {
			d.constants[a] = &constant{m, 1}
		}
		return err
	})
	if err != nil {
		m.drop()
	}
	return p, err
}

func (d *Device) dropConstant(a *ir.Array) {
	d.copying.Lock()
	defer d.copying.Unlock()
	c := d.constants[a]
	if c.refs--; c.refs == 0 {
		delete(d.constants, a)
		c.m.drop()
	}
}

// copyingAlone does f under d.copying.
func (d *Device) copyingAlone(f func() error) error {
	return d.room(func() error {
		d.copying.Lock()
		defer d.copying.Unlock()
		return f()
	})
}

// chunk is what is copied to pinned memory before the device begins to fetch it, inputRoom the pinned memory of a run for its inputs,
// which is used again when it is full. Tests change them.
var chunk, inputRoom = 1 << 20, 64 << 20

// upload copies n bytes and waits; d.copying is held.
func (d *Device) upload(to Ptr, from unsafe.Pointer, n int) error {
	return d.transfer(n, func(q Queue, pin unsafe.Pointer, at, n int) error {
		move(pin, unsafe.Add(from, at), n)
		if err := q.ToDevice(to+Ptr(at), pin, n); err != nil {
			return err
		}
		return q.Wait()
	})
}

// download is the opposite of upload.
func (d *Device) download(to unsafe.Pointer, from Ptr, n int) error {
	return d.transfer(n, func(q Queue, pin unsafe.Pointer, at, n int) error {
		if err := q.ToHost(pin, from+Ptr(at), n); err != nil {
			return err
		}
		if err := q.Wait(); err != nil {
			return err
		}
		move(unsafe.Add(to, at), pin, n)
		return nil
	})
}

func (d *Device) transfer(n int, part func(q Queue, pin unsafe.Pointer, at, n int) error) error {
	if n == 0 {
		return nil
	}
	if d.copies == nil {
		q, err := d.Queue()
		if err != nil {
			return err
		}
		d.copies = q
	}
	if d.pinned == nil { // kept: making it takes longer than most copies
		pin, err := d.Pin(pinnedBytes)
		if err != nil {
			return err
		}
		d.pinned = pin
	}
	for at := 0; at < n; at += pinnedBytes {
		if err := part(d.copies, d.pinned, at, min(pinnedBytes, n-at)); err != nil {
			return err
		}
	}
	return nil
}

// pinnedBytes is the size of a device's own pinned memory.
const pinnedBytes = 4 << 20

func move(to, from unsafe.Pointer, n int) {
	copy(unsafe.Slice((*byte)(to), n), unsafe.Slice((*byte)(from), n))
}
