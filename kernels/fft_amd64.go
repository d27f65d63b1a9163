//go:build amd64 && !purego

package kernels

import (
	"unsafe"

	"github.com/adjoint-go/adjoint/asm"
	"github.com/adjoint-go/adjoint/internal/dtype"
	"github.com/adjoint-go/adjoint/internal/fft"
)

type fftPass = func(yr, yi, xr, xi, tw, ask unsafe.Pointer, m, s int)

var (
	fftAVX2 = [dtype.Count]fft.Passes{
		dtype.F32: {Side: [14]fftPass{2: asm.Radix2F32AVX2, asm.Radix3F32AVX2, asm.Radix4F32AVX2, asm.Radix5F32AVX2, 7: asm.Radix7F32AVX2, asm.Radix8F32AVX2, 11: asm.Radix11F32AVX2, 13: asm.Radix13F32AVX2},
			Along: [14]fftPass{2: asm.Along2F32AVX2, asm.Along3F32AVX2, asm.Along4F32AVX2, asm.Along5F32AVX2, 7: asm.Along7F32AVX2, asm.Along8F32AVX2, 11: asm.Along11F32AVX2, 13: asm.Along13F32AVX2},
			Turn:  asm.TransposeF32AVX2, TimesSide: asm.TimesSideF32AVX2, TimesAlong: asm.TimesAlongF32AVX2},
		dtype.F64: {Side: [14]fftPass{2: asm.Radix2F64AVX2, asm.Radix3F64AVX2, asm.Radix4F64AVX2, asm.Radix5F64AVX2, 7: asm.Radix7F64AVX2, asm.Radix8F64AVX2, 11: asm.Radix11F64AVX2, 13: asm.Radix13F64AVX2},
			Along: [14]fftPass{2: asm.Along2F64AVX2, asm.Along3F64AVX2, asm.Along4F64AVX2, asm.Along5F64AVX2, 7: asm.Along7F64AVX2, asm.Along8F64AVX2, 11: asm.Along11F64AVX2, 13: asm.Along13F64AVX2},
			Turn:  asm.TransposeF64AVX2, TimesSide: asm.TimesSideF64AVX2, TimesAlong: asm.TimesAlongF64AVX2},
	}
	fftAVX512 = [dtype.Count]fft.Passes{
		dtype.F32: {Side: [14]fftPass{2: asm.Radix2F32AVX512, asm.Radix3F32AVX512, asm.Radix4F32AVX512, asm.Radix5F32AVX512, 7: asm.Radix7F32AVX512, asm.Radix8F32AVX512, 11: asm.Radix11F32AVX512, 13: asm.Radix13F32AVX512},
			Along: [14]fftPass{2: asm.Along2F32AVX512, asm.Along3F32AVX512, asm.Along4F32AVX512, asm.Along5F32AVX512, 7: asm.Along7F32AVX512, asm.Along8F32AVX512, 11: asm.Along11F32AVX512, 13: asm.Along13F32AVX512},
			Turn:  asm.TransposeF32AVX2, TimesSide: asm.TimesSideF32AVX512, TimesAlong: asm.TimesAlongF32AVX512},
		dtype.F64: {Side: [14]fftPass{2: asm.Radix2F64AVX512, asm.Radix3F64AVX512, asm.Radix4F64AVX512, asm.Radix5F64AVX512, 7: asm.Radix7F64AVX512, asm.Radix8F64AVX512, 11: asm.Radix11F64AVX512, 13: asm.Radix13F64AVX512},
			Along: [14]fftPass{2: asm.Along2F64AVX512, asm.Along3F64AVX512, asm.Along4F64AVX512, asm.Along5F64AVX512, 7: asm.Along7F64AVX512, asm.Along8F64AVX512, 11: asm.Along11F64AVX512, 13: asm.Along13F64AVX512},
			Turn:  asm.TransposeF64AVX2, TimesSide: asm.TimesSideF64AVX512, TimesAlong: asm.TimesAlongF64AVX512},
	}
)
