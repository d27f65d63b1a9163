package autodiff

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/adjoint-go/adjoint/internal/ir"
)

// A tree is a Value or structs, arrays, slices, maps, pointers and interfaces that hold some. What else
// they hold is part of the function, not of its arguments, and is carried along. A pointer that occurs
// twice is one part of the tree.

var valueType = reflect.TypeFor[Value]()

// mapped is a deep copy of the tree v with each Value x replaced by f(path, x), in a fixed order.
func mapped(v reflect.Value, f func(at path, x Value) Value) reflect.Value {
	w := walk{f: f, seen: map[unsafe.Pointer]reflect.Value{}}
	return w.copy(addressable(v), path{hops: []hop{{}}})
}

// path is how to reach a Value from the start of a tree.
type path struct {
	name string // ".W[2]"
	hops []hop
	slow bool // by way of a map or an interface: hops do not lead there
}

// hop adds to an address, then follows the pointer or slice that lies there.
type hop struct {
	offset uintptr
	kind   hopKind
	n      int // of a slice: its length
}

type hopKind uint8

const (
	stay hopKind = iota
	pointer
	slice
)

// in is the path to a part at an offset.
func (p path) in(name string, offset uintptr) path {
	hops := slices.Clone(p.hops)
	hops[len(hops)-1].offset += offset
	return path{p.name + name, hops, p.slow}
}

// through follows a pointer or a slice.
func (p path) through(kind hopKind, n int) path {
	hops := slices.Clone(p.hops)
	hops[len(hops)-1].kind, hops[len(hops)-1].n = kind, n
	return path{p.name, append(hops, hop{}), p.slow}
}

type walk struct {
	f    func(at path, x Value) Value
	seen map[unsafe.Pointer]reflect.Value
}

func (w *walk) copy(v reflect.Value, at path) reflect.Value {
	t := v.Type()
	switch {
	case t == valueType:
		return reflect.ValueOf(w.f(at, v.Interface().(Value)))
	case !mayHold(t):
		return v
	}
	c := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Struct:
		c.Set(v)
		for i := range t.NumField() {
			field := t.Field(i)
			open(c.Field(i)).Set(w.copy(open(v.Field(i)), at.in("."+field.Name, field.Offset)))
		}
	case reflect.Array:
		for i := range t.Len() {
			c.Index(i).Set(w.copy(v.Index(i), at.in(fmt.Sprintf("[%d]", i), uintptr(i)*t.Elem().Size())))
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c = reflect.MakeSlice(t, v.Len(), v.Len())
		at = at.through(slice, v.Len())
		for i := range v.Len() {
			c.Index(i).Set(w.copy(v.Index(i), at.in(fmt.Sprintf("[%d]", i), uintptr(i)*t.Elem().Size())))
		}
	case reflect.Pointer:
		if v.IsNil() || !holds(v, nil) {
			return v
		}
		if old, ok := w.seen[v.UnsafePointer()]; ok && old.Type() == t {
			return old
		}
		p := reflect.New(t.Elem())
		w.seen[v.UnsafePointer()] = p
		p.Elem().Set(w.copy(v.Elem(), at.through(pointer, 0)))
		return p
	case reflect.Interface:
		if v.IsNil() || !holds(v.Elem(), nil) {
			return v
		}
		at.slow = true
		c.Set(w.copy(addressable(v.Elem()), at))
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c = reflect.MakeMap(t)
		at.slow = true
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(keyName(a), keyName(b)) })
		for _, k := range keys {
			c.SetMapIndex(k, w.copy(addressable(v.MapIndex(k)), at.in(keyName(k), 0)))
		}
	}
	return c
}

func keyName(k reflect.Value) string { return fmt.Sprintf("[%v]", k) }

// open is a field as one that may be read and set, exported or not.
func open(v reflect.Value) reflect.Value {
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// mayHold reports whether something of type t can hold Values.
func mayHold(t reflect.Type) bool {
	if known, ok := holders.Load(t); ok {
		return known.(bool)
	}
	may := typeHolds(t, map[reflect.Type]bool{})
	holders.Store(t, may)
	return may
}

var holders sync.Map // reflect.Type → bool

func typeHolds(t reflect.Type, above map[reflect.Type]bool) bool {
	if t == valueType {
		return true
	}
	if above[t] {
		return false
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Array, reflect.Slice, reflect.Pointer, reflect.Map:
		return typeHolds(t.Elem(), above)
	case reflect.Struct:
		for i := range t.NumField() {
			if typeHolds(t.Field(i).Type, above) {
				return true
			}
		}
	}
	return false
}

// holds reports whether v does hold a Value, beyond pointers and interfaces.
func holds(v reflect.Value, above map[unsafe.Pointer]bool) bool {
	t := v.Type()
	switch {
	case t == valueType:
		return true
	case !mayHold(t):
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if holds(v.Field(i), above) {
				return true
			}
		}
	case reflect.Array, reflect.Slice:
		for i := range v.Len() {
			if holds(v.Index(i), above) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if holds(it.Value(), above) {
				return true
			}
		}
	case reflect.Interface:
		return !v.IsNil() && holds(v.Elem(), above)
	case reflect.Pointer:
		if v.IsNil() || above[v.UnsafePointer()] {
			return false
		}
		if above == nil {
			above = map[unsafe.Pointer]bool{}
		}
		above[v.UnsafePointer()] = true
		return holds(v.Elem(), above)
	}
	return false
}

// leaves lists the Values of a tree.
func leaves[T any](tree T) []Value {
	var xs []Value
	mapped(reflect.ValueOf(&tree).Elem(), func(_ path, x Value) Value {
		xs = append(xs, x)
		return x
	})
	return xs
}

// replaced is a copy of the tree with its Values replaced in order.
func replaced[T any](tree T, xs []Value) T {
	i := -1
	return mapped(reflect.ValueOf(&tree).Elem(), func(path, Value) Value {
		i++
		return xs[i]
	}).Interface().(T)
}

// TreeMap applies f to the Values of trees of one structure, position by position, and returns the tree of
// the results. Positions where the first tree has no value stay so. A step of gradient descent on a model
// is
//
//	TreeMap(func(v ...Value) Value { return v[0].Sub(v[1].Scale(rate)) }, model, gradient)
func TreeMap[T any](f func(v ...Value) Value, tree T, more ...T) T {
	all := [][]Value{leaves(tree)}
	for _, t := range more {
		xs := leaves(t)
		if len(xs) != len(all[0]) {
			ir.Fail("TreeMap", "%d and %d values: the trees differ", len(all[0]), len(xs))
		}
		all = append(all, xs)
	}
	res := make([]Value, len(all[0]))
	for i := range res {
		if !all[0][i].IsValid() {
			continue
		}
		args := make([]Value, len(all))
		for k := range all {
			args[k] = all[k][i]
		}
		res[i] = f(args...)
	}
	return replaced(tree, res)
}

// TreeClone is a copy of a tree whose arrays share no memory with it: to start twice from one model that
// RunInto updates in place.
func TreeClone[T any](tree T) T {
	xs := leaves(tree)
	for i, v := range xs {
		if v.a != nil && v.a.p != nil && !v.a.weak {
			xs[i] = v.Clone()
		}
	}
	return replaced(tree, xs)
}

// TreeLeaves lists the Values of a tree in the order that all functions of this package go by: fields and
// elements as declared, maps by their keys as text.
func TreeLeaves[T any](tree T) []Value { return leaves(tree) }

// form is where the Values of trees of one structure lie.
type form struct {
	at   []path
	flat bool // all lie in the tree's own memory
	slow bool // some lie beyond a map or an interface
}

func formOf(v reflect.Value) (f form, xs []Value) {
	f.flat = true
	mapped(v, func(at path, x Value) Value {
		f.at = append(f.at, at)
		f.flat = f.flat && len(at.hops) == 1
		f.slow = f.slow || at.slow
		xs = append(xs, x)
		return x
	})
	f.flat = f.flat && !f.slow
	return f, xs
}

// find is the Value at p from the start of a tree, nil where the tree's structure is another.
func (p *path) find(tree unsafe.Pointer) *Value {
	for i := range p.hops {
		h := &p.hops[i]
		tree = unsafe.Add(tree, h.offset)
		switch h.kind {
		case pointer:
			tree = *(*unsafe.Pointer)(tree)
		case slice:
			s := (*[]byte)(tree) // of whatever type: pointer and length are read
			if len(*s) != h.n {
				return nil
			}
			tree = unsafe.Pointer(unsafe.SliceData(*s))
		}
		if tree == nil {
			return nil
		}
	}
	return (*Value)(tree)
}
