package cudasrc

import (
	"fmt"

	"github.com/adjoint-go/adjoint/internal/dtype"
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

// ArgCumMax is the index of the first largest element so far of each row of x, that of the first NaN from there on.
func (w *Writer) ArgCumMax(o, x *Operand) (Unit, error) {
	rows, n, _ := around(x.Dims, len(x.Dims)-1, len(x.Dims))
	if rows*n == 0 {
		return Unit{}, nil
	}
	t, typ := newText("argcummax"), ctype(x.Type)
	t.in(typ, "p", x.arg())
	t.out("i64", "q", o.arg())
	t.size("rows", rows)
	t.size("n", n)
	t.line("const u64 row = %s;", thread(true))
	t.line("if (row >= rows) return;")
	t.line("p += row * n, q += row * n;")
	t.line("%s b = p[0];", typ)
	t.line("u64 best = 0;")
	t.line("for (u64 i = 0; i < n; i++) {")
	t.line("\tconst %s x = p[i];", typ)
	t.line("\tif (b == b && (x > b || x != x)) b = x, best = i;")
	t.line("\tq[i] = (i64)best;")
	t.line("}")
	return one(w.launch(t, ceil(rows, block)))
}
