//go:build amd64 && !purego

package kernels

func init() { testGemmLevels = append(testGemmLevels, &Level{Name: "avx2", Gemm: gemmAVX2}) }
