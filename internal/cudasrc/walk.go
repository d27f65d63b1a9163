package cudasrc

import "fmt"

// walk is how a kernel goes over arrays of one shape that lie in different ways. The axes are in up to three groups,
// each of which is walked by one index; within a group, neighbours that lie evenly in all arrays are merged.
type walk struct {
	wide  bool
	axes  []axis
	views []*view
}

type axis struct {
	group, size int
	stride      []int // by view
}

// view is an array whose elements do not simply lie one behind the other.
type view struct {
	name string
	op   *Operand
}

// newWalk lays out dims, cut before axes lo and hi.
func newWalk(dims []int, lo, hi int, views []*view) *walk {
	w := &walk{views: views, wide: product(dims) >= narrow}
	for _, v := range views {
		reach := 0
		for a, d := range dims {
			reach += max(0, d-1) * max(v.op.Strides[a], -v.op.Strides[a])
		}
		w.wide = w.wide || reach >= narrow
	}
	for a, d := range dims {
		if d == 1 {
			continue
		}
		group := 0
		if a >= lo {
			group++
		}
		if a >= hi {
			group++
		}
		x := axis{group: group, size: d}
		for _, v := range views {
			x.stride = append(x.stride, v.op.Strides[a])
		}
		if n := len(w.axes); n > 0 && w.axes[n-1].group == group && w.merge(&w.axes[n-1], &x) {
			continue
		}
		w.axes = append(w.axes, x)
	}
	return w
}

// merge makes x part of last, which comes before it, where they lie evenly.
func (w *walk) merge(last, x *axis) bool {
	for k, s := range x.stride {
		if last.stride[k] != s*x.size {
			return false
		}
	}
	last.size *= x.size
	last.stride = x.stride
	return true
}

// group gives the axes of a group.
func (w *walk) group(g int) (from, to int) {
	for from < len(w.axes) && w.axes[from].group < g {
		from++
	}
	for to = from; to < len(w.axes) && w.axes[to].group == g; to++ {
	}
	return from, to
}

// moves reports whether view k's place depends on group g.
func (w *walk) moves(k, g int) bool {
	from, to := w.group(g)
	for a := from; a < to; a++ {
		if w.axes[a].stride[k] != 0 {
			return true
		}
	}
	return false
}

// coordinates splits variable e, the index of group g, into those of its axes.
func (w *walk) coordinates(t *text, g int, e, indent string) {
	from, to := w.group(g)
	used := false
	for k := range w.views {
		used = used || w.moves(k, g)
	}
	if !used || from == to {
		return
	}
	i := index(w.wide)
	if to-from == 1 {
		t.line("%sconst %s c%d = %s;", indent, i, from, e)
		return
	}
	t.line("%s%s e%d = %s;", indent, i, g, e)
	for a := to - 1; a > from; a-- {
		name := fmt.Sprintf("d%d", a)
		if !t.sizes[name] {
			t.sizes[name] = true
			t.divisor(name, w.axes[a].size, w.wide)
		}
		t.line("%sconst %s c%d = split(e%d, d%d);", indent, i, a, g, a)
	}
	t.line("%sconst %s c%d = e%d;", indent, i, from, g)
}

// offset is view k's part of its place that group g makes, "" for none.
func (w *walk) offset(t *text, k, g int) string {
	from, to := w.group(g)
	e := ""
	for a := from; a < to; a++ {
		s := w.axes[a].stride[k]
		if s == 0 {
			continue
		}
		if e != "" {
			e += " + "
		}
		e += fmt.Sprintf("(%s)c%d", signed(w.wide), a)
		if s != 1 {
			name := fmt.Sprintf("s%s_%d", w.views[k].name, a)
			t.number(name, s)
			e += fmt.Sprintf(" * (%s)%s", signed(w.wide), name)
		}
	}
	return e
}
