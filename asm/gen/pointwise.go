package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/ops"
	"github.com/adjoint-go/adjoint/internal/vec"
)

// genPointwise returns the tiles of every op and conversion that has a vector program.
func genPointwise() map[string][]byte {
	files := map[string][]byte{}
	for _, i := range isas {
		genTiles(i, files)
	}
	return files
}

func genTiles(i isa, files map[string][]byte) {
	var text, decls, tiles, converts bytes.Buffer
	consts := map[string]bool{}
	add := func(p *vec.Program) string {
		name := i.funcName(p.Name)
		tile(&text, name, i, p, consts)
		fmt.Fprintf(&decls, "\n//go:noescape\nfunc %s(dst, a, b, c unsafe.Pointer, n int)\n", name)
		return name
	}
	row := func(w *bytes.Buffer, key, comment string, program func(t dtype.Type) *vec.Program) {
		var cells []string
		for t := dtype.Bool; t < dtype.Count; t++ {
			if p := program(t); p != nil {
				cells = append(cells, fmt.Sprintf("%s: %s", typeNames[t], add(p)))
			}
		}
		if cells != nil {
			fmt.Fprintf(w, "\t%s: {%s},%s\n", key, strings.Join(cells, ", "), comment)
		}
	}
	inside := vec.Inside
	if i.masks {
		inside = vec.InsideWide
	}
	for id := range ops.Count {
		row(&tiles, strconv.Itoa(int(id)), " // "+id.String(), func(t dtype.Type) *vec.Program { return inside(id, t) })
	}
	for from := dtype.Bool; from < dtype.Count; from++ {
		row(&converts, typeNames[from], "", func(to dtype.Type) *vec.Program { return vec.Conversion(from, to) })
	}

	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	i.writeConsts(&s, consts)
	s.Write(text.Bytes())
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport (\n\t\"unsafe\"\n\n\t%q\n\t%q\n)\n", gemmHead, modulePath+"/internal/dtype", modulePath+"/internal/ops")
	fmt.Fprintf(&d, "\n// Tiles%s holds the tiles by op and type of its arguments. They compute n elements, n a multiple of 8.\n"+
		"var Tiles%[1]s = [ops.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int){\n%s}\n", i.name, tiles.Bytes())
	fmt.Fprintf(&d, "\n// Convert%s holds those that convert a to dst, by the types from and to.\n"+
		"var Convert%[1]s = [dtype.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int){\n%s}\n", i.name, converts.Bytes())
	d.Write(decls.Bytes())
	files["pointwise_"+i.file()+".s"], files["pointwise_"+i.file()+".go"] = s.Bytes(), formatted(d.Bytes())
}

// kernelPad is kernels.Pad.
const kernelPad = 8

const modulePath = "github.com/adjoint-go/adjoint"

var typeNames = [dtype.Count]string{dtype.Bool: "dtype.Bool", dtype.I32: "dtype.I32", dtype.I64: "dtype.I64",
	dtype.F32: "dtype.F32", dtype.F64: "dtype.F64", dtype.BF16: "dtype.BF16", dtype.F16: "dtype.F16"}

// funcName makes add_float32 addFloat32AVX2.
func (i isa) funcName(program string) string {
	words := strings.Split(program, "_")
	for k := 1; k < len(words); k++ {
		words[k] = strings.ToUpper(words[k][:1]) + words[k][1:]
	}
	return strings.Join(words, "") + i.name
}

// unrolled is how many groups of elements go side by side: 4 or 2 where that fits the registers
// without spilling and the code stays small. Beyond its reach the machine's own reordering hides what
// latency is left; measured against one group, exp gains 10 % and a chain of three exps 25 %.
func unrolled(p *vec.Program, i isa, e int, consts map[string]bool) int {
	for _, try := range []struct{ groups, lines int }{{4, 180}, {2, 400}} {
		a := allocate(lower(p, i, try.groups, e, consts))
		if a.spills == 0 && len(a.lines) <= try.lines {
			return try.groups
		}
	}
	return 1
}

// tile writes a function: a loop over groups side by side, and one over what is left, eight elements or
// less at a time.
func tile(w *bytes.Buffer, name string, i isa, p *vec.Program, consts map[string]bool) {
	e := i.bytes / 4
	if wide(p) {
		e = i.bytes / 8
	}
	groups := unrolled(p, i, e, consts)
	many := allocate(lower(p, i, groups, e, consts))
	frame := i.bytes * many.slots
	last, rest, single := i, e, many
	if rest > kernelPad {
		last.reg, last.bytes, rest = 'Y', 32, kernelPad
	}
	if groups*e > rest {
		single = allocate(lower(p, last, 1, rest, consts))
		frame = max(frame, last.bytes*single.slots)
	}

	flags := "NOSPLIT"
	if frame > 256 { // a chain of such functions has 800 bytes
		flags = "0"
	}
	fmt.Fprintf(w, "\n// func %s(dst, a, b, c unsafe.Pointer, n int)\nTEXT ·%s(SB), %s, $%d-40\n", name, name, flags, frame)
	put := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	put("MOVQ dst+0(FP), DI")
	for k := range p.In {
		put("MOVQ %c+%d(FP), %s", 'a'+k, 8+8*k, argRegs[k])
	}
	put("MOVQ n+32(FP), CX")
	body := func(a *allocator, elems int) {
		for _, l := range a.lines {
			put("%s", l)
		}
		put("ADDQ $%d, DI", elems*p.Out.Size())
		for k, t := range p.In {
			put("ADDQ $%d, %s", elems*t.Size(), argRegs[k])
		}
	}
	loop := func(label string, a *allocator, elems int) {
		put("PCALIGN $32")
		fmt.Fprintf(w, "%s:\n", label)
		body(a, elems)
		put("SUBQ $%d, CX", elems)
		put("JGE %s", label)
	}
	put("SUBQ $%d, CX", groups*e)
	if groups*e > rest {
		put("JLT rest")
		loop("many", many, groups*e)
		fmt.Fprintln(w, "rest:")
		put("ADDQ $%d, CX", groups*e-rest)
	}
	put("JLT done")
	loop("one", single, rest)
	fmt.Fprintln(w, "done:")
	put("VZEROUPPER")
	put("RET")
}

// writeConsts writes each constant, as a vector or, where instructions spread an element, as eight bytes;
// its name holds its width and bits.
func (i isa) writeConsts(w *bytes.Buffer, consts map[string]bool) {
	names := make([]string, 0, len(consts))
	for name := range consts {
		names = append(names, name)
	}
	sort.Strings(names)
	size := i.bytes
	if i.masks {
		size = 8
	}
	for _, name := range slices.Compact(names) {
		switch name[0] {
		case 't':
			i.writeTable(w, name)
			continue
		case 'p':
			writePair(w, name)
			continue
		}
		bits := name[strings.Index(name, "_")+1:]
		if strings.HasPrefix(name, "k32") {
			bits += bits
		}
		fmt.Fprintln(w)
		for at := 0; at < size; at += 8 {
			fmt.Fprintf(w, "DATA %s<>+%d(SB)/8, $0x%s\n", name, at, bits)
		}
		fmt.Fprintf(w, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, size)
	}
}

// writeTable writes the table of the name. Without mask registers, one of 64 bits is all low words and then the high ones. With
// them vectors have 64 bytes, while the linker aligns data to 32: tables stand among the code, which can ask for more.
func (i isa) writeTable(w *bytes.Buffer, name string) {
	var width int
	var hash string
	fmt.Sscanf(strings.Replace(name, "_", " ", 1), "t%d %s", &width, &hash)
	n := tableNamed(hash)
	bits := vec.TableBits(n)
	if i.masks {
		fmt.Fprintf(w, "\nTEXT %s<>(SB), NOSPLIT|NOFRAME, $0-0\n\tPCALIGN $64\n", name)
		for _, bits := range bits {
			fmt.Fprintf(w, "\t%s $0x%0*x\n", map[int]string{32: "LONG", 64: "QUAD"}[width], width/4, bits)
		}
		return
	}
	entries := bits[:]
	if width == 64 {
		entries = vec.TableWords(n)
	}
	fmt.Fprintln(w)
	for k, bits := range entries {
		fmt.Fprintf(w, "DATA %s<>+%d(SB)/4, $0x%08x\n", name, 4*k, bits)
	}
	fmt.Fprintf(w, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 4*len(entries))
}

// writePair writes the entries of two tables of float64s by turns.
func writePair(w *bytes.Buffer, name string) {
	names := strings.Split(name, "_")
	first, second := vec.TableBits(tableNamed(names[1])), vec.TableBits(tableNamed(names[2]))
	fmt.Fprintln(w)
	for k := range first {
		fmt.Fprintf(w, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, 16*k, first[k])
		fmt.Fprintf(w, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, 16*k+8, second[k])
	}
	fmt.Fprintf(w, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 16*len(first))
}

// tableNamed is the number of the table that has the name.
func tableNamed(name string) uint64 {
	n := uint64(0)
	for vec.TableName(n) != name {
		n++
	}
	return n
}

func formatted(src []byte) []byte {
	out, err := format.Source(src)
	if err != nil {
		panic(err)
	}
	return out
}
