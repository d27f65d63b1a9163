package runtime

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// testUnit is a unit of one phase.
type testUnit struct {
	n    int
	body func(r *run, worker, task int)
}

func (u *testUnit) phases() int                    { return 1 }
func (u *testUnit) tasks(int) int                  { return u.n }
func (u *testUnit) do(r *run, _, worker, task int) { u.body(r, worker, task) }

// withUnits is a program that does some units before its own.
func withUnits(t *testing.T, threads int, units ...unit) *call {
	t.Helper()
	s := newSketch()
	c := newCall(t, s, []*ir.Node{s.g.Apply(ops.Neg, s.param(dtype.F32, ir.Static(4), 0))}, Options{Threads: threads}, 1)
	b, err := c.p.binding(1)
	if err != nil {
		t.Fatal(err)
	}
	b.units, b.entry = append(units, b.units...), nil
	return c
}

// A thread with nothing left to do lets go of its core while the other one works.
func TestWhoWaitsParks(t *testing.T) {
	for slow, parked := range []func(r *run) bool{
		func(r *run) bool { return r.team.helpers[0].parked.Load() },
		func(r *run) bool { return r.team.waiting.Load() },
	} {
		var in atomic.Int32
		c := withUnits(t, 2, &testUnit{2, func(r *run, worker, _ int) {
			in.Add(1)
			until(t, func() bool { return in.Load() == 2 })
			if worker == slow {
				until(t, func() bool { return parked(r) })
			}
		}})
		for range 3 {
			in.Store(0)
			if err := c.run(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func until(t *testing.T, true func() bool) {
	for start := time.Now(); !true(); time.Sleep(10 * time.Microsecond) {
		if time.Since(start) > 20*time.Second {
			t.Error("it does not happen")
			return
		}
	}
}

// Each task runs once, each phase after the one before it, whoever is late.
func TestTeamsUnderLoad(t *testing.T) {
	var wg sync.WaitGroup
	for k := range 6 {
		rng := rand.New(rand.NewPCG(1, uint64(k)))
		var units []unit
		var left [8]atomic.Int32
		for i := range left {
			pause := time.Duration(rng.IntN(3)) * 50 * time.Microsecond
			units = append(units, &testUnit{1 + rng.IntN(6), func(_ *run, _, task int) {
				if i > 0 && left[i-1].Load() != 0 {
					t.Error("a phase is not over")
				}
				if pause > 0 {
					time.Sleep(pause * time.Duration(task%2))
				}
				left[i].Add(-1)
			}})
		}
		c := withUnits(t, 2+k%3, units...)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 100 {
				for i := range left {
					left[i].Store(int32(units[i].tasks(0)))
				}
				if err := c.run(context.Background(), 1); err != nil {
					t.Error(err)
				}
				if n := left[len(left)-1].Load(); n != 0 {
					t.Errorf("%d tasks too few", n)
				}
			}
		}()
	}
	wg.Wait()
	pool.Lock()
	defer pool.Unlock()
	if n := len(pool.idle); n != pool.count {
		t.Errorf("%d helpers of %d are back", n, pool.count)
	}
	for _, h := range pool.idle {
		until(t, h.parked.Load)
	}
}
