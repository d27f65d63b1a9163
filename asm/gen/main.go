// Command gen writes the assembly of package asm; asm's test fails when it is stale. It imports
// internal packages only.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := flag.String("dir", ".", "the folder of package asm")
	check := flag.Bool("check", false, "write nothing; fail if a file is stale")
	flag.Parse()
	stale := false
	for _, gen := range []func() map[string][]byte{genGemm, genBF16, genAMX, genPointwise, genReduce, genFirst, genExtreme, genSoFar, genAbove, genMove, genOutside, genFFT, genLanes, genRows, genWinograd} {
		for name, want := range gen() {
			path := filepath.Join(*dir, name)
			have, err := os.ReadFile(path)
			foreign := name == bf16File || name == amxFile
			if foreign && !unassembled(have) {
				have = blank(have)
			}
			if err == nil && bytes.Equal(have, want) {
				continue
			}
			if *check {
				fmt.Fprintln(os.Stderr, path, "is stale")
				stale = true
			} else if err := os.WriteFile(path, want, 0o666); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			} else if !foreign {
			} else if err := assemble(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	if stale {
		os.Exit(1)
	}
}
