package device

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Array is an array that programs read and write: memory of the host, and perhaps of a device. Where others may
// hold the host's memory (Shared), that is what counts, and every run copies from or to it. Else what a run writes
// stays on the device until somebody asks for the host's, and what it reads is there from then on.
type Array struct {
	mu     sync.Mutex
	host   unsafe.Pointer
	bytes  int
	shared bool
	stale  bool    // the device's memory is newer than the host's
	dev    *memory // nil: none, or older than the host's
	clean  runtime.Cleanup
}

// NewArray makes an array of memory of the host that nobody else holds.
func NewArray(host unsafe.Pointer, bytes int) *Array { return &Array{host: host, bytes: bytes} }

// Bytes is the array's size.
func (a *Array) Bytes() int { return a.bytes }

// Memory is where it lies on the host, up to date or not.
func (a *Array) Memory() unsafe.Pointer { return a.host }

// Share says that others hold the memory from now on.
func (a *Array) Share() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.fetch()
	a.set(nil)
	a.shared = true
	return err
}

// Fetch brings the host's memory up to date, for reading.
func (a *Array) Fetch() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fetch()
}

func (a *Array) fetch() error {
	if !a.stale {
		return nil
	}
	d := a.dev.d
	if err := d.copyingAlone(func() error { return d.download(a.host, a.dev.p, a.bytes) }); err != nil {
		return fmt.Errorf("%s: reading an array back: %w", d.Name(), err)
	}
	a.stale = false
	return nil
}

// set gives the array device memory, of which it takes over the caller's reference. What it had before is given
// back; what it has when the collector finds it, too.
func (a *Array) set(m *memory) {
	if a.dev != nil {
		a.clean.Stop()
		a.dev.drop()
	}
	if a.dev = m; m != nil {
		a.clean = runtime.AddCleanup(a, func(m *memory) { m.drop() }, m)
	}
}

// on returns the array's memory on d for reading, and keeps it until dropped; nil where the array is shared.
func (a *Array) on(d *Device) (*memory, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shared {
		return nil, nil
	}
	if a.dev == nil || a.dev.d != d {
		if err := a.fetch(); err != nil {
			return nil, err
		}
		m, err := d.memory(max(1, a.bytes))
		if err != nil {
			return nil, err
		}
		if err := d.copyingAlone(func() error { return d.upload(m.p, a.host, a.bytes) }); err != nil {
			m.drop()
			return nil, err
		}
		a.set(m)
	}
	a.dev.refs.Add(1)
	return a.dev, nil
}

// wrote says that a run has made m the array's value.
func (a *Array) wrote(m *memory) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(m)
	a.stale = true
}

// wroteHost says the same of the host's memory.
func (a *Array) wroteHost(from unsafe.Pointer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	move(a.host, from, a.bytes)
	a.set(nil)
	a.stale = false
}

// Host is for what computes on the host: reads it, or, where it writes, makes it the newer one.
func (a *Array) Host(write bool) (unsafe.Pointer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.fetch()
	if write && err == nil {
		a.set(nil)
	}
	return a.host, err
}
