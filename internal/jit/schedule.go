package jit

import "github.com/adjoint-go/adjoint/internal/jit/x86"

// schedule puts instructions in the order in which a processor that starts two per cycle could start them, those
// first whose results the longest chain waits for, while there are registers. Processors do so by themselves for what
// comes within some hundred instructions; the chains of a loop's step are further apart. What is stored or carried,
// and what follows that, stays where it is.
func (c *code) schedule() {
	n := 0
	for n < len(c.insts) && c.insts[n].kind < store {
		n++
	}
	s := newScheduler(c, n)
	order := make([]vinst, 0, n)
	for cycle := int32(0); len(order) < n; cycle++ {
		for range 2 {
			if i := s.pick(cycle); i >= 0 {
				s.start(i, cycle)
				order = append(order, c.insts[i])
			}
		}
	}
	copy(c.insts, order)
}

type scheduler struct {
	*code
	ready []int32   // instructions whose operands have been started
	wait  []int32   // by instruction: operands that have not
	at    []int32   // by instruction: the cycle when its operands are there
	depth []int32   // by instruction: cycles from its start to the end
	users [][]int32 // by register: the instructions that read it
	reads []int32   // by register: those of them that have not started
	live  [2]int    // registers in use: vectors, masks
	most  [2]int
}

func newScheduler(c *code, n int) *scheduler {
	s := &scheduler{code: c, wait: make([]int32, n), at: make([]int32, n), depth: make([]int32, n),
		users: make([][]int32, len(c.homes)), reads: make([]int32, len(c.homes)), most: [2]int{12 - len(c.carries), 4}}
	if c.isa == AVX512 {
		s.most[0] += 16
	}
	made := make([]bool, len(c.homes))
	for i := range c.insts {
		in := &c.insts[i]
		for _, v := range in.operands() {
			if v == none {
				continue
			}
			s.reads[v]++
			if i < n {
				s.users[v] = append(s.users[v], int32(i))
				if made[v] {
					s.wait[i]++
				}
			}
		}
		if i < n {
			made[in.dst] = true
			if s.wait[i] == 0 {
				s.ready = append(s.ready, int32(i))
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		in := &c.insts[i]
		for _, u := range s.users[in.dst] {
			s.depth[i] = max(s.depth[i], s.depth[u])
		}
		s.depth[i] += latency(in)
	}
	return s
}

// pick is the instruction to start, -1 for none: where registers are short, one that needs no more of them if
// there is any.
func (s *scheduler) pick(cycle int32) int {
	best, worth := -1, int32(-1)
	for k, i := range s.ready {
		if s.at[i] > cycle {
			continue
		}
		w := s.depth[i]
		if f := s.file(s.insts[i].dst); s.live[f] >= s.most[f] && s.frees(i, f) == 0 {
			w -= 1 << 20
		}
		if best < 0 || w > worth {
			best, worth = k, w
		}
	}
	if best < 0 || worth < 0 && s.waiting(cycle) {
		return -1
	}
	i := s.ready[best]
	s.ready[best] = s.ready[len(s.ready)-1]
	s.ready = s.ready[:len(s.ready)-1]
	return int(i)
}

// waiting reports whether something that has started is still to be done.
func (s *scheduler) waiting(cycle int32) bool {
	for _, i := range s.ready {
		if s.at[i] > cycle {
			return true
		}
	}
	return false
}

func (s *scheduler) file(v vreg) int {
	if s.isMask[v] {
		return 1
	}
	return 0
}

// frees is the number of registers of file f that instruction i is the last to read.
func (s *scheduler) frees(i int32, f int) int {
	n := 0
	for _, v := range s.insts[i].operands() {
		if v != none && s.reads[v] == 1 && s.file(v) == f && s.homes[v].place == nowhere {
			n++
		}
	}
	return n
}

func (s *scheduler) start(i int, cycle int32) {
	in := &s.insts[i]
	for _, v := range in.operands() {
		if v == none {
			continue
		}
		if s.reads[v]--; s.reads[v] == 0 && s.homes[v].place == nowhere {
			s.live[s.file(v)]--
		}
	}
	s.live[s.file(in.dst)]++
	done := cycle + latency(in)
	for _, u := range s.users[in.dst] {
		s.at[u] = max(s.at[u], done)
		if s.wait[u]--; s.wait[u] == 0 {
			s.ready = append(s.ready, u)
		}
	}
}

// latency is about how many cycles an instruction takes.
func latency(in *vinst) int32 {
	switch op := in.op; {
	case in.kind == load || in.kind == gather:
		return 8
	case op >= x86.DivPS && op <= x86.DivPD:
		return 16 + 8*int32(op-x86.DivPS)
	case op >= x86.SqrtPS && op <= x86.SqrtPD:
		return 20 + 11*int32(op-x86.SqrtPS)
	case op == x86.PMulLD:
		return 10
	case op >= x86.AndPS && op < x86.CmpPS && (op < x86.PMulLD || op > x86.PMaxSD), op == x86.BlendMPS, op == x86.BlendMPD, op == x86.Mov, op == x86.MovD:
		return 1
	case op >= x86.RoundPS && op <= x86.RndScalePD:
		return 8
	}
	return 4
}
