package cudasrc

import (
	"fmt"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
)

// MaxSort is the length of the longest rows that are sorted.
const MaxSort = 1 << 16

// rankText is x's place in the order of all as an integer without sign: NaN last, -0 beside 0.
func rankText(t dtype.Type, descending bool) string {
	flip := ""
	if descending {
		flip = "k = ~k;"
	}
	switch t {
	case dtype.F32:
		return "if (x != x) return ~0ull;\n\tu64 k = (u64)(u32)v_bits(v_add(x, 0.0f)) << 32;\n\tk = k >> 63 ? ~k : k | 1ull << 63;\n\t" + flip + "\n\treturn k;"
	case dtype.F64:
		return "if (x != x) return ~0ull;\n\tu64 k = (u64)v_bits(v_add(x, 0.0));\n\tk = k >> 63 ? ~k : k | 1ull << 63;\n\t" + flip + "\n\treturn k;"
	}
	return "u64 k = (u64)(i64)x ^ 1ull << 63;\n\t" + flip + "\n\treturn k;"
}

// ArgSort is the indices that sort each row of x, stably, NaN last. An element's place is the number of those before
// it, which a thread counts: no rows but short ones are sorted fast.
func (w *Writer) ArgSort(o, x *Operand, descending bool) (Unit, error) {
	rows, n, _ := around(x.Dims, len(x.Dims)-1, len(x.Dims))
	if rows*n == 0 {
		return Unit{}, nil
	}
	if n > MaxSort {
		return Unit{}, &Unsupported{"ArgSort", fmt.Sprintf("rows of more than %d are sorted on the CPU", MaxSort)}
	}
	t, typ := newText("argsort"), ctype(x.Type)
	fmt.Fprintf(&t.above, "\nADJ u64 rank_@(%s x) {\n\t%s\n}\n", typ, rankText(x.Type, descending))
	t.in(typ, "p", x.arg())
	t.out("i64", "q", o.arg())
	t.size("n", n)
	t.size("parts", ceil(n, block))
	t.line("__shared__ u64 part[%d];", block)
	t.line("const u64 row = blockIdx.x / parts, start = (blockIdx.x - row * parts) * %d;", block)
	t.line("const u32 t = threadIdx.x, m = (u32)n, i = (u32)start + t;")
	t.line("p += row * n, q += row * n;")
	t.line("const u64 mine = i < m ? rank_@(p[i]) : 0;")
	t.line("u32 place = 0;")
	t.line("for (u32 base = 0; base < m; base += %d) {", block)
	t.line("\tpart[t] = base + t < m ? rank_@(p[base + t]) : 0;")
	t.line("\t__syncthreads();")
	t.line("\tconst u32 size = m - base < %d ? m - base : %d;", block, block)
	t.line("\tfor (u32 j = 0; j < size; j++) place += part[j] < mine || (part[j] == mine && base + j < i);")
	t.line("\t__syncthreads();")
	t.line("}")
	t.line("if (i < m) q[place] = i;")
	return one(w.launch(t, rows*ceil(n, block)))
}

// Recurrence is y[0] = b[0], y[k] = a[k]·y[k-1] + b[k] along each row, b[k] after a 0.
func (w *Writer) Recurrence(o, a, b *Operand) (Unit, error) {
	rows, n, _ := around(a.Dims, len(a.Dims)-1, len(a.Dims))
	if rows*n == 0 {
		return Unit{}, nil
	}
	t, typ := newText("recurrence"), ctype(a.Type)
	t.in(typ, "a", a.arg())
	t.in(typ, "b", b.arg())
	t.out(typ, "q", o.arg())
	t.size("rows", rows)
	t.size("n", n)
	t.line("const u64 row = %s;", thread(true))
	t.line("if (row >= rows) return;")
	t.line("a += row * n, b += row * n, q += row * n;")
	t.line("%s s = q[0] = b[0];", typ)
	t.line("for (u64 k = 1; k < n; k++) q[k] = s = f_sum(s == 0 ? (%s)0 : f_prod(a[k], s), b[k]);", typ)
	return one(w.launch(t, ceil(rows, block)))
}

// SegmentMax is the largest of the elements of each row of x in each segment, by numbers idx of x's shape; the first of equal ones,
// and -Inf where there is none. o's last axis are the segments. A bad number gives nothing.
func (w *Writer) SegmentMax(o, x, idx *Operand) (u Unit, err error) {
	rows, m, _ := around(x.Dims, len(x.Dims)-1, len(x.Dims))
	d := o.Dims[len(o.Dims)-1]
	n, elems := rows*d, rows*m
	if n == 0 {
		return u, nil
	}
	// Of each segment the largest rank, then ~ the first place that has it; 0 is none.
	found := &Operand{Type: dtype.I64, Buffer: w.Temporary(16 * n)}
	typ := ctype(x.Type)
	add := func(l Launch, e error) {
		if err == nil {
			u.Launches, err = append(u.Launches, l), e
		}
	}
	add(w.fill(found, "0", 2*n))
	for _, kind := range []string{"segmentbest", "segmentfirst"} {
		if elems == 0 {
			break
		}
		t, wide := newText(kind), max(n, elems) >= narrow
		i := index(wide)
		fmt.Fprintf(&t.above, "\nADJ u64 rank_@(%s x) {\n\t%s\n}\n", typ, rankText(x.Type, false))
		t.in(typ, "p", x.arg())
		t.in(ctype(idx.Type), "at", idx.arg())
		t.out("u64", "best", found.arg())
		t.size("n", elems)
		t.size("d", d)
		t.divisor("m", m, wide)
		t.line("const %s i = %s;", i, thread(wide))
		t.line("if (i >= n || (u64)(i64)at[i] >= d) return;")
		t.line("%s row = i;", i)
		t.line("split(row, m);")
		t.line("best += row * d + (u64)(i64)at[i];")
		t.line("const u64 rank = rank_@(p[i]);")
		if kind == "segmentbest" { // most are not, which a look tells, even at what is no longer the largest
			t.line("if (rank > *best) atomicMax(best, rank);")
		} else {
			t.size("segments", n)
			t.line("if (rank == *best && ~(u64)i > best[segments]) atomicMax(best + segments, ~(u64)i);")
		}
		add(w.launch(t, ceil(elems, block)))
	}
	t := newText("segmentmax")
	t.in(typ, "p", x.arg())
	t.in("u64", "best", found.arg())
	t.out(typ, "q", o.arg())
	t.size("segments", n)
	t.line("const u64 i = %s;", thread(true))
	t.line("if (i < segments) q[i] = best[i] == 0 ? %s : p[~best[segments + i]];", startText(ir.Max, x.Type))
	add(w.launch(t, ceil(n, block)))
	return u, err
}
