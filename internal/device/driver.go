// Package device runs plans (package cudasrc) on a device: it loads kernels, keeps memory and what lies in it
// between calls, records a run once and replays it. It imports cudasrc, dtype, ir and kept. What it needs of a device is the
// interface Driver, which package cuda has for GPUs and package fake for tests on any machine.
package device

import (
	"errors"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/cudasrc"
)

// Ptr is an address in a device's memory.
type Ptr uint64

// Driver is one device. Its methods may be called by many goroutines.
type Driver interface {
	Name() string     // how it is selected: "cuda:0"
	Describe() string // what it is
	// Alloc returns the address of n > 0 bytes, a multiple of 256; where there is no room, ErrMemory.
	Alloc(n int) (Ptr, error)
	Free(Ptr) error
	// Pin returns n > 0 bytes of the host that the device copies from and to.
	Pin(n int) (unsafe.Pointer, error)
	Unpin(unsafe.Pointer) error
	// Kernels makes kernels ready, all or none.
	Kernels([]*cudasrc.Kernel) ([]Function, error)
	Unload(Function) error // which nothing runs any more
	Queue() (Queue, error)
}

// Queue is a queue of work for a device. One goroutine uses it at a time, and between Begin and End stays on one
// thread of the system.
type Queue interface {
	ToDevice(to Ptr, from unsafe.Pointer, n int) error // from pinned memory
	ToHost(to unsafe.Pointer, from Ptr, n int) error   // to pinned memory
	Copy(to, from Ptr, n int) error
	Zero(to Ptr, n int) error
	// Launch queues l with the values of its arguments.
	Launch(f Function, l *cudasrc.Launch, args []uint64) error
	// Product computes p on addresses, unless the device has no library for it: then it does nothing and says so.
	Product(p *cudasrc.Product, a, b, c Ptr) (done bool, err error)
	// After lets what is queued from now on wait for what other holds now.
	After(other Queue) error
	// Begin has what is queued recorded instead of done, until End. What others do meanwhile may spoil the recording: ErrInterrupted, of End.
	Begin() error
	End() (Graph, error)
	Replay(Graph) error
	Drop(Graph)
	// Wait returns when everything is done, with the error of what failed.
	Wait() error
	Close()
}

// Function is a loaded kernel.
type Function any

// Graph is recorded work.
type Graph any

// ErrMemory is in the error for a device's full memory.
var ErrMemory = errors.New("out of device memory")

// ErrInterrupted is in the error for a recording that others have spoilt.
var ErrInterrupted = errors.New("the recording was interrupted")
