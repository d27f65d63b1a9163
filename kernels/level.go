package kernels

import (
	"fmt"
	"os"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// Purego is the level that every other one is laid over: it needs no row of its own.
var Purego = &Level{Name: "purego"}

// Levels returns the levels that this machine runs, the best one last.
func Levels() []*Level {
	all := []*Level{Purego}
	best := []*Level{AVX512, AVX512BF16}
	if slowPairs() {
		best[0], best[1] = best[1], best[0]
	}
	for _, l := range append([]*Level{AVX2}, best...) {
		if l != nil {
			all = append(all, l)
		}
	}
	return all
}

// Select returns the level of the given name, one of Levels or "amx", whose products of BF16s have bits of their own; "" is that named by ADJOINT_LEVEL, or the best.
func Select(name string) (*Level, error) {
	all := Levels()
	if name == "" {
		name = os.Getenv("ADJOINT_LEVEL")
	}
	if name == "" {
		return all[len(all)-1], nil
	}
	if name == "amx" && amx() != nil {
		return amx(), nil
	}
	var names []string
	for _, l := range all {
		if l.Name == name {
			return l, nil
		}
		names = append(names, l.Name)
	}
	return nil, fmt.Errorf("no level %q on this machine; there are %s", name, strings.Join(names, ", "))
}

// Tile returns the tile of op id for arguments of type t (of the last ones for where), nil where the
// op does not take that type.
func (l *Level) Tile(id ops.ID, t dtype.Type) Tile {
	f := l.Tiles[id][t]
	if f == nil {
		f = puregoTile(id, t)
	}
	if r := vec.Range(id, t); r != nil {
		return l.withBeyond(f, r, t)
	}
	if p := vec.PartialOf(id, t); p != nil {
		return l.withRest(f, p, t)
	}
	return f
}

// ConvertTile returns the tile that converts a to dst; nil when the types are the same. Numbers go to
// the nearest, floats to integers toward zero and saturating, NaN to 0; true is what is not 0. dst may
// be a only where both types have one size.
func (l *Level) ConvertTile(from, to dtype.Type) Tile {
	if f := l.Convert[from][to]; f != nil {
		return f
	}
	return puregoConvert(from, to)
}
