// Package asm is the assembly for amd64, generated, with Go's declarations of it. It imports
// internal/dtype and internal/ops; its callers check the CPU.
package asm

//go:generate go run ./gen
