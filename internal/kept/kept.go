// Package kept holds what calls use again: unlike sync.Pool it forgets nothing at a garbage collection, so that
// calls which allocate nothing go on doing so. It imports nothing of ours.
package kept

import (
	"sync"
	"sync/atomic"
)

// List keeps values for the calls to come. The zero List is ready; many goroutines may use it at once.
type List[T any] struct {
	spare atomic.Pointer[T] // the value used last
	mu    sync.Mutex
	more  []*T // those of calls at the same time
}

const most = 16 // values kept beside the spare one

// Take gives a value that no call uses, nil where there is none.
func (l *List[T]) Take() *T {
	if x := l.spare.Swap(nil); x != nil {
		return x
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.more)
	if n == 0 {
		return nil
	}
	x := l.more[n-1]
	l.more = l.more[:n-1]
	return x
}

// Put gives a value back.
func (l *List[T]) Put(x *T) {
	if l.spare.CompareAndSwap(nil, x) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.more) < most {
		l.more = append(l.more, x)
	}
}
