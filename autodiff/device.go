package autodiff

import (
	"sync/atomic"

	"github.com/adjoint-go/adjoint/internal/device"
)

// residence is where an array lives when programs run on a device. Arrays that a program or this package made stay
// there between calls, and come to the host when somebody looks. Of those whose memory the caller holds, from From
// or by Data, the host's elements are what counts, before and after every call.
type residence struct {
	held  atomic.Bool
	there atomic.Pointer[device.Array] // nil: no device has seen the array
}

// hold says that the caller has the memory in hand.
func (a *array) hold() error {
	a.home.held.Store(true)
	if d := a.home.there.Load(); d != nil {
		return d.Share()
	}
	return nil
}

// onDevice is the array for programs on devices.
func (a *array) onDevice() (*device.Array, error) {
	d := a.home.there.Load()
	if d == nil {
		d = device.NewArray(a.p, a.n*a.t.Size())
		if !a.home.there.CompareAndSwap(nil, d) {
			d = a.home.there.Load()
		}
		if a.home.held.Load() {
			return d, d.Share()
		}
	}
	return d, nil
}

// fetch has the elements that are newer elsewhere come to the host.
func (a *array) fetch() error {
	if d := a.home.there.Load(); d != nil {
		return d.Fetch()
	}
	return nil
}

// fetched is a, its elements on the host.
func (a *array) fetched() *array {
	if err := a.fetch(); err != nil {
		panic(&Error{Op: "reading", Msg: err.Error()})
	}
	return a
}

// overwritten says that the host is about to write elements.
func (a *array) overwritten() error {
	if d := a.home.there.Load(); d != nil {
		_, err := d.Host(true)
		return err
	}
	return nil
}
