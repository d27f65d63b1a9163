package cudasrc

import (
	_ "embed"
	"fmt"
)

//go:embed linalg.cuh
var linalg string

// MaxMatrix is the size of the largest matrices that have kernels: a row for each thread of a warp.
const MaxMatrix = 32

// Matrices are what functions of a batch of square matrices read and write: count of n rows. Status is two words, of
// which the first becomes 1 + the number of the first matrix that has no result.
type Matrices struct {
	Count, N int
	Out      *Operand
	Status   Arg
}

// begin begins a kernel of a warp for each matrix of a type, of which extra is the text of what it needs beside the matrix a, and
// bytes its size.
func (x *Matrices) begin(kind, typ, extra string, bytes int) (t *text, blocks int) {
	t = newText(kind)
	t.needs[&linalg] = true
	pitch := x.N | 1
	per := min(block/32, 40<<10/(8*x.N*pitch+bytes))
	t.line("enum { N = %d, P = %d, per = %d };", x.N, pitch, per)
	t.line("__shared__ %s parts[per][N * P];", typ)
	t.body.WriteString(extra)
	t.line("const int lane = threadIdx.x %% 32, warp = threadIdx.x / 32;")
	t.line("const u64 e = (u64)blockIdx.x * per + warp;")
	t.line("if (warp >= per || e >= count) return;")
	t.line("%s *a = parts[warp];", typ)
	t.size("count", x.Count)
	return t, ceil(x.Count, per)
}

// Cholesky is the lower triangular factor of each matrix's lower triangle.
func (w *Writer) Cholesky(x *Matrices, in *Operand) (Unit, error) {
	typ := ctype(in.Type)
	t, blocks := x.begin("cholesky", typ, "", 0)
	t.in(typ, "p", in.arg())
	t.out(typ, "q", x.Out.arg())
	t.out("u64", "status", x.Status)
	t.line("l_load(a, p + e * (N * N), N, N, P, lane);")
	t.line("if (!l_cholesky<N, P>(a, lane)) l_bad(status, e);")
	t.line("for (int k = lane; k < N * N; k += 32) q[e * (N * N) + k] = k %% N <= k / N ? a[k / N * P + k %% N] : 0;")
	return one(w.launch(t, blocks))
}

const permText = "\t__shared__ int perms[per][N];\n"

// LU is the factors of each matrix, the rows' order and a row of its sign.
func (w *Writer) LU(x *Matrices, in *Operand) (Unit, error) {
	typ := ctype(in.Type)
	t, blocks := x.begin("lu", typ, permText, 4*x.N)
	t.in(typ, "p", in.arg())
	t.out(typ, "q", x.Out.arg())
	t.line("l_load(a, p + e * (N * N), N, N, P, lane);")
	t.line("const %s parity = l_lu<N, P>(a, perms[warp], lane);", typ)
	t.line("q += e * (N * N + 2 * N);")
	t.line("for (int k = lane; k < N * N; k += 32) q[k] = a[k / N * P + k %% N];")
	t.line("if (lane < N) q[N * N + lane] = (%s)perms[warp][lane], q[N * N + N + lane] = parity;", typ)
	return one(w.launch(t, blocks))
}

// Det is the determinant of each matrix.
func (w *Writer) Det(x *Matrices, in *Operand) (Unit, error) {
	typ := ctype(in.Type)
	t, blocks := x.begin("det", typ, permText, 4*x.N)
	t.in(typ, "p", in.arg())
	t.out(typ, "q", x.Out.arg())
	t.line("l_load(a, p + e * (N * N), N, N, P, lane);")
	t.line("const double parity = l_lu<N, P>(a, perms[warp], lane);")
	t.line("double y = 1;")
	t.line("for (int i = 0; i < N; i++) y = v_mul(y, (double)a[i * P + i]);")
	t.line("if (lane == 0) q[e] = (%s)v_mul(y, parity);", typ)
	return one(w.launch(t, blocks))
}

func columnText(typ string) string { return "\t__shared__ " + typ + " columns[per][N * 32];\n" }

// Solving says what of a matrix solves.
type Solving struct{ Upper, Transposed, Unit bool }

// TriSolve is op(a)⁻¹·b for a triangle of each matrix of a, b of cols columns.
func (w *Writer) TriSolve(x *Matrices, a, b *Operand, cols int, s Solving) (Unit, error) {
	typ := ctype(a.Type)
	t, blocks := x.begin("trisolve", typ, columnText(typ), 8*32*x.N)
	t.in(typ, "p", a.arg())
	t.in(typ, "r", b.arg())
	t.out(typ, "q", x.Out.arg())
	t.out("u64", "status", x.Status)
	t.size("m", cols)
	t.line("l_load(a, p + e * (N * N), N, N, P, lane);")
	if !s.Unit {
		t.line("if (lane == 0 && l_singular<N, P>(a)) l_bad(status, e);")
	}
	t.line("%s *x = columns[warp] + lane;", typ)
	t.line("r += e * N * m, q += e * N * m;")
	t.line("for (u64 c = lane; c < m; c += 32) {")
	t.line("\tfor (int i = 0; i < N; i++) x[i * 32] = r[i * m + c];")
	t.line("\tl_triangle<N, P>(a, x, m == 1, %v, %v, %v);", s.Upper, s.Transposed, s.Unit)
	t.line("\tfor (int i = 0; i < N; i++) q[i * m + c] = x[i * 32];")
	t.line("}")
	return one(w.launch(t, blocks))
}

// LUSolve is op(a)⁻¹·b for the factors f of each matrix, b of cols columns.
func (w *Writer) LUSolve(x *Matrices, f, b *Operand, cols int, transposed bool) (Unit, error) {
	typ := ctype(f.Type)
	t, blocks := x.begin("lusolve", typ, columnText(typ), 8*32*x.N)
	t.in(typ, "p", f.arg())
	t.in(typ, "r", b.arg())
	t.out(typ, "q", x.Out.arg())
	t.out("u64", "status", x.Status)
	t.size("m", cols)
	t.line("p += e * (N * N + 2 * N);")
	t.line("l_load(a, p, N, N, P, lane);")
	t.line("if (lane == 0 && l_singular<N, P>(a)) l_bad(status, e);")
	t.line("%s *x = columns[warp] + lane;", typ)
	t.line("r += e * N * m, q += e * N * m;")
	t.line("for (u64 c = lane; c < m; c += 32) {")
	from, to := "(int)p[N * N + i]", "i"
	if transposed {
		from, to = to, from
	}
	t.line("\tfor (int i = 0; i < N; i++) x[i * 32] = r[%s * m + c];", from)
	t.line("\tl_triangle<N, P>(a, x, m == 1, %v, %v, %v);", transposed, transposed, !transposed)
	t.line("\tl_triangle<N, P>(a, x, m == 1, %v, %v, %v);", !transposed, transposed, transposed)
	t.line("\tfor (int i = 0; i < N; i++) q[%s * m + c] = x[i * 32];", to)
	t.line("}")
	return one(w.launch(t, blocks))
}

// None is the error for matrices that have no kernel, if these have none.
func (x *Matrices) None(op string) error {
	if x.N < 1 || x.N > MaxMatrix {
		return &Unsupported{op, fmt.Sprintf("matrices of %d rows are the CPU's, those of 1 to %d have kernels", x.N, MaxMatrix)}
	}
	return nil
}
