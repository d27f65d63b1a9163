package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// Suite is what to measure.
type Suite struct {
	Cases   []Case
	Threads []int
	Peers   bool
	Dir     string // of the peers
	Timing  Timing
	Log     io.Writer         // progress; nil is none
	Keep    func([]Row) error // called with all rows so far after each case; nil is nothing
}

// Run measures case by case; with peers, side by side. When the context ends it stops after the case it is
// at. What has been measured is returned with every error.
func (s *Suite) Run(ctx context.Context) (rows []Row, err error) {
	cpu, date := cpuName(), time.Now().Format(time.DateOnly)
	for _, threads := range s.Threads {
		unpin := func() {}
		if threads == 1 {
			if unpin, err = pin(); err != nil {
				return rows, fmt.Errorf("keeping a thread on one core: %w", err)
			}
		}
		m := newMachine(threads)
		peers := map[string]*peer{}
		for i := range s.Cases {
			c := &s.Cases[i]
			if c.OneThread && threads != 1 || err != nil {
				continue
			}
			if s.Log != nil {
				fmt.Fprintf(s.Log, "\r\x1b[K%d/%d %s, %s", i+1, len(s.Cases), c.Name, threadsText(threads))
			}
			m.look(c)
			r := s.measure(c, threads, peers)
			r.CPU, r.Date, r.of = cpu, date, c
			rows = append(rows, r)
			for i := range rows {
				if r := &rows[i]; r.Threads == threads && r.NS > 0 {
					r.LimitFraction = round(m.limit(r.of) / r.NS)
				}
			}
			slices.SortStableFunc(rows, func(a, b Row) int { return a.order(s.Cases) - b.order(s.Cases) })
			if s.Keep != nil {
				err = s.Keep(rows)
			}
			if err == nil {
				err = context.Cause(ctx)
			}
		}
		for _, p := range peers {
			p.stop()
		}
		unpin()
	}
	if s.Log != nil {
		fmt.Fprint(s.Log, "\r\x1b[K")
	}
	return rows, err
}

func (s *Suite) measure(c *Case, threads int, peers map[string]*peer) Row {
	index, want := c.Reference()
	w, err := c.Setup(threads)
	ours := ourSide(w, err)
	sides := []*Side{ours}
	if s.Peers {
		for _, name := range c.Peers {
			sides = append(sides, s.peerSide(c, name, threads, peers))
		}
	}
	for _, side := range sides {
		side.compare(c.expects(side.Name, index, want))
	}
	if ours.Missing == "" {
		runtime.GC()
		old := debug.SetGCPercent(-1) // setups of cases allocated
		if w.Allocates {
			debug.SetGCPercent(old)
		}
		s.Timing.interleave(sides)
		debug.SetGCPercent(old)
	}
	r := newRow(c, threads, sides)
	if w != nil {
		r.Level = w.Level
	}
	return r
}

// peerSide finds the peer of a name, starting it where it has not been.
func (s *Suite) peerSide(c *Case, name string, threads int, peers map[string]*peer) *Side {
	if why, ok := absent[name]; ok {
		return &Side{Name: name, Missing: why}
	}
	if p, ok := goPeers[name]; ok {
		side := ourSide(p.setup(c, threads))
		side.Name, side.Version = name, p.version()
		return side
	}
	if peers[name] == nil {
		for _, p := range peerPrograms(s.Dir) {
			if p.name == name {
				peers[name] = startPeer(p, threads)
			}
		}
	}
	return peers[name].side(c)
}
