package vec

import (
	"fmt"
	"sync"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
)

// bodies holds what a row becomes as vector instructions. A function may return None for a type that
// it has no body for.
var bodies [ops.Count]func(b *Builder, t Type, x []Value) Value

// register says how op id is computed; t is the lane type of its arguments x (for where, of the last
// two; Bool arguments are masks, and an op on Bool has t = I32). It returns a value so that a table
// can stand at package level.
func register(id ops.ID, f func(b *Builder, t Type, x []Value) Value) struct{} {
	if bodies[id] != nil {
		panic(fmt.Sprintf("vec: two bodies of %v", id))
	}
	bodies[id] = f
	return struct{}{}
}

// Takes reports whether op id is defined for arguments of type t (for where, its last two).
func Takes(id ops.ID, t dtype.Type) bool {
	if t.IsHalf() { // computed in F32
		return false
	}
	switch id.Row().Class {
	case ops.Float, ops.Test:
		return t.IsFloat()
	case ops.Arith:
		return t.IsFloat() || t.IsInt()
	case ops.Compare:
		return t.IsFloat() || t.IsInt() || t == dtype.Bool && (id == ops.Eq || id == ops.Ne)
	case ops.Logic:
		return t == dtype.Bool
	case ops.Bitwise:
		return t.IsInt()
	}
	return t != dtype.Invalid
}

// Result returns the element type of op id's result for arguments of type t.
func Result(id ops.ID, t dtype.Type) dtype.Type {
	switch id.Row().Class {
	case ops.Compare, ops.Test, ops.Logic:
		return dtype.Bool
	}
	return t
}

type bodyKey struct {
	id          ops.ID
	t           dtype.Type
	wide, whole bool
}

var cache sync.Map // bodyKey → *Program

// Body returns op id for arguments of type t (of the last ones for where) as a program, nil when it
// has none that holds for all arguments.
func Body(id ops.ID, t dtype.Type) *Program {
	if Range(id, t) != nil {
		return nil
	}
	return inside(bodyKey{id, t, false, true})
}

// Inside is a tile's program: Body for arguments in Range, or that of a Partial; what the program gives for other
// arguments has no meaning.
func Inside(id ops.ID, t dtype.Type) *Program { return inside(bodyKey{id, t, false, false}) }

// InsideWide is Inside by a Wide builder: the same bits with AVX-512's own instructions.
func InsideWide(id ops.ID, t dtype.Type) *Program { return inside(bodyKey{id, t, true, false}) }

func inside(k bodyKey) *Program {
	if p, ok := cache.Load(k); ok {
		return p.(*Program)
	}
	p, _ := cache.LoadOrStore(k, k.program())
	return p.(*Program)
}

func (k bodyKey) program() *Program {
	id, t, body := k.id, k.t, bodies[k.id]
	if p := PartialOf(id, t); p != nil && !k.whole {
		body = p.body
	}
	if body == nil || !Takes(id, t) {
		return nil
	}
	in := make([]dtype.Type, id.Row().Arity)
	for i := range in {
		in[i] = t
	}
	if id == ops.Where {
		in[0] = dtype.Bool
	}
	lane := I32
	if t != dtype.Bool {
		lane = Lane(t)
	}
	b := NewBuilder(in...)
	b.Wide = k.wide
	x := make([]Value, len(in))
	for i := range in {
		if in[i] == dtype.Bool {
			x[i] = b.InputMask(i, lane.Int())
		} else {
			x[i] = b.Input(i)
		}
	}
	r := body(b, lane, x)
	if r == None {
		return nil
	}
	return b.Program(id.String()+"_"+t.String(), Result(id, t), r)
}

// Emit appends op id on x to a program under way, None when it has no body for lane type t that holds
// for all arguments.
func Emit(b *Builder, id ops.ID, t Type, x ...Value) Value {
	if bodies[id] == nil || limits[id][t] != nil {
		return None
	}
	return bodies[id](b, t, x)
}

// EmitInside is Emit for arguments in Range; what it gives for others has no meaning.
func EmitInside(b *Builder, id ops.ID, t Type, x ...Value) Value {
	if bodies[id] == nil {
		return None
	}
	return bodies[id](b, t, x)
}
