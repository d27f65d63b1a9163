package ops

import (
	"fmt"
	"math"
	"strconv"
)

// Expr is a node of a parsed partial derivative. Exactly one form holds: a variable (Var is 'a',
// 'b', 'c' or 'y'), a number (Op is Count, Var 0), or an op on arguments. A conditional "x ? p : q"
// is the op Where.
type Expr struct {
	Var  byte
	Num  float64
	Op   ID
	Args []*Expr
}

// IsNum reports whether e is the number x.
func (e *Expr) IsNum(x float64) bool { return e.Op == Count && e.Var == 0 && e.Num == x }

// isNaN reports whether e is written as a product with nan.
func (e *Expr) isNaN() bool {
	return e.Op == Mul && e.Args[1].Op == Count && e.Args[1].Var == 0 && e.Args[1].Num != e.Args[1].Num
}

// Eval computes the expression in float64 for arguments v and result y.
func (e *Expr) Eval(v [3]float64, y float64) float64 {
	switch {
	case e.Var == 'y':
		return y
	case e.Var != 0:
		return v[e.Var-'a']
	case e.Op == Count:
		return e.Num
	}
	var x [3]float64
	for i, a := range e.Args {
		x[i] = a.Eval(v, y)
	}
	return Table[e.Op].Eval(x[0], x[1], x[2])
}

// Parse reads an expression: numbers, the variables a b c y, the constants ln2, ln10 and nan, + - * /,
// comparisons, "cond ? x : y", parentheses and calls of any op by name.
func Parse(text string) (e *Expr, err error) {
	ps := parser{text: text}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v in %q at %d", r, text, ps.i)
		}
	}()
	e = ps.cond()
	if ps.peek() != 0 {
		panic("unexpected " + string(ps.peek()))
	}
	return e, nil
}

func mustParse(name, text string) *Expr {
	e, err := Parse(text)
	if err != nil {
		panic("ops: partial of " + name + ": " + err.Error())
	}
	return e
}

type parser struct {
	text string
	i    int
}

func (p *parser) peek() byte {
	for p.i < len(p.text) && p.text[p.i] == ' ' {
		p.i++
	}
	if p.i == len(p.text) {
		return 0
	}
	return p.text[p.i]
}

func (p *parser) take(s string) bool {
	p.peek()
	if len(p.text)-p.i >= len(s) && p.text[p.i:p.i+len(s)] == s {
		p.i += len(s)
		return true
	}
	return false
}

func (p *parser) want(s string) {
	if !p.take(s) {
		panic("missing " + s)
	}
}

func call(op ID, args ...*Expr) *Expr { return &Expr{Op: op, Args: args} }
func num(x float64) *Expr             { return &Expr{Op: Count, Num: x} }

func (p *parser) cond() *Expr {
	e := p.compare()
	if p.take("?") {
		x := p.cond()
		p.want(":")
		return call(Where, e, x, p.cond())
	}
	return e
}

func (p *parser) compare() *Expr {
	e := p.sum()
	for _, c := range [...]struct {
		text string
		op   ID
	}{{"==", Eq}, {"!=", Ne}, {"<=", Le}, {">=", Ge}, {"<", Lt}, {">", Gt}} {
		if p.take(c.text) {
			return call(c.op, e, p.sum())
		}
	}
	return e
}

func (p *parser) sum() *Expr {
	e := p.product()
	for {
		switch {
		case p.take("+"):
			e = call(Add, e, p.product())
		case p.take("-"):
			e = call(Sub, e, p.product())
		default:
			return e
		}
	}
}

func (p *parser) product() *Expr {
	e := p.unary()
	for {
		switch {
		case p.take("*"):
			e = call(Mul, e, p.unary())
		case p.take("/"):
			e = call(Div, e, p.unary())
		default:
			return e
		}
	}
}

func (p *parser) unary() *Expr {
	if p.take("-") {
		e := p.unary()
		if e.Op == Count && e.Var == 0 {
			return num(-e.Num)
		}
		return call(Neg, e)
	}
	return p.atom()
}

func (p *parser) atom() *Expr {
	c := p.peek()
	start := p.i
	switch {
	case p.take("("):
		e := p.cond()
		p.want(")")
		return e
	case c >= '0' && c <= '9':
		for p.i < len(p.text) && (p.text[p.i] >= '0' && p.text[p.i] <= '9' || p.text[p.i] == '.') {
			p.i++
		}
		x, err := strconv.ParseFloat(p.text[start:p.i], 64)
		if err != nil {
			panic(err)
		}
		return num(x)
	case c >= 'a' && c <= 'z':
		for p.i < len(p.text) && (p.text[p.i] >= 'a' && p.text[p.i] <= 'z' || p.text[p.i] >= '0' && p.text[p.i] <= '9') {
			p.i++
		}
		name := p.text[start:p.i]
		switch name {
		case "a", "b", "c", "y":
			return &Expr{Var: name[0], Op: Count}
		case "ln2":
			return num(math.Ln2)
		case "nan":
			return &Expr{Op: Count, Num: math.NaN()}
		case "ln10":
			return num(math.Ln10)
		}
		op, ok := ByName[name]
		if !ok {
			panic("no op " + name)
		}
		p.want("(")
		var args []*Expr
		for !p.take(")") {
			if len(args) > 0 {
				p.want(",")
			}
			args = append(args, p.cond())
		}
		if len(args) != Table[op].Arity {
			panic(fmt.Sprintf("%s of %d arguments", name, len(args)))
		}
		return call(op, args...)
	}
	panic("unexpected end or character")
}
