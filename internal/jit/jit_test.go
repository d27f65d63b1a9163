package jit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
	"github.com/adjoint-go/adjoint/kernels"
)

// isas are those that this machine runs. ADJOINT_LEVELS=all makes a missing one a failure.
func isas(t testing.TB) []ISA {
	if !Available {
		t.Skip("no generated code on this platform")
	}
	var have []ISA
	for _, i := range []ISA{AVX2, AVX512} {
		if i.Supported() {
			have = append(have, i)
		} else if os.Getenv("ADJOINT_LEVELS") == "all" {
			t.Fatalf("no %v", i)
		}
	}
	if len(have) == 0 {
		t.Skip("no AVX2")
	}
	return have
}

// source makes random choices: from a generator, or from a fuzzer's bytes and then zeros.
type source interface{ IntN(n int) int }

type byteSource struct{ b []byte }

func (s *byteSource) IntN(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	k := int(s.b[0]) % n
	s.b = s.b[1:]
	return k
}

// writer writes a random program of up to three inputs.
type writer struct {
	source
	*vec.Builder
	in    []In
	plain int            // inputs that the program reads; those behind them are indices
	have  [6][]vec.Value // floats, integers, and masks of 32 and 64 bits
	out   []Out
	folds int
}

const masks = 4 // have's index of masks of 32 bits

var elems = [4]dtype.Type{vec.F32: dtype.F32, vec.F64: dtype.F64, vec.I32: dtype.I32, vec.I64: dtype.I64}

func (w *writer) pick(k int) vec.Value {
	if have := w.have[k]; len(have) > 0 && w.IntN(12) > 0 {
		if w.IntN(2) == 0 {
			return have[max(0, len(have)-1-w.IntN(4))]
		}
		return have[w.IntN(len(have))]
	}
	switch t := vec.Type(k); {
	case k >= masks:
		return w.GT(w.pick(k-masks), w.pick(k-masks))
	case t.IsFloat():
		return w.F(t, []float64{0, 1, -1.5, 1e10, 1e-300, math.Inf(1)}[w.IntN(6)])
	default:
		return w.I(t, int64([]int{0, 1, -1, 7, 1 << 30}[w.IntN(5)]))
	}
}

// clean has no NaN, whose bits nobody promises.
func (w *writer) clean(v vec.Value) vec.Value {
	if w.TypeOf(v).IsFloat() {
		return w.AndNot(v, w.NE(v, v))
	}
	return v
}

func (w *writer) step() {
	k := w.IntN(4)
	t := vec.Type(k)
	width := k & 1 // 0 for 32 bits
	x := func() vec.Value { return w.pick(k) }
	m := func() vec.Value { return w.pick(masks + width) }
	to := k
	v := vec.None
	switch op := w.IntN(24); {
	case op == 0:
		v = w.Add(x(), x())
	case op == 1:
		v = w.Sub(x(), x())
	case op == 2 && t != vec.I64:
		v = w.Mul(x(), x())
	case op == 3 && t.IsFloat():
		v = w.Div(x(), x())
	case op == 4 && t.IsFloat():
		v = w.Sqrt(x())
	case op == 5 && t.IsFloat():
		v = []func(x, y, z vec.Value) vec.Value{w.FMA, w.FNMA, w.FMS}[w.IntN(3)](x(), x(), x())
	case op == 6 && t.IsFloat():
		v = w.Min(x(), x())
	case op == 7 && t.IsFloat():
		v = w.Max(x(), x())
	case op == 8:
		f := []func(x, y vec.Value) vec.Value{w.And, w.AndNot, w.Or, w.Xor}[w.IntN(4)]
		if v = f(w.clean(x()), w.clean(x())); t.IsFloat() {
			v = w.clean(v)
		}
	case op == 9:
		v = w.And(x(), m())
	case op == 10:
		v = w.AndNot(x(), m())
	case op == 11 || op == 12:
		v = w.Blend(m(), x(), x())
	case op == 13 || op == 14:
		to = masks + width
		if t.IsFloat() {
			v = w.Cmp(vec.CmpEQ+vec.Op(w.IntN(6)), x(), x())
		} else {
			v = w.Cmp([]vec.Op{vec.CmpEQ, vec.CmpGT}[w.IntN(2)], x(), x())
		}
	case op == 15:
		to = masks + width
		f := []func(x, y vec.Value) vec.Value{w.And, w.AndNot, w.Or, w.Xor}[w.IntN(4)]
		y := m()
		if w.IntN(3) == 0 {
			y = w.I(w.TypeOf(y), -1)
		}
		v = f(m(), y)
	case op == 16 && !t.IsFloat():
		switch n := w.IntN(t.Bits()); {
		case w.IntN(4) == 0: // rotated, or nearly
			y, m := x(), t.Bits()-n+w.IntN(8)/7
			by := func(n int) vec.Value { return w.I(t, int64(n%t.Bits())) }
			if v = w.Or(w.ShlV(y, by(n)), w.ShrV(y, by(m))); w.IntN(2) == 0 {
				v = w.Or(w.ShrV(y, by(m)), w.ShlV(y, by(n)))
			}
		case w.IntN(3) == 0:
			v = w.Shl(x(), n)
		case w.IntN(2) == 0 && t == vec.I32:
			v = w.Sar(x(), n)
		case w.IntN(2) == 0:
			v = w.ShlV(x(), w.And(x(), w.I(t, int64(t.Bits()-1))))
		default:
			v = w.Shr(x(), n)
		}
	case op == 17 && t.IsFloat():
		v = []func(x vec.Value) vec.Value{w.Floor, w.Ceil, w.Trunc, w.Nearest}[w.IntN(4)](x())
	case op == 18:
		if width == 0 {
			v, to = w.Widen(x()), k+1
		} else {
			v, to = w.Narrow(x()), k-1
		}
	case op == 19:
		if width == 0 {
			v, to = w.Widen(m()), masks+1
		} else {
			v, to = w.Narrow(m()), masks
		}
	case op == 20 && width == 0:
		if t == vec.F32 && w.IntN(2) == 0 {
			v = w.Half(x())
		} else if t == vec.I32 {
			v, to = w.ToFloat(x()), int(vec.F32)
		} else {
			v, to = w.ToInt(x()), int(vec.I32)
		}
	case op == 21:
		other := vec.Type(k ^ 2)
		v, to = w.Bitcast(other, w.clean(x())), k^2
		if other.IsFloat() {
			v = w.clean(v)
		}
	case op == 22:
		if t.IsFloat() {
			v = w.Table(t, w.pick(int(t.Int())), tables[w.IntN(len(tables))]...)
		}
	case op == 23 && t.IsFloat() && w.Wide:
		one := w.F(t, 1)
		switch w.IntN(4) {
		case 0:
			n := w.Min(w.F(t, 2200), w.Max(w.F(t, -2200), w.Nearest(x())))
			v = w.Scale(x(), n)
		case 1:
			v = w.Exponent(x())
		case 2:
			y := x()
			v = w.Blend(w.Ends(y), one, w.Significand(y))
		case 3:
			v, to = w.Ends(x()), masks+width
		}
	}
	if v == vec.None {
		v = x()
	}
	w.have[to] = append(w.have[to], v)
	if w.IntN(6) == 0 {
		o := Out{V: v, At: len(w.Code()), T: dtype.Bool}
		if to < masks {
			o.T = elems[to]
			if f := Fold(w.IntN(9)); f <= Min && Folds(f, o.T) && w.folds < AVX512.MaxFolds() {
				o.Fold = f
				w.folds++
			} else if o.T == dtype.F32 && w.IntN(3) == 0 {
				o.T = dtype.F16
			}
		}
		w.out = append(w.out, o)
	}
}

var tables = [][]float64{
	{0, 1, -2, 3, 4, 5.5, 6, 1e-30, 8, 9, -10, 11, 12, 13, 14.25, 15},
	{1, 0.5, 1. / 3},
}

// write makes a program of n steps; a wide one is for AVX-512.
func write(s source, n int, wideBody bool) *writer {
	w := &writer{source: s}
	types := []dtype.Type{dtype.F32, dtype.F64, dtype.I32, dtype.I64, dtype.Bool, dtype.F16}
	var in []dtype.Type
	wide := s.IntN(3) == 0
	for range 1 + s.IntN(3) {
		t := types[s.IntN(6)]
		if wide {
			t = types[1+2*s.IntN(2)]
		}
		w.in = append(w.in, In{T: t, Splat: t.Size() >= 4 && s.IntN(4) == 0})
		in = append(in, t)
	}
	w.plain = len(in)
	for i := range w.plain {
		if x := &w.in[i]; !x.Splat && x.T.Size() >= 4 && s.IntN(4) == 0 {
			x.Index, x.Stride = len(w.in)+1, int32(1+2*s.IntN(2))
			if k := len(w.in); k > w.plain && s.IntN(2) == 0 {
				x.Index = k
				continue
			}
			of := dtype.I32
			if s.IntN(2) == 0 {
				of = dtype.I64
			}
			w.in = append(w.in, In{T: of})
		} else if !x.Splat && x.T.Size() >= 4 && s.IntN(4) == 0 {
			x.Stride = []int32{-1, 2, 3, -2, 4, 8, -3, 1, 9, -8, -40, 1000}[s.IntN(12)]
		}
	}
	w.Builder = vec.NewBuilder(in...)
	w.Wide = wideBody
	for i, t := range in {
		if t == dtype.Bool {
			w.have[masks] = append(w.have[masks], w.InputMask(i, vec.I32))
			w.have[masks+1] = append(w.have[masks+1], w.InputMask(i, vec.I64))
			continue
		}
		v := w.Input(i)
		w.have[w.TypeOf(v)] = append(w.have[w.TypeOf(v)], v)
	}
	for range n {
		w.step()
	}
	v := w.pick(0)
	w.out = append(w.out, Out{V: v, At: len(w.Code()), T: dtype.F32})
	return w
}

// guarded is memory between guards.
type guarded struct {
	all   []byte
	at, n int
}

func newGuarded(n, shift int) guarded {
	g := guarded{make([]byte, n+256), 128 + shift, n}
	for i := range g.all {
		g.all[i] = 0xa5
	}
	return g
}

func (g guarded) ptr() unsafe.Pointer { return unsafe.Pointer(&g.all[g.at]) }
func (g guarded) bytes() []byte       { return g.all[g.at : g.at+g.n] }
func (g guarded) intact() bool {
	for i, c := range g.all {
		if (i < g.at || i >= g.at+g.n) && c != 0xa5 {
			return false
		}
	}
	return true
}

// fill writes numbers, special ones among them.
func fill(r *rand.Rand, t dtype.Type, b []byte) {
	special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1, 5e-324, 1e-40, 2147483648, -2147483648}
	for i := 0; i+t.Size() <= len(b); i += t.Size() {
		v := r.NormFloat64() * 10
		if r.IntN(6) == 0 {
			v = special[r.IntN(len(special))]
		}
		switch p := unsafe.Pointer(&b[i]); t {
		case dtype.F32:
			*(*float32)(p) = float32(v)
		case dtype.F16:
			*(*uint16)(p) = dtype.ToF16(float32(v))
		case dtype.F64:
			*(*float64)(p) = v
		case dtype.I32:
			*(*int32)(p) = int32(r.Uint32()) >> r.IntN(32)
		case dtype.I64:
			*(*int64)(p) = int64(r.Uint64()) >> r.IntN(64)
		case dtype.Bool:
			b[i] = uint8(r.IntN(2))
		}
	}
}

// differ is the first element that is not the same in both, but for the kind of NaN; -1 for none.
func differ(t dtype.Type, a, b []byte) int {
	for i := 0; i+t.Size() <= len(a); i += t.Size() {
		p, q := unsafe.Pointer(&a[i]), unsafe.Pointer(&b[i])
		same := string(a[i:i+t.Size()]) == string(b[i:i+t.Size()])
		switch t {
		case dtype.F32:
			x, y := *(*float32)(p), *(*float32)(q)
			same = same || x != x && y != y
		case dtype.F16:
			x, y := dtype.FromF16(*(*uint16)(p)), dtype.FromF16(*(*uint16)(q))
			same = same || x != x && y != y
		case dtype.F64:
			x, y := *(*float64)(p), *(*float64)(q)
			same = same || x != x && y != y
		}
		if !same {
			return i / t.Size()
		}
	}
	return -1
}

// check runs the program's code and holds it to the interpreter, bit for bit.
func (w *writer) check(t *testing.T, r *rand.Rand, isa ISA, n, rows int) (spilled bool) {
	t.Helper()
	outs, folds := slices.Clone(w.out), 0
	for i := range outs {
		if outs[i].Fold != NoFold {
			if folds++; folds > isa.MaxFolds() {
				outs[i].Fold = NoFold
			}
		}
	}
	in := slices.Clone(w.in)
	p := &Program{In: in, Code: w.Code(), Out: outs, Masks: r.IntN(2) == 0}
	p.Masks = p.Masks || !p.Assembles(isa)
	for i := range in {
		if in[i].apart() && !p.Assembles(isa) {
			in[i].Stride = 0
		}
	}
	f := p.Assemble(isa)
	if err := Map(f); err != nil {
		t.Fatal(err)
	}
	last := n % f.Step()
	if last > 0 && folds > 0 {
		rows = 1
	} else if last > 0 {
		n, last = n+f.Step()-last, 0
	}
	if r.IntN(2) == 0 {
		p.N = n
		if f = p.Assemble(isa); Map(f) != nil {
			t.Fatal("not mapped")
		}
	}
	padded := (n + 7) &^ 7
	args := make([]uintptr, f.Words())
	spill := newGuarded(f.SpillBytes(), 0)
	args[ArgN], args[ArgRows], args[ArgSpill] = uintptr(n), uintptr(rows), uintptr(spill.ptr())
	all := make([]guarded, len(in)+len(outs))
	set := func(i int, g guarded, step int) {
		args[ArgArrays+2*i], args[ArgArrays+2*i+1] = uintptr(g.ptr()), uintptr(step)
		all[i] = g
	}
	oracle := make([][3]unsafe.Pointer, rows)
	var kept [][]byte
	const table = 20
	indices := map[int][]int{} // by number of the array
	for i := w.plain; i < len(in); i++ {
		size := in[i].T.Size()
		g := newGuarded(n*rows*size, r.IntN(8)*size)
		clear(g.bytes())
		at := make([]int, n*rows)
		for k := range at {
			at[k] = r.IntN(table)
			g.bytes()[k*size] = byte(at[k])
		}
		indices[i] = at
		set(i, g, n*size)
	}
	for i, x := range in[:w.plain] {
		size, count, step := x.T.Size(), n*rows, n*x.T.Size()
		if x.Index > 0 {
			stride := int(x.Stride) * size
			g := newGuarded((table-1)*stride+size, r.IntN(8)*size)
			fill(r, x.T, g.bytes())
			set(i, g, 0)
			for row := range rows {
				b := room(padded * size)
				for j, k := range indices[x.Index-1][row*n : (row+1)*n] {
					copy(b[j*size:], g.bytes()[k*stride:][:size])
				}
				oracle[row][i] = unsafe.Pointer(&b[0])
				kept = append(kept, b)
			}
			continue
		}
		if x.Splat {
			count, step = 1, 0
		}
		if x.apart() && n*rows > 0 {
			k := int(max(x.Stride, -x.Stride))
			g := newGuarded(((n*rows-1)*k+1)*size, r.IntN(8)*size)
			fill(r, x.T, g.bytes())
			set(i, g, n*int(x.Stride)*size)
			first := 0
			if x.Stride < 0 {
				first = (n*rows - 1) * k * size
			}
			args[ArgArrays+2*i] += uintptr(first)
			for row := range rows {
				b := room(padded * size)
				for j := range n {
					copy(b[j*size:], g.bytes()[first+(row*n+j)*int(x.Stride)*size:][:size])
				}
				oracle[row][i] = unsafe.Pointer(&b[0])
				kept = append(kept, b)
			}
			continue
		}
		g := newGuarded(count*size, r.IntN(8)*size)
		fill(r, x.T, g.bytes())
		set(i, g, step)
		for row := range rows {
			b := room(padded * size)
			if x.Splat {
				for j := range n {
					copy(b[j*size:], g.bytes())
				}
			} else {
				copy(b, g.bytes()[row*step:(row+1)*step])
			}
			oracle[row][i] = unsafe.Pointer(&b[0])
			kept = append(kept, b)
		}
	}
	for i, o := range outs {
		row := n
		if o.Fold != NoFold {
			row = 1
		}
		set(len(in)+i, newGuarded(row*rows*o.T.Size(), r.IntN(8)*o.T.Size()), row*o.T.Size())
	}
	var copies []guarded // of the last elements
	if args[ArgN] -= uintptr(last); last == 0 {
		args[ArgN], args[ArgTail] = f.Split(n)
	} else {
		args[ArgTail] = TailLanes(last)
		for k, g := range all {
			tail := g
			if isOut := k >= len(in); !isOut && !in[k].Splat && in[k].Index == 0 || isOut && outs[k-len(in)].Fold == NoFold {
				size := len(g.bytes()) / n
				tail = newGuarded(f.Step()*size, 0)
				clear(tail.bytes())
				copy(tail.bytes(), g.bytes()[(n-last)*size:])
			}
			copies = append(copies, tail)
			args[ArgArrays+2*k+1] = uintptr(tail.ptr())
		}
	}
	f.Run(args)
	for k, tail := range copies {
		if k >= len(in) && outs[k-len(in)].Fold == NoFold {
			copy(all[k].bytes()[(n-last)*len(all[k].bytes())/n:], tail.bytes())
		}
	}
	for i, g := range slices.Concat(all, copies, []guarded{spill}) {
		if !g.intact() {
			t.Fatalf("%v, n = %d: wrote outside array %d", isa, n, i)
		}
	}
	for i, o := range outs {
		got := all[len(in)+i].bytes()
		run := w.Program("oracle", o.T, o.V).Compile()
		for row := range rows {
			want := room(padded * o.T.Size())
			run(unsafe.Pointer(&want[0]), oracle[row][0], oracle[row][1], oracle[row][2], padded)
			size := n * o.T.Size()
			if o.Fold != NoFold {
				var one [8]byte
				kernels.Purego.FoldRows(kernels.Reduction(o.Fold-Sum), o.T)(unsafe.Pointer(&one), unsafe.Pointer(&want[0]), 1, n)
				size = copy(want, one[:o.T.Size()])
			}
			if k := differ(o.T, got[row*size:(row+1)*size], want[:size]); k >= 0 {
				s := o.T.Size()
				t.Fatalf("%v, n = %d: output %d of %v, element %d: % x, want % x\n%s", isa, n, i, o.T, k,
					got[row*size+k*s:row*size+(k+1)*s], want[k*s:(k+1)*s], list(w.Code()))
			}
		}
	}
	runtime.KeepAlive(kept)
	return f.SpillBytes() > 0
}

func list(code []vec.Instr) string {
	s := ""
	for i, in := range code {
		s += fmt.Sprintf("%d: %v %v %d %d %d %#x\n", i, in.Op, in.T, in.A, in.B, in.C, in.Imm)
	}
	return s
}

// Random programs give the interpreter's bits, at every length, and touch nothing else.
func TestRandomPrograms(t *testing.T) {
	n := uint64(1500)
	if testing.Short() {
		n = 200
	}
	defer func(have bool) { fourPipes = have }(fourPipes)
	for _, isa := range isas(t) {
		spilled := 0
		for seed := range n {
			fourPipes = seed%2 == 0
			r := rand.New(rand.NewPCG(seed, 1))
			w := write(r, 3+r.IntN(1+int(seed)%400), isa == AVX512)
			if w.check(t, r, isa, r.IntN(70)*(1+4*r.IntN(2)), 1+r.IntN(3)) {
				spilled++
			}
		}
		if spilled == 0 {
			t.Errorf("%v: nothing spilled", isa)
		}
	}
}

// Tables of float64s by one index and by others, of any bits, beside more arrays than there are registers for, and with folds.
func TestTables(t *testing.T) {
	for _, isa := range isas(t) {
		for n := range 36 {
			for outs := 1; outs <= 13; outs += 4 {
				r := rand.New(rand.NewPCG(uint64(n), uint64(outs)))
				w := &writer{source: r, plain: 2, in: []In{{T: dtype.I64}, {T: dtype.F64, Splat: n%4 == 2}}}
				w.Builder = vec.NewBuilder(dtype.I64, dtype.F64)
				if n%2 == 1 { // values of 32 bits, so that those of 64 have two parts
					w.out = append(w.out, Out{V: w.F(vec.F32, 3), T: dtype.F32, At: len(w.Code())})
				}
				for i := range outs {
					x := w.Shr(w.Input(0), i/2)
					y := w.FMA(w.Input(1), w.F(vec.F64, float64(i)), w.Table(vec.F64, x, tables[0]...))
					for k := range 1 + n%6 {
						y = w.FMA(y, y, w.Table(vec.F64, x, float64(k), 0.1, -1./3, math.Copysign(0, -1), 4e300, math.Inf(1), 5, 5, 5, 7, 8, 9, 1, 2, 3, 5e-324))
					}
					o := Out{V: y, T: dtype.F64, At: len(w.Code())}
					if i == 1 {
						o.Fold = Max
					}
					w.out = append(w.out, o)
				}
				w.check(t, r, isa, n, 1+n%3)
			}
		}
	}
}

// What a row gives is the next row's input, and other inputs are the same in all rows, wherever they are kept in between, or have rows
// that lie anywhere.
func TestCarries(t *testing.T) {
	rounds := uint64(600)
	if testing.Short() {
		rounds = 100
	}
	for _, isa := range isas(t) {
		kept := 0
		for seed := range rounds {
			r := rand.New(rand.NewPCG(seed, 3))
			w := write(r, 3+r.IntN(120), isa == AVX512)
			p := &Program{In: w.in[:w.plain], Code: w.Code()}
			for i := range p.In {
				p.In[i].Index, p.In[i].Stride = 0, 0
				p.In[i].Still = !p.In[i].Splat && r.IntN(4) == 0
			}
			for k := masks - 1; k >= 0; k-- { // what is of an input's type, a given one and a carried one for each
				for _, v := range w.have[k] {
					i := len(p.In) - 1
					for i >= 0 && (p.In[i].Splat || p.In[i].Still || p.In[i].T != elems[k] || p.carrier(int32(i)) >= 0) {
						i--
					}
					if i >= 0 && !p.Unchanged(v) && r.IntN(3) == 0 {
						p.Out = append(p.Out, Out{T: elems[k], V: v, At: len(p.Code), Carry: i + 1})
					} else if r.IntN(8) == 0 {
						p.Out = append(p.Out, Out{T: elems[k], V: v, At: len(p.Code)})
					}
				}
			}
			slices.SortStableFunc(p.Out, func(a, b Out) int { return min(a.Carry, 1) - min(b.Carry, 1) })
			if len(p.Out) == 0 {
				continue
			}
			if w.checkCarries(t, r, isa, p) {
				kept++
			}
		}
		if kept == 0 {
			t.Errorf("%v: nothing was kept in registers", isa)
		}
	}
}

func (w *writer) checkCarries(t *testing.T, r *rand.Rand, isa ISA, p *Program) bool {
	p.Masks = r.IntN(2) == 0
	step := p.Assemble(isa).Step()
	n, rows := (1+r.IntN(64/step))*step, 1+r.IntN(5)
	if p.N = n; r.IntN(4) == 0 {
		p.N = 0
	}
	for i := range p.In {
		x := &p.In[i]
		x.Listed = !x.Splat && !x.Still && p.carrier(int32(i)) < 0 && r.IntN(3) == 0
		x.Ahead = !x.Splat && !x.Still && !x.Listed && r.IntN(3) == 0
	}
	c := lower(p, isa)
	f := p.Assemble(isa)
	if err := Map(f); err != nil {
		t.Fatal(err)
	}
	args := make([]uintptr, f.Words())
	spill := newGuarded(f.SpillBytes(), 0)
	args[ArgN], args[ArgTail] = f.Split(n)
	args[ArgRows], args[ArgSpill] = uintptr(rows), uintptr(spill.ptr())
	const padded = 64
	arrays := make([]guarded, len(p.In)+len(p.Out))
	var oracle [3]unsafe.Pointer
	var have [3][]byte
	var rowOf [3][]int // where each row of a listed input lies
	var lists [3][]uintptr
	for i, x := range p.In {
		size, count, step := x.T.Size(), n, 0
		if x.Splat {
			count = 1
		} else if p.carrier(int32(i)) < 0 && !x.Still {
			count, step = n*rows, n*x.T.Size()
		}
		arrays[i] = newGuarded(count*size, r.IntN(8)*size)
		fill(r, x.T, arrays[i].bytes())
		args[ArgArrays+2*i], args[ArgArrays+2*i+1] = uintptr(arrays[i].ptr()), uintptr(step)
		if x.Listed {
			for row := range rows {
				rowOf[i] = append(rowOf[i], r.IntN(rows))
				lists[i] = append(lists[i], uintptr(unsafe.Add(arrays[i].ptr(), rowOf[i][row]*step)))
			}
			args[ArgArrays+2*i], args[ArgArrays+2*i+1] = lists[i][0], uintptr(unsafe.Pointer(unsafe.SliceData(lists[i][1:])))
		}
		have[i] = room(padded * size)
		oracle[i] = unsafe.Pointer(&have[i][0])
		copy(have[i], arrays[i].bytes()[:min(count, n)*size])
		for j := range n {
			if x.Splat {
				copy(have[i][j*size:], arrays[i].bytes())
			}
		}
	}
	for i, o := range p.Out {
		at, size := len(p.In)+i, o.T.Size()
		if o.Carry > 0 {
			arrays[at] = arrays[o.Carry-1]
		} else {
			arrays[at] = newGuarded(n*rows*size, r.IntN(8)*size)
			args[ArgArrays+2*at+1] = uintptr(n * size)
		}
		args[ArgArrays+2*at] = uintptr(arrays[at].ptr())
	}
	want := make([][]byte, len(p.Out))
	rest := make([][]byte, len(p.In))
	for i := range p.In {
		rest[i] = slices.Clone(arrays[i].bytes())
	}
	for row := range rows {
		next := make([][]byte, len(p.Out))
		for i, x := range p.In {
			if !x.Splat && !x.Still && p.carrier(int32(i)) < 0 {
				at := row
				if x.Listed {
					at = rowOf[i][row]
				}
				copy(have[i], rest[i][at*n*x.T.Size():][:n*x.T.Size()])
			}
		}
		for i, o := range p.Out {
			next[i] = room(padded * o.T.Size())
			w.Program("oracle", o.T, o.V).Compile()(unsafe.Pointer(&next[i][0]), oracle[0], oracle[1], oracle[2], padded)
		}
		for i, o := range p.Out {
			if y := next[i][:n*o.T.Size()]; o.Carry > 0 {
				copy(have[o.Carry-1], y)
				want[i] = slices.Clone(y)
			} else {
				want[i] = append(want[i], y...)
			}
		}
	}
	f.Run(args)
	runtime.KeepAlive(lists)
	for i, o := range p.Out {
		g := arrays[len(p.In)+i]
		if !g.intact() {
			t.Fatalf("%v, n = %d: output %d: written outside", isa, n, i)
		}
		if k := differ(o.T, g.bytes(), want[i]); k >= 0 {
			s := o.T.Size()
			t.Fatalf("%v, n = %d (%d), %d rows: output %d of %v (carry %d), element %d: % x, want % x\n%s", isa, n, p.N, rows, i, o.T, o.Carry, k,
				g.bytes()[k*s:(k+1)*s], want[i][k*s:(k+1)*s], list(p.Code))
		}
	}
	return len(c.carries) > 0
}

func FuzzPrograms(f *testing.F) {
	f.Add([]byte("adjoint"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		for _, isa := range isas(t) {
			w := write(&byteSource{b}, min(300, len(b)), isa == AVX512)
			w.check(t, rand.New(rand.NewPCG(uint64(n), 1)), isa, int(n), 2)
		}
	})
}

// Code is made, run and dropped by many goroutines while the collector never rests.
func TestCollections(t *testing.T) {
	all := isas(t)
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(k), 5))
			for range rounds {
				b := vec.NewBuilder(dtype.F32)
				c := float32(r.IntN(100))
				y := b.Mul(b.Input(0), b.F(vec.F32, float64(c)))
				p := &Program{In: []In{{T: dtype.F32}}, Code: b.Code(), Out: []Out{{T: dtype.F32, V: y, At: len(b.Code())}}}
				f := p.Assemble(all[r.IntN(len(all))])
				if err := Map(f); err != nil {
					t.Error(err)
					return
				}
				x, out := make([]float32, 512), make([]float32, 512)
				for i := range x {
					x[i] = float32(i)
				}
				args := make([]uintptr, f.Words())
				for range 20 {
					args[ArgN], args[ArgRows] = 512, 1
					args[ArgArrays], args[ArgArrays+2] = uintptr(unsafe.Pointer(&x[0])), uintptr(unsafe.Pointer(&out[0]))
					f.Run(args)
					if i := r.IntN(512); out[i] != c*x[i] {
						t.Errorf("%g·%g = %g", c, x[i], out[i])
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

// Every operation and every conversion that has a vector program gives the interpreter's bits as code.
func TestBodies(t *testing.T) {
	var programs []*vec.Program
	for ty := dtype.Bool; ty < dtype.Count; ty++ {
		for id := range ops.Count {
			if p := vec.Inside(id, ty); p != nil {
				programs = append(programs, p)
			}
		}
		for to := dtype.Bool; to < dtype.Count; to++ {
			if p := vec.Conversion(ty, to); p != nil {
				programs = append(programs, p)
			}
		}
	}
	if len(programs) < 100 {
		t.Fatalf("%d programs", len(programs))
	}
	const n = 4096
	for _, isa := range isas(t) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, v := range programs {
			p := &Program{Code: v.Code, Out: []Out{{T: v.Out, V: v.Result, At: len(v.Code)}}}
			var in [3][]byte
			for i, ty := range v.In {
				p.In = append(p.In, In{T: ty})
				in[i] = make([]byte, n*ty.Size())
				fill(r, ty, in[i])
				if ty.IsFloat() { // bits of any kind, too
					for k := n / 2 * ty.Size(); k < len(in[i]); k++ {
						in[i][k] = byte(r.Uint32())
					}
				}
			}
			f := p.Assemble(isa)
			if err := Map(f); err != nil {
				t.Fatal(err)
			}
			args := make([]uintptr, f.Words())
			spill := make([]byte, f.SpillBytes()+1)
			args[ArgN], args[ArgRows], args[ArgSpill] = n, 1, uintptr(unsafe.Pointer(&spill[0]))
			var x [3]unsafe.Pointer
			for i := range v.In {
				x[i] = unsafe.Pointer(&in[i][0])
				args[ArgArrays+2*i] = uintptr(x[i])
			}
			got, want := make([]byte, n*v.Out.Size()), make([]byte, n*v.Out.Size())
			args[ArgArrays+2*len(v.In)] = uintptr(unsafe.Pointer(&got[0]))
			f.Run(args)
			v.Compile()(unsafe.Pointer(&want[0]), x[0], x[1], x[2], n)
			if k := differ(v.Out, got, want); k >= 0 {
				s := v.Out.Size()
				t.Errorf("%v: %s, element %d: % x, want % x", isa, v.Name, k, got[k*s:(k+1)*s], want[k*s:(k+1)*s])
			}
			runtime.KeepAlive(spill)
		}
	}
}

// room is n bytes and some more, aligned also where n is 0.
func room(n int) []byte {
	words := make([]uint64, n/8+1)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words))
}
