package runtime

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"
)

// team is the threads of a run while it has any beside its own: helpers from the pool, which join each
// phase as they find it open.
//
// The word state holds whether a phase is open, who is in it, and how many have entered, which numbers
// them: a helper that comes late, or to a team that has moved on, joins what is open or nothing. A phase
// ends when nobody is left in it; nobody waits for a helper that has not entered.
//
// Whoever waits spins for some microseconds, then parks: the system may have put both threads on one
// core, where a spinning one keeps the other from its work.
type team struct {
	threads  int
	run      *run // the one whose phase it is: a body's within a loop has its own
	state    atomic.Uint64
	next     atomic.Int64
	unit     unit
	phase    int
	tasks    int
	helpers  []*helper
	patience int64       // of the caller
	waiting  atomic.Bool // the caller is parked, or about to be, until the last helper leaves
	left     chan struct{}
	labels   context.Context // of the step under way, in profiles
}

const (
	oneActive  = 1
	openBit    = 1 << 15
	oneEntered = 1 << 16
)

// maxThreads is what the fields of a team's state hold.
const maxThreads = 1 << 10

func active(s uint64) int  { return int(s & (openBit - 1)) }
func entered(s uint64) int { return int(s >> 16 & 0xffff) }
func opened(s uint64) int  { return int(s >> 32) }

func newTeam(threads int) *team { return &team{threads: threads, left: make(chan struct{}, 1)} }

// phase runs one phase of u: alone, or with the team.
func (r *run) phase(u unit, phase int) {
	t := r.team
	n := u.tasks(phase)
	if n == 1 { // a panic is caught where the run is
		u.do(r, phase, 0, 0)
		return
	}
	t.run, t.unit, t.phase, t.tasks = r, u, phase, n
	t.next.Store(0)
	if n == 0 || len(r.workers) == 1 {
		t.work(0)
		return
	}
	t.gather(len(r.workers) - 1)
	t.state.Store(pool.opened.Add(1)<<32 | openBit)
	for _, h := range t.helpers {
		h.rouse()
	}
	t.work(0)
	t.state.And(^uint64(openBit))
	t.wait()
}

var began = time.Now()

func now() int64 { return int64(time.Since(began)) }

// wait returns when nobody is in the phase.
func (t *team) wait() {
	if active(t.state.Load()) == 0 {
		return
	}
	for start := now(); active(t.state.Load()) > 0; {
		if now()-start < t.patience {
			continue
		}
		// Who leaves looks at waiting after that, and here it is the other way round: one of the two sees the
		// other. A helper may be late with its look, so that a wake-up may be that of a phase before.
		t.waiting.Store(true)
		if active(t.state.Load()) == 0 && t.waiting.CompareAndSwap(true, false) {
			return
		}
		<-t.left
	}
}

// leave ends a helper's part in a phase.
func (t *team) leave() {
	if s := t.state.Add(^uint64(0)); active(s) == 0 && t.waiting.Load() && t.waiting.CompareAndSwap(true, false) {
		t.left <- struct{}{}
		runtime.Gosched() // here is a thread that runs: the caller goes on with it at once
	}
}

// work does tasks until none is left. A panic is the run's error.
func (t *team) work(worker int) {
	r := t.run
	defer func() {
		if p := recover(); p != nil {
			r.fail(panicked(p))
			t.next.Store(int64(t.tasks))
		}
	}()
	if worker > 0 && t.labels != nil {
		pprof.SetGoroutineLabels(t.labels)
		defer pprof.SetGoroutineLabels(context.Background())
	}
	for {
		task := int(t.next.Add(1)) - 1
		if task >= t.tasks {
			return
		}
		t.unit.do(r, t.phase, worker, task)
		if worker == 0 && r.stopped() {
			t.next.Store(int64(t.tasks))
		}
	}
}

// join enters the open phase, unless it is the one numbered last or full.
func (t *team) join(last int) (worker, number int, ok bool) {
	for {
		s := t.state.Load()
		if !t.admits(s, last) {
			return 0, last, false
		}
		if t.state.CompareAndSwap(s, s+oneEntered+oneActive) {
			return entered(s) + 1, opened(s), true
		}
	}
}

// admits reports whether a helper may enter in state s: there is an open phase with room, and it has not
// been in it, where it found no task left.
func (t *team) admits(s uint64, last int) bool {
	return s&openBit != 0 && opened(s) != last && entered(s)+1 < t.threads
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
		} else if procs := runtime.GOMAXPROCS(0); pool.count < max(procs-1, n) {
			h = &helper{wake: make(chan struct{}, 1)}
			pool.count++
			if pool.count < procs {
				h.patience = patience
			}
			go h.serve()
		} else {
			return
		}
		t.patience = h.patience
		h.team.Store(t)
		t.helpers = append(t.helpers, h)
	}
}

// release gives the helpers back.
func (t *team) release() {
	t.unit, t.labels = nil, nil
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

	opened atomic.Uint64 // phases, to number them
}

// helper is a goroutine that serves one team after the other.
type helper struct {
	team     atomic.Pointer[team]
	parked   atomic.Bool
	wake     chan struct{}
	patience int64
}

// patience is for how long a caller or a helper spins before it parks, in ns: about the time that a parked
// one takes to wake up. With more threads than processors it is 0.
const patience = int64(40 * time.Microsecond)

func (h *helper) serve() {
	number := 0 // of the phase that it was in last
	for {
		for start := now(); ; {
			if t := h.team.Load(); t != nil {
				if worker, k, ok := t.join(number); ok {
					number = k
					t.work(worker)
					t.leave()
					start = now()
				}
			}
			if now()-start >= h.patience {
				break
			}
		}
		// Who opens a phase looks at parked after that, and here it is the other way round: one of the two sees
		// the other.
		h.parked.Store(true)
		if t := h.team.Load(); t == nil || !t.admits(t.state.Load(), number) || !h.parked.CompareAndSwap(true, false) {
			<-h.wake
		}
	}
}

// rouse wakes h if it is parked.
func (h *helper) rouse() {
	if h.parked.Load() && h.parked.CompareAndSwap(true, false) {
		h.wake <- struct{}{}
	}
}
