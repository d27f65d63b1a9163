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
	var text, decls, tiles, converts bytes.Buffer
	consts := map[string]bool{}
	add := func(p *vec.Program) string {
		name := funcName(p.Name)
		tile(&text, name, p, consts)
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
	for id := range ops.Count {
		row(&tiles, strconv.Itoa(int(id)), " // "+id.String(), func(t dtype.Type) *vec.Program { return vec.Body(id, t) })
	}
	for from := dtype.Bool; from < dtype.Count; from++ {
		row(&converts, typeNames[from], "", func(to dtype.Type) *vec.Program { return vec.Conversion(from, to) })
	}

	var s, d bytes.Buffer
	s.WriteString(gemmHead + "\n#include \"textflag.h\"\n")
	writeConsts(&s, consts)
	s.Write(text.Bytes())
	fmt.Fprintf(&d, "%s\npackage asm\n\nimport (\n\t\"unsafe\"\n\n\t%q\n\t%q\n)\n", gemmHead, modulePath+"/internal/dtype", modulePath+"/internal/ops")
	fmt.Fprintf(&d, "\n// TilesAVX2 holds the AVX2 tiles by op and type of its arguments. They compute n elements, n a multiple of 8.\n"+
		"var TilesAVX2 = [ops.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int){\n%s}\n", tiles.Bytes())
	fmt.Fprintf(&d, "\n// ConvertAVX2 holds those that convert a to dst, by the types from and to.\n"+
		"var ConvertAVX2 = [dtype.Count][dtype.Count]func(dst, a, b, c unsafe.Pointer, n int){\n%s}\n", converts.Bytes())
	d.Write(decls.Bytes())
	return map[string][]byte{"pointwise_avx2_amd64.s": s.Bytes(), "pointwise_avx2_amd64.go": formatted(d.Bytes())}
}

const modulePath = "github.com/adjoint-go/adjoint"

var typeNames = [dtype.Count]string{dtype.Bool: "dtype.Bool", dtype.I32: "dtype.I32", dtype.I64: "dtype.I64",
	dtype.F32: "dtype.F32", dtype.F64: "dtype.F64"}

// funcName makes add_float32 addFloat32AVX2.
func funcName(program string) string {
	words := strings.Split(program, "_")
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
	}
	return strings.Join(words, "") + "AVX2"
}

// unrolled is how many groups of elements go side by side: 4 or 2 where that fits the registers
// without spilling and the code stays small. Beyond its reach the machine's own reordering hides what
// latency is left; measured against one group, exp gains 10 % and a chain of three exps 25 %.
func unrolled(p *vec.Program, e int, consts map[string]bool) int {
	for _, try := range []struct{ groups, lines int }{{4, 160}, {2, 400}} {
		a := allocate(lower(p, try.groups, e, consts))
		if a.spills == 0 && len(a.lines) <= try.lines {
			return try.groups
		}
	}
	return 1
}

// tile writes a function: a loop over groups side by side, and one over what is left.
func tile(w *bytes.Buffer, name string, p *vec.Program, consts map[string]bool) {
	e := 8
	if wide(p) {
		e = 4
	}
	groups := unrolled(p, e, consts)
	many := allocate(lower(p, groups, e, consts))
	frame := 32 * many.slots
	var single *allocator
	if groups > 1 {
		single = allocate(lower(p, 1, e, consts))
		frame = max(frame, 32*single.slots)
	}

	flags := "NOSPLIT"
	if frame > 256 { // a chain of such functions has 800 bytes
		flags = "0"
	}
	fmt.Fprintf(w, "\n// func %s(dst, a, b, c unsafe.Pointer, n int)\nTEXT ·%s(SB), %s, $%d-40\n", name, name, flags, frame)
	put := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	put("MOVQ dst+0(FP), DI")
	for i := range p.In {
		put("MOVQ %c+%d(FP), %s", 'a'+i, 8+8*i, argRegs[i])
	}
	put("MOVQ n+32(FP), CX")
	body := func(a *allocator, elems int) {
		for _, l := range a.lines {
			put("%s", l)
		}
		put("ADDQ $%d, DI", elems*p.Out.Size())
		for i, t := range p.In {
			put("ADDQ $%d, %s", elems*t.Size(), argRegs[i])
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
	if groups > 1 {
		put("JLT rest")
		loop("many", many, groups*e)
		fmt.Fprintln(w, "rest:")
		put("ADDQ $%d, CX", (groups-1)*e)
		many = single
	}
	put("JLT done")
	loop("one", many, e)
	fmt.Fprintln(w, "done:")
	put("VZEROUPPER")
	put("RET")
}

// writeConsts writes 32 bytes for each constant; its name holds its width and bits.
func writeConsts(w *bytes.Buffer, consts map[string]bool) {
	names := make([]string, 0, len(consts))
	for name := range consts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range slices.Compact(names) {
		bits := name[strings.Index(name, "_")+1:]
		if strings.HasPrefix(name, "k32") {
			bits += bits
		}
		fmt.Fprintln(w)
		for at := 0; at < 32; at += 8 {
			fmt.Fprintf(w, "DATA %s<>+%d(SB)/8, $0x%s\n", name, at, bits)
		}
		fmt.Fprintf(w, "GLOBL %s<>(SB), RODATA|NOPTR, $32\n", name)
	}
}

func formatted(src []byte) []byte {
	out, err := format.Source(src)
	if err != nil {
		panic(err)
	}
	return out
}
