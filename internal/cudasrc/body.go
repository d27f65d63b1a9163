package cudasrc

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

var (
	//go:embed prelude.cuh
	prelude string
	//go:embed special.cuh
	special string
	//go:embed orders.cuh
	orders string
	//go:embed beyond.cuh
	beyond string
)

// ctype is an element type in memory.
func ctype(t dtype.Type) string {
	return [dtype.Count]string{dtype.Bool: "u8", dtype.I32: "int", dtype.I64: "i64", dtype.F32: "float", dtype.F64: "double",
		dtype.BF16: "u16", dtype.F16: "f16"}[t]
}

func vtype(t vec.Type) string { return [...]string{"float", "double", "int", "i64"}[t] }

// laneOf is the type of an operation's lanes, that of the masks where it takes Bools alone.
func laneOf(t dtype.Type) vec.Type {
	if t == dtype.Bool {
		return vec.I32
	}
	return vec.Lane(t)
}

// body is a cluster's operations on one element: a vector program, of which some inputs are results of functions.
type body struct {
	m     *Map
	b     *vec.Builder
	val   []vec.Value // by value of m; None: not read yet
	ins   []bodyInput // by input of the program
	needs map[*string]bool
}

// bodyInput is a value of m that is read, or a call.
type bodyInput struct {
	value int // -1: call
	t     dtype.Type
	call  string // the function
	args  []vec.Value
	guard vec.Value // where not None: the call is made where this holds, and is 0 elsewhere
	wide  bool      // float32s are computed in float64
}

// write makes the body of m.
func write(m *Map) (*body, error) {
	x := &body{m: m, b: vec.NewBuilder(), val: make([]vec.Value, len(m.Values)), needs: map[*string]bool{}}
	for i := range m.Values {
		x.val[i] = vec.None
		if v := &m.Values[i]; v.Leaf == nil {
			if err := x.compute(i, v); err != nil {
				return nil, err
			}
		}
	}
	// What is stored or folded as it was read.
	for i := range m.Values {
		if m.Values[i].Out != nil {
			x.read(i, vec.I32)
		}
	}
	for _, f := range m.Folds {
		x.read(f.Value, vec.I32)
	}
	return x, nil
}

// read is value v, a Bool as a mask of type t.
func (x *body) read(v int, t vec.Type) vec.Value {
	b, val := x.b, &x.m.Values[v]
	if x.m.constant(v) {
		if val.Type == dtype.Bool {
			return b.I(t, -int64(val.Leaf.Bits&1))
		}
		if val.Type.IsHalf() {
			return b.Bits(vec.F32, uint64(math.Float32bits(dtype.HalfFloat(val.Type, uint16(val.Leaf.Bits)))))
		}
		return b.Bits(vec.Lane(val.Type), val.Leaf.Bits)
	}
	if x.val[v] == vec.None {
		if g := val.Gather; g != nil {
			x.read(g.Index, vec.I32)
		}
		x.ins = append(x.ins, bodyInput{value: v, t: val.Type, guard: vec.None})
		x.val[v] = x.input(val.Type, t)
	}
	if val.Type == dtype.Bool {
		switch have := b.TypeOf(x.val[v]); {
		case have.Bits() < t.Bits():
			return b.Widen(x.val[v])
		case have.Bits() > t.Bits():
			return b.Narrow(x.val[v])
		}
	}
	return x.val[v]
}

func (x *body) input(t dtype.Type, mask vec.Type) vec.Value {
	if in := x.b.AddInput(t); t == dtype.Bool {
		return x.b.InputMask(in, mask)
	} else {
		return x.b.Input(in)
	}
}

func (x *body) call(c bodyInput) vec.Value {
	c.value = -1
	x.ins = append(x.ins, c)
	return x.input(c.t, vec.I32)
}

// compute appends value i.
func (x *body) compute(i int, v *Value) error {
	arg := func(j int) dtype.Type { return x.m.Values[v.Args[j]].Type }
	if v.Convert {
		from := arg(0)
		a := x.read(v.Args[0], laneOf(v.Type).Int())
		if x.val[i] = vec.Convert(x.b, a, from, v.Type); x.val[i] != vec.None {
			return nil
		}
		// Between int64 and the floats.
		c := bodyInput{t: v.Type, args: []vec.Value{a}, guard: vec.None, call: "s_toi64"}
		if from == dtype.I64 {
			c.call = "s_tof32"
		}
		x.needs[&special] = true
		x.val[i] = x.call(c)
		return nil
	}
	t := arg(len(v.Args) - 1)
	lane := laneOf(t)
	args := make([]vec.Value, len(v.Args))
	for j, a := range v.Args {
		args[j] = x.read(a, lane.Int())
	}
	if x.val[i] = vec.Emit(x.b, v.Op, lane, args...); x.val[i] != vec.None {
		return nil
	}
	if r := vec.Range(v.Op, t); r != nil {
		far, text := "b_"+v.Op.String(), &beyond
		if !strings.Contains(beyond, far+"(") {
			if far, text = "s_"+v.Op.String(), &special; !strings.Contains(special, " "+far+"(") {
				text = &orders
			}
		}
		x.needs[text] = true
		lo, hi := x.b.F(lane, r.Lo), x.b.F(lane, r.Hi)
		out := x.b.Or(x.b.LT(args[0], lo), x.b.GT(args[0], hi))
		y := x.call(bodyInput{t: t, args: args, guard: out, call: far, wide: t == dtype.F32})
		x.val[i] = x.b.Blend(out, y, vec.EmitInside(x.b, v.Op, lane, args...))
		return nil
	}
	x.needs[&special] = true
	name := "s_" + v.Op.String()
	wide := t == dtype.F32
	switch {
	case v.Op == ops.Mul:
		name = "v_mul"
	case v.Op == ops.Square:
		name, args = "v_mul", []vec.Value{args[0], args[0]}
	case v.Op == ops.Mod:
		wide = false
	case strings.Contains(special, " "+name+"("):
	case strings.Contains(orders, " "+name+"("):
		x.needs[&orders] = true
	default:
		return &Unsupported{v.Op.String(), "it has no text for " + t.String()}
	}
	x.val[i] = x.call(bodyInput{t: t, args: args, guard: vec.None, call: name, wide: wide})
	return nil
}

// printer prints a body as statements.
type printer struct {
	*body
	code   []vec.Instr
	pred   []bool // by instruction: it is a bool, not a mask
	live   []bool
	size   int // instructions, calls as some tens
	s      strings.Builder
	tables strings.Builder // what it looks up
}

// callSize is the weight of a call among instructions.
const callSize = 64

// function is the body as a device function name(inputs…, results…): the leaves that are read, in order, then the
// values that are stored, then those that are folded.
func (x *body) function(name string) (text string, size int) {
	p := &printer{body: x, code: x.b.Code()}
	p.pred, p.live = make([]bool, len(p.code)), make([]bool, len(p.code))
	for i, in := range p.code {
		p.pred[i] = p.isPred(in)
	}
	var outs []int
	for i := range x.m.Values {
		if x.m.Values[i].Out != nil {
			outs = append(outs, i)
		}
	}
	for i := range x.m.Folds {
		outs = append(outs, x.m.Folds[i].Value)
	}
	result := make([]vec.Value, len(outs))
	for k, v := range outs {
		result[k] = x.b.Stored(x.m.Values[v].Type, x.read(v, x.maskType(v)))
		p.live[result[k]] = true
	}
	p.code = x.b.Code() // reading made constants, perhaps
	for len(p.pred) < len(p.code) {
		p.pred, p.live = append(p.pred, false), append(p.live, false)
	}
	for k := range outs {
		p.live[result[k]] = true
	}
	for i := len(p.code) - 1; i >= 0; i-- {
		if !p.live[i] {
			continue
		}
		in := p.code[i]
		uses := []vec.Value{in.A, in.B, in.C}
		if in.Op == vec.Load {
			if c := &x.ins[in.Imm]; c.value < 0 {
				uses = append(append(uses, c.args...), c.guard)
			}
		}
		for _, v := range uses {
			if v != vec.None {
				p.live[v] = true
			}
		}
	}
	var params []string
	for k := range x.ins {
		if c := &x.ins[k]; c.value >= 0 {
			params = append(params, fmt.Sprintf("const %s x%d", ctype(c.t), c.value))
		}
	}
	for k, v := range outs {
		params = append(params, fmt.Sprintf("%s &y%d", ctype(x.m.Values[v].Type), k))
	}
	for i := range p.code {
		if p.live[i] {
			p.statement(vec.Value(i))
		}
	}
	for k, v := range outs {
		y := p.name(result[k])
		switch t := x.m.Values[v].Type; {
		case t == dtype.Bool:
			y = "(u8)" + p.asPred(result[k])
		case t == dtype.BF16 && p.code[result[k]].T == vec.F32: // as it was loaded
			y = fmt.Sprintf("(u16)((u32)%s >> 16)", p.asBits(result[k]))
		case t == dtype.BF16:
			y = "(u16)" + y
		case t == dtype.F16:
			y = "v_f16(" + y + ")"
		}
		fmt.Fprintf(&p.s, "\ty%d = %s;\n", k, y)
	}
	return p.tables.String() + fmt.Sprintf("ADJ void %s(%s) {\n%s}\n", name, strings.Join(params, ", "), p.s.String()), p.size
}

// maskType is the type that value v's mask has if it is one.
func (x *body) maskType(v int) vec.Type {
	if x.val[v] != vec.None && x.m.Values[v].Type == dtype.Bool {
		return x.b.TypeOf(x.val[v])
	}
	return vec.I32
}

func (p *printer) isPred(in vec.Instr) bool {
	able := func(v vec.Value) bool { // it can stand where a bool is wanted
		c := p.code[v]
		return p.pred[v] || c.Op == vec.Const && !c.T.IsFloat() && (c.Imm == 0 || c.Imm == p.ones(c.T))
	}
	switch in.Op {
	case vec.Load:
		return p.ins[in.Imm].t == dtype.Bool
	case vec.CmpEQ, vec.CmpNE, vec.CmpLT, vec.CmpLE, vec.CmpGT, vec.CmpGE:
		return true
	case vec.And, vec.AndNot, vec.Or, vec.Xor:
		return able(in.A) && able(in.B) && (p.pred[in.A] || p.pred[in.B])
	case vec.Widen, vec.Narrow:
		return p.pred[in.A]
	case vec.Blend:
		return able(in.B) && able(in.C) && (p.pred[in.B] || p.pred[in.C])
	}
	return false
}

func (p *printer) ones(t vec.Type) uint64 {
	if t.Bits() == 32 {
		return math.MaxUint32
	}
	return math.MaxUint64
}

// name is v as a value of its lane type.
func (p *printer) name(v vec.Value) string {
	in := p.code[v]
	switch {
	case in.Op == vec.Const:
		return literal(in.T, in.Imm)
	case p.pred[v]:
		return fmt.Sprintf("v_mask%d(v%d)", in.T.Bits(), v)
	}
	return fmt.Sprintf("v%d", v)
}

// asPred is mask v as a bool.
func (p *printer) asPred(v vec.Value) string {
	in := p.code[v]
	switch {
	case in.Op == vec.Const:
		return strconv.FormatBool(in.Imm != 0)
	case p.pred[v]:
		return fmt.Sprintf("v%d", v)
	case in.T.IsFloat():
		return fmt.Sprintf("(v_bits(v%d) != 0)", v)
	}
	return fmt.Sprintf("(v%d != 0)", v)
}

// asBits is v as an integer of its width.
func (p *printer) asBits(v vec.Value) string {
	in := p.code[v]
	if in.Op == vec.Const {
		return literal(in.T.Int(), in.Imm)
	}
	if in.T.IsFloat() {
		return fmt.Sprintf("v_bits(v%d)", v)
	}
	return p.name(v)
}

// fromBits is an expression of integer type as type t.
func fromBits(t vec.Type, e string) string {
	switch t {
	case vec.F32:
		return "v_f32(" + e + ")"
	case vec.F64:
		return "v_f64(" + e + ")"
	}
	return e
}

// literal is a constant.
func literal(t vec.Type, bits uint64) string {
	switch t {
	case vec.F32:
		x := math.Float32frombits(uint32(bits))
		if x != x || math.IsInf(float64(x), 0) {
			return fmt.Sprintf("v_f32((int)%#xu)", uint32(bits))
		}
		return strconv.FormatFloat(float64(x), 'x', -1, 32) + "f"
	case vec.F64:
		x := math.Float64frombits(bits)
		if x != x || math.IsInf(x, 0) {
			return fmt.Sprintf("v_f64((i64)%#xull)", bits)
		}
		return strconv.FormatFloat(x, 'x', -1, 64)
	case vec.I32:
		if x := int32(bits); x != math.MinInt32 {
			return strconv.Itoa(int(x))
		}
		return "(int)0x80000000u"
	}
	if x := int64(bits); x != math.MinInt64 {
		return strconv.FormatInt(x, 10) + "ll"
	}
	return "(i64)0x8000000000000000ull"
}

// binary holds the operations that are functions of the prelude.
var preludeOps = map[vec.Op]string{vec.Add: "v_add", vec.Sub: "v_sub", vec.Mul: "v_mul", vec.Div: "v_div", vec.Sqrt: "v_sqrt",
	vec.FMA: "v_fma", vec.ShlV: "v_shl", vec.ShrV: "v_shr", vec.Floor: "v_floor", vec.Ceil: "v_ceil", vec.Trunc: "v_trunc",
	vec.Nearest: "v_nearest", vec.ToInt: "v_toint", vec.Half: "v_half"}

var infix = map[vec.Op]string{vec.CmpEQ: "==", vec.CmpNE: "!=", vec.CmpLT: "<", vec.CmpLE: "<=", vec.CmpGT: ">", vec.CmpGE: ">=",
	vec.And: "&", vec.Or: "|", vec.Xor: "^", vec.Min: "<", vec.Max: ">"}

// statement prints instruction v.
func (p *printer) statement(v vec.Value) {
	in := p.code[v]
	if in.Op == vec.Const {
		return
	}
	p.size++
	t := vtype(in.T)
	if p.pred[v] {
		t = "bool"
	}
	fmt.Fprintf(&p.s, "\tconst %s v%d = %s;\n", t, v, p.expr(in, p.pred[v]))
}

func (p *printer) expr(in vec.Instr, pred bool) string {
	n := p.name
	switch in.Op {
	case vec.Load:
		return p.load(&p.ins[in.Imm])
	case vec.FNMA:
		return fmt.Sprintf("v_fma(-(%s), %s, %s)", n(in.A), n(in.B), n(in.C))
	case vec.FMS:
		return fmt.Sprintf("v_fma(%s, %s, -(%s))", n(in.A), n(in.B), n(in.C))
	case vec.Min, vec.Max:
		return fmt.Sprintf("%s %s %s ? %s : %s", n(in.A), infix[in.Op], n(in.B), n(in.A), n(in.B))
	case vec.And, vec.Or, vec.Xor:
		if pred {
			return fmt.Sprintf("%s %s %s", p.asPred(in.A), map[vec.Op]string{vec.And: "&&", vec.Or: "||", vec.Xor: "!="}[in.Op], p.asPred(in.B))
		}
		return fromBits(in.T, fmt.Sprintf("%s %s %s", p.asBits(in.A), infix[in.Op], p.asBits(in.B)))
	case vec.AndNot:
		if pred {
			return fmt.Sprintf("%s && !%s", p.asPred(in.A), p.asPred(in.B))
		}
		return fromBits(in.T, fmt.Sprintf("%s & ~%s", p.asBits(in.A), p.asBits(in.B)))
	case vec.Shl:
		return fmt.Sprintf("(%s)((%s)%s << %d)", vtype(in.T), unsigned(in.T), n(in.A), in.Imm)
	case vec.Shr:
		return fmt.Sprintf("(%s)((%s)%s >> %d)", vtype(in.T), unsigned(in.T), n(in.A), in.Imm)
	case vec.Sar:
		return fmt.Sprintf("%s >> %d", n(in.A), in.Imm)
	case vec.CmpEQ, vec.CmpNE, vec.CmpLT, vec.CmpLE, vec.CmpGT, vec.CmpGE:
		return fmt.Sprintf("%s %s %s", n(in.A), infix[in.Op], n(in.B))
	case vec.Blend:
		if pred {
			return fmt.Sprintf("%s ? %s : %s", p.asPred(in.A), p.asPred(in.B), p.asPred(in.C))
		}
		return fmt.Sprintf("%s ? %s : %s", p.asPred(in.A), n(in.B), n(in.C))
	case vec.Widen, vec.Narrow, vec.ToFloat:
		if pred {
			return p.asPred(in.A)
		}
		return fmt.Sprintf("(%s)%s", vtype(in.T), n(in.A))
	case vec.Bitcast:
		return fromBits(in.T, p.asBits(in.A))
	case vec.Table:
		return fmt.Sprintf("%s[%s & 15]", p.table(in), n(in.A))
	}
	args := []string{n(in.A)}
	for _, v := range [...]vec.Value{in.B, in.C} {
		if v != vec.None {
			args = append(args, n(v))
		}
	}
	return preludeOps[in.Op] + "(" + strings.Join(args, ", ") + ")"
}

// table is the name of the table that in looks up.
func (p *printer) table(in vec.Instr) string {
	name := "t_" + vec.TableName(in.Imm)
	if !strings.Contains(p.tables.String(), name) {
		var entries []string
		for _, bits := range vec.TableBits(in.Imm) {
			entries = append(entries, literal(in.T, bits))
		}
		fmt.Fprintf(&p.tables, "#ifndef %s_\n#define %[1]s_\nstatic __device__ const %[2]s %[1]s[16] = {%[3]s};\n#endif\n", name, vtype(in.T), strings.Join(entries, ", "))
	}
	return name
}

// load is an input: a leaf's element or a call.
func (p *printer) load(c *bodyInput) string {
	if c.value >= 0 {
		switch c.t {
		case dtype.Bool:
			return fmt.Sprintf("x%d != 0", c.value)
		case dtype.BF16:
			return fmt.Sprintf("v_f32((int)((u32)x%d << 16))", c.value)
		case dtype.F16:
			return fmt.Sprintf("v_f32(x%d)", c.value)
		}
		return fmt.Sprintf("x%d", c.value)
	}
	p.size += callSize
	args := make([]string, len(c.args))
	for j, a := range c.args {
		args[j] = p.name(a)
		if c.wide {
			args[j] = "(double)" + args[j]
		}
	}
	e := c.call + "(" + strings.Join(args, ", ") + ")"
	if c.wide {
		e = "(float)" + e
	}
	if c.guard != vec.None {
		e = fmt.Sprintf("%s ? %s : 0", p.asPred(c.guard), e)
	}
	return e
}

func unsigned(t vec.Type) string {
	if t.Bits() == 32 {
		return "u32"
	}
	return "u64"
}

// beyondTables are the constants of beyond.cuh.
func beyondTables() string {
	sin, cos, tan, bits := vec.BeyondTables()
	var s strings.Builder
	s.WriteString("#ifndef ADJ_TABLES\n#define ADJ_TABLES\n")
	for _, c := range []struct {
		name string
		x    []float64
	}{{"sin", sin}, {"cos", cos}, {"tan", tan}} {
		fmt.Fprintf(&s, "static __device__ const double c_%s[%d] = {", c.name, len(c.x))
		for i, x := range c.x {
			if i > 0 {
				s.WriteString(", ")
			}
			s.WriteString(literal(vec.F64, math.Float64bits(x)))
		}
		s.WriteString("};\n")
	}
	fmt.Fprintf(&s, "static __device__ const u64 c_twooverpi[%d] = {", len(bits))
	for i, x := range bits {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "%#xull", x)
	}
	s.WriteString("};\n#endif\n")
	return s.String()
}
