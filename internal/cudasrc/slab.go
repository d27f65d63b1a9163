package cudasrc

import "fmt"

// Where few threads would add up long runs, a block computes a slab of elements into shared memory, and some of its
// threads then add these up in the order that is everywhere the same.

const (
	// longRow is the length from which a row has a block to itself.
	longRow = 512
	// Columns as few and long as this are added up from slabs.
	fewColumns = 1 << 14
	longColumn = 32
	// slabBytes is shared memory for folded values: several blocks fit a multiprocessor's.
	slabBytes = 16 << 10
	slabFolds = 16 // of which the smallest slabs fit
)

// lanes is the number of virtual lanes of f: those of its type where their order shows.
func (m *Map) lanes(f *Fold) int {
	if m.ordered(f) {
		return laneBytes / m.Values[f.Value].Type.Size()
	}
	return 32
}

// slab makes room in shared memory for some elements of each folded value, and returns how many.
func (t *mapText) slab() int {
	bytes := 0
	for i := range t.m.Folds {
		bytes += t.m.Values[t.m.Folds[i].Value].Type.Size()
	}
	n := 4096
	for n > block && n*bytes > slabBytes {
		n /= 2
	}
	for i := range t.m.Folds {
		t.line("__shared__ __align__(16) %s slab%d[%d];", ctype(t.m.Values[t.m.Folds[i].Value].Type), i, n)
	}
	return n
}

// longRow writes rows that have a block each. The warps fold the slab, lane by lane, one value each.
func (w *Writer) longRow(m *Map, outer, run, parts int, outs []Operand) (Launch, error) {
	t, err := w.begin("longrows", m, m.Lo, m.Hi)
	if err != nil {
		return Launch{}, err
	}
	for i := range outs {
		t.out(ctype(outs[i].Type), fmt.Sprintf("r%d", i), outs[i].arg())
	}
	t.text.size("run", run)
	n := t.width(1)
	for run%n != 0 {
		n /= 2
	}
	deep := t.slab()
	x := index(t.wide)
	t.line("const u32 t = threadIdx.x, lane = t %% 32, warp = t / 32;")
	t.line("%s o = blockIdx.x;", x)
	if parts > 1 {
		t.divisor("parts", parts, t.wide)
		t.line("const %s from = split(o, parts) * %du;", x, m.Chunk)
		t.line("const u32 end = run - from < %du ? (u32)(run - from) : %du;", m.Chunk, m.Chunk)
	} else {
		t.line("const %s from = 0;", x)
		t.line("const u32 end = (u32)run;")
	}
	t.line("const %s start = o * (%s)run + from;", x, x)
	t.coordinates(t.text, 0, "o", "")
	for i := range m.Folds {
		t.line("%s a%d = %s;", ctype(outs[i].Type), i, startText(m.Folds[i].By, outs[i].Type))
	}
	t.line("for (u32 base = 0; base < end; base += %du) {", deep)
	t.line("\tconst u32 size = end - base < %du ? end - base : %du;", deep, deep)
	if n*t.size <= mostCode/4 {
		t.body.WriteString("#pragma unroll 2\n")
	}
	t.line("\tfor (u32 k = t * %du; k < size; k += %du) {", n, n*block)
	t.line("\t\tconst u64 left = size - k;")
	t.line("\t\tconst %s c = from + base + k, e = start + base + k;", x)
	t.coordinates(t.text, 1, "c", "\t\t")
	t.many(n, "e", "\t\t")
	for i := range m.Folds {
		t.line("\t\tstore(slab%d + k, z%d, %d);", i, i, n)
	}
	t.line("\t}")
	t.line("\t__syncthreads();")
	for i := range m.Folds {
		l := m.lanes(&m.Folds[i])
		t.line("\tif (warp == %d && lane < %d)", i%(block/32), l)
		t.line("\t\tfor (u32 k = lane; k < size; k += %d) a%d = %s(a%d, slab%d[k]);", l, i, foldNames[m.Folds[i].By], i, i)
	}
	t.line("\t__syncthreads();")
	t.line("}")
	for i := range m.Folds {
		l, f := m.lanes(&m.Folds[i]), foldNames[m.Folds[i].By]
		t.line("if (warp == %d) {", i%(block/32))
		for h := l / 2; h > 0; h /= 2 {
			t.line("\ta%d = %s(a%d, shift_down(a%d, %d, %d));", i, f, i, i, h, l)
		}
		t.line("\tif (lane == 0) r%d[blockIdx.x] = a%d;", i, i)
		t.line("}")
	}
	return w.launch(t.text, outer*parts)
}

// longColumns writes folds of few columns: a block makes up to 32 of one chunk of rows. Threads fold the slab, one
// column of one value each.
func (w *Writer) longColumns(m *Map, outer, run, inner, parts int, outs []Operand) (Launch, error) {
	t, err := w.begin("longcolumns", m, m.Lo, m.Hi)
	if err != nil {
		return Launch{}, err
	}
	for i := range outs {
		t.out(ctype(outs[i].Type), fmt.Sprintf("r%d", i), outs[i].arg())
	}
	cols := min(inner, 32)
	tiles := ceil(inner, cols)
	t.text.size("run", run)
	t.text.size("inner", inner)
	t.divisor("tiles", tiles, t.wide)
	deep := t.slab() / cols // rows
	x := index(t.wide)
	t.line("const u32 t = threadIdx.x;")
	t.line("%s o = blockIdx.x;", x)
	t.line("const %s col0 = split(o, tiles) * %d;", x, cols)
	t.line("const u32 across = inner - col0 < %d ? (u32)(inner - col0) : %d;", cols, cols)
	t.line("const %s line = o;", x)
	if parts > 1 {
		t.divisor("parts", parts, t.wide)
		t.text.size("step", m.Rows)
		t.line("const %s from = split(o, parts) * (%s)step;", x, x)
		t.line("const %s end = run - from < step ? (%s)run : from + (%s)step;", x, x, x)
	} else {
		t.line("const %s from = 0, end = (%s)run;", x, x)
	}
	t.coordinates(t.text, 0, "o", "")
	t.places(0)
	for i := range m.Folds {
		t.line("%s a%d = %s;", ctype(outs[i].Type), i, startText(m.Folds[i].By, outs[i].Type))
	}
	t.line("for (%s base = from; base < end; base += %d) {", x, deep)
	t.line("\tconst u32 rows = end - base < %d ? (u32)(end - base) : %d;", deep, deep)
	if t.size <= mostCode/4 {
		t.body.WriteString("#pragma unroll 4\n")
	}
	t.line("\tfor (u32 k = t; k < rows * %d; k += %d) {", cols, block)
	t.line("\t\tconst u32 row = k / %d, col1 = k %% %d;", cols, cols)
	t.line("\t\tif (col1 >= across) continue;")
	t.line("\t\tconst %s r = base + row, col = col0 + col1, e = (o * (%s)run + r) * (%s)inner + col;", x, x, x)
	t.coordinates(t.text, 1, "r", "\t\t")
	t.coordinates(t.text, 2, "col", "\t\t")
	t.one("\t\t", 1, 2)
	for i := range m.Folds {
		t.line("\t\tslab%d[k] = z%d;", i, i)
	}
	t.line("\t}")
	t.line("\t__syncthreads();")
	for i := range m.Folds {
		t.line("\tif (t >= %d && t < %d + across)", i*cols, i*cols)
		t.line("\t\tfor (u32 k = t - %d; k < rows * %d; k += %d) a%d = %s(a%d, slab%d[k]);", i*cols, cols, cols, i, foldNames[m.Folds[i].By], i, i)
	}
	t.line("\t__syncthreads();")
	t.line("}")
	for i := range m.Folds {
		t.line("if (t >= %d && t < %d + across) r%d[line * (%s)inner + col0 + t - %d] = a%d;", i*cols, i*cols, i, x, i*cols, i)
	}
	return w.launch(t.text, outer*parts*tiles)
}
