package jit

import "github.com/adjoint-go/adjoint/internal/jit/x86"

// scheduled is c in the order in which a processor that starts two instructions per cycle could start them, those first
// whose results the longest chain waits for, while there are registers. Processors do so by themselves for what comes
// within some hundred instructions; two functions' chains are further apart. Nothing goes past a store: it may be to
// where an input lies that nothing reads any more.
func (c *code) scheduled() *code {
	s := newScheduler(c)
	w := *c
	w.insts = make([]vinst, 0, len(c.insts))
	cycle := int32(0)
	for from, end := 0, 0; from < len(c.insts); from = end {
		for end = from; end < len(c.insts) && c.insts[end].kind < store; {
			end++
		}
		s.begin(from, end)
		for len(w.insts) < end {
			for range 2 {
				if i := s.pick(cycle); i >= 0 {
					s.start(i, cycle)
					w.insts = append(w.insts, c.insts[i])
				}
			}
			cycle++
		}
		for ; end < len(c.insts) && c.insts[end].kind >= store; end++ {
			s.read(&c.insts[end])
			w.insts = append(w.insts, c.insts[end])
		}
	}
	return &w
}

type scheduler struct {
	*code
	ready []int32   // instructions up to end whose operands have been started
	end   int       // of those between two stores
	wait  []int32   // by instruction: operands that have not been started
	at    []int32   // by instruction: the cycle when its operands are there
	depth []int32   // by instruction: cycles from its start to the end
	users [][]int32 // by register: the instructions that read it
	reads []int32   // by register: those of them that have not been started
	live  [2]int    // registers in use: vectors, masks
	most  [2]int
}

func newScheduler(c *code) *scheduler {
	n := len(c.insts)
	s := &scheduler{code: c, wait: make([]int32, n), at: make([]int32, n), depth: make([]int32, n),
		users: make([][]int32, len(c.homes)), reads: make([]int32, len(c.homes)), most: [2]int{12, 4}}
	if c.isa == AVX512 {
		s.most[0] = 28
	}
	s.most[0] -= len(c.carries) + (c.isa.vectors()+1)*len(c.folds)
	for i := range c.insts {
		for _, v := range c.insts[i].operands() {
			if v != none {
				s.reads[v]++
			}
		}
	}
	uses := make([]int32, 0, 4*n)
	for v, k := range s.reads {
		s.users[v] = uses[len(uses) : len(uses) : len(uses)+int(k)]
		uses = uses[:len(uses)+int(k)]
	}
	made := make([]bool, len(c.homes))
	for i := range c.insts {
		in := &c.insts[i]
		for _, v := range in.operands() {
			if v != none {
				s.users[v] = append(s.users[v], int32(i))
				if made[v] {
					s.wait[i]++
				}
			}
		}
		if in.kind < store {
			made[in.dst] = true
		}
	}
	for i := n - 1; i >= 0; i-- {
		in := &c.insts[i]
		if in.kind >= store {
			continue
		}
		for _, u := range s.users[in.dst] {
			s.depth[i] = max(s.depth[i], s.depth[u])
		}
		s.depth[i] += latency(in)
	}
	return s
}

// begin goes on to instructions from … end-1.
func (s *scheduler) begin(from, end int) {
	s.end = end
	for i := from; i < end; i++ {
		if s.wait[i] == 0 {
			s.ready = append(s.ready, int32(i))
		}
	}
}

// pick takes the instruction to start, -1 for none: where registers are short one that needs no more of them, if there
// is or will be any.
func (s *scheduler) pick(cycle int32) int {
	const look = 64 // bounds the time that this takes
	const short = 1 << 20
	best, worth, later := -1, int32(0), false
	for k, i := range s.ready[:min(look, len(s.ready))] {
		if s.at[i] > cycle {
			later = true
			continue
		}
		w := s.depth[i]
		if f := s.file(s.insts[i].dst); s.live[f] >= s.most[f] && !s.frees(i, f) {
			w -= short
		}
		if best < 0 || w > worth {
			best, worth = k, w
		}
	}
	if best < 0 && len(s.ready) > look {
		best = look
	}
	if best < 0 || worth < 0 && later {
		return -1
	}
	i := s.ready[best]
	s.ready[best] = s.ready[len(s.ready)-1]
	s.ready = s.ready[:len(s.ready)-1]
	return int(i)
}

func (s *scheduler) file(v vreg) int {
	if s.isMask[v] {
		return 1
	}
	return 0
}

// takes reports whether v has a register because it was computed.
func (s *scheduler) takes(v vreg) bool { return v != none && s.homes[v].place == nowhere }

// frees reports whether instruction i is the last to read a register of file f.
func (s *scheduler) frees(i int32, f int) bool {
	for _, v := range s.insts[i].operands() {
		if s.takes(v) && s.reads[v] == 1 && s.file(v) == f {
			return true
		}
	}
	return false
}

// read counts what in reads.
func (s *scheduler) read(in *vinst) {
	for _, v := range in.operands() {
		if v == none {
			continue
		}
		if s.reads[v]--; s.reads[v] == 0 && s.takes(v) {
			s.live[s.file(v)]--
		}
	}
}

func (s *scheduler) start(i int, cycle int32) {
	in := &s.insts[i]
	s.read(in)
	s.live[s.file(in.dst)]++
	done := cycle + latency(in)
	for _, u := range s.users[in.dst] {
		s.at[u] = max(s.at[u], done)
		if s.wait[u]--; s.wait[u] == 0 && int(u) < s.end {
			s.ready = append(s.ready, u)
		}
	}
}

// latency is about how many cycles an instruction takes.
func latency(in *vinst) int32 {
	switch op := in.op; {
	case in.kind == rows:
		return 20
	case in.kind == load || in.kind == gather:
		return 8
	case op >= x86.DivPS && op <= x86.DivPD:
		return 16 + 8*int32(op-x86.DivPS)
	case op >= x86.SqrtPS && op <= x86.SqrtPD:
		return 20 + 11*int32(op-x86.SqrtPS)
	case op == x86.PMulLD:
		return 10
	case op >= x86.AndPS && op < x86.CmpPS && (op < x86.PMulLD || op > x86.PMaxSD), op == x86.UnpckLPD, op == x86.UnpckHPD, op == x86.BlendMPS, op == x86.BlendMPD, op == x86.Mov, op == x86.MovD:
		return 1
	case op >= x86.RoundPS && op <= x86.RndScalePD:
		return 8
	}
	return 4
}
