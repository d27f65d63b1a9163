package runtime

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team is the threads of a run while it has any beside its own: helpers from the pool, which join each
// phase as they find it open.
//
// The word state holds whether a phase is open, who is in it, and how many have entered, which numbers
// them: a helper that comes late, or to a team that has moved on, joins what is open or nothing. A phase
// ends when nobody is left in it; nobody waits for a helper that has not entered.
type team struct {
	run     *run
	state   atomic.Uint64
	next    atomic.Int64
	unit    unit
	phase   int
	tasks   int
	helpers []*helper
}

const (
	oneActive  = 1
	openBit    = 1 << 15
	oneEntered = 1 << 16
	oneOpened  = 1 << 32
)

// maxThreads is what the fields of a team's state hold.
const maxThreads = 1 << 10

func active(s uint64) int  { return int(s & (openBit - 1)) }
func entered(s uint64) int { return int(s >> 16 & 0xffff) }
func opened(s uint64) int  { return int(s >> 32) }

// phase runs one phase of u: alone, or with the team.
func (r *run) phase(u unit, phase int) {
	t := &r.team
	n := u.tasks(phase)
	t.unit, t.phase, t.tasks = u, phase, n
	t.next.Store(0)
	if n <= 1 || len(r.workers) == 1 {
		t.work(0)
		return
	}
	t.gather(len(r.workers) - 1)
	t.state.Store(uint64(opened(t.state.Load())+1)*oneOpened | openBit)
	for _, h := range t.helpers {
		h.rouse()
	}
	t.work(0)
	t.state.And(^uint64(openBit))
	for i := 0; active(t.state.Load()) > 0; i++ {
		if i > 100 {
			runtime.Gosched()
		}
	}
}

// work does tasks until none is left. A panic is the run's error.
func (t *team) work(worker int) {
	defer func() {
		if p := recover(); p != nil {
			t.run.fail(panicked(p))
			t.next.Store(int64(t.tasks))
		}
	}()
	r := t.run
	for {
		task := int(t.next.Add(1)) - 1
		if task >= t.tasks {
			return
		}
		t.unit.do(r, t.phase, worker, task)
		if r.done != nil && worker == 0 {
			select {
			case <-r.done:
				t.next.Store(int64(t.tasks))
			default:
			}
		}
	}
}

// join enters the open phase, unless it is the one numbered last or full.
func (t *team) join(last int) (worker, number int, ok bool) {
	for {
		s := t.state.Load()
		if s&openBit == 0 || opened(s) == last || entered(s)+1 >= len(t.run.workers) {
			return 0, last, false
		}
		if t.state.CompareAndSwap(s, s+oneEntered+oneActive) {
			return entered(s) + 1, opened(s), true
		}
	}
}

// gather takes up to n helpers from the pool, once per run.
func (t *team) gather(n int) {
	if len(t.helpers) > 0 {
		return
	}
	pool.Lock()
	defer pool.Unlock()
	for range n {
		var h *helper
		if k := len(pool.idle); k > 0 {
			h = pool.idle[k-1]
			pool.idle = pool.idle[:k-1]
		} else if pool.count < max(runtime.GOMAXPROCS(0)-1, n) {
			h = &helper{wake: make(chan struct{}, 1)}
			pool.count++
			go h.serve()
		} else {
			return
		}
		h.team.Store(t)
		t.helpers = append(t.helpers, h)
	}
}

// release gives the helpers back.
func (t *team) release() {
	t.unit = nil
	if len(t.helpers) == 0 {
		return
	}
	pool.Lock()
	defer pool.Unlock()
	for _, h := range t.helpers {
		h.team.Store(nil)
		pool.idle = append(pool.idle, h)
	}
	t.helpers = t.helpers[:0]
}

// pool holds the helpers of all programs.
var pool struct {
	sync.Mutex
	idle  []*helper
	count int
}

// helper is a goroutine that serves one team after the other.
type helper struct {
	team   atomic.Pointer[team]
	parked atomic.Bool
	wake   chan struct{}
}

// spins is how often a helper looks for work before it parks: some tens of microseconds, longer than the
// pause between two phases.
const spins = 20000

func (h *helper) serve() {
	var last *team
	number := 0
	for {
		for i := 0; i < spins; i++ {
			t := h.team.Load()
			if t == nil {
				continue
			}
			if t != last {
				last, number = t, 0
			}
			if worker, k, ok := t.join(number); ok {
				number = k
				t.work(worker)
				t.state.Add(^uint64(0))
				i = 0
			}
		}
		// Who opens a phase looks at parked after that, and here it is the other way round: one of the two sees
		// the other.
		h.parked.Store(true)
		if t := h.team.Load(); t != nil && t.state.Load()&openBit != 0 && h.parked.CompareAndSwap(true, false) {
			continue
		}
		last = nil
		<-h.wake
	}
}

// rouse wakes h if it is parked.
func (h *helper) rouse() {
	if h.parked.Load() && h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}
