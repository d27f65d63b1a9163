package cudasrc

import (
	_ "embed"

	"github.com/adjoint-go/adjoint/internal/dtype"
)

//go:embed gemm.cuh
var gemm string

// gemmTile is the rows and columns of C that a block makes.
const gemmTile = 64

// Gemm writes a product with the bits of the CPU's. A device's library is faster, and has an order of its own.
func (w *Writer) Gemm(p *Product) (u Unit, err error) {
	typ := ctype(p.Type)
	t := newText("gemm")
	t.needs[&gemm] = true
	t.hot = true
	t.in(typ, "a", p.A)
	t.in(typ, "b", p.B)
	if p.Type.IsHalf() {
		t.out("float", "c", p.C)
	} else {
		t.out(typ, "c", p.C)
	}
	for _, x := range []struct {
		name string
		x    int
	}{{"m", p.M}, {"n", p.N}, {"k", p.K}, {"a_row", p.ARow}, {"a_col", p.ACol}, {"a_batch", p.ABatch}, {"b_row", p.BRow},
		{"b_col", p.BCol}, {"b_batch", p.BBatch}, {"c_row", p.CRow}, {"c_batch", p.CBatch}} {
		t.number(x.name, x.x)
	}
	u.Product = p
	var l Launch
	if p.N == 1 && !p.Type.IsHalf() {
		lanes := 32
		if p.Type == dtype.F64 {
			lanes = 16
		}
		t.number("lines", p.Batch*p.M)
		t.line("const i64 line = (i64)blockIdx.x * %d + threadIdx.x / %d;", block/lanes, lanes)
		t.line("const int lane = threadIdx.x %% %d;", lanes)
		t.line("const i64 at = line < lines ? line : 0, z = at / m, i = at - z * m;")
		t.line("const %s s = g_line<%s, %d>(a + z * a_batch + i * a_row, b + z * b_batch, k, a_col, b_row, lane);", typ, typ, lanes)
		t.line("if (line < lines && lane == 0) c[z * c_batch + i * c_row] = s;")
		l, err = w.launch(t, ceil(p.Batch*p.M, block/lanes))
	} else {
		rows, cols := ceil(p.M, gemmTile), ceil(p.N, gemmTile)
		t.number("cols", cols)
		t.number("blocks", rows*cols)
		t.line("const i64 z = blockIdx.x / blocks, r = blockIdx.x - z * blocks, i = r / cols, j = r - i * cols;")
		t.line("g_strip(a + z * a_batch, b + z * b_batch, c + z * c_batch, m, n, k, a_row, a_col, b_row, b_col, c_row, i * %d, j * %d);", gemmTile, gemmTile)
		l, err = w.launch(t, p.Batch*rows*cols)
	}
	u.Launches = []Launch{l}
	return u, err
}
