// Package asm is the assembly for amd64, generated, with Go's declarations of it. It imports nothing
// of ours; its callers check the CPU.
package asm

//go:generate go run ./gen
