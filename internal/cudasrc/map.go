package cudasrc

import (
	"fmt"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ir"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// Map is a cluster: values of one shape, each read from an array or computed from earlier ones. Some are stored,
// some folded over axes Lo … Hi-1.
type Map struct {
	Dims   []int
	Values []Value
	Folds  []Fold
	Lo, Hi int
	// The order of sums: the elements of a chunk of a run at the end, and the rows of one of a run before other axes.
	Chunk, Rows int
}

// Value is one of a cluster's values.
type Value struct {
	Type    dtype.Type
	Leaf    *Operand // read from here, if not nil
	Sized   bool     // Leaf is a splat that depends on the batch
	Gather  *Gather  // not nil: where in Leaf each element is
	Op      ops.ID   // else: the operation,
	Convert bool     // or the conversion to Type
	Args    []int    // of earlier values
	Out     *Operand // where it is stored, its elements one behind the other; nil: nowhere
}

// Gather says that an element lies Index·By elements behind the beginning of its leaf; one whose index is not in
// 0 … Size-1 is 0.
type Gather struct {
	Index    int // an earlier value, of I32 or I64, that is read from an array
	By, Size int
}

// Fold is a reduction of a value, one of sum, prod, max and min.
type Fold struct {
	Value int
	By    ir.Reduction
	Out   Operand
}

func (m *Map) constant(v int) bool {
	l := m.Values[v].Leaf
	return l != nil && l.Splat && !m.Values[v].Sized
}

// direct reports whether o's elements lie one behind the other.
func (o *Operand) direct() bool {
	s := 1
	for a := len(o.Dims) - 1; a >= 0; a-- {
		if o.Dims[a] != 1 && o.Strides[a] != s {
			return false
		}
		s *= o.Dims[a]
	}
	return true
}

// mapText is a cluster's kernel that is being written.
type mapText struct {
	*text
	*walk
	m      *Map
	b      *body
	f      string      // the body's name
	viewOf map[int]int // by value
	size   int         // of the body
	wide   bool
}

// Map writes a cluster.
func (w *Writer) Map(m *Map) (u Unit, err error) {
	outer, run, inner := around(m.Dims, m.Lo, m.Hi)
	elems := outer * run * inner
	if len(m.Folds) == 0 {
		if elems == 0 {
			return u, nil
		}
		if u, ok, err := w.copies(m, elems); ok {
			return u, err
		}
		return w.flat(m, elems)
	}
	if outer*inner == 0 {
		return u, nil
	}
	if run == 0 {
		for i := range m.Folds {
			f := &m.Folds[i]
			l, err := w.fill(&f.Out, startText(f.By, m.Values[f.Value].Type), outer*inner)
			if err != nil {
				return u, err
			}
			u.Launches = append(u.Launches, l)
		}
		return u, nil
	}
	if m.Hi == len(m.Dims) {
		return w.rows(m, outer, run)
	}
	return w.columns(m, outer, run, inner)
}

// fill stores an expression n times.
func (w *Writer) fill(o *Operand, value string, n int) (Launch, error) {
	t := newText("fill")
	wide := n >= narrow
	t.out(ctype(o.Type), "q", o.arg())
	t.size("n", n)
	t.line("const %s i = %s;", index(wide), thread(wide))
	t.line("if (i < n) q[i] = %s;", value)
	return w.launch(t, ceil(n, block))
}

// begin writes what all kernels of clusters have in common: the body and the parameters of arrays.
func (w *Writer) begin(kind string, m *Map, lo, hi int) (*mapText, error) {
	b, err := write(m)
	if err != nil {
		return nil, err
	}
	t := &mapText{text: newText(kind), m: m, b: b, f: "f_@", viewOf: map[int]int{}}
	t.needs = b.needs
	f, size := b.function(t.f)
	t.above.WriteString("\n" + f)
	t.size = size
	t.hot = size < 200
	var views []*view
	for _, in := range b.ins {
		if in.value < 0 {
			continue
		}
		v := &m.Values[in.value]
		name := fmt.Sprintf("%d", in.value)
		switch {
		case v.Leaf.Splat:
			t.param("u64 b"+name, Arg{Bits: v.Leaf.Bits})
			continue
		case v.Gather != nil:
			t.number("by"+name, v.Gather.By)
			t.text.size("size"+name, v.Gather.Size)
		case !v.Leaf.direct():
			t.viewOf[in.value] = len(views)
			views = append(views, &view{name, v.Leaf})
		}
		t.in(ctype(v.Type), "p"+name, v.Leaf.arg())
	}
	for i := range m.Values {
		if o := m.Values[i].Out; o != nil {
			t.out(ctype(o.Type), fmt.Sprintf("q%d", i), o.arg())
		}
	}
	t.walk = newWalk(m.Dims, lo, hi, views)
	t.wide = t.walk.wide
	return t, nil
}

// call is the call of the body with each leaf and result as name gives it.
func (t *mapText) call(name func(format string, v int) string) string {
	var args []string
	for _, in := range t.b.ins {
		if in.value < 0 {
			continue
		}
		if v := &t.m.Values[in.value]; v.Leaf.Splat {
			args = append(args, splat(v.Type, fmt.Sprintf("b%d", in.value)))
		} else {
			args = append(args, name("x%d", in.value))
		}
	}
	for i := range t.m.Values {
		if t.m.Values[i].Out != nil {
			args = append(args, name("y%d", i))
		}
	}
	for i := range t.m.Folds {
		args = append(args, name("z%d", i))
	}
	return t.f + "(" + strings.Join(args, ", ") + ");"
}

// splat is an element of type t out of the bits of a parameter.
func splat(t dtype.Type, b string) string {
	switch t {
	case dtype.F32:
		return "v_f32((int)" + b + ")"
	case dtype.F64:
		return "v_f64((i64)" + b + ")"
	}
	return "(" + ctype(t) + ")" + b
}

// mostCode bounds the instructions of a thread that unrolled elements may make.
const mostCode = 1024

// flat writes a cluster that folds nothing: each thread takes some elements side by side.
func (w *Writer) flat(m *Map, elems int) (u Unit, err error) {
	t, err := w.begin("map", m, 0, len(m.Dims))
	if err != nil {
		return u, err
	}
	n := t.width(1)
	t.text.size("n", elems)
	t.line("const %s i = (%s) * %du;", index(t.wide), thread(t.wide), n)
	t.line("if (i >= n) return;")
	t.line("const u64 left = n - i;")
	t.coordinates(t.text, 1, "i", "")
	t.many(n, "i", "")
	l, err := w.launch(t.text, ceil(elems, n*block))
	u.Launches = append(u.Launches, l)
	return u, err
}

// width is the number of elements that a thread takes side by side along the axes of a group: those of 16 bytes,
// fewer where the body is long or the last axis does not divide.
func (t *mapText) width(group int) int {
	size := 4
	for i := range t.m.Values {
		if v := &t.m.Values[i]; v.Leaf != nil || v.Out != nil {
			size = max(size, v.Type.Size())
		}
	}
	for i := range t.m.Folds {
		size = max(size, t.m.Values[t.m.Folds[i].Value].Type.Size())
	}
	n := 16 / size
	for n > 1 && n*t.size > mostCode {
		n /= 2
	}
	if from, to := t.group(group); len(t.views) > 0 && to > from {
		for t.axes[to-1].size%n != 0 {
			n /= 2
		}
	}
	return n
}

// many writes the body for n elements from number e on, of which left remain: loads, stores, and, of the folded values,
// arrays z0, z1, …. The places of views are those of the coordinates at hand.
func (t *mapText) many(n int, e, indent string) {
	m := t.m
	single := map[int]bool{}
	for _, in := range t.b.ins {
		if in.value < 0 || m.Values[in.value].Leaf.Splat {
			continue
		}
		single[in.value] = t.loadMany(in.value, n, e, indent)
	}
	t.apply(n, single, indent)
	for i := range m.Values {
		if m.Values[i].Out != nil {
			t.store(i, n, e, indent)
		}
	}
}

// apply writes the body for n elements that are loaded, those of leaves in single for all at once.
func (t *mapText) apply(n int, single map[int]bool, indent string) {
	m := t.m
	for i := range m.Values {
		if m.Values[i].Out != nil {
			t.line("%s%s y%d[%d];", indent, ctype(m.Values[i].Type), i, n)
		}
	}
	for i, f := range m.Folds {
		t.line("%s%s z%d[%d];", indent, ctype(m.Values[f.Value].Type), i, n)
	}
	if n > 1 {
		t.body.WriteString("#pragma unroll\n")
	}
	t.line("%sfor (int j = 0; j < %d; j++) %s", indent, n, t.call(func(format string, v int) string {
		if format[0] == 'x' && single[v] {
			return fmt.Sprintf(format, v)
		}
		return fmt.Sprintf(format+"[j]", v)
	}))
}

// store writes value v's n elements to its array, from number e on.
func (t *mapText) store(v, n int, e, indent string) {
	s := "s"
	if o := t.m.Values[v].Out; o.aligned(n * o.Type.Size()) {
		s = ""
	}
	t.line("%sstore%s(q%d + %s, y%d, left);", indent, s, v, e, v)
}

// innerStride is view k's stride along the last axis.
func (t *mapText) innerStride(k int) int {
	if len(t.axes) == 0 {
		return 0
	}
	return t.axes[len(t.axes)-1].stride[k]
}

// gather is an element of leaf v by its index.
func (t *mapText) gather(v int, j string) string {
	i := fmt.Sprintf("(i64)x%d%s", t.m.Values[v].Gather.Index, j)
	return fmt.Sprintf("(u64)%s < size%d ? p%d[%s * by%d] : (%s)0", i, v, v, i, v, ctype(t.m.Values[v].Type))
}

// loadMany reads n elements of leaf v from number e on; single reports that they are one.
func (t *mapText) loadMany(v, n int, e, indent string) (single bool) {
	l := t.m.Values[v].Leaf
	typ := ctype(l.Type)
	if t.m.Values[v].Gather != nil {
		t.line("%s%s x%d[%d];", indent, typ, v, n)
		t.body.WriteString("#pragma unroll\n")
		t.line("%sfor (int j = 0; j < %d; j++) x%d[j] = %s;", indent, n, v, t.gather(v, "[j]"))
		return false
	}
	k, isView := t.viewOf[v]
	at, aligned := e, l.aligned(n*l.Type.Size())
	if isView {
		at = "0"
		for g := range 3 {
			if more := t.offset(t.text, k, g); more != "" {
				at += " + " + more
			}
		}
		at = "(" + at + ")"
		for a := range len(t.axes) - 1 {
			aligned = aligned && t.axes[a].stride[k]%n == 0
		}
	}
	step := "1"
	switch {
	case isView && t.innerStride(k) == 0:
		t.line("%sconst %s x%d = p%d[%s];", indent, typ, v, v, at)
		return true
	case isView && t.innerStride(k) != 1:
		aligned, step = false, "0"
		if n > 1 {
			step = fmt.Sprintf("s%d_%d", v, len(t.axes)-1)
			t.number(step, t.innerStride(k))
		}
	}
	t.line("%s%s x%d[%d];", indent, typ, v, n)
	if aligned {
		t.line("%sload(x%d, p%d + %s, left);", indent, v, v, at)
	} else {
		t.line("%sloads(x%d, p%d + %s, %s, left);", indent, v, v, at, step)
	}
	return false
}

// one writes the loads of element e, the body and the stores; what other groups than those given make of the views'
// places is in o0, o1, ….
func (t *mapText) one(indent string, groups ...int) {
	for _, in := range t.b.ins {
		if in.value < 0 || t.m.Values[in.value].Leaf.Splat {
			continue
		}
		if t.m.Values[in.value].Gather != nil {
			t.line("%sconst %s x%d = %s;", indent, ctype(t.m.Values[in.value].Type), in.value, t.gather(in.value, ""))
			continue
		}
		at := "e"
		if k, ok := t.viewOf[in.value]; ok {
			at = fmt.Sprintf("o%d", in.value)
			for _, g := range groups {
				if more := t.offset(t.text, k, g); more != "" {
					at += " + " + more
				}
			}
		}
		t.line("%sconst %s x%d = p%d[%s];", indent, ctype(t.m.Values[in.value].Type), in.value, in.value, at)
	}
	for i := range t.m.Values {
		if t.m.Values[i].Out != nil {
			t.line("%s%s y%d;", indent, ctype(t.m.Values[i].Type), i)
		}
	}
	for i, f := range t.m.Folds {
		t.line("%s%s z%d;", indent, ctype(t.m.Values[f.Value].Type), i)
	}
	t.line("%s%s", indent, t.call(func(format string, v int) string { return fmt.Sprintf(format, v) }))
	for i := range t.m.Values {
		if t.m.Values[i].Out != nil {
			t.line("%sq%d[e] = y%d;", indent, i, i)
		}
	}
}

// places declares what the given groups make of the views' places.
func (t *mapText) places(groups ...int) {
	for _, in := range t.b.ins {
		k, ok := t.viewOf[in.value]
		if in.value < 0 || !ok {
			continue
		}
		e := "0"
		for _, g := range groups {
			if more := t.offset(t.text, k, g); more != "" {
				e += " + " + more
			}
		}
		t.line("const %s o%d = %s;", signed(t.wide), in.value, e)
	}
}
