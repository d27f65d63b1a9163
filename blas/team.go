package blas

import (
	"runtime"
	"sync/atomic"
)

// work is what a team does: phases one after the other, the tasks of each in any order and at once.
type work interface {
	tasks(phase int) int // 0 after the last phase
	do(phase, worker, task int)
}

// team shares the tasks of a phase with helpers. A helper is a goroutine that joins the phase that it finds
// open and ends with it: nobody waits for one that has not yet run.
type team struct {
	work   work
	phase  int
	count  int // of tasks
	next   atomic.Int64
	state  atomic.Uint64 // how many may still enter, whether the phase is open, how many helpers are in it
	left   chan struct{} // tells of the last helper's leaving a closed phase
	helper func()        // t.help: made once, for a go statement allocates otherwise
}

const (
	oneActive = 1
	openBit   = 1 << 16
	onePlace  = 1 << 32
)

// helpers counts those of all teams: with their callers they are no more than the processors.
var helpers atomic.Int64

func (t *team) init() {
	t.left = make(chan struct{}, 1)
	t.helper = t.help
}

// run does w with at most the given number of workers.
func (t *team) run(w work, workers int) {
	for phase := 0; ; phase++ {
		n := w.tasks(phase)
		if n == 0 {
			return
		}
		if n == 1 || workers == 1 {
			for task := range n {
				w.do(phase, 0, task)
			}
			continue
		}
		t.work, t.phase, t.count = w, phase, n
		t.next.Store(0)
		places := min(n, workers) - 1
		t.state.Store(openBit | uint64(places)*onePlace)
		for range places {
			if helpers.Add(1) >= int64(runtime.GOMAXPROCS(0)) {
				helpers.Add(-1)
				break
			}
			go t.helper()
		}
		t.share(0)
		if s := t.state.And(^uint64(openBit)); s&(openBit-1) > 0 {
			<-t.left
		}
	}
}

func (t *team) share(worker int) {
	for task := t.next.Add(1) - 1; task < int64(t.count); task = t.next.Add(1) - 1 {
		t.work.do(t.phase, worker, int(task))
	}
}

// help's worker is numbered by the places that it found.
func (t *team) help() {
	for {
		s := t.state.Load()
		if s&openBit == 0 || s < onePlace {
			break
		}
		if t.state.CompareAndSwap(s, s-onePlace+oneActive) {
			t.share(int(s / onePlace))
			if s := t.state.Add(^uint64(0)); s&(openBit|(openBit-1)) == 0 {
				t.left <- struct{}{}
			}
			break
		}
	}
	helpers.Add(-1)
}
