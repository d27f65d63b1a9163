package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// meaning computes symbolically what the lines leave in every place, and returns the operands of the
// stores to (DI) in order.
func meaning(t *testing.T, lines []string) []string {
	place := map[string]string{} // register or slot → expression
	read := func(op string) string {
		if strings.HasSuffix(op, "(SI)") || strings.HasSuffix(op, "<>(SB)") {
			return op
		}
		v, ok := place[op]
		if !ok {
			t.Fatalf("reads %s, which nothing wrote", op)
		}
		return v
	}
	var stores []string
	fma := regexp.MustCompile(`^VFMADD(\d\d\d)PS$`)
	for _, line := range lines {
		mnemonic, rest, _ := strings.Cut(strings.Replace(line, ".BCST", "", 1), " ")
		ops := strings.Split(rest, ", ")
		dst := ops[len(ops)-1]
		v := ""
		switch m := fma.FindStringSubmatch(mnemonic); {
		case m != nil:
			by := map[byte]string{'1': read(dst), '2': read(ops[1]), '3': read(ops[0])}
			v = fmaOf(by[m[1][0]], by[m[1][1]], by[m[1][2]])
		case mnemonic == "VMOVUPS", mnemonic == "VBROADCASTSS", mnemonic == "KMOVW":
			v = read(ops[0])
		default:
			var args []string
			for _, o := range ops[:len(ops)-1] {
				args = append(args, read(o))
			}
			v = opOf(mnemonic, args)
		}
		if strings.HasSuffix(dst, "(DI)") {
			stores = append(stores, v)
		} else {
			place[dst] = v
		}
	}
	return stores
}

func fmaOf(x, y, z string) string {
	p := []string{x, y}
	slices.Sort(p)
	return opOf("fma", append(p, z))
}

// terms names expressions by number, so that they stay short; equal ones have one number.
var terms = map[string]int{}

func opOf(mnemonic string, args []string) string {
	if mnemonic == "COM" {
		slices.Sort(args)
	}
	key := mnemonic + fmt.Sprint(args)
	if _, ok := terms[key]; !ok {
		terms[key] = len(terms)
	}
	return fmt.Sprintf("t%d", terms[key])
}

// What the allocator prints computes what the program on virtual registers says, spills and all.
func TestAllocate(t *testing.T) {
	spills := map[string]int{}
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(1, seed))
		l := &lowered{isa: isas[seed%2]}
		var want []string // by virtual register
		add := func(home string, keep bool, value string) int {
			l.home, l.keep, l.mask, want = append(l.home, home), append(l.keep, keep), append(l.mask, false), append(want, value)
			return len(want) - 1
		}
		for i := range 4 {
			in, k := fmt.Sprintf("%d(SI)", 32*i), fmt.Sprintf("k32_%d<>(SB)", i)
			add(in, false, in)
			add(k, true, k)
		}
		var masks []int
		for range 10 + r.IntN(240) {
			reach := len(want)
			if r.IntN(2) == 0 {
				reach = min(reach, 12)
			}
			arg := func() int {
				for {
					if v := len(want) - 1 - r.IntN(reach); !l.mask[v] {
						return v
					}
					reach = len(want)
				}
			}
			x, y, z := arg(), arg(), arg()
			if r.IntN(5) == 0 {
				y = x
			}
			if r.IntN(8) == 0 {
				z = x
			}
			d := len(want)
			kinds := 4
			if l.masks {
				kinds = 6
			}
			switch r.IntN(kinds) {
			case 4:
				add("", false, opOf("CMP", []string{want[y], want[x]}))
				l.mask[d] = true
				masks = append(masks, d)
				l.code = append(l.code, inst{form: "CMP @1, @0, @d", args: []int{x, y}, mem: 1, dst: d})
			case 5:
				if masks == nil {
					continue
				}
				m := masks[r.IntN(len(masks))]
				add("", false, opOf("SEL", []string{want[y], want[z], want[m]}))
				l.code = append(l.code, inst{form: "SEL @1, @2, @0, @d", args: []int{m, y, z}, mem: 1, dst: d, whole: r.IntN(2) == 0})
			case 0:
				add("", false, opOf("COM", []string{want[x], want[y]}))
				l.code = append(l.code, inst{form: "COM @1, @0, @d", args: []int{x, y}, mem: 1, swap: true, dst: d})
			case 1:
				add("", false, opOf("SEL", []string{want[x], want[y], want[z]}))
				l.code = append(l.code, inst{form: "SEL @0, @1, @2, @d", args: []int{x, y, z}, mem: 1, dst: d})
			case 2:
				add("", false, opOf("ONE", []string{want[x]}))
				l.code = append(l.code, inst{form: "ONE @0, @d", args: []int{x}, mem: -r.IntN(2), dst: d})
			case 3:
				add("", false, fmaOf(want[x], want[y], want[z]))
				l.code = append(l.code, inst{args: []int{x, y, z}, mem: -1, dst: d, fma: [2]string{"VFMADD", "PS"}})
			}
		}
		var stored []string
		unread := make([]bool, len(want))
		for v := range want {
			unread[v] = true
		}
		for _, in := range l.code {
			for _, v := range in.args {
				unread[v] = false
			}
		}
		for v := range want {
			if unread[v] && (l.home[v] == "" || r.IntN(2) == 0) {
				stored = append(stored, want[v])
				if l.mask[v] {
					d := add("", false, opOf("ONE", []string{want[v]}))
					l.code = append(l.code, inst{form: "ONE @0, @d", args: []int{v}, mem: -1, dst: d})
					stored[len(stored)-1] = want[d]
					v = d
				}
				l.code = append(l.code, inst{form: fmt.Sprintf("VMOVUPS @0, %d(DI)", 32*v), args: []int{v}, mem: -1, dst: -1})
			}
		}
		a := allocate(l)
		for _, line := range a.lines {
			if strings.Contains(line, "(SP)") {
				spills[string(line[0])+l.name]++
			}
		}
		if got := meaning(t, a.lines); !slices.Equal(got, stored) {
			t.Fatalf("seed %d: stores %v, want %v\n%s", seed, got, stored, strings.Join(a.lines, "\n"))
		}
	}
	for _, kind := range []string{"VAVX2", "VAVX512", "KAVX512"} { // vectors, masks
		if spills[kind] == 0 {
			t.Errorf("nothing spilled: %s", kind)
		}
	}
}
