package jit

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/jit/x86"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// vreg is a virtual register.
type vreg = int32

const none vreg = -1

// place says where a value is that need not be computed.
type place uint8

const (
	nowhere  place = iota
	inPool         // a constant
	inSplat        // one element, which every lane takes
	inArray        // elements of an input
	inSlot         // spilled
	inFrame        // a slot of a routine's frame
	inGather       // elements of an input, by indices
	inApart        // part of an input whose elements are apart
	inRow          // of a pair of tables
	allLanes       // a mask
)

// home is where a virtual register can be loaded from.
type home struct {
	place place
	width uint8 // bytes of a constant's or splat's element
	at    int32 // in the pool; the input; the slot
	part  int32 // of an input
}

// vinst is an instruction on virtual registers; operands as in x86.Inst.
type vinst struct {
	op      x86.Op
	kind    kind
	vl      x86.VL
	imm     uint8
	mem     memory
	swap    bool // A and B may change places
	zero    bool
	gathers bool // it completes elements of input io, which are apart, from off on: tails gather them
	a, b, c vreg // of fused ones: a·b + c
	mask    vreg
	dst     vreg
	io      int32 // the array of loads and stores
	off     int32 // bytes from the first of the iteration's elements
	part    int32
	group   int32 // of iterations side by side, the how manieth
	src     int32 // the instruction of the vector program
}

type kind uint8

const (
	plain   kind = iota
	fused        // an FMA: op is its 132 form for floats of the width
	over         // a, b and c: the result takes c's place
	rows         // AVX2: of the pair of tables at off, those of lanes part and part+2 of A, bytes
	load         // B is an input's memory
	gather       // of an input at indices A
	ones         // a mask of all lanes of the part
	store        // B goes to an output
	accum        // the result is dst, lanes of a fold
	carried      // the result is dst, what an input of type float or integer is in the next row
)

// memory says what B may be besides a register.
type memory uint8

const (
	noMem   memory = iota
	slotMem        // a spilled value
	anyMem         // that, or a constant
)

// code is a program on virtual registers.
type code struct {
	isa    ISA
	e      int // elements of an iteration
	groups int // iterations side by side
	insts  []vinst
	homes  []home
	isMask []bool // virtual registers in mask registers
	pool   []byte
	consts map[poolKey]vreg
	pooled map[poolKey]int32 // nil, or where the pool has what earlier code put there
	folds  []fold

	steps   map[int32]int32 // by input whose elements are apart: where the pool has how far each of a vector is from the first
	pairs   bool            // AVX2: there are tables of float64s
	masked  bool            // AVX2: a register holds the masks of tails
	atOnce  bool            // rows of few elements are done at once, and carries stay in registers
	carries []carry
	held    int // registers that other code has
}

// carry is a part of an input that an output is in the next row, in one of the iterations side by side.
type carry struct {
	in, out int32 // arrays
	reg     vreg
	part    int32
	group   int32
}

// fold is an output that reduces its row.
type fold struct {
	io    int32
	kind  Fold
	t     vec.Type
	start vreg    // constant: what lanes start from
	acc   [2]vreg // the lanes, by part of a value
	parts int
}

type poolKey struct {
	bits    uint64
	wide    bool
	isTable bool // bits are its number and where in it
	table   vec.Type
	stride  int32 // of inputs that a pattern, number bits of theirs, is for
}

// wholeVector is the width of a constant that is a vector.
const wholeVector = 64

// value is a vec.Value: for each part its vector, and on AVX-512 its mask, none where not there (yet).
type value struct{ v, k [2]vreg }

type lowering struct {
	code
	p    *Program
	val  []value
	in   []Slot // of a routine's block, as outs are
	outs []Slot
	nots map[vreg]vreg
	once map[sharedKey]vreg
	side []vec.Value           // AVX2: by instruction that looks up a table of float64s, the other one of a pair
	have map[vec.Value][2]vreg // of a pair, what has been looked up before it is lowered
	at   map[In]vreg           // the indices of gathers, as 32-bit lanes
	ones int32                 // in the pool: 16 bytes of 1, 0 for not there
	def  []int32
	src  int32 // the instruction under way
}

// lower expands p into one iteration's instructions.
func lower(p *Program, isa ISA) *code {
	l := &lowering{p: p, nots: map[vreg]vreg{}, once: map[sharedKey]vreg{}}
	l.isa, l.groups, l.consts = isa, 1, map[poolKey]vreg{}
	l.run()
	return &l.code
}

func (l *lowering) run() {
	p := l.p
	live := p.live()
	wide := true
	for i, in := range p.Code {
		if live[i] && in.T.Bits() != 64 {
			wide = false
		}
	}
	l.e = l.vl().Bytes() / 4
	if wide {
		l.e /= 2
	}
	l.masked = p.masks(l.isa)
	l.atOnce = p.N > 0 && ceil(p.N, l.e) <= mostWhole && len(p.Code) <= mostWholeCode && (l.isa == AVX512 || l.masked || l.isa == AVX2 && p.N%l.e == 0)
	l.val = make([]value, len(p.Code))
	if l.isa == AVX2 {
		l.side, l.have = vec.TablePairs(p.Code), map[vec.Value][2]vreg{}
		l.pairs = slices.ContainsFunc(l.side, func(v vec.Value) bool { return v != vec.None })
	}
	l.insts = make([]vinst, 0, len(p.Code)+len(p.Out)+8)
	regs := len(p.Code) + 32
	l.homes, l.isMask, l.def = make([]home, 0, regs), make([]bool, 0, regs), make([]int32, 0, regs)
	out := 0
	for i := range p.Code {
		for ; out < len(p.Out) && p.Out[out].At <= i; out++ {
			l.store(out)
		}
		if live[i] {
			l.src = int32(i)
			l.lower(i)
		}
	}
	for ; out < len(p.Out); out++ {
		l.store(out)
	}
	l.dropDead()
}

// Rows of so many iterations, of programs of so many instructions, are done at once.
const mostWhole, mostWholeCode = 4, 600

func ceil(n, d int) int { return (n + d - 1) / d }

// live reports which instructions an output needs.
func (p *Program) live() []bool {
	live := make([]bool, len(p.Code))
	for _, o := range p.Out {
		live[o.V] = true
	}
	for i := len(p.Code) - 1; i >= 0; i-- {
		if in := &p.Code[i]; live[i] {
			for _, v := range [...]vec.Value{in.A, in.B, in.C} {
				if v != vec.None {
					live[v] = true
				}
			}
		}
	}
	return live
}

// dropDead drops what an instruction's other form made useless.
func (c *code) dropDead() {
	used := make([]bool, len(c.homes))
	keep := len(c.insts)
	for i := len(c.insts) - 1; i >= 0; i-- {
		in := c.insts[i]
		if in.kind < store && !used[in.dst] {
			continue
		}
		for _, v := range [...]vreg{in.a, in.b, in.c, in.mask} {
			if v != none {
				used[v] = true
			}
		}
		keep--
		c.insts[keep] = in
	}
	c.insts = c.insts[keep:]
}

func (l *lowering) newReg(h home, mask bool) vreg {
	l.homes = append(l.homes, h)
	l.isMask = append(l.isMask, mask)
	l.def = append(l.def, -1)
	return vreg(len(l.homes) - 1)
}

func (l *lowering) put(in vinst, mask bool) vreg {
	in.dst, in.src = l.newReg(home{}, mask), l.src
	l.def[in.dst] = int32(len(l.insts))
	l.insts = append(l.insts, in)
	return in.dst
}

func (l *lowering) vl() x86.VL { return l.isa.vl() }

func (l *lowering) parts(t vec.Type) int {
	if l.isa == scalar {
		return 1
	}
	return t.Bits() / 8 * l.e / l.vl().Bytes()
}

// two and one append an instruction of two operands and of one.
func (l *lowering) two(op x86.Op, a, b vreg, swap bool) vreg {
	return l.put(vinst{op: op, vl: l.vl(), mem: anyMem, swap: swap, a: a, b: b, c: none, mask: none}, false)
}

func (l *lowering) one(op x86.Op, b vreg, mem memory, imm uint8) vreg {
	return l.put(vinst{op: op, vl: l.vl(), mem: mem, imm: imm, a: none, b: b, c: none, mask: none}, false)
}

// masks appends an instruction on masks.
func (l *lowering) masks(op x86.Op, a, b vreg, imm uint8) vreg {
	return l.put(vinst{op: op, imm: imm, a: a, b: b, c: none, mask: none}, true)
}

func (l *lowering) constant(bits uint64, t vec.Type) vreg {
	key := poolKey{bits: bits, wide: t.Bits() == 64}
	if r, ok := l.consts[key]; ok {
		return r
	}
	width := t.Bits() / 8
	copies := 1
	if l.isa != AVX512 {
		copies = l.vl().Bytes() / width
	}
	if at, ok := l.pooled[key]; ok {
		r := l.newReg(home{place: inPool, width: uint8(width), at: at}, false)
		l.consts[key] = r
		return r
	}
	for len(l.pool)%(width*copies) != 0 {
		l.pool = append(l.pool, 0)
	}
	at := len(l.pool)
	for range copies {
		for i := range width {
			l.pool = append(l.pool, byte(bits>>(8*i)))
		}
	}
	r := l.newReg(home{place: inPool, width: uint8(width), at: int32(at)}, false)
	l.consts[key] = r
	if l.pooled != nil {
		l.pooled[key] = int32(at)
	}
	return r
}

// whole is 32 or 64 bytes of a table, from byte from on; without AVX-512, one of float64s is of its words.
func (l *lowering) whole(n uint64, t vec.Type, from int) vreg {
	size := max(l.vl(), x86.V256).Bytes()
	key := poolKey{bits: n<<8 | uint64(from), isTable: true, table: t}
	if r, ok := l.consts[key]; ok {
		return r
	}
	if at, ok := l.pooled[key]; ok {
		r := l.newReg(home{place: inPool, width: wholeVector, at: at}, false)
		l.consts[key] = r
		return r
	}
	for len(l.pool)%size != 0 {
		l.pool = append(l.pool, 0)
	}
	at := len(l.pool)
	entries, width := vec.TableBits(n), t.Bits()/8
	words := entries[:]
	if l.isa != AVX512 && t == vec.F64 {
		words, width = vec.TableWords(n), 4
	}
	for _, bits := range words {
		for i := range width {
			l.pool = append(l.pool, byte(bits>>(8*i)))
		}
	}
	for k := 0; at+k < len(l.pool); k += size {
		key.bits = n<<8 | uint64(k)
		l.consts[key] = l.newReg(home{place: inPool, width: wholeVector, at: int32(at + k)}, false)
		if l.pooled != nil {
			l.pooled[key] = int32(at + k)
		}
	}
	return l.whole(n, t, from)
}

// shared is an instruction that is made once for equal operands.
func (l *lowering) shared(op x86.Op, a, b vreg, imm uint8) vreg {
	key := sharedKey{op, a, b, imm}
	r, ok := l.once[key]
	if !ok {
		if a == none {
			r = l.one(op, b, noMem, imm)
		} else {
			r = l.two(op, a, b, true)
		}
		l.once[key] = r
	}
	return r
}

type sharedKey struct {
	op   x86.Op
	a, b vreg
	imm  uint8
}

// table looks up in's entries for index.
func (l *lowering) table(in *vec.Instr, index vreg) vreg {
	words := func(index vreg, from int) vreg {
		r := l.two(x86.PermPS, index, l.whole(in.Imm, in.T, from), false)
		last := &l.insts[len(l.insts)-1]
		last.vl = max(l.vl(), x86.V256)
		if l.isa == AVX2 { // from memory it takes Zen 3 two cycles, from a register one
			last.mem = noMem
		}
		return r
	}
	blend := func(op x86.Op, mask, yes, no vreg) vreg {
		return l.put(vinst{op: op, vl: l.vl(), mem: noMem, a: no, b: yes, c: mask, mask: none}, false)
	}
	switch {
	case l.isa == AVX512 && in.T == vec.F32:
		return words(index, 0)
	case l.isa == AVX512:
		return l.put(vinst{op: x86.PermT2PD, kind: over, vl: l.vl(), mem: anyMem, a: index, b: l.whole(in.Imm, in.T, 64), c: l.whole(in.Imm, in.T, 0), mask: none}, false)
	case in.T == vec.F32:
		return blend(x86.BlendVPS, l.shared(x86.PSllD, none, index, 28), words(index, 32), words(index, 0))
	}
	// The high words of all entries, and the low ones, which may all be 0, as tables of 32 bits.
	index = l.shared(x86.MovSLDup, none, index, 0)
	bit3 := l.shared(x86.PSllD, none, index, 28)
	half := func(from int) vreg { return blend(x86.BlendVPS, bit3, words(index, from+32), words(index, from)) }
	if vec.TableIsShort(in.Imm) {
		return l.two(x86.AndPS, half(64), l.constant(math.MaxUint32<<32, vec.I64), true)
	}
	return l.put(vinst{op: x86.BlendPS, vl: l.vl(), imm: 0xaa, mem: noMem, a: half(0), b: half(64), c: none, mask: none}, false)
}

// pair looks up instruction i's table and the one beside it. Their entries lie side by side, so that 16 bytes are both's for a
// lane: found by addresses, a table takes Zen 3 two cycles, by permutations of its words six.
func (l *lowering) pair(i int) {
	in, other := &l.p.Code[i], l.side[i]
	off := l.sideBySide(in.Imm, l.p.Code[other].Imm)
	var beside [2]vreg
	for part := range l.parts(vec.F64) {
		index := l.shared(x86.PSllQ, none, l.vector(in.A, part), 60)
		index = l.shared(x86.PSrlQ, none, index, 56) // in bytes
		row := func(lane int32) vreg {
			return l.put(vinst{op: x86.InsertF128, kind: rows, vl: l.vl(), imm: 1, a: index, b: none, c: none, mask: none, off: off, part: lane}, false)
		}
		even, odd := row(0), row(1)
		l.val[i].v[part], beside[part] = l.two(x86.UnpckLPD, even, odd, false), l.two(x86.UnpckHPD, even, odd, false)
	}
	l.have[other] = beside
}

// sideBySide is where the pool has the entries of float64 tables n and m by turns.
func (l *lowering) sideBySide(n, m uint64) int32 {
	key := poolKey{bits: n<<32 | m, wide: true, isTable: true, table: vec.F64}
	if r, ok := l.consts[key]; ok {
		return l.homes[r].at
	}
	for len(l.pool)%16 != 0 {
		l.pool = append(l.pool, 0)
	}
	at := int32(len(l.pool))
	first, second := vec.TableBits(n), vec.TableBits(m)
	for i := range first {
		l.pool = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(l.pool, first[i]), second[i])
	}
	l.consts[key] = l.newReg(home{place: inPool, width: wholeVector, at: at}, false)
	return at
}

// vector is part of v as a vector.
func (l *lowering) vector(v vec.Value, part int) vreg {
	x := &l.val[v]
	if x.v[part] == none {
		op := x86.PMovM2D
		if l.p.Code[v].T.Bits() == 64 {
			op = x86.PMovM2Q
		}
		x.v[part] = l.one(op, x.k[part], noMem, 0)
	}
	return x.v[part]
}

// mask is part of v, whose lanes are all ones or zero, as a mask.
func (l *lowering) mask(v vec.Value, part int) vreg {
	x := &l.val[v]
	if x.k[part] == none {
		op := x86.PMovD2M
		if l.p.Code[v].T.Bits() == 64 {
			op = x86.PMovQ2M
		}
		x.k[part] = l.put(vinst{op: op, vl: l.vl(), a: none, b: x.v[part], c: none, mask: none}, true)
	}
	return x.k[part]
}

// not is the mask's complement; of a comparison it is the opposite one.
func (l *lowering) not(k vreg) vreg {
	n, ok := l.nots[k]
	if !ok {
		if in := l.insts[l.def[k]]; in.op == x86.KCmpPS || in.op == x86.KCmpPD {
			in.imm ^= 4
			n = l.put(in, true)
		} else {
			n = l.masks(x86.KNotW, none, k, 0)
		}
		l.nots[k], l.nots[n] = n, k
	}
	return n
}

// hasMask reports whether v is at hand as a mask.
func (l *lowering) hasMask(v vec.Value) bool { return l.val[v].k[0] != none }

// constMask reports whether v is a constant of all ones or zeros.
func (l *lowering) constMask(v vec.Value) (ones, ok bool) {
	in := &l.p.Code[v]
	for in.Op == vec.Bitcast {
		in = &l.p.Code[in.A]
	}
	ones = in.Imm == math.MaxUint64 || in.T.Bits() == 32 && in.Imm == math.MaxUint32
	return ones, in.Op == vec.Const && (ones || in.Imm == 0)
}

// by width picks the form for 32 bits or, the next one, for 64.
func by(t vec.Type, op x86.Op) x86.Op {
	if t.Bits() == 64 {
		return op + 1
	}
	return op
}

func (l *lowering) lower(i int) {
	in := &l.p.Code[i]
	l.val[i] = value{[2]vreg{none, none}, [2]vreg{none, none}}
	switch in.Op {
	case vec.Bitcast:
		l.val[i] = l.val[in.A]
		return
	case vec.Const:
		c := l.constant(in.Imm, in.T)
		l.val[i].v = [2]vreg{c, c}
		return
	case vec.Load:
		l.load(i)
		return
	}
	if x, ok := l.have[vec.Value(i)]; ok {
		l.val[i].v = x
		return
	}
	if l.pairs && l.side[i] != vec.None {
		l.pair(i)
		return
	}
	for part := range l.parts(in.T) {
		if l.isa == AVX512 && l.lowerMask(i, part) {
			continue
		}
		l.val[i].v[part] = l.lowerVector(in, part)
	}
}

// load makes input values: numbers are loaded when they are needed, bytes become masks.
func (l *lowering) load(i int) {
	in := &l.p.Code[i]
	x := l.p.In[in.Imm]
	io := int32(in.Imm)
	if l.isa == scalar {
		l.val[i].v[0] = l.newReg(home{place: inFrame, at: int32(l.in[io])}, false)
		return
	}
	if x.Index > 0 {
		l.gather(i, x)
		return
	}
	if x.apart() {
		l.apart(i, x)
		return
	}
	if x.T == dtype.BF16 {
		w := l.put(vinst{op: x86.PMovZXWD, kind: load, vl: l.vl(), a: none, b: none, c: none, mask: none, io: io}, false)
		l.val[i].v[0] = l.one(x86.PSllD, w, noMem, 16)
		return
	}
	if x.T == dtype.F16 {
		l.val[i].v[0] = l.put(vinst{op: x86.CvtPH2PS, kind: load, vl: l.vl(), a: none, b: none, c: none, mask: none, io: io}, false)
		return
	}
	if x.T != dtype.Bool {
		out := l.p.carrier(io)
		kept := (out >= 0 || x.Still) && l.keeps(io)
		for part := range l.parts(in.T) {
			if kept {
				l.val[i].v[part] = l.newReg(home{}, false)
				l.carries = append(l.carries, carry{in: io, out: int32(len(l.p.In) + out), reg: l.val[i].v[part], part: int32(part)})
				continue
			}
			h := home{place: inArray, width: uint8(x.T.Size()), at: io, part: int32(part)}
			if x.Splat {
				h.place = inSplat
				if part > 0 {
					l.val[i].v[1] = l.val[i].v[0]
					continue
				}
			}
			l.val[i].v[part] = l.newReg(h, false)
		}
		return
	}
	// A splat of a Bool is eight bytes of it.
	bytes := func(op x86.Op, vl x86.VL, off, part int) vreg {
		return l.put(vinst{op: op, kind: load, vl: vl, a: none, b: none, c: none, mask: none, io: io, off: int32(off), part: int32(part)}, false)
	}
	if l.isa == AVX512 {
		vl := x86.V512
		if l.e == 8 {
			vl = x86.V256
		}
		if x.Splat {
			panic("jit: a Bool's splat")
		}
		b := bytes(x86.PMovZXBD, vl, 0, 0)
		k := l.put(vinst{op: x86.PTestMD, vl: vl, a: b, b: b, c: none, mask: none}, true)
		l.val[i].k[0] = k
		if l.parts(in.T) == 2 {
			l.val[i].k[1] = l.masks(x86.KShiftRW, none, k, 8)
		}
		return
	}
	for part := range l.parts(in.T) {
		op, lanes := by(in.T, x86.PMovZXBD), 256/in.T.Bits()
		b := bytes(op, x86.V256, part*lanes, part)
		l.val[i].v[part] = l.two(by(in.T, x86.PCmpGtD), b, l.constant(0, in.T), false)
	}
}

// carrier is the number of the output that input io is in the next row, -1 for none.
func (p *Program) carrier(io int32) int {
	return slices.IndexFunc(p.Out, func(o Out) bool { return o.Carry == int(io)+1 })
}

// MostStill is how many vectors of inputs that are the same in every row stay in registers.
func (i ISA) MostStill() int { return [...]int{AVX2: 10, AVX512: 24}[i] }

// keeps reports whether input io, a carry or still, stays in registers: while a good part of them is left for the rest.
func (l *lowering) keeps(io int32) bool {
	most := 4
	if l.isa == AVX512 {
		most = 12
	}
	if l.p.In[io].Still {
		most = l.isa.MostStill()
	}
	n := len(l.carries) + l.parts(vec.Lane(l.p.In[io].T))
	for _, x := range l.carries {
		if x.in == io {
			return true
		}
	}
	return l.atOnce && n*ceil(l.p.N, l.e) <= most
}

// gather loads the elements of an input that is indexed.
func (l *lowering) gather(i int, x In) {
	t, io := l.p.Code[i].T, int32(l.p.Code[i].Imm)
	at := l.indices(x)
	for part := range l.parts(t) {
		half := at
		if part == 1 {
			half = l.upper(at)
		}
		op, all := x86.GatherPS, x86.KXnorW
		if l.isa == AVX2 {
			op, all = x86.VGatherPS, x86.PCmpEqD
		}
		k := l.put(vinst{op: all, kind: ones, vl: l.vl(), a: none, b: none, c: none, mask: none, part: int32(part)}, l.isa == AVX512)
		l.val[i].v[part] = l.put(vinst{op: by(t, op), kind: gather, vl: l.vl(), a: half, b: none, c: none, mask: k, io: io, part: int32(part)}, false)
	}
}

// mostPicked is how far apart elements are at most that are picked from whole vectors.
func (l *lowering) mostPicked() int {
	if l.isa == AVX512 {
		return 8
	}
	return 2
}

// apart loads the elements of an input that are Stride apart.
func (l *lowering) apart(i int, x In) {
	io, size, stride := int32(l.p.Code[i].Imm), x.T.Size(), int(x.Stride)
	n := l.vl().Bytes() / size
	for part := range l.parts(l.p.Code[i].T) {
		first := part * n * stride * size
		if max(stride, -stride) <= l.mostPicked() {
			l.val[i].v[part] = l.picked(io, first, n, stride, size)
		} else {
			l.val[i].v[part] = l.inserted(io, first, n, stride, size)
		}
		last := &l.insts[len(l.insts)-1]
		last.gathers, last.io, last.off, last.part = true, io, int32(first), int32(part)
	}
	if l.steps == nil {
		l.steps = map[int32]int32{}
	}
	l.steps[io] = l.homes[l.pattern(io, -1, n, 4, func(i int) int { return i * stride })].at
}

// picked is n elements from first on, bytes, of vectors that reach from the first one in memory to the last one and no
// further.
func (l *lowering) picked(io int32, first, n, stride, size int) vreg {
	k, low := max(stride, -stride), min(0, (n-1)*stride)
	start := func(j int) int { return min(j*n, (n-1)*(k-1)) }
	vector := func(j int) vreg {
		return l.put(vinst{op: x86.MovLoad, kind: load, vl: l.vl(), a: none, b: none, c: none, mask: none, io: io, off: int32(first + (low+start(j))*size)}, false)
	}
	where := func(e int) (j, lane int) {
		at := e*stride - low
		j = min(at/n, k-1)
		return j, at - start(j)
	}
	permuted := func(x vreg, lane func(e int) int) vreg { // by words
		words := size / 4
		by := l.pattern(io, 0, n*words, 4, func(w int) int { return lane(w/words)*words + w%words })
		return l.two(x86.PermPS, by, x, false)
	}
	switch {
	case k == 1:
		return permuted(vector(0), func(e int) int { return n - 1 - e })
	case l.isa == AVX2: // of each 128 bits one half is the first vector's, whose elements are even, one the second's
		imm := uint8(0xd8)
		if size == 8 {
			imm = 0xe4
		}
		return permuted(l.shuffle(vector(0), vector(1), imm), func(e int) int {
			j, lane := where(e)
			half := n / 2
			return lane/half*half + j*half/2 + lane%half/2
		})
	}
	y := vector(0)
	for j := 1; j < k; j++ {
		by := l.pattern(io, j, n, size, func(e int) int {
			switch of, lane := where(e); {
			case of == j:
				return n + lane
			case of == 0 && j == 1:
				return lane
			}
			return e
		})
		y = l.put(vinst{op: bySize(size, x86.PermT2PS), kind: over, vl: l.vl(), a: by, b: vector(j), c: y, mask: none}, false)
	}
	return y
}

// inserted is n elements from first on, bytes, one by one.
func (l *lowering) inserted(io int32, first, n, stride, size int) vreg {
	one := func(op x86.Op, e int, into vreg, imm int) vreg {
		return l.put(vinst{op: op, kind: load, vl: x86.V128, imm: uint8(imm), a: into, b: none, c: none, mask: none, io: io, off: int32(first + e*stride*size)}, false)
	}
	join := x86.InsertF32x4
	if l.isa == AVX2 {
		join = x86.InsertF128
	}
	var y vreg
	for e, each := 0, 16/size; e < n; e += each {
		q := one(bySize(size, x86.MovSSLoad), e, none, 0)
		for i := 1; i < each; i++ {
			if size == 8 {
				q = one(x86.MovHPD, e+i, q, 0)
			} else {
				q = one(x86.InsertPS, e+i, q, i<<4)
			}
		}
		if e > 0 {
			q = l.put(vinst{op: join, vl: l.vl(), imm: uint8(e / each), a: y, b: q, c: none, mask: none}, false)
		}
		y = q
	}
	return y
}

// bySize picks the form for 4 bytes or, the next one, for 8.
func bySize(size int, op x86.Op) x86.Op { return op + x86.Op(size/8) }

// pattern is a vector of n integers of size bytes, number j of those for inputs of io's type and stride.
func (l *lowering) pattern(io int32, j, n, size int, lane func(i int) int) vreg {
	x := &l.p.In[io]
	key := poolKey{bits: uint64(j), wide: x.T.Size() == 8, stride: x.Stride}
	r, ok := l.consts[key]
	if !ok {
		for len(l.pool)%l.vl().Bytes() != 0 {
			l.pool = append(l.pool, 0)
		}
		r = l.newReg(home{place: inPool, width: wholeVector, at: int32(len(l.pool))}, false)
		for i := range n {
			l.pool = append(l.pool, binary.LittleEndian.AppendUint64(nil, uint64(lane(i)))[:size]...)
		}
		l.consts[key] = r
	}
	return r
}

// indices are what x is indexed by, times its stride.
func (l *lowering) indices(x In) vreg {
	key := In{Index: x.Index, Stride: x.Stride}
	if r, ok := l.at[key]; ok {
		return r
	}
	vl := l.vl() // of so many 32-bit lanes
	if 4*l.e < vl.Bytes() {
		vl--
	}
	elems := func(vl x86.VL, part int) vreg {
		return l.put(vinst{op: x86.MovLoad, kind: load, vl: vl, a: none, b: none, c: none, mask: none, io: int32(x.Index - 1),
			off: int32(part * vl.Bytes()), part: int32(part)}, false)
	}
	var r vreg
	switch wide := l.p.In[x.Index-1].T == dtype.I64; {
	case !wide:
		r = elems(vl, 0)
	case l.isa == AVX2 && l.e == 4:
		x := elems(x86.V256, 0)
		r = l.halves(x, x)
	case l.isa == AVX2:
		r = l.halves(elems(x86.V256, 0), elems(x86.V256, 1))
	case l.e == 8:
		r = l.one(x86.PMovQD, elems(x86.V512, 0), noMem, 0)
	default:
		lo, hi := l.one(x86.PMovQD, elems(x86.V512, 0), noMem, 0), l.one(x86.PMovQD, elems(x86.V512, 1), noMem, 0)
		r = l.two(x86.InsertF64x4, lo, hi, false)
		l.insts[len(l.insts)-1].mem, l.insts[len(l.insts)-1].imm = noMem, 1
	}
	if x.Stride != 1 {
		r = l.two(x86.PMulLD, r, l.constant(uint64(uint32(x.Stride)), vec.I32), false)
		l.insts[len(l.insts)-1].vl = vl
	}
	if l.at == nil {
		l.at = map[In]vreg{}
	}
	l.at[key] = r
	return r
}

// lowerMask makes instruction i where its result is a mask, or an operand is one that selects.
func (l *lowering) lowerMask(i, part int) bool {
	in := &l.p.Code[i]
	set := func(k vreg) bool { l.val[i].k[part] = k; return true }
	zeroed := func(v vec.Value, k vreg) bool {
		l.val[i].v[part] = l.put(vinst{op: by(in.T, x86.Mov), vl: l.vl(), mem: anyMem, zero: true, a: none, b: l.vector(v, part), c: none, mask: k}, false)
		return true
	}
	cmp := func(pred uint8, ints x86.Op) bool {
		t := l.p.Code[in.A].T
		op, swap := by(t, ints), ints == x86.KPCmpEqD
		if t.IsFloat() {
			op, swap = by(t, x86.KCmpPS), pred == 0 || pred == 4
		} else if ints == 0 {
			panic(fmt.Sprintf("jit: %v of %v", in.Op, t))
		} else {
			pred = 0
		}
		return set(l.put(vinst{op: op, vl: l.vl(), imm: pred, mem: anyMem, swap: swap, a: l.vector(in.A, part), b: l.vector(in.B, part), c: none, mask: none}, true))
	}
	switch in.Op {
	case vec.Ends:
		return set(l.put(vinst{op: by(in.T, x86.FPClassPS), vl: l.vl(), imm: vec.EndsImm, mem: anyMem, a: none, b: l.vector(in.A, part), c: none, mask: none}, true))
	case vec.CmpEQ:
		return cmp(0, x86.KPCmpEqD)
	case vec.CmpNE:
		return cmp(4, 0)
	case vec.CmpLT:
		return cmp(17, 0)
	case vec.CmpLE:
		return cmp(18, 0)
	case vec.CmpGT:
		return cmp(30, x86.KPCmpGtD)
	case vec.CmpGE:
		return cmp(29, 0)
	case vec.And, vec.AndNot, vec.Or, vec.Xor:
		ka, kb := l.hasMask(in.A), l.hasMask(in.B)
		onesA, constA := l.constMask(in.A)
		onesB, constB := l.constMask(in.B)
		if ka && (kb || constB) || kb && constA {
			if in.Op == vec.Xor && ka && constB && onesB {
				return set(l.not(l.mask(in.A, part)))
			}
			if in.Op == vec.Xor && kb && constA && onesA {
				return set(l.not(l.mask(in.B, part)))
			}
			a, b := l.mask(in.A, part), l.mask(in.B, part)
			switch in.Op {
			case vec.And:
				return set(l.masks(x86.KAndW, a, b, 0))
			case vec.AndNot: // the machine inverts its first operand
				return set(l.masks(x86.KAndNW, b, a, 0))
			case vec.Or:
				return set(l.masks(x86.KOrW, a, b, 0))
			}
			return set(l.masks(x86.KXorW, a, b, 0))
		}
		switch {
		case in.Op == vec.And && kb:
			return zeroed(in.A, l.mask(in.B, part))
		case in.Op == vec.And && ka:
			return zeroed(in.B, l.mask(in.A, part))
		case in.Op == vec.AndNot && kb:
			return zeroed(in.A, l.not(l.mask(in.B, part)))
		}
	case vec.Blend:
		l.val[i].v[part] = l.put(vinst{op: by(in.T, x86.BlendMPS), vl: l.vl(), mem: anyMem, a: l.vector(in.C, part), b: l.vector(in.B, part),
			c: none, mask: l.mask(in.A, part)}, false)
		return true
	case vec.Widen:
		if l.hasMask(in.A) {
			k := l.mask(in.A, 0)
			if part == 1 {
				k = l.masks(x86.KShiftRW, none, k, 8)
			}
			return set(k)
		}
	case vec.Narrow:
		if l.hasMask(in.A) {
			return set(l.masks(x86.KUnpckBW, l.mask(in.A, 1), l.mask(in.A, 0), 0))
		}
	}
	return false
}

// lowerVector makes a part of an instruction whose result is a vector.
func (l *lowering) lowerVector(in *vec.Instr, part int) vreg {
	arg := func(v vec.Value) vreg { return l.vector(v, part) }
	bin := func(op x86.Op, swap bool) vreg { return l.two(op, arg(in.A), arg(in.B), swap) }
	fma := func(op x86.Op) vreg {
		return l.put(vinst{op: by(in.T, op), kind: fused, vl: l.vl(), a: arg(in.A), b: arg(in.B), c: arg(in.C), mask: none}, false)
	}
	un := func(op x86.Op) vreg { return l.one(by(in.T, op), arg(in.A), anyMem, 0) }
	round := func(imm uint8) vreg {
		op := x86.RoundPS
		if l.isa == AVX512 {
			op = x86.RndScalePS
		}
		return l.one(by(in.T, op), arg(in.A), anyMem, imm)
	}
	cmp := func(pred uint8, ints x86.Op) vreg {
		t := l.p.Code[in.A].T
		if !t.IsFloat() {
			if ints == 0 {
				panic(fmt.Sprintf("jit: %v of %v", in.Op, t))
			}
			return bin(by(t, ints), ints == x86.PCmpEqD)
		}
		r := bin(by(t, x86.CmpPS), pred == 0 || pred == 4)
		l.insts[len(l.insts)-1].imm = pred
		return r
	}
	logic := func(i int, swap bool) vreg {
		switch {
		case l.isa == AVX512:
			return bin(by(in.T, x86.PAndD+x86.Op(2*i)), swap)
		case in.T.IsFloat():
			return bin(x86.AndPS+x86.Op(i), swap)
		}
		return bin(x86.PAnd+x86.Op(i), swap)
	}
	arith := func(floats, ints x86.Op, swap bool) vreg {
		if in.T.IsFloat() {
			return bin(by(in.T, floats), swap)
		}
		return bin(by(in.T, ints), swap)
	}
	switch in.Op {
	case vec.Add:
		return arith(x86.AddPS, x86.PAddD, true)
	case vec.Sub:
		if m := l.maximum(in); m != nil {
			a, b := arg(m.A), arg(m.B)
			most := l.put(vinst{op: by(in.T, x86.RangePS), vl: l.vl(), imm: 5, mem: anyMem, a: a, b: b, c: none, mask: none}, false)
			nan := l.put(vinst{op: by(in.T, x86.KCmpPS), vl: l.vl(), imm: 3, mem: anyMem, swap: true, a: a, b: b, c: none, mask: none}, true)
			bits := uint64(0x7fc00000)
			if in.T == vec.F64 {
				bits = 0x7ff8 << 48
			}
			return l.put(vinst{op: by(in.T, x86.BlendMPS), vl: l.vl(), mem: anyMem, a: most, b: l.constant(bits, in.T), c: none, mask: nan}, false)
		}
		return arith(x86.SubPS, x86.PSubD, false)
	case vec.Mul:
		return arith(x86.MulPS, x86.PMulLD, true)
	case vec.Div:
		return bin(by(in.T, x86.DivPS), false)
	case vec.Sqrt:
		return un(x86.SqrtPS)
	case vec.FMA:
		return fma(x86.FMAdd132PS)
	case vec.FNMA:
		return fma(x86.FNMAdd132PS)
	case vec.FMS:
		return fma(x86.FMSub132PS)
	case vec.Min:
		return bin(by(in.T, x86.MinPS), false)
	case vec.Max:
		return bin(by(in.T, x86.MaxPS), false)
	case vec.And:
		return logic(0, true)
	case vec.AndNot: // the machine inverts its first operand
		return l.andNot(in, logic)
	case vec.Or:
		if x, n := l.rotated(in); n > 0 {
			return l.one(by(in.T, x86.PRolD), arg(x), noMem, uint8(n))
		}
		return logic(2, true)
	case vec.Xor:
		return logic(3, true)
	case vec.Shl:
		return l.one(by(in.T, x86.PSllD), arg(in.A), noMem, uint8(in.Imm))
	case vec.Shr:
		return l.one(by(in.T, x86.PSrlD), arg(in.A), noMem, uint8(in.Imm))
	case vec.Sar:
		return l.one(x86.PSraD, arg(in.A), noMem, uint8(in.Imm))
	case vec.ShlV:
		return bin(by(in.T, x86.PSllVD), false)
	case vec.ShrV:
		return bin(by(in.T, x86.PSrlVD), false)
	case vec.CmpEQ:
		return cmp(0, x86.PCmpEqD)
	case vec.CmpNE:
		return cmp(4, 0)
	case vec.CmpLT:
		return cmp(17, 0)
	case vec.CmpLE:
		return cmp(18, 0)
	case vec.CmpGT:
		return cmp(30, x86.PCmpGtD)
	case vec.CmpGE:
		return cmp(29, 0)
	case vec.Blend:
		return l.put(vinst{op: by(in.T, x86.BlendVPS), vl: l.vl(), mem: anyMem, a: arg(in.C), b: arg(in.B), c: arg(in.A), mask: none}, false)
	case vec.Floor:
		return round(9)
	case vec.Ceil:
		return round(10)
	case vec.Trunc:
		return round(11)
	case vec.Nearest:
		return round(8)
	case vec.ToInt:
		return l.one(x86.CvtPS2DQ, arg(in.A), anyMem, 0)
	case vec.ToFloat:
		return l.one(x86.CvtDQ2PS, arg(in.A), anyMem, 0)
	case vec.Half:
		return l.one(x86.CvtPH2PS, l.one(x86.CvtPS2PH, arg(in.A), noMem, 0), noMem, 0)
	case vec.Table:
		return l.table(in, arg(in.A))
	case vec.Scale:
		return bin(by(in.T, x86.ScaleFPS), false)
	case vec.Exponent:
		return un(x86.GetExpPS)
	case vec.Significand:
		return l.one(by(in.T, x86.GetMantPS), arg(in.A), anyMem, vec.SignificandImm)
	case vec.Widen:
		return l.widen(in, part)
	case vec.Narrow:
		return l.narrow(in)
	}
	panic(fmt.Sprintf("jit: no instruction for %v", in.Op))
}

func (l *lowering) andNot(in *vec.Instr, logic func(int, bool) vreg) vreg {
	in.A, in.B = in.B, in.A
	r := logic(1, false)
	in.A, in.B = in.B, in.A
	return r
}

func (l *lowering) widen(in *vec.Instr, part int) vreg {
	op := x86.CvtPS2PD
	if in.T == vec.I64 {
		op = x86.PMovSXDQ
	}
	a := l.vector(in.A, 0)
	if l.isa == scalar {
		return l.one(op, a, slotMem, 0)
	}
	if h := l.homes[a]; part == 1 && h.place == inArray && !l.masked { // its upper half is there to be read
		return l.put(vinst{op: op, kind: load, vl: l.vl(), a: none, b: none, c: none, mask: none, io: h.at, off: int32(l.vl().Bytes() / 2), part: 1}, false)
	}
	if part == 1 && l.homes[a].place != inPool && l.homes[a].place != inSplat {
		a = l.upper(a)
	}
	return l.one(op, a, slotMem, 0)
}

// upper is the upper half of a vector.
func (l *lowering) upper(a vreg) vreg {
	if l.isa == AVX512 {
		return l.one(x86.ExtractF64x4, a, noMem, 1)
	}
	return l.one(x86.ExtractF128, a, noMem, 1)
}

func (l *lowering) narrow(in *vec.Instr) vreg {
	if l.isa == scalar { // both halves, and the quarters that a conversion leaves 0
		a := l.vector(in.A, 0)
		if in.T == vec.F32 {
			a = l.one(x86.CvtPD2PS, a, noMem, 0)
			return l.shuffle(a, a, 0)
		}
		return l.shuffle(a, a, 0x88)
	}
	lo, hi := l.vector(in.A, 0), l.vector(in.A, 1)
	switch {
	case l.isa == AVX512:
		op := x86.CvtPD2PS
		if in.T == vec.I32 {
			op = x86.PMovQD
		}
		a, b := l.one(op, lo, noMem, 0), l.one(op, hi, noMem, 0)
		r := l.two(x86.InsertF64x4, a, b, false)
		l.insts[len(l.insts)-1].mem, l.insts[len(l.insts)-1].imm = noMem, 1
		return r
	case in.T == vec.F32:
		a, b := l.one(x86.CvtPD2PS, lo, noMem, 0), l.one(x86.CvtPD2PS, hi, noMem, 0)
		r := l.two(x86.InsertF128, a, b, false)
		l.insts[len(l.insts)-1].mem, l.insts[len(l.insts)-1].imm = noMem, 1
		return r
	}
	return l.halves(lo, hi)
}

// halves packs the low halves of 64-bit lanes, AVX2.
func (l *lowering) halves(lo, hi vreg) vreg {
	return l.one(x86.PermQ, l.shuffle(lo, hi, 0x88), noMem, 216)
}

func (l *lowering) shuffle(a, b vreg, imm uint8) vreg {
	s := l.two(x86.ShufPS, a, b, false)
	l.insts[len(l.insts)-1].imm = imm
	return s
}

// store puts output i's value where it goes.
func (l *lowering) store(i int) {
	o := &l.p.Out[i]
	io := int32(len(l.p.In) + i)
	if l.isa == scalar {
		l.insts = append(l.insts, vinst{op: x86.MovStore, kind: store, vl: l.vl(), a: none, b: l.vector(o.V, 0), c: none, mask: none, dst: none,
			io: int32(l.outs[i]), src: int32(o.V)})
		return
	}
	if o.Fold != NoFold {
		l.fold(io, o)
		return
	}
	if l.atOnce && o.Carry > 0 {
		read := false
		for _, x := range l.carries {
			if x.out == io {
				l.insts = append(l.insts, vinst{op: x86.Mov, kind: carried, vl: l.vl(), mem: anyMem, a: none, b: l.vector(o.V, int(x.part)), c: none, mask: none,
					dst: x.reg, off: int32(o.T.Size()), part: x.part, src: l.src})
				read = true
			}
		}
		if read {
			return
		}
	}
	put := func(op x86.Op, vl x86.VL, b vreg, off, part int) {
		l.insts = append(l.insts, vinst{op: op, kind: store, vl: vl, a: none, b: b, c: none, mask: none, dst: none, io: io, off: int32(off), part: int32(part), src: l.src})
	}
	switch x := l.vector; {
	case o.T == dtype.BF16 && l.isa == AVX512:
		put(x86.PMovDW, l.vl(), x(o.V, 0), 0, 0)
		return
	case o.T == dtype.BF16:
		w := l.two(x86.PackUSDW, x(o.V, 0), x(o.V, 0), false)
		put(x86.MovStore, x86.V128, l.one(x86.PermQ, w, noMem, 8), 0, 0)
		return
	case o.T == dtype.F16:
		put(x86.CvtPS2PH, l.vl(), x(o.V, 0), 0, 0)
		return
	}
	if o.T != dtype.Bool {
		for part := range l.parts(l.p.Code[o.V].T) {
			put(x86.MovStore, l.vl(), l.vector(o.V, part), part*l.vl().Bytes(), part)
		}
		return
	}
	if l.isa == AVX512 {
		k := l.mask(o.V, 0)
		if l.parts(l.p.Code[o.V].T) == 2 {
			k = l.masks(x86.KUnpckBW, l.mask(o.V, 1), k, 0)
		}
		if l.ones == 0 {
			for len(l.pool)%16 != 0 || len(l.pool) == 0 {
				l.pool = append(l.pool, 0)
			}
			l.ones = int32(len(l.pool))
			for range 16 {
				l.pool = append(l.pool, 1)
			}
		}
		b := l.put(vinst{op: x86.MovU8Load, kind: load, zero: true, a: none, b: none, c: none, mask: k, io: -1, off: l.ones}, false)
		if l.e == 8 {
			put(x86.MovQStore, x86.V128, b, 0, 0)
		} else {
			put(x86.MovStore, x86.V128, b, 0, 0)
		}
		return
	}
	// Masks are packed to bytes 0 and -1, of which the absolute value is stored.
	short := func(op x86.Op, a, b vreg) vreg {
		return l.put(vinst{op: op, vl: x86.V128, a: a, b: b, c: none, mask: none}, false)
	}
	lo := l.vector(o.V, 0)
	two := l.parts(l.p.Code[o.V].T) == 2
	if two {
		lo = l.halves(lo, l.vector(o.V, 1))
	}
	words := short(x86.PackSSDW, lo, l.one(x86.ExtractF128, lo, noMem, 1))
	if !two && l.e == 4 {
		words = short(x86.PackSSDW, words, words)
	}
	b := short(x86.PAbsB, none, short(x86.PackSSWB, words, words))
	if l.e == 8 {
		put(x86.MovQStore, x86.V128, b, 0, 0)
	} else {
		put(x86.MovDStore, x86.V128, b, 0, 0)
	}
}

// fold combines o's value with the lanes.
func (l *lowering) fold(io int32, o *Out) {
	t := vec.Lane(o.T)
	f := fold{io: io, kind: o.Fold, t: t, start: l.constant(startOf(o.Fold, t), t), parts: l.parts(t)}
	for part := range f.parts {
		acc := l.newReg(home{}, false)
		f.acc[part] = acc
		steps, x := l.combine(o.Fold, t), [6]vreg{acc, l.vector(o.V, part)}
		for i, s := range steps {
			in := vinst{op: s.op, vl: l.vl(), mem: anyMem, a: x[s.a], b: x[s.b], c: none, mask: none, part: int32(part)}
			if i < len(steps)-1 {
				x[2+i] = l.put(in, false)
				continue
			}
			in.kind, in.dst, in.src = accum, acc, l.src
			l.insts = append(l.insts, in)
		}
	}
	l.folds = append(l.folds, f)
}

// combination is an instruction of a fold on its lanes, 0, a value, 1, and the instructions' results, 2 ….
type combination struct {
	op   x86.Op
	a, b int
}

// combine is what vec's minimum and maximum do; a sum and a product are one instruction.
func (c *code) combine(f Fold, t vec.Type) []combination {
	xor, or := x86.XorPS, x86.OrPS
	if c.isa == AVX512 {
		xor, or = by(t, x86.PXorD), by(t, x86.POrD)
	}
	switch {
	case f == Sum && t.IsFloat():
		return []combination{{by(t, x86.AddPS), 0, 1}}
	case f == Sum:
		return []combination{{by(t, x86.PAddD), 0, 1}}
	case f == Prod && t.IsFloat():
		return []combination{{by(t, x86.MulPS), 0, 1}}
	case f == Prod:
		return []combination{{x86.PMulLD, 0, 1}}
	case f == Max && t.IsFloat():
		m := by(t, x86.MaxPS)
		return []combination{{m, 0, 1}, {m, 1, 0}, {xor, 2, 3}, {or, 2, 4}, {by(t, x86.SubPS), 5, 4}}
	case f == Max:
		return []combination{{x86.PMaxSD, 0, 1}}
	case t.IsFloat():
		m := by(t, x86.MinPS)
		return []combination{{m, 0, 1}, {m, 1, 0}, {or, 2, 3}}
	}
	return []combination{{x86.PMinSD, 0, 1}}
}

// startOf is what lanes start from.
func startOf(f Fold, t vec.Type) uint64 {
	v := [...]float64{Sum: 0, Prod: 1, Max: math.Inf(-1), Min: math.Inf(1)}[f]
	switch t {
	case vec.F32:
		return uint64(math.Float32bits(float32(v)))
	case vec.F64:
		return math.Float64bits(v)
	}
	return [...]uint64{Sum: 0, Prod: 1, Max: 1 << 31, Min: 1<<31 - 1}[f]
}

// rotated is the value of which in, a disjunction, is the bits n places to the left, those that leave entering on the right; 0 where
// it is something else, or the machine has no instruction for it.
func (l *lowering) rotated(in *vec.Instr) (x vec.Value, n int) {
	code := l.p.Code
	left, right := &code[in.A], &code[in.B]
	if left.Op == vec.ShrV {
		left, right = right, left
	}
	if l.isa != AVX512 || left.Op != vec.ShlV || right.Op != vec.ShrV || left.A != right.A || code[left.B].Op != vec.Const || code[right.B].Op != vec.Const {
		return 0, 0
	}
	n, bits := int(code[left.B].Imm), in.T.Bits()
	if n <= 0 || n >= bits || n+int(code[right.B].Imm) != bits {
		return 0, 0
	}
	return left.A, n
}

// maximum is one of the two orders of ops.Max's program, of which in is the last instruction; nil where it is something else, or the
// machine has no instruction for the largest of two numbers, which then lacks NaNs alone.
func (l *lowering) maximum(in *vec.Instr) *vec.Instr {
	code := l.p.Code
	if l.isa != AVX512 || !in.T.IsFloat() {
		return nil
	}
	all, differ := &code[in.A], &code[in.B]
	if all.Op != vec.Or || differ.Op != vec.Xor || all.B != in.B || all.A != differ.A {
		return nil
	}
	x, y := &code[differ.A], &code[differ.B]
	if x.Op != vec.Max || y.Op != vec.Max || x.A != y.B || x.B != y.A {
		return nil
	}
	return x
}
