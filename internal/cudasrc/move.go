package cudasrc

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// one is a unit of one launch.
func one(l Launch, err error) (Unit, error) { return Unit{Launches: []Launch{l}}, err }

// Iota writes the index along an axis of [outer, d, inner].
func (w *Writer) Iota(o *Operand, axis int) (Unit, error) {
	outer, d, inner := around(o.Dims, axis, axis+1)
	n := outer * d * inner
	if n == 0 {
		return Unit{}, nil
	}
	t, wide := newText("iota"), n >= narrow
	x := index(wide)
	t.out(ctype(o.Type), "q", o.arg())
	t.size("n", n)
	t.divisor("inner", inner, wide)
	t.divisor("d", d, wide)
	t.line("const %s i = %s;", x, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s e = i;", x)
	t.line("split(e, inner);")
	value := fmt.Sprintf("(%s)split(e, d)", ctype(o.Type))
	if o.Type == dtype.Bool {
		value = "split(e, d) != 0"
	}
	t.line("q[i] = %s;", value)
	return one(w.launch(t, ceil(n, block)))
}

// Piece is an array that goes to some places of another: element (i0, i1, …) to start + Σ i·Steps.
type Piece struct {
	Operand // its elements lie one behind the other
	Start   int
	Steps   []int
}

// Place fills o with a value, then stores pieces, which do not overlap, or adds them one after the other.
func (w *Writer) Place(o *Operand, bits uint64, pieces []Piece, add bool) (u Unit, err error) {
	n, covered := product(o.Dims), 0
	for i := range pieces {
		covered += product(pieces[i].Dims)
	}
	if n > 0 && (add || covered < n) {
		l, err := w.fillBits(o, bits, n)
		if err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, l)
	}
	for i := range pieces {
		p := &pieces[i]
		n := product(p.Dims)
		if n == 0 {
			continue
		}
		t := newText("place")
		to := *o
		to.Dims, to.Strides, to.Offset = p.Dims, p.Steps, o.Offset+p.Start*o.Type.Size()
		k := newWalk(p.Dims, 0, len(p.Dims), []*view{{"q", &to}})
		x := index(k.wide)
		t.in(ctype(o.Type), "p", p.arg())
		t.out(ctype(o.Type), "q", to.arg())
		t.size("n", n)
		t.line("const %s i = %s;", x, thread(k.wide))
		t.line("if (i >= n) return;")
		k.coordinates(t, 1, "i", "")
		at := k.offset(t, 0, 1)
		if at == "" {
			at = "0"
		}
		t.line("%s *y = q + (%s);", ctype(o.Type), at)
		if add {
			t.line("*y = f_sum(*y, p[i]);")
		} else {
			t.line("*y = p[i];")
		}
		l, err := w.launch(t, ceil(n, block))
		if err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, l)
	}
	return u, nil
}

// fillBits stores a value, given by its bits, n times.
func (w *Writer) fillBits(o *Operand, bits uint64, n int) (Launch, error) {
	t := newText("fill")
	wide := n >= narrow
	t.out(ctype(o.Type), "q", o.arg())
	t.size("n", n)
	t.param("u64 b", Arg{Bits: bits})
	t.line("const %s i = %s;", index(wide), thread(wide))
	t.line("if (i < n) q[i] = %s;", splat(o.Type, "b"))
	return w.launch(t, ceil(n, block))
}

// word is the widest unit that arrays of rows of n bytes, at the given offsets, can be copied by.
func word(n int, offsets ...int) (typ string, bytes int) {
	for _, o := range offsets {
		n |= o
	}
	switch {
	case n%16 == 0:
		return "pack<u64, 2>", 16
	case n%8 == 0:
		return "u64", 8
	case n%4 == 0:
		return "u32", 4
	case n%2 == 0:
		return "u16", 2
	}
	return "u8", 1
}

// Take gathers slices of x along an axis: [outer, d, inner] at indices idx to [outer, count, inner]. A bad index
// gives nothing. For rows, the indices are [outer, count], for elements [outer, count, inner].
func (w *Writer) Take(o, x, idx *Operand, axis int, of ir.Indexed) (Unit, error) {
	outer, d, inner := around(x.Dims, axis, axis+1)
	count, together, at := product(idx.Dims), inner*x.Type.Size(), "j"
	switch of {
	case ir.ForRows:
		count, at = product(idx.Dims[axis:]), "o * count + j"
	case ir.ForElements:
		count, together, at = idx.Dims[axis], x.Type.Size(), "i"
	}
	typ, bytes := word(together, x.Offset, x.Align, o.Offset, o.Align)
	inner = inner * x.Type.Size() / bytes
	n := outer * count * inner
	if n == 0 {
		return Unit{}, nil
	}
	t, wide := newText("take"), n >= narrow || outer*d*inner >= narrow
	i := index(wide)
	t.in(typ, "p", x.arg())
	t.in(ctype(idx.Type), "at", idx.arg())
	t.out(typ, "q", o.arg())
	t.size("n", n)
	t.size("d", d)
	t.divisor("inner", inner, wide)
	t.divisor("count", count, wide)
	t.line("const %s i = %s;", i, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", i)
	t.line("const %s c = split(o, inner);", i)
	t.line("const %s j = split(o, count);", i)
	t.line("const i64 k = at[%s];", strings.ReplaceAll(at, "count", plain("count", wide)))
	t.line("if ((u64)k < d) q[i] = p[(o * (%s)d + (%s)k) * %s + c];", i, i, plain("inner", wide))
	return one(w.launch(t, ceil(n, block)))
}

// plain is the size of a divisor.
func plain(name string, wide bool) string {
	if wide {
		return name
	}
	return "(u32)" + name
}

// scatterColumns is the number of columns that a thread adds up at once.
const scatterColumns = 4

// scatterChunk is how many indices are sorted at once. Only tests change it.
var scatterChunk = MaxSort

// Scatter adds slices of upd, [outer, count, inner], to x or, where that is nil, zeros, [outer, d, inner], at indices idx along an axis, in
// order. Few slices are made by a block each, which looks through the indices for its own; for many the indices are sorted. For
// rows and elements, the indices are as Take's.
func (w *Writer) Scatter(o, idx, upd, x *Operand, axis int, of ir.Indexed) (Unit, error) {
	outer, d, inner := around(o.Dims, axis, axis+1)
	count, n := product(idx.Dims), outer*d
	if n*inner == 0 {
		return Unit{}, nil
	}
	switch of {
	case ir.ForRows:
		return w.scatterEach(o, idx, upd, x, outer, d, inner, product(idx.Dims[axis:]), 1)
	case ir.ForElements:
		return w.scatterEach(o, idx, upd, x, outer, d, inner, idx.Dims[axis], inner)
	}
	if n > block && n*ceil(count, block) > 2048 {
		return w.scatterSorted(o, idx, upd, x, outer, d, inner)
	}
	t := newText("scatter")
	typ := ctype(o.Type)
	t.in(ctype(idx.Type), "at", idx.arg())
	t.in(typ, "p", upd.arg())
	t.out(typ, "q", o.arg())
	t.size("count", count)
	t.size("d", d)
	t.size("inner", inner)
	t.line("__shared__ u32 found[%d], of[%d];", block, block/32)
	from := t.addedTo(typ, x)
	t.line("const u32 t = threadIdx.x, lane = t %% 32, warp = t / 32;")
	t.line("const u64 o = blockIdx.x / d, k = blockIdx.x - o * d;")
	t.line("for (u64 c0 = 0; c0 < inner; c0 += %du) {", block*scatterColumns)
	t.line("\t%s a[%d];", typ, scatterColumns)
	t.line("\tfor (int l = 0; l < %d; l++)", scatterColumns)
	t.line("\t\ta[l] = c0 + t + l * %d < inner ? %s : 0;", block, from(fmt.Sprintf("(u64)blockIdx.x * inner + c0 + t + l * %d", block)))
	t.line("\tfor (u64 j0 = 0; j0 < count; j0 += %du) {", block)
	t.line("\t\tconst u64 j = j0 + t;")
	t.line("\t\tconst bool mine = j < count && (u64)(i64)at[j] == k;")
	t.line("\t\tconst u32 m = __ballot_sync(0xffffffffu, mine);")
	t.line("\t\tif (lane == 0) of[warp] = __popc(m);")
	t.line("\t\t__syncthreads();")
	t.line("\t\tu32 before = 0, all = 0;")
	t.line("\t\tfor (u32 w = 0; w < %du; w++) {", block/32)
	t.line("\t\t\tif (w == warp) before = all;")
	t.line("\t\t\tall += of[w];")
	t.line("\t\t}")
	t.line("\t\tif (mine) found[before + __popc(m & ((1u << lane) - 1))] = t;")
	t.line("\t\t__syncthreads();")
	t.line("\t\tfor (u32 i = 0; i < all; i++) {")
	t.line("\t\t\tconst %s *x = p + (o * count + j0 + found[i]) * inner + c0 + t;", typ)
	t.body.WriteString("#pragma unroll\n")
	t.line("\t\t\tfor (int l = 0; l < %d; l++)", scatterColumns)
	t.line("\t\t\t\tif (c0 + t + l * %d < inner) a[l] = f_sum(a[l], x[l * %d]);", block, block)
	t.line("\t\t}")
	t.line("\t}")
	t.line("\tfor (int l = 0; l < %d; l++)", scatterColumns)
	t.line("\t\tif (c0 + t + l * %d < inner) q[(u64)blockIdx.x * inner + c0 + t + l * %d] = a[l];", block, block)
	t.line("}")
	return one(w.launch(t, n))
}

// addedTo gives what sums begin with, by an element's number: that of x, 0 where x is nil.
func (t *text) addedTo(typ string, x *Operand) func(i string) string {
	if x == nil {
		return func(string) string { return typ + "(0)" }
	}
	t.in(typ, "base", x.arg())
	return func(i string) string { return "base[" + i + "]" }
}

// scatterEach has a thread for each element, which looks through the indices of its place: those of a warp are mostly the same, or side
// by side. The indices are [outer, count, columns].
func (w *Writer) scatterEach(o, idx, upd, x *Operand, outer, d, inner, count, columns int) (Unit, error) {
	n := outer * d * inner
	t, wide := newText("scattereach"), max(n, outer*count*inner) >= narrow
	i, typ := index(wide), ctype(o.Type)
	t.in(ctype(idx.Type), "at", idx.arg())
	t.in(typ, "p", upd.arg())
	t.out(typ, "q", o.arg())
	t.size("n", n)
	t.size("count", count)
	t.divisor("inner", inner, wide)
	t.divisor("d", d, wide)
	from := t.addedTo(typ, x)
	t.line("const %s i = %s;", i, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", i)
	t.line("const %s c = split(o, inner), k = split(o, d);", i)
	step := "1"
	if columns > 1 {
		step = plain("inner", wide)
		t.line("at += c;")
	}
	t.line("at += o * (%s)count * %s, p += o * (%s)count * %s + c;", i, step, i, plain("inner", wide))
	t.line("%s a = %s;", typ, from("i"))
	t.body.WriteString("#pragma unroll 4\n")
	t.line("for (%s j = 0; j < count; j++)", i)
	t.line("\tif ((u64)(i64)at[j * %s] == k) a = f_sum(a, p[j * %s]);", step, plain("inner", wide))
	t.line("q[i] = a;")
	return one(w.launch(t, ceil(n, block)))
}

// scatterSorted sorts the indices, some at a time, finds where each slice's begin, and has a thread add up an element.
func (w *Writer) scatterSorted(o, idx, upd, x *Operand, outer, d, inner int) (u Unit, err error) {
	count := product(idx.Dims)
	typ, at := ctype(o.Type), ctype(idx.Type)
	size := min(count, scatterChunk)
	order := &Operand{Type: dtype.I64, Buffer: w.Temporary(8 * size)}
	starts := &Operand{Type: dtype.I64, Buffer: w.Temporary(8 * (d + 1))}
	add := func(t *text, threads int) {
		var l Launch
		if err == nil {
			l, err = w.launch(t, ceil(threads, block))
			u.Launches = append(u.Launches, l)
		}
	}
	for from := 0; from < count && err == nil; from += size {
		size := min(size, count-from)
		part := *idx
		part.Offset += from * idx.Type.Size()
		part.Dims = []int{size}
		var sorted Unit
		if sorted, err = w.ArgSort(order, &part, false); err != nil {
			return u, err
		}
		u.Launches = append(u.Launches, sorted.Launches...)

		t := newText("starts")
		t.in(at, "at", part.arg())
		t.in("i64", "order", order.arg())
		t.out("i64", "starts", starts.arg())
		t.size("n", size)
		t.size("d", d)
		t.line("const u64 k = %s;", thread(true))
		t.line("if (k > d) return;")
		t.line("u32 lo = 0, hi = (u32)n;")
		t.line("while (lo < hi) {")
		t.line("\tconst u32 m = (lo + hi) / 2;")
		t.line("\tif ((i64)at[order[m]] < (i64)k) lo = m + 1;")
		t.line("\telse hi = m;")
		t.line("}")
		t.line("starts[k] = lo;")
		add(t, d+1)

		n := outer * d * inner
		wide := n >= narrow || outer*count*inner >= narrow
		i := index(wide)
		t = newText("scattersum")
		t.in("i64", "order", order.arg())
		t.in("i64", "starts", starts.arg())
		t.in(typ, "p", upd.arg())
		t.out(typ, "q", o.arg())
		t.size("n", n)
		t.size("count", count)
		t.size("from", from)
		start := t.addedTo(typ, x)
		t.divisor("inner", inner, wide)
		t.divisor("d", d, wide)
		t.line("const %s i = %s;", i, thread(wide))
		t.line("if (i >= n) return;")
		t.line("%s o = i;", i)
		t.line("const %s c = split(o, inner), k = split(o, d);", i)
		t.line("const u32 end = (u32)starts[k + 1];")
		t.line("const %s *x = p + (o * (%s)count + (%s)from) * %s + c;", typ, i, i, plain("inner", wide))
		t.line("%s a = from == 0 ? %s : q[i];", typ, start("i"))
		t.body.WriteString("#pragma unroll 4\n")
		t.line("for (u32 m = (u32)starts[k]; m < end; m++) a = f_sum(a, x[(%s)order[m] * %s]);", i, plain("inner", wide))
		t.line("q[i] = a;")
		add(t, n)
	}
	return u, err
}

// soFar is the text of what came so far, a, with the next element x. Where sums begin anew, anew says so; it may be "".
func soFar(r ir.Reduction, a, x, anew string) string {
	if anew != "" {
		return fmt.Sprintf("%s ? %s : f_sum(%[2]s, %s)", anew, x, a)
	}
	switch r {
	case ir.Prod:
		return fmt.Sprintf("f_prod(%s, %s)", x, a)
	case ir.Max:
		return fmt.Sprintf("%[2]s > %[1]s || %[2]s != %[2]s ? %[2]s : %[1]s", a, x)
	case ir.Min:
		return fmt.Sprintf("%[2]s < %[1]s || %[2]s != %[2]s ? %[2]s : %[1]s", a, x)
	}
	return fmt.Sprintf("f_sum(%s, %s)", x, a)
}

// Cumulate is a sum, a product or an extreme of what came so far along an axis, from the first element itself, in order: a thread goes along each
// column. Sums begin anew where the Bools anew say so, unless that is nil.
func (w *Writer) Cumulate(o, x, anew *Operand, axis int, r ir.Reduction, reverse bool) (Unit, error) {
	outer, d, inner := around(x.Dims, axis, axis+1)
	n := outer * inner
	if n*d == 0 {
		return Unit{}, nil
	}
	if inner == 1 && anew == nil {
		return w.cumulateRows(o, x, outer, d, r, reverse)
	}
	t, wide := newText("cum"+r.String()), n*d >= narrow
	i, typ := index(wide), ctype(o.Type)
	t.in(typ, "p", x.arg())
	t.out(typ, "q", o.arg())
	t.size("n", n)
	t.size("d", d)
	t.divisor("inner", inner, wide)
	t.number("first", map[bool]int{false: 0, true: (d - 1) * inner}[reverse])
	t.number("step", map[bool]int{false: inner, true: -inner}[reverse])
	t.line("const %s i = %s;", i, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", i)
	t.line("const %s c = split(o, inner);", i)
	t.line("const i64 at = (i64)(o * (%s)d) * (i64)%s + c + first;", i, plain("inner", wide))
	t.line("p += at, q += at;")
	since := ""
	if anew != nil {
		t.in("u8", "anew", anew.arg())
		t.line("anew += at;")
		since = "anew[(i64)(k + j) * step]"
	}
	t.line("%s a = p[0], x[%d];", typ, cumAhead)
	t.line("q[0] = a;")
	t.line("for (u64 k = 1; k < d; k += %d) {", cumAhead)
	t.line("\tconst u64 left = d - k;")
	t.line("\tloads(x, p + (i64)k * step, step, left);")
	t.body.WriteString("#pragma unroll\n")
	t.line("\tfor (int j = 0; j < %d; j++)", cumAhead)
	t.line("\t\tif (j < left) q[(i64)(k + j) * step] = a = %s;", soFar(r, "a", "x[j]", since))
	t.line("}")
	return one(w.launch(t, ceil(n, block)))
}

// cumAhead is how many elements are read before they are gone through, one after the other.
const cumAhead = 8

// cumulateRows goes along the last axis: a block brings parts of some rows to shared memory, side by side, where
// a thread goes along each row.
func (w *Writer) cumulateRows(o, x *Operand, outer, d int, r ir.Reduction, reverse bool) (Unit, error) {
	rows := 1
	for rows < 32 && rows*2 <= outer {
		rows *= 2
	}
	across := 2048 / rows
	t, typ := newText("cum"+r.String()+"rows"), ctype(o.Type)
	t.in(typ, "p", x.arg())
	t.out(typ, "q", o.arg())
	t.size("rows", outer)
	t.size("d", d)
	t.number("first", map[bool]int{false: 0, true: d - 1}[reverse])
	t.number("step", map[bool]int{false: 1, true: -1}[reverse])
	t.line("__shared__ %s part[%d][%d];", typ, rows, across+1)
	t.line("const u32 t = threadIdx.x;")
	t.line("const u64 row0 = (u64)blockIdx.x * %d;", rows)
	t.line("p += (i64)(row0 * d) + first, q += (i64)(row0 * d) + first;")
	t.line("%s a = 0;", typ)
	t.line("for (u64 base = 0; base < d; base += %d) {", across)
	t.line("\tconst u32 size = d - base < %d ? (u32)(d - base) : %d;", across, across)
	t.line("\tfor (u32 k = t; k < %d; k += %d) {", rows*across, block)
	t.line("\t\tconst u32 r = k / %d, c = k %% %d;", across, across)
	t.line("\t\tif (c < size && row0 + r < rows) part[r][c] = p[(i64)(r * d) + (i64)(base + c) * step];")
	t.line("\t}")
	t.line("\t__syncthreads();")
	t.line("\tif (t < %d && row0 + t < rows) {", rows)
	t.line("\t\t%s x[%d];", typ, cumAhead)
	t.line("\t\tfor (u32 c = 0; c < size; c += %d) {", cumAhead)
	t.line("\t\t\tconst u64 left = size - c;")
	t.line("\t\t\tloads(x, part[t] + c, 1, left);")
	t.body.WriteString("#pragma unroll\n")
	t.line("\t\t\tfor (int j = 0; j < %d; j++)", cumAhead)
	t.line("\t\t\t\tif (j < left) part[t][c + j] = a = base + c + j == 0 ? x[j] : %s;", soFar(r, "a", "x[j]", ""))
	t.line("\t\t}")
	t.line("\t}")
	t.line("\t__syncthreads();")
	t.line("\tfor (u32 k = t; k < %d; k += %d) {", rows*across, block)
	t.line("\t\tconst u32 r = k / %d, c = k %% %d;", across, across)
	t.line("\t\tif (c < size && row0 + r < rows) q[(i64)(r * d) + (i64)(base + c) * step] = part[r][c];")
	t.line("\t}")
	t.line("\t__syncthreads();")
	t.line("}")
	return one(w.launch(t, ceil(outer, rows)))
}

// ArgReduce finds the first extreme of each run [outer, run, inner], 0 if that is empty; a NaN is more extreme than
// any number. Runs at the end go to a warp each, others to a thread.
func (w *Writer) ArgReduce(o, x *Operand, lo, hi int, by ir.Reduction) (Unit, error) {
	outer, run, inner := around(x.Dims, lo, hi)
	n := outer * inner
	switch {
	case n == 0:
		return Unit{}, nil
	case run == 0:
		return one(w.fillBits(o, 0, n))
	}
	t, wide := newText("arg"), n*run >= narrow
	i, typ := index(wide), ctype(x.Type)
	threads := 32
	if inner > 1 {
		threads = 1
	}
	more := ">"
	if by == ir.ArgMin {
		more = "<"
	}
	// beats: x comes before y, the numbers at i and j.
	nan := ""
	if x.Type.IsFloat() {
		nan = "\tif (x != x || y != y) return x != x && (y == y || i < j);\n"
	}
	fmt.Fprintf(&t.above, "\nADJ bool beats_@(%s x, %s i, %s y, %s j) {\n%s\treturn x %s y || (x == y && i < j);\n}\n", typ, i, typ, i, nan, more)
	t.in(typ, "p", x.arg())
	t.out("i64", "q", o.arg())
	t.size("n", n)
	t.size("run", run)
	t.divisor("inner", inner, wide)
	t.line("const %s line = (%s)blockIdx.x * %du + threadIdx.x / %du;", i, i, block/threads, threads)
	t.line("const u32 t = threadIdx.x %% %du;", threads)
	t.line("const bool live = line < n;")
	t.line("%s o = live ? line : 0;", i)
	t.line("const %s c = split(o, inner);", i)
	t.line("p += (o * (%s)run) * %s + c;", i, plain("inner", wide))
	t.line("%s at = t < run ? t : 0;", i)
	t.line("%s best = p[at * %s];", typ, plain("inner", wide))
	t.line("for (%s k = at + %du; k < run; k += %du) {", i, threads, threads)
	t.line("\tconst %s x = p[k * %s];", typ, plain("inner", wide))
	t.line("\tif (beats_@(x, k, best, at)) best = x, at = k;")
	t.line("}")
	if threads > 1 {
		t.line("for (int h = 16; h > 0; h /= 2) {")
		t.line("\tconst %s x = shift_down(best, h, 32);", typ)
		t.line("\tconst %s k = (%s)shift_down((i64)at, h, 32);", i, i)
		t.line("\tif (beats_@(x, k, best, at)) best = x, at = k;")
		t.line("}")
	}
	t.line("if (live && t == 0) q[line] = (i64)at;")
	return one(w.launch(t, ceil(n, block/threads)))
}

// checkBlock bounds the indices that one block checks.
const checkBlock = 1 << 13

// Check looks for indices that are not in 0 … size-1: 1 + the place of the first one, and the index itself, go to two
// words of the status buffer. The first word's highest bit says that they are there to stay, whatever later checks find.
func (w *Writer) Check(idx *Operand, size int, status Arg) (u Unit, err error) {
	n := product(idx.Dims)
	if n == 0 {
		return u, nil
	}
	alone := n <= checkBlock
	const stay = "if (status[0] != 0 && !(status[0] >> 63)) status[1] = (u64)(i64)at[status[0] - 1], status[0] |= 1ull << 63;"
	t := newText("check")
	t.in(ctype(idx.Type), "at", idx.arg())
	t.out("u64", "status", status)
	t.size("n", n)
	t.size("size", size)
	t.line("if (status[0] >> 63) return;")
	t.line("for (u64 i = %s; i < n; i += (u64)gridDim.x * %d) {", thread(true), block)
	t.line("\tif ((u64)(i64)at[i] < size) continue;")
	t.line("\tfor (u64 old = *status; old == 0 || old > i + 1;) {")
	t.line("\t\tconst u64 was = atomicCAS(status, old, i + 1);")
	t.line("\t\tif (was == old) break;")
	t.line("\t\told = was;")
	t.line("\t}")
	t.line("}")
	if alone {
		t.line("__syncthreads();")
		t.line("if (threadIdx.x == 0) " + stay)
		return one(w.launch(t, 1))
	}
	l, err := w.launch(t, min(1024, ceil(n, block)))
	if err != nil {
		return u, err
	}
	t = newText("checked")
	t.in(ctype(idx.Type), "at", idx.arg())
	t.out("u64", "status", status)
	t.line("if (threadIdx.x == 0) " + stay)
	last, err := w.launch(t, 1)
	return Unit{Launches: []Launch{l, last}}, err
}

// Windows is what a Fold folds: [outer, Outs…, Wins…, inner] laid over one another to [outer, In…, inner].
type Windows struct {
	Outer, Inner     int
	In, Outs, Wins   []int // by axis
	Stride, Dilation []int
	X, Y             Operand
}

// Fold adds up what windows have for each element, in the order of the windows' elements.
func (w *Writer) Fold(f *Windows) (Unit, error) {
	axes := len(f.In)
	n := f.Outer * product(f.In) * f.Inner
	if n == 0 {
		return Unit{}, nil
	}
	t, typ := newText("fold"), ctype(f.Y.Type)
	wide := n >= narrow || f.Outer*product(f.Outs)*product(f.Wins)*f.Inner >= narrow
	x, s := index(wide), signed(wide)
	t.in(typ, "p", f.X.arg())
	t.out(typ, "q", f.Y.arg())
	t.size("n", n)
	t.divisor("inner", f.Inner, wide)
	t.line("const %s i = %s;", x, thread(wide))
	t.line("if (i >= n) return;")
	t.line("%s o = i;", x)
	t.line("const %s c = split(o, inner);", x)
	for a := axes - 1; a >= 0; a-- {
		name := fmt.Sprintf("in%d", a)
		t.divisor(name, f.In[a], wide)
		t.line("const %s h%d = (%s)split(o, %s);", s, a, s, name)
	}
	t.line("%s a = 0;", typ)
	place, element := "o", "0"
	indent := ""
	for a := range axes {
		outs, wins := fmt.Sprintf("out%d", a), fmt.Sprintf("win%d", a)
		t.size(outs, f.Outs[a])
		t.size(wins, f.Wins[a])
		t.line("%sfor (%s w%d = 0; w%d < (%s)%s; w%d++) {", indent, s, a, a, s, wins, a)
		indent += "\t"
		t.line("%sconst %s f%d = h%d - w%d * %d, o%d = f%d / %d;", indent, s, a, a, a, f.Dilation[a], a, a, f.Stride[a])
		t.line("%sif (f%d < 0 || f%d %% %d != 0 || o%d >= (%s)%s) continue;", indent, a, a, f.Stride[a], a, s, outs)
		place = fmt.Sprintf("(%s * (%s)%s + o%d)", place, x, outs, a)
		element = fmt.Sprintf("(%s * (%s)%s + w%d)", element, x, wins, a)
	}
	t.size("window", product(f.Wins))
	t.line("%sa = f_sum(a, p[(%s * (%s)window + %s) * %s + c]);", indent, place, x, element, plain("inner", wide))
	for range axes {
		indent = indent[1:]
		t.line("%s}", indent)
	}
	t.line("q[i] = a;")
	return one(w.launch(t, ceil(n, block)))
}
