package cudasrc

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

// Chain is clusters over the rows of one shape that one kernel does, one after the other: softmax, layer norm and their
// derivatives. What one makes of a row the next finds in registers and shared memory; rows are axes Lo … of Dims.
type Chain struct {
	Dims  []int
	Lo    int
	Parts []Part
	Chunk int          // the order of sums, as in Map
	Own   map[int]bool // the buffers that only the chain itself reads
}

// Part is one of them. What it reads of what an earlier one wrote lies as that one wrote it: an element where the
// element is, or one for each row.
type Part struct {
	*Map        // of Dims; it folds whole rows, or nothing
	PerRow bool // or of one element for each row, folding nothing
}

const (
	// MaxChain is the length of the longest rows of a chain; from FewRows on, rows that are longer than a Chunk, too.
	MaxChain = 1 << 18
	FewRows  = 128
	// roomBytes is shared memory that a kernel may have without asking for it.
	roomBytes = 48 << 10
)

// item is an array of elements that two parts of a chain have to do with.
type item struct {
	first, last int // parts
	value       int // that writes it; -1: it is read from memory, first by part first
	bytes       int // of an element
	room        int // where a row of it is in shared memory; -1: nowhere
}

// chain is a chain's kernel that is being written.
type chain struct {
	*text
	*Chain
	*walk
	w          *Writer
	outer, run int
	parts      []*chainPart
	views      []*view
	viewOf     map[int]int
	items      []*item
	rows       []dtype.Type // what there is one of for each row: g0, g1, …
	by         map[int]made // buffer
	keys       map[string]*item
	slab       int // bytes in front of shared memory for sums
	deep       int // elements of these
	room       int // bytes of shared memory
	pitch      int // elements of a row in shared memory
	threads    int // of a row
	unstored   []int
	size       int // of all bodies
}

// made is what a buffer holds that the chain writes: an item, or one for each row.
type made struct {
	item *item
	row  int
}

// chainPart is a part with its values numbered after those of earlier ones.
type chainPart struct {
	mapText
	number int
	perRow bool
	row    map[int]int   // by value that is read: the number of what there is one of for each row
	item   map[int]*item // by value
	folds  []int         // by fold: the number of its result
	stored map[int]bool  // by value: to memory
}

// Chain writes a chain. Of its own buffers those that unstored lists have nothing in them.
func (w *Writer) Chain(c *Chain) (u Unit, unstored []int, err error) {
	t := &chain{text: newText("chain"), Chain: c, w: w, by: map[int]made{}, viewOf: map[int]int{}, keys: map[string]*item{}}
	t.outer, t.run, _ = around(c.Dims, c.Lo, len(c.Dims))
	first := 0
	for i := range c.Parts {
		if first, err = t.part(i, first); err != nil {
			return u, nil, err
		}
	}
	t.threads = block
	if t.run < longRow {
		t.threads = min(32, 1<<bits.Len(uint(t.run-1)))
		for _, p := range t.parts {
			for i := range p.m.Folds {
				if f := &p.m.Folds[i]; p.m.ordered(f) {
					t.threads = min(t.threads, p.m.lanes(f))
				}
			}
		}
	}
	t.hot = t.size < 200 && !slices.Contains(t.rows, dtype.F64) // whose divisions are calls, around which ptxas spills some bytes
	t.share()
	t.declare()
	blocks := t.outer
	if t.threads == block {
		if n := t.room + t.long(); n > roomBytes {
			return u, nil, &Unsupported{"rows", fmt.Sprintf("a block would need %d bytes of shared memory", n)}
		}
	} else {
		t.short()
		blocks = ceil(t.outer, block/t.threads)
	}
	l, err := w.launch(t.text, blocks)
	return Unit{Launches: []Launch{l}}, t.unstored, err
}

// part reads part i, whose values are numbered from first on.
func (t *chain) part(i, first int) (next int, err error) {
	from := &t.Parts[i]
	m := &Map{Dims: t.Dims, Lo: t.Lo, Hi: len(t.Dims), Chunk: t.Chunk}
	for range first { // the others'
		m.Values = append(m.Values, Value{Type: dtype.I32, Leaf: &Operand{Type: dtype.I32, Splat: true}})
	}
	for _, v := range from.Values {
		v.Args = slices.Clone(v.Args)
		for k := range v.Args {
			v.Args[k] += first
		}
		if v.Gather != nil {
			v.Gather = &Gather{v.Gather.Index + first, v.Gather.By, v.Gather.Size}
		}
		if from.PerRow && v.Leaf != nil && !v.Leaf.Splat {
			v.Leaf = t.spread(v.Leaf)
		}
		m.Values = append(m.Values, v)
	}
	for _, f := range from.Folds {
		f.Value += first
		m.Folds = append(m.Folds, f)
	}
	b, err := write(m)
	if err != nil {
		return 0, err
	}
	p := &chainPart{number: i, perRow: from.PerRow, row: map[int]int{}, item: map[int]*item{}, stored: map[int]bool{},
		mapText: mapText{text: t.text, m: m, b: b, f: fmt.Sprintf("f%d_@", i), viewOf: t.viewOf}}
	t.parts = append(t.parts, p)
	for k := range b.needs {
		t.needs[k] = true
	}
	f, size := b.function(p.f)
	t.above.WriteString("\n" + f)
	p.size = size
	t.size += size
	for _, in := range b.ins {
		if in.value >= 0 && !m.Values[in.value].Leaf.Splat {
			t.reads(p, in.value)
		}
	}
	for k := first; k < len(m.Values); k++ {
		o := m.Values[k].Out
		switch {
		case o == nil:
		case p.perRow:
			t.by[o.Buffer] = made{row: t.newRow(o.Type)}
		default:
			x := &item{first: i, last: i, value: k, bytes: o.Type.Size(), room: -1}
			t.items = append(t.items, x)
			t.by[o.Buffer] = made{item: x}
		}
	}
	for k := range m.Folds {
		o := &m.Folds[k].Out
		p.folds = append(p.folds, t.newRow(o.Type))
		t.by[o.Buffer] = made{row: p.folds[k]}
	}
	return len(m.Values), nil
}

func (t *chain) newRow(typ dtype.Type) int {
	t.rows = append(t.rows, typ)
	return len(t.rows) - 1
}

// spread is an array of one element for each row as a view of Dims.
func (t *chain) spread(o *Operand) *Operand {
	y := *o
	y.Dims, y.Strides = t.Dims, make([]int, len(t.Dims))
	a := 0
	for k, d := range o.Dims {
		if d == 1 {
			continue
		}
		for t.Dims[a] == 1 {
			a++
		}
		y.Strides[a] = o.Strides[k]
		a++
	}
	return &y
}

// reads notes what part p's leaf v is.
func (t *chain) reads(p *chainPart, v int) {
	o := p.m.Values[v].Leaf
	if x, ok := t.by[o.Buffer]; ok {
		if x.item == nil {
			p.row[v] = x.row
			return
		}
		x.item.last = p.number
		p.item[v] = x.item
		return
	}
	if p.perRow || p.m.Values[v].Gather != nil || !moves(o, t.Lo, len(t.Dims)) || t.outer > 1 && !moves(o, 0, t.Lo) {
		return
	}
	key := fmt.Sprint(o.Buffer, o.Offset, o.Type)
	for a, s := range o.Strides {
		if t.Dims[a] != 1 {
			key += fmt.Sprint(" ", s)
		}
	}
	x := t.keys[key]
	if x == nil {
		x = &item{first: p.number, value: -1, bytes: o.Type.Size(), room: -1}
		t.keys[key] = x
		t.items = append(t.items, x)
	}
	x.last = p.number
	p.item[v] = x
}

// moves reports whether o's place depends on axes lo … hi-1.
func moves(o *Operand, lo, hi int) bool {
	for a := lo; a < hi; a++ {
		if o.Dims[a] > 1 && o.Strides[a] != 0 {
			return true
		}
	}
	return false
}

// ordered are p's folds whose order shows.
func (p *chainPart) ordered() (list []int) {
	for i := range p.m.Folds {
		if p.m.ordered(&p.m.Folds[i]) {
			list = append(list, i)
		}
	}
	return list
}

// share gives items places in shared memory while there is room; one that dies leaves its place to the next.
func (t *chain) share() {
	align := func(n int) int { return (n + 15) &^ 15 }
	t.pitch = (t.run + 31) &^ 31
	rows := 1
	if t.threads < block {
		rows = block / t.threads
	} else {
		bytes := 0
		for _, p := range t.parts {
			sums := 0
			for _, i := range p.ordered() {
				sums += p.m.Folds[i].Out.Type.Size()
			}
			bytes = max(bytes, sums)
		}
		if t.deep = min(2048, 1<<bits.Len(uint(t.run-1))); bytes > 0 {
			for t.deep > block && t.deep*bytes > slabBytes/2 {
				t.deep /= 2
			}
		}
		t.slab = align(t.deep * bytes)
	}
	t.room = t.slab
	most := roomBytes - len(t.rows)*(8*block/32+8*ceil(t.run, t.Chunk)) // beside the results of warps and chunks
	var free []*item
	place := func(x *item) {
		n := align(rows * t.pitch * x.bytes)
		for i, f := range free {
			if f.bytes == x.bytes {
				x.room = f.room
				free = slices.Delete(free, i, i+1)
				return
			}
		}
		if t.room+n <= most {
			x.room = t.room
			t.room += n
		}
	}
	for p := range t.parts {
		for _, written := range []bool{false, true} {
			for _, x := range t.items {
				if written && x.last == p && x.first < p && x.room >= 0 { // each element is stored when all have been read
					free = append(free, x)
				}
			}
			for _, x := range t.items {
				if x.first == p && x.last > p && x.value >= 0 == written {
					place(x)
				}
			}
		}
	}
}

// declare makes the parameters, and finds out how arrays are walked.
func (t *chain) declare() {
	for _, p := range t.parts {
		for _, in := range p.b.ins {
			v := in.value
			if v < 0 {
				continue
			}
			name, l, x := fmt.Sprint(v), p.m.Values[v].Leaf, p.item[v]
			if l.Splat {
				t.param("u64 b"+name, Arg{Bits: l.Bits})
				continue
			}
			if _, ok := p.row[v]; ok || x != nil && (x.value >= 0 || x.room >= 0 && x.first < p.number) {
				continue
			}
			if g := p.m.Values[v].Gather; g != nil {
				t.number("by"+name, g.By)
				t.text.size("size"+name, g.Size)
			} else if p.perRow || !l.direct() {
				t.viewOf[v] = len(t.views)
				t.views = append(t.views, &view{name, l})
			}
			t.in(ctype(l.Type), "p"+name, l.arg())
		}
		for v := range p.m.Values {
			o := p.m.Values[v].Out
			if o == nil {
				continue
			}
			if x := t.by[o.Buffer].item; t.Own[o.Buffer] && (x == nil || x.room >= 0) {
				t.unstored = append(t.unstored, o.Buffer)
				continue
			}
			p.stored[v] = true
			t.out(ctype(o.Type), fmt.Sprintf("q%d", v), o.arg())
		}
		for i, k := range p.folds {
			o := &p.m.Folds[i].Out
			if t.Own[o.Buffer] {
				t.unstored = append(t.unstored, o.Buffer)
				continue
			}
			t.out(ctype(o.Type), fmt.Sprintf("r%d", k), o.arg())
		}
	}
	t.text.size("lines", t.outer)
	t.text.size("run", t.run)
	t.walk = newWalk(t.Dims, t.Lo, len(t.Dims), t.views)
	for _, p := range t.parts {
		p.walk = t.walk
	}
}

// begin writes what comes before the parts: line is the row's number.
func (t *chain) begin() {
	for k, typ := range t.rows {
		t.line("%s g%d;", ctype(typ), k)
	}
	t.line("const u32 m = (u32)run;")
	t.coordinates(t.text, 0, "o", "")
}

// at is where a row of x is in shared memory.
func (t *chain) at(x *item, k string) string {
	return fmt.Sprintf("(%s *)(room + %d + row * %d) + %s", map[int]string{1: "u8", 2: "u16", 4: "u32", 8: "u64"}[x.bytes], x.room, t.pitch*x.bytes, k)
}

// elements writes part p for n elements side by side: number e of the array, k of the row.
func (t *chain) elements(p *chainPart, n int, indent string) {
	single := map[int]bool{}
	for _, in := range p.b.ins {
		v := in.value
		if v < 0 || p.m.Values[v].Leaf.Splat {
			continue
		}
		l := p.m.Values[v].Leaf
		x := p.item[v]
		if k, ok := p.row[v]; ok {
			t.line("%sconst %s x%d = g%d;", indent, ctype(l.Type), v, k)
			single[v] = true
			continue
		}
		kept := x != nil && x.room >= 0
		switch {
		case kept && x.first < p.number:
			t.line("%s%s x%d[%d];", indent, ctype(l.Type), v, n)
			t.line("%sload(x%d, (const %s *)(%s), left);", indent, v, ctype(l.Type), t.at(x, "k"))
			continue
		case x != nil && x.value >= 0:
			t.line("%s%s x%d[%d];", indent, ctype(l.Type), v, n)
			t.line("%sload%s, left);", indent, map[bool]string{
				true: fmt.Sprintf("(x%d, q%d + e", v, x.value), false: fmt.Sprintf("s(x%d, q%d + e, 1", v, x.value)}[l.aligned(n*x.bytes)])
			continue
		}
		single[v] = p.loadMany(v, n, "e", indent)
		if kept {
			t.line("%sstore((%s *)(%s), x%d, left);", indent, ctype(l.Type), t.at(x, "k"), v)
		}
	}
	p.apply(n, single, indent)
	for v := range p.m.Values {
		o := p.m.Values[v].Out
		if o == nil {
			continue
		}
		if x := t.by[o.Buffer].item; x != nil && x.room >= 0 {
			t.line("%sstore((%s *)(%s), y%d, left);", indent, ctype(o.Type), t.at(x, "k"), v)
		}
		if p.stored[v] {
			p.store(v, n, "e", indent)
		}
	}
}

// one writes part p, which is of one element for each row; where is the condition that a thread stores it.
func (t *chain) one(p *chainPart, where string) {
	t.line("{")
	single := map[int]bool{}
	for _, in := range p.b.ins {
		v := in.value
		if v < 0 || p.m.Values[v].Leaf.Splat {
			continue
		}
		typ := ctype(p.m.Values[v].Leaf.Type)
		single[v] = true
		if k, ok := p.row[v]; ok {
			t.line("\tconst %s x%d = g%d;", typ, v, k)
			continue
		}
		at := t.offset(t.text, t.viewOf[v], 0)
		if at == "" {
			at = "0"
		}
		t.line("\tconst %s x%d = p%d[%s];", typ, v, v, at)
	}
	p.apply(1, single, "\t")
	for v := range p.m.Values {
		if o := p.m.Values[v].Out; o != nil {
			t.line("\tg%d = y%d[0];", t.by[o.Buffer].row, v)
			if p.stored[v] {
				t.line("\tif (%s) q%d[line] = y%d[0];", where, v, v)
			}
		}
	}
	t.line("}")
}

// last reports whether no part behind p goes over elements.
func (t *chain) last(p *chainPart) bool {
	for _, q := range t.parts[p.number+1:] {
		if !q.perRow {
			return false
		}
	}
	return true
}

// result stores result i of part p's folds.
func (t *chain) result(p *chainPart, i int, where string) {
	if k := p.folds[i]; !t.Own[p.m.Folds[i].Out.Buffer] {
		t.line("\tif (%s) r%d[line] = g%d;", where, k, k)
	}
}

// short writes rows that go to some threads of a warp each, as row does.
func (t *chain) short() {
	x, n := index(t.wide), t.threads
	rows := block / n
	t.declareRoom()
	t.line("const u32 t = threadIdx.x %% %du, row = threadIdx.x / %du;", n, n)
	t.line("const %s line = (%s)blockIdx.x * %du + row;", x, x, rows)
	t.line("const bool live = line < lines;")
	t.line("%s o = live ? line : 0;", x)
	t.line("const %s start = o * (%s)run;", x, x)
	t.begin()
	t.line("const u32 end = live ? m : 0;")
	for _, p := range t.parts {
		if p.perRow {
			t.one(p, "live && t == 0")
			continue
		}
		lanes, most := make([]int, len(p.m.Folds)), 1 // of a thread
		t.line("{")
		for i := range lanes {
			f := &p.m.Folds[i]
			lanes[i] = 1
			if p.m.ordered(f) && t.run > n {
				lanes[i] = p.m.lanes(f) / n
			}
			most = max(most, lanes[i])
			start := startText(f.By, f.Out.Type)
			t.line("\t%s a%d[%d] = {%s};", ctype(f.Out.Type), i, lanes[i], strings.TrimSuffix(strings.Repeat(start+", ", lanes[i]), ", "))
		}
		indent := "\t\t"
		if most == 1 {
			t.line("\tfor (u32 k = t; k < end; k += %d) {", n)
		} else {
			t.line("\tfor (u32 j = t; j < end; j += %d) {", n*most)
			t.body.WriteString("#pragma unroll\n")
			t.line("\tfor (u32 l = 0; l < %d; l++) {", most)
			t.line("\t\tconst u32 k = j + l * %d;", n)
			t.line("\t\tif (k >= end) break;")
		}
		t.line("%sconst u64 left = 1;", indent)
		t.line("%sconst %s c = k, e = start + k;", indent, x)
		t.coordinates(t.text, 1, "c", indent)
		t.elements(p, 1, indent)
		for i := range lanes {
			l := "0"
			if lanes[i] > 1 {
				l = "l"
			}
			t.line("%sa%d[%s] = %s(a%d[%s], z%d[0]);", indent, i, l, foldNames[p.m.Folds[i].By], i, l, i)
		}
		t.line("\t}")
		if most > 1 {
			t.line("\t}")
		}
		for i := range lanes {
			t.halve(fmt.Sprintf("a%d", i), foldNames[p.m.Folds[i].By], lanes[i], n, "\t")
			t.line("\tg%d = shift_first(a%d[0], %d);", p.folds[i], i, n)
			t.result(p, i, "live && t == 0")
		}
		if !t.last(p) {
			t.line("\t__syncwarp();")
		}
		t.line("}")
	}
}

// declareRoom declares the shared memory for items and sums.
func (t *chain) declareRoom() {
	if t.room > 0 {
		t.line("__shared__ __align__(16) u8 room[%d];", t.room)
	}
}

// long writes rows that have a block each: the threads put what is summed up in order into shared memory, from where a
// warp folds it, lane by lane. mids is the shared memory for what warps and chunks make.
func (t *chain) long() (mids int) {
	x := index(t.wide)
	chunks := ceil(t.run, t.Chunk)
	t.declareRoom()
	t.line("const u32 t = threadIdx.x, lane = t %% 32, warp = t / 32, row = 0;")
	t.line("const %s line = blockIdx.x, start = line * (%s)run;", x, x)
	t.line("%s o = line;", x)
	t.begin()
	for _, p := range t.parts {
		if p.perRow {
			t.one(p, "t == 0")
			continue
		}
		n := p.width(1)
		for t.run%n != 0 {
			n /= 2
		}
		ordered := p.ordered()
		t.line("{")
		at := 0
		for i := range p.m.Folds {
			f := &p.m.Folds[i]
			typ := ctype(f.Out.Type)
			t.line("\t%s a%d[1] = {%s};", typ, i, startText(f.By, f.Out.Type))
			if slices.Contains(ordered, i) {
				t.line("\t%s *const slab%d = (%s *)(room + %d);", typ, i, typ, at)
				at += t.deep * f.Out.Type.Size()
				t.line("\t__shared__ %s mid%d[%d];", typ, p.folds[i], chunks)
				mids += 8 * chunks
			} else {
				t.line("\t__shared__ %s mid%d[%d];", typ, p.folds[i], block/32)
				mids += 8 * block / 32
			}
		}
		if len(ordered) > 0 {
			t.line("\tfor (u32 base = 0; base < m; base += %d) {", t.deep)
			t.line("\tconst u32 size = m - base < %d ? m - base : %d;", t.deep, t.deep)
		} else {
			t.line("\tconst u32 base = 0, size = m;")
		}
		if n*p.size <= mostCode/4 {
			t.body.WriteString("#pragma unroll 2\n")
		}
		t.line("\tfor (u32 j = t * %d; j < size; j += %d) {", n, n*block)
		t.line("\t\tconst u64 left = size - j;")
		t.line("\t\tconst u32 k = base + j;")
		t.line("\t\tconst %s c = k, e = start + k;", x)
		t.coordinates(t.text, 1, "c", "\t\t")
		t.elements(p, n, "\t\t")
		for i := range p.m.Folds {
			if slices.Contains(ordered, i) {
				t.line("\t\tstore(slab%d + j, z%d, %d);", i, i, n)
				continue
			}
			t.body.WriteString("#pragma unroll\n")
			t.line("\t\tfor (int i = 0; i < %d; i++) a%d[0] = %s(a%d[0], z%d[i]);", n, i, foldNames[p.m.Folds[i].By], i, i)
		}
		t.line("\t}")
		if len(ordered) > 0 {
			t.line("\t__syncthreads();")
			for w, i := range ordered {
				f, name := &p.m.Folds[i], fmt.Sprintf("a%d", i)
				by, l := foldNames[f.By], p.m.lanes(f)
				t.line("\tif (warp == %d) {", w%(block/32))
				t.line("\t\tfor (u32 j = lane; j < size && lane < %d; j += %d) %s[0] = %s(%s[0], slab%d[j]);", l, l, name, by, name, i)
				if chunks > 1 {
					t.line("\t\tif ((base + %d) %% %d == 0 || base + %d >= m) {", t.deep, t.Chunk, t.deep)
					t.halve(name, by, 1, l, "\t\t\t")
					t.line("\t\t\tif (lane == 0) mid%d[base / %d] = %s[0];", p.folds[i], t.Chunk, name)
					t.line("\t\t\t%s[0] = %s;", name, startText(f.By, f.Out.Type))
					t.line("\t\t}")
				}
				t.line("\t}")
			}
			t.line("\t__syncthreads();")
			t.line("\t}")
		}
		for w, i := range ordered {
			f, name := &p.m.Folds[i], fmt.Sprintf("a%d", i)
			by, l := foldNames[f.By], p.m.lanes(f)
			t.line("\tif (warp == %d) {", w%(block/32))
			if chunks > 1 {
				t.line("\t\tfor (u32 j = lane; j < %d && lane < %d; j += %d) %s[0] = %s(%s[0], mid%d[j]);", chunks, l, l, name, by, name, p.folds[i])
				t.line("\t\t__syncwarp();")
			}
			t.halve(name, by, 1, l, "\t\t")
			t.line("\t\tif (lane == 0) mid%d[0] = %s[0];", p.folds[i], name)
			t.line("\t}")
		}
		for i := range p.m.Folds {
			if !slices.Contains(ordered, i) {
				name := fmt.Sprintf("a%d", i)
				t.halve(name, foldNames[p.m.Folds[i].By], 1, 32, "\t")
				t.line("\tif (lane == 0) mid%d[warp] = %s[0];", p.folds[i], name)
			}
		}
		if len(p.m.Folds) > 0 || !t.last(p) {
			t.line("\t__syncthreads();")
		}
		for i, k := range p.folds {
			t.line("\tg%d = mid%d[0];", k, k)
			if !slices.Contains(ordered, i) {
				t.body.WriteString("#pragma unroll\n")
				t.line("\tfor (int i = 1; i < %d; i++) g%d = %s(g%d, mid%d[i]);", block/32, k, foldNames[p.m.Folds[i].By], k, k)
			}
			t.result(p, i, "t == 0")
		}
		t.line("}")
	}
	return mids
}
