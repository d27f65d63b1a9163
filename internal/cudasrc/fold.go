package cudasrc

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// laneBytes is the size of a fold's virtual lanes: 32 of four bytes, 16 of eight, 128 of one.
const laneBytes = 128

var foldNames = [...]string{ir.Sum: "f_sum", ir.Prod: "f_prod", ir.Max: "f_max", ir.Min: "f_min"}

// startText is the value that a fold starts from.
func startText(by ir.Reduction, t dtype.Type) string {
	extreme := map[dtype.Type][2]string{ // the least, the greatest
		dtype.Bool: {"(u8)0", "(u8)1"},
		dtype.I32:  {"(int)0x80000000u", "0x7fffffff"},
		dtype.I64:  {"(i64)0x8000000000000000ull", "0x7fffffffffffffffll"},
		dtype.F32:  {"v_f32((int)0xff800000u)", "v_f32(0x7f800000)"},
		dtype.F64:  {"v_f64((i64)0xfff0000000000000ull)", "v_f64(0x7ff0000000000000ll)"},
	}[t]
	switch by {
	case ir.Max:
		return extreme[0]
	case ir.Min:
		return extreme[1]
	case ir.Prod:
		return "(" + ctype(t) + ")1"
	}
	return "(" + ctype(t) + ")0"
}

// ordered reports whether the order of a fold's steps shows in the result.
func (m *Map) ordered(f *Fold) bool {
	return m.Values[f.Value].Type.IsFloat() && (f.By == ir.Sum || f.By == ir.Prod)
}

// rows writes folds of runs at the end. A row, or a chunk of a longer one, goes to some threads of a warp, each of
// which is one or more of the lanes; these are added by halving, as everywhere. Partial results are rows.
func (w *Writer) rows(m *Map, outer, run int) (u Unit, err error) {
	parts := ceil(run, m.Chunk)
	outs := make([]Operand, len(m.Folds))
	for i := range m.Folds {
		outs[i] = m.Folds[i].Out
		if parts > 1 {
			outs[i] = Operand{Type: outs[i].Type, Buffer: w.Temporary(outer * parts * outs[i].Type.Size())}
		}
	}
	l, err := w.row(m, outer, run, parts, outs)
	if err != nil {
		return u, err
	}
	u.Launches = append(u.Launches, l)
	if parts == 1 {
		return u, nil
	}
	for i := range m.Folds {
		f := &m.Folds[i]
		leaf := outs[i]
		leaf.Dims, leaf.Strides = []int{outer, parts}, []int{parts, 1}
		next, err := w.rows(&Map{Dims: leaf.Dims, Values: []Value{{Type: leaf.Type, Leaf: &leaf}},
			Folds: []Fold{{By: f.By, Out: f.Out}}, Lo: 1, Hi: 2, Chunk: m.Chunk, Rows: m.Rows}, outer, parts)
		if err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, next.Launches...)
	}
	return u, nil
}

func (w *Writer) row(m *Map, outer, run, parts int, outs []Operand) (Launch, error) {
	if min(run, m.Chunk) >= longRow && len(m.Folds) <= slabFolds {
		return w.longRow(m, outer, run, parts, outs)
	}
	t, err := w.begin("rows", m, m.Lo, m.Hi)
	if err != nil {
		return Launch{}, err
	}
	threads := 32
	for i := range m.Folds {
		if m.ordered(&m.Folds[i]) {
			threads = min(threads, laneBytes/outs[i].Type.Size())
		}
	}
	longest := min(run, m.Chunk)
	threads = min(threads, 1<<bits.Len(uint(longest-1)))
	lanes, most := make([]int, len(m.Folds)), 1 // by fold: of one thread
	for i := range lanes {
		lanes[i] = 1
		if m.ordered(&m.Folds[i]) && longest > threads {
			lanes[i] = laneBytes / outs[i].Type.Size() / threads
		}
		most = max(most, lanes[i])
	}
	for i := range outs {
		t.out(ctype(outs[i].Type), fmt.Sprintf("r%d", i), outs[i].arg())
	}
	lines := outer * parts
	t.text.size("lines", lines)
	t.text.size("run", run)
	x := index(t.wide)
	t.line("const u32 t = threadIdx.x %% %du;", threads)
	t.line("const %s line = (%s)blockIdx.x * %du + threadIdx.x / %du;", x, x, block/threads, threads)
	t.line("const bool live = line < lines;")
	t.line("%s o = line;", x)
	if parts > 1 {
		t.divisor("parts", parts, t.wide)
		t.line("const %s from = split(o, parts) * %du;", x, m.Chunk)
		t.line("const u32 end = live ? (u32)(run - from < %du ? run - from : %du) : 0;", m.Chunk, m.Chunk)
	} else {
		t.line("const %s from = 0;", x)
		t.line("const u32 end = live ? (u32)run : 0;")
	}
	t.coordinates(t.text, 0, "o", "")
	t.places(0)
	for i := range m.Folds {
		start := startText(m.Folds[i].By, outs[i].Type)
		t.line("%s a%d[%d] = {%s};", ctype(outs[i].Type), i, lanes[i], strings.TrimSuffix(strings.Repeat(start+", ", lanes[i]), ", "))
	}
	if most == 1 {
		t.body.WriteString("#pragma unroll 4\n")
		t.line("for (u32 k = t; k < end; k += %du) {", threads)
	} else {
		t.line("for (u32 j = t; j < end; j += %du) {", threads*most)
		t.body.WriteString("#pragma unroll\n")
		t.line("for (u32 l = 0; l < %du; l++) {", most)
		t.line("\tconst u32 k = j + l * %du;", threads)
		t.line("\tif (k >= end) break;")
	}
	t.line("\tconst %s c = from + k, e = o * (%s)run + c;", x, x)
	t.coordinates(t.text, 1, "c", "\t")
	t.one("\t", 1)
	for i := range m.Folds {
		l := "0"
		if lanes[i] > 1 {
			l = "l"
		}
		t.line("\ta%d[%s] = %s(a%d[%s], z%d);", i, l, foldNames[m.Folds[i].By], i, l, i)
	}
	t.line("}")
	if most > 1 {
		t.line("}")
	}
	for i := range m.Folds {
		t.halve(fmt.Sprintf("a%d", i), foldNames[m.Folds[i].By], lanes[i], threads, "")
	}
	t.line("if (live && t == 0) {")
	for i := range m.Folds {
		t.line("\tr%d[line] = a%d[0];", i, i)
	}
	t.line("}")
	return w.launch(t.text, ceil(lines, block/threads))
}

// halve folds the lanes, some of each thread's array a, by halves into the first thread's a[0].
func (t *text) halve(a, by string, lanes, threads int, indent string) {
	for h := lanes * threads / 2; h > 0; h /= 2 {
		if h < threads {
			t.line("%s%s[0] = %s(%s[0], shift_down(%s[0], %d, %d));", indent, a, by, a, a, h, threads)
			continue
		}
		for l := range h / threads {
			t.line("%s%s[%d] = %s(%s[%d], %s[%d]);", indent, a, l, by, a, l, a, l+h/threads)
		}
	}
}

// columns writes folds of runs before other axes: a thread adds up one column of a chunk of rows, in order, and
// another kernel the chunks' sums, in order.
func (w *Writer) columns(m *Map, outer, run, inner int) (u Unit, err error) {
	parts := ceil(run, m.Rows)
	outs := make([]Operand, len(m.Folds))
	for i := range m.Folds {
		outs[i] = m.Folds[i].Out
		if parts > 1 {
			outs[i] = Operand{Type: outs[i].Type, Buffer: w.Temporary(outer * parts * inner * outs[i].Type.Size())}
		}
	}
	if n := outer * parts * inner; n < fewColumns && min(run, m.Rows) >= longColumn && len(m.Folds) <= slabFolds && len(m.Folds)*min(inner, 32) <= block {
		l, err := w.longColumns(m, outer, run, inner, parts, outs)
		if err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, l)
		return w.sumParts(u, m, outs, outer, parts, inner)
	}
	t, err := w.begin("columns", m, m.Lo, m.Hi)
	if err != nil {
		return u, err
	}
	for i := range outs {
		t.out(ctype(outs[i].Type), fmt.Sprintf("r%d", i), outs[i].arg())
	}
	n := outer * parts * inner
	t.text.size("n", n)
	t.text.size("run", run)
	t.divisor("inner", inner, t.wide)
	x := index(t.wide)
	t.line("const %s i = %s;", x, thread(t.wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", x)
	t.line("const %s col = split(o, inner);", x)
	if parts > 1 {
		t.divisor("parts", parts, t.wide)
		t.text.size("step", m.Rows)
		t.line("const %s from = split(o, parts) * (%s)step;", x, x)
		t.line("const %s end = run - from < step ? (%s)run : from + (%s)step;", x, x, x)
	} else {
		t.line("const %s from = 0, end = (%s)run;", x, x)
	}
	width := "(u32)inner"
	if t.wide {
		width = "inner"
	}
	t.coordinates(t.text, 0, "o", "")
	t.coordinates(t.text, 2, "col", "")
	t.places(0, 2)
	for i := range m.Folds {
		t.line("%s a%d = %s;", ctype(outs[i].Type), i, startText(m.Folds[i].By, outs[i].Type))
	}
	t.body.WriteString("#pragma unroll 4\n")
	t.line("for (%s k = from; k < end; k++) {", x)
	t.line("\tconst %s e = (o * (%s)run + k) * %s + col;", x, x, width)
	t.coordinates(t.text, 1, "k", "\t")
	t.one("\t", 1)
	for i := range m.Folds {
		t.line("\ta%d = %s(a%d, z%d);", i, foldNames[m.Folds[i].By], i, i)
	}
	t.line("}")
	for i := range m.Folds {
		t.line("r%d[i] = a%d;", i, i)
	}
	l, err := w.launch(t.text, ceil(n, block))
	if err != nil {
		return u, err
	}
	u.Launches = append(u.Launches, l)
	return w.sumParts(u, m, outs, outer, parts, inner)
}

// sumParts adds up the partial results of columns, if there are several.
func (w *Writer) sumParts(u Unit, m *Map, outs []Operand, outer, parts, inner int) (Unit, error) {
	if parts == 1 {
		return u, nil
	}
	for i := range m.Folds {
		l, err := w.parts(m.Folds[i].By, &outs[i], &m.Folds[i].Out, outer, parts, inner)
		if err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, l)
	}
	return u, nil
}

// parts adds up partial results [outer, parts, inner] in order, beginning with the first itself.
func (w *Writer) parts(by ir.Reduction, from, to *Operand, outer, parts, inner int) (Launch, error) {
	t := newText("parts")
	n, wide := outer*inner, outer*parts*inner >= narrow
	x, typ := index(wide), ctype(from.Type)
	t.in(typ, "p", from.arg())
	t.out(typ, "q", to.arg())
	t.size("n", n)
	t.size("parts", parts)
	t.divisor("inner", inner, wide)
	width := "(u32)inner"
	if wide {
		width = "inner"
	}
	t.line("const %s i = %s;", x, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", x)
	t.line("const %s col = split(o, inner);", x)
	t.line("p += (o * (%s)parts) * %s + col;", x, width)
	t.line("%s a = *p;", typ)
	t.line("for (%s k = 1; k < parts; k++) a = %s(a, p[k * %s]);", x, foldNames[by], width)
	t.line("q[i] = a;")
	return w.launch(t, ceil(n, block))
}
