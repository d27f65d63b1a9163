package ir

import (
	"strings"

	"github.com/adjoint-go/adjoint/internal/ops"
)

// publicNames lists the ops whose method is not just the row's name with a capital.
var publicNames = map[ops.ID]string{
	ops.Relu: "ReLU", ops.LeakyRelu: "LeakyReLU", ops.Elu: "ELU", ops.Gelu: "GELU", ops.GeluTanh: "GELUTanh",
	ops.Silu: "SiLU", ops.BitAnd: "BitAnd", ops.BitOr: "BitOr", ops.BitXor: "BitXor", ops.BitNot: "BitNot",
	ops.BesselJ0: "BesselJ0", ops.BesselJ1: "BesselJ1", ops.BesselY0: "BesselY0", ops.BesselY1: "BesselY1",
	ops.BesselI0: "BesselI0", ops.BesselI1: "BesselI1", ops.BesselK0: "BesselK0", ops.BesselK1: "BesselK1",
	ops.BesselI0x: "BesselI0x", ops.BesselI1x: "BesselI1x", ops.BesselK0x: "BesselK0x", ops.BesselK1x: "BesselK1x",
	ops.GammaInc: "GammaInc", ops.GammaIncc: "GammaIncc", ops.GammaIncDA: "GammaIncDA", ops.GammaIncDAA: "GammaIncDAA",
	ops.BetaInc: "BetaInc", ops.BetaIncDA: "BetaIncDA", ops.BetaIncDAA: "BetaIncDAA", ops.BetaIncDAB: "BetaIncDAB",
	ops.InvDigamma: "InvDigamma", ops.ExpintN: "ExpintN", ops.BesselJ: "BesselJ", ops.BesselY: "BesselY",
	ops.BesselI: "BesselI", ops.BesselK: "BesselK", ops.BesselIx: "BesselIx", ops.BesselKx: "BesselKx",
	ops.AiryAi: "AiryAi", ops.AiryAiPrime: "AiryAiPrime", ops.AiryBi: "AiryBi", ops.AiryBiPrime: "AiryBiPrime",
	ops.AiryAix: "AiryAix", ops.AiryAiPrimex: "AiryAiPrimex", ops.AiryBix: "AiryBix", ops.AiryBiPrimex: "AiryBiPrimex",
	ops.Fma: "FMA", ops.IsNaN: "IsNaN", ops.IsFinite: "IsFinite",
}

var allNames = func() (names [ops.Count]string) {
	for op := range names {
		s, ok := publicNames[ops.ID(op)]
		if !ok {
			s = ops.ID(op).String()
			s = strings.ToUpper(s[:1]) + s[1:]
		}
		names[op] = s
	}
	return names
}()

// PublicName is the op as users call it, for errors.
func PublicName(op ops.ID) string { return allNames[op] }

// PublicName is the reduction as users call it, for errors.
func (r Reduction) PublicName() string {
	return [NumReductions]string{"Sum", "Prod", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin"}[r]
}
