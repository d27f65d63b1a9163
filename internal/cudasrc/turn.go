package cudasrc

import "fmt"

// tile is the rows and columns of what a block turns around.
const tile = 32

// copies writes a cluster that only copies arrays, each by a kernel that suits it; ok is false for other clusters.
func (w *Writer) copies(m *Map, elems int) (u Unit, ok bool, err error) {
	for i := range m.Values {
		if v := &m.Values[i]; v.Leaf == nil || v.Leaf.Splat || v.Gather != nil || v.Out == nil {
			return u, false, nil
		}
	}
	if len(m.Values) == 0 || len(m.Folds) > 0 {
		return u, false, nil
	}
	for i := range m.Values {
		v := &m.Values[i]
		l, ok, err := w.turn(v)
		if err == nil && !ok {
			var one Unit
			one, err = w.flat(&Map{Dims: m.Dims, Values: []Value{*v}}, elems)
			u.Launches = append(u.Launches, one.Launches...)
		} else {
			u.Launches = append(u.Launches, l)
		}
		if err != nil {
			return u, true, err
		}
	}
	return u, true, nil
}

// turn writes the copy of a view whose elements lie one behind the other along another axis than the last: tiles are
// read along that one and written along the last. ok is false where there is no such axis, or too little of it.
func (w *Writer) turn(v *Value) (l Launch, ok bool, err error) {
	dims := v.Leaf.Dims
	k := newWalk(dims, 0, len(dims), []*view{{"p", v.Leaf}})
	last, from := len(k.axes)-1, -1
	for a := range k.axes {
		if k.axes[a].stride[0] == 1 {
			from = a
		}
	}
	if from < 0 || from == last || k.axes[from].size < 4 || k.axes[last].size < 4 {
		return l, false, nil
	}
	to := make([]int, len(k.axes)) // strides in the result
	n, grid := 1, 1
	for a := last; a >= 0; a-- {
		to[a] = n
		n *= k.axes[a].size
	}
	t := newText("turn")
	typ, x, s := ctype(v.Type), index(k.wide), signed(k.wide)
	t.in(typ, "p", v.Leaf.arg())
	t.out(typ, "q", v.Out.arg())
	t.size("rows", k.axes[from].size)
	t.size("cols", k.axes[last].size)
	t.number("row", to[from])
	t.number("col", k.axes[last].stride[0])
	tiles := func(name string, a int) {
		d := ceil(k.axes[a].size, tile)
		grid *= d
		t.divisor(name, d, k.wide)
		t.line("const %s %s0 = split(o, %s) * %d;", x, name, name, tile)
	}
	t.line("__shared__ %s part[%d][%d];", typ, tile, tile+1)
	t.line("const u32 i = threadIdx.x %% %d, j = threadIdx.x / %d;", tile, tile)
	t.line("%s o = blockIdx.x;", x)
	tiles("c", last)
	tiles("r", from)
	for a := last - 1; a >= 0; a-- {
		if a == from {
			continue
		}
		grid *= k.axes[a].size
		name := fmt.Sprintf("%d", a)
		t.divisor("d"+name, k.axes[a].size, k.wide)
		t.number("s"+name, k.axes[a].stride[0])
		t.number("t"+name, to[a])
		t.line("const %s at%s = split(o, d%s);", x, name, name)
		t.line("p += (i64)at%s * s%s, q += (i64)at%s * t%s;", name, name, name, name)
	}
	t.line("for (u32 l = j; l < %d; l += %d)", tile, block/tile)
	t.line("\tif (r0 + i < rows && c0 + l < cols) part[l][i] = p[(%s)(r0 + i) + (%s)(c0 + l) * (%s)col];", s, s, s)
	t.line("__syncthreads();")
	t.line("for (u32 l = j; l < %d; l += %d)", tile, block/tile)
	t.line("\tif (r0 + l < rows && c0 + i < cols) q[(r0 + l) * (%s)row + c0 + i] = part[i][l];", x)
	l, err = w.launch(t, grid)
	return l, true, err
}
