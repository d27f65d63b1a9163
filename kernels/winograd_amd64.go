//go:build amd64 && !purego

package kernels

import "github.com/adjoint-go/adjoint/asm"

var (
	winogradAVX2   = WinogradMaps{asm.WinogradPatchAVX2, asm.WinogradFilterAVX2, asm.WinogradResultAVX2, asm.WinogradCotangentAVX2, asm.WinogradFilterGradAVX2}
	winogradAVX512 = WinogradMaps{asm.WinogradPatchAVX512, asm.WinogradFilterAVX512, asm.WinogradResultAVX512, asm.WinogradCotangentAVX512, asm.WinogradFilterGradAVX512}
)
