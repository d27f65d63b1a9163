package x86

// Op is an instruction's mnemonic; one that stores is apart from the one that loads.
type Op uint8

const (
	MovLoad  Op = iota
	MovLoadD    // what is masked are lanes of 64 bits
	MovStore
	MovStoreD
	Mov // register to register
	MovD
	MovSSLoad // one element, zeros behind it
	MovSDLoad
	BroadcastS
	BroadcastD
	MovDDup
	AddPS
	AddPD
	SubPS
	SubPD
	MulPS
	MulPD
	DivPS
	DivPD
	MinPS
	MinPD
	MaxPS
	MaxPD
	SqrtPS
	SqrtPD
	FMAdd132PS
	FMAdd132PD
	FMAdd213PS
	FMAdd213PD
	FMAdd231PS
	FMAdd231PD
	FMSub132PS
	FMSub132PD
	FMSub213PS
	FMSub213PD
	FMSub231PS
	FMSub231PD
	FNMAdd132PS
	FNMAdd132PD
	FNMAdd213PS
	FNMAdd213PD
	FNMAdd231PS
	FNMAdd231PD
	AndPS // AVX2
	AndNPS
	OrPS
	XorPS
	PAnd
	PAndN
	POr
	PXor
	PAndD // AVX-512
	PAndQ
	PAndND
	PAndNQ
	POrD
	POrQ
	PXorD
	PXorQ
	PAddD
	PAddQ
	PSubD
	PSubQ
	PMulLD
	PMinSD
	PMaxSD
	PSllD
	PSllQ
	PSrlD
	PSrlQ
	PSraD
	PRolD
	PRolQ
	PSllVD
	PSllVQ
	PSrlVD
	PSrlVQ
	CmpPS // AVX2: gives a vector
	CmpPD
	PCmpEqD
	PCmpEqQ
	PCmpGtD
	PCmpGtQ
	KCmpPS // AVX-512: gives a mask
	KCmpPD
	KPCmpEqD
	KPCmpEqQ
	KPCmpGtD
	KPCmpGtQ
	PTestMD
	BlendPS // AVX2
	BlendVPS
	BlendVPD
	BlendMPS // AVX-512
	BlendMPD
	RoundPS // AVX2
	RoundPD
	RndScalePS // AVX-512
	RndScalePD
	PermPS
	MovSLDup // AVX2
	RangePS  // AVX-512
	RangePD
	PermT2PS
	PermT2PD
	ScaleFPS
	ScaleFPD
	GetExpPS
	GetExpPD
	GetMantPS
	GetMantPD
	FPClassPS
	FPClassPD
	CvtPS2DQ
	CvtDQ2PS
	CvtPS2PD
	CvtPD2PS
	CvtPH2PS
	CvtPS2PH
	PMovSXDQ
	PMovQD
	ExtractF128
	InsertF128
	ExtractF64x4
	InsertF64x4
	InsertF32x4
	InsertPS
	MovHPD // into the upper half of 128 bits
	PermQ
	ShufPS
	UnpckLPD
	UnpckHPD
	PMovZXBD
	PMovZXBQ
	PMovZXWD
	PMovDW
	PackUSDW
	PackSSDW
	PackSSWB
	PAbsB
	MovQStore
	MovDStore
	PMovM2D
	PMovM2Q
	PMovD2M
	PMovQ2M
	MovU8Load
	MovU8Store
	KAndW
	KAndNW
	KOrW
	KXorW
	KXnorW
	KNotW
	KMovW // from a general register
	KMovB
	KMovLoad
	KMovStore
	KShiftRW
	KUnpckBW
	GatherPS // AVX-512: by 32-bit indices
	GatherPD
	VGatherPS // AVX2: clears its mask
	VGatherPD
	MaskLoadS // AVX2: a vector, A, is the mask
	MaskLoadD
	MaskStoreS
	MaskStoreD
	NumOps
)

const (
	p66 = 1
	pF3 = 2
	pF2 = 3
)

func packed(name string, op uint8) (s, d form) {
	return form{name: name + "PS", mm: 1, op: op, l: -1}, form{name: name + "PD", pp: p66, mm: 1, op: op, w: 1, l: -1}
}

func fused(name string, op uint8) (s, d form) {
	s = form{name: name + "PS", pp: p66, mm: 2, op: op, vexW: true, l: -1}
	d = s
	d.name, d.w = name+"PD", 1
	return
}

// both fills the rows of a pair, D or S and Q or D.
func both(op Op, pair func() (a, b form)) { forms[op], forms[op+1] = pair() }

var forms [NumOps]form

func init() {
	forms[MovLoad] = form{name: "VMOVUPS", shape: rm, mm: 1, op: 0x10, l: -1}
	forms[MovStore] = form{name: "VMOVUPS", shape: mr, mm: 1, op: 0x11, l: -1}
	forms[MovLoadD] = form{name: "VMOVUPD", shape: rm, pp: p66, mm: 1, op: 0x10, w: 1, l: -1}
	forms[MovStoreD] = form{name: "VMOVUPD", shape: mr, pp: p66, mm: 1, op: 0x11, w: 1, l: -1}
	forms[MovD] = form{name: "VMOVAPD", shape: mr, pp: p66, mm: 1, op: 0x29, w: 1, l: -1}
	forms[Mov] = form{name: "VMOVAPS", shape: mr, mm: 1, op: 0x29, l: -1} // which of the two Go takes
	forms[MovSSLoad] = form{name: "VMOVSS", shape: rm, pp: pF3, mm: 1, op: 0x10, l: 0, tuple: bytes4}
	forms[MovSDLoad] = form{name: "VMOVSD", shape: rm, pp: pF2, mm: 1, op: 0x10, w: 1, l: 0, tuple: bytes8}
	forms[BroadcastS] = form{name: "VBROADCASTSS", shape: rm, pp: p66, mm: 2, op: 0x18, l: -1, tuple: bytes4, b: xmm}
	forms[BroadcastD] = form{name: "VBROADCASTSD", shape: rm, pp: p66, mm: 2, op: 0x19, w: 1, l: -1, tuple: bytes8, b: xmm}
	forms[MovDDup] = form{name: "VMOVDDUP", shape: rm, pp: pF2, mm: 1, op: 0x12, l: -1, isVEX: true}
	for _, r := range []struct {
		op   Op
		name string
		code uint8
	}{{AddPS, "VADD", 0x58}, {SubPS, "VSUB", 0x5c}, {MulPS, "VMUL", 0x59}, {DivPS, "VDIV", 0x5e}, {MinPS, "VMIN", 0x5d}, {MaxPS, "VMAX", 0x5f}, {SqrtPS, "VSQRT", 0x51}} {
		both(r.op, func() (s, d form) { return packed(r.name, r.code) })
	}
	forms[SqrtPS].shape, forms[SqrtPD].shape = rm, rm
	for i, name := range []string{"VFMADD", "VFMSUB", "VFNMADD"} {
		for j, order := range []string{"132", "213", "231"} {
			code := []uint8{0x98, 0x9a, 0x9c}[i] + uint8(j)<<4
			both(FMAdd132PS+Op(6*i+2*j), func() (s, d form) { return fused(name+order, code) })
		}
	}
	for i, name := range []string{"VANDPS", "VANDNPS", "VORPS", "VXORPS"} {
		forms[AndPS+Op(i)] = form{name: name, mm: 1, op: 0x54 + uint8(i), l: -1, isVEX: true}
	}
	for i, name := range []string{"VPAND", "VPANDN", "VPOR", "VPXOR"} {
		f := form{name: name, pp: p66, mm: 1, op: []uint8{0xdb, 0xdf, 0xeb, 0xef}[i], l: -1, isVEX: true}
		forms[PAnd+Op(i)] = f
		f.isVEX, f.isEVEX, f.name = false, true, name+"D"
		forms[PAndD+Op(2*i)] = f
		f.w, f.name = 1, name+"Q"
		forms[PAndQ+Op(2*i)] = f
	}
	ints := func(op Op, name string, mm, code, w uint8) {
		forms[op] = form{name: name, pp: p66, mm: mm, op: code, w: w, l: -1}
	}
	ints(PAddD, "VPADDD", 1, 0xfe, 0)
	ints(PAddQ, "VPADDQ", 1, 0xd4, 1)
	ints(PSubD, "VPSUBD", 1, 0xfa, 0)
	ints(PSubQ, "VPSUBQ", 1, 0xfb, 1)
	ints(PMulLD, "VPMULLD", 2, 0x40, 0)
	ints(PMinSD, "VPMINSD", 2, 0x39, 0)
	ints(PMaxSD, "VPMAXSD", 2, 0x3d, 0)
	ints(PSllVD, "VPSLLVD", 2, 0x47, 0)
	ints(PSllVQ, "VPSLLVQ", 2, 0x47, 1)
	ints(PSrlVD, "VPSRLVD", 2, 0x45, 0)
	ints(PSrlVQ, "VPSRLVQ", 2, 0x45, 1)
	forms[PSllVQ].vexW, forms[PSrlVQ].vexW = true, true
	shift := func(op Op, name string, code, w, ext uint8) {
		forms[op] = form{name: name, shape: vmi, pp: p66, mm: 1, op: code, w: w, l: -1, imm: true, ext: ext}
	}
	shift(PSllD, "VPSLLD", 0x72, 0, 6)
	shift(PSllQ, "VPSLLQ", 0x73, 1, 6)
	shift(PSrlD, "VPSRLD", 0x72, 0, 2)
	shift(PSrlQ, "VPSRLQ", 0x73, 1, 2)
	shift(PSraD, "VPSRAD", 0x72, 0, 4)
	shift(PRolD, "VPROLD", 0x72, 0, 1)
	shift(PRolQ, "VPROLQ", 0x72, 1, 1)
	forms[PRolD].isEVEX, forms[PRolQ].isEVEX = true, true
	both(CmpPS, func() (s, d form) { return packed("VCMP", 0xc2) })
	ints(PCmpEqD, "VPCMPEQD", 1, 0x76, 0)
	ints(PCmpEqQ, "VPCMPEQQ", 2, 0x29, 1)
	ints(PCmpGtD, "VPCMPGTD", 1, 0x66, 0)
	ints(PCmpGtQ, "VPCMPGTQ", 2, 0x37, 1)
	for i := range KPCmpGtQ - KCmpPS + 1 {
		f := &forms[CmpPS+i]
		f.imm = i < 2
		k := *f
		f.isVEX, k.isEVEX, k.dst = true, true, mask
		forms[KCmpPS+i] = k
	}
	forms[PTestMD] = form{name: "VPTESTMD", pp: p66, mm: 2, op: 0x27, l: -1, isEVEX: true, dst: mask}
	forms[BlendPS] = form{name: "VBLENDPS", pp: p66, mm: 3, op: 0x0c, l: -1, imm: true, isVEX: true}
	forms[BlendVPS] = form{name: "VBLENDVPS", shape: rvmr, pp: p66, mm: 3, op: 0x4a, l: -1, isVEX: true}
	forms[BlendVPD] = form{name: "VBLENDVPD", shape: rvmr, pp: p66, mm: 3, op: 0x4b, l: -1, isVEX: true}
	forms[BlendMPS] = form{name: "VBLENDMPS", pp: p66, mm: 2, op: 0x65, l: -1, isEVEX: true}
	forms[BlendMPD] = form{name: "VBLENDMPD", pp: p66, mm: 2, op: 0x65, w: 1, l: -1, isEVEX: true}
	forms[RoundPS] = form{name: "VROUNDPS", shape: rm, pp: p66, mm: 3, op: 0x08, l: -1, imm: true, isVEX: true}
	forms[RoundPD] = form{name: "VROUNDPD", shape: rm, pp: p66, mm: 3, op: 0x09, l: -1, imm: true, isVEX: true}
	forms[RndScalePS] = form{name: "VRNDSCALEPS", shape: rm, pp: p66, mm: 3, op: 0x08, l: -1, imm: true, isEVEX: true}
	forms[RndScalePD] = form{name: "VRNDSCALEPD", shape: rm, pp: p66, mm: 3, op: 0x09, w: 1, l: -1, imm: true, isEVEX: true}
	forms[PermPS] = form{name: "VPERMPS", pp: p66, mm: 2, op: 0x16, l: -1}
	forms[MovSLDup] = form{name: "VMOVSLDUP", shape: rm, pp: pF3, mm: 1, op: 0x12, l: -1, isVEX: true}
	forms[RangePS] = form{name: "VRANGEPS", pp: p66, mm: 3, op: 0x50, l: -1, imm: true, isEVEX: true}
	forms[RangePD] = form{name: "VRANGEPD", pp: p66, mm: 3, op: 0x50, w: 1, l: -1, imm: true, isEVEX: true}
	forms[PermT2PS] = form{name: "VPERMT2PS", pp: p66, mm: 2, op: 0x7f, l: -1, isEVEX: true}
	forms[PermT2PD] = form{name: "VPERMT2PD", pp: p66, mm: 2, op: 0x7f, w: 1, l: -1, isEVEX: true}
	forms[ScaleFPS] = form{name: "VSCALEFPS", pp: p66, mm: 2, op: 0x2c, l: -1, isEVEX: true}
	forms[ScaleFPD] = form{name: "VSCALEFPD", pp: p66, mm: 2, op: 0x2c, w: 1, l: -1, isEVEX: true}
	forms[GetExpPS] = form{name: "VGETEXPPS", shape: rm, pp: p66, mm: 2, op: 0x42, l: -1, isEVEX: true}
	forms[GetExpPD] = form{name: "VGETEXPPD", shape: rm, pp: p66, mm: 2, op: 0x42, w: 1, l: -1, isEVEX: true}
	forms[GetMantPS] = form{name: "VGETMANTPS", shape: rm, pp: p66, mm: 3, op: 0x26, l: -1, imm: true, isEVEX: true}
	forms[GetMantPD] = form{name: "VGETMANTPD", shape: rm, pp: p66, mm: 3, op: 0x26, w: 1, l: -1, imm: true, isEVEX: true}
	forms[FPClassPS] = form{name: "VFPCLASSPS", shape: rm, pp: p66, mm: 3, op: 0x66, l: -1, imm: true, dst: mask, isEVEX: true}
	forms[FPClassPD] = form{name: "VFPCLASSPD", shape: rm, pp: p66, mm: 3, op: 0x66, w: 1, l: -1, imm: true, dst: mask, isEVEX: true}
	forms[CvtPS2DQ] = form{name: "VCVTPS2DQ", shape: rm, pp: p66, mm: 1, op: 0x5b, l: -1}
	forms[CvtDQ2PS] = form{name: "VCVTDQ2PS", shape: rm, mm: 1, op: 0x5b, l: -1}
	forms[CvtPS2PD] = form{name: "VCVTPS2PD", shape: rm, mm: 1, op: 0x5a, l: -1, tuple: half, b: low}
	forms[CvtPD2PS] = form{name: "VCVTPD2PS", shape: rm, pp: p66, mm: 1, op: 0x5a, w: 1, l: -1, dst: low}
	forms[CvtPH2PS] = form{name: "VCVTPH2PS", shape: rm, pp: p66, mm: 2, op: 0x13, l: -1, tuple: half, b: low}
	forms[CvtPS2PH] = form{name: "VCVTPS2PH", shape: mr, pp: p66, mm: 3, op: 0x1d, l: -1, imm: true, tuple: half, dst: low}
	forms[PMovSXDQ] = form{name: "VPMOVSXDQ", shape: rm, pp: p66, mm: 2, op: 0x25, l: -1, tuple: half, b: low}
	forms[PMovQD] = form{name: "VPMOVQD", shape: mr, pp: pF3, mm: 2, op: 0x35, l: -1, tuple: half, dst: low, isEVEX: true}
	forms[ExtractF128] = form{name: "VEXTRACTF128", shape: mr, pp: p66, mm: 3, op: 0x19, l: 1, imm: true, dst: xmm, isVEX: true}
	forms[InsertF128] = form{name: "VINSERTF128", pp: p66, mm: 3, op: 0x18, l: 1, imm: true, b: xmm, isVEX: true}
	forms[ExtractF64x4] = form{name: "VEXTRACTF64X4", shape: mr, pp: p66, mm: 3, op: 0x1b, w: 1, l: 2, imm: true, tuple: bytes32, dst: low, isEVEX: true}
	forms[InsertF64x4] = form{name: "VINSERTF64X4", pp: p66, mm: 3, op: 0x1a, w: 1, l: 2, imm: true, tuple: bytes32, b: low, isEVEX: true}
	forms[InsertF32x4] = form{name: "VINSERTF32X4", pp: p66, mm: 3, op: 0x18, l: 2, imm: true, tuple: bytes16, b: xmm, isEVEX: true}
	forms[InsertPS] = form{name: "VINSERTPS", pp: p66, mm: 3, op: 0x21, l: 0, imm: true, tuple: bytes4}
	forms[MovHPD] = form{name: "VMOVHPD", pp: p66, mm: 1, op: 0x16, w: 1, l: 0, tuple: bytes8}
	forms[PermQ] = form{name: "VPERMQ", shape: rm, pp: p66, mm: 3, op: 0x00, w: 1, vexW: true, l: -1, imm: true}
	forms[ShufPS] = form{name: "VSHUFPS", mm: 1, op: 0xc6, l: -1, imm: true}
	forms[UnpckLPD] = form{name: "VUNPCKLPD", pp: p66, mm: 1, op: 0x14, w: 1, l: -1}
	forms[UnpckHPD] = form{name: "VUNPCKHPD", pp: p66, mm: 1, op: 0x15, w: 1, l: -1}
	forms[PMovZXBD] = form{name: "VPMOVZXBD", shape: rm, pp: p66, mm: 2, op: 0x31, l: -1, tuple: quarter, b: xmm}
	forms[PMovZXBQ] = form{name: "VPMOVZXBQ", shape: rm, pp: p66, mm: 2, op: 0x32, l: -1, tuple: eighth, b: xmm}
	forms[PMovZXWD] = form{name: "VPMOVZXWD", shape: rm, pp: p66, mm: 2, op: 0x33, l: -1, tuple: half, b: low}
	forms[PMovDW] = form{name: "VPMOVDW", shape: mr, pp: pF3, mm: 2, op: 0x33, l: -1, tuple: half, dst: low, isEVEX: true}
	ints(PackUSDW, "VPACKUSDW", 2, 0x2b, 0)
	ints(PackSSDW, "VPACKSSDW", 1, 0x6b, 0)
	ints(PackSSWB, "VPACKSSWB", 1, 0x63, 0)
	forms[PAbsB] = form{name: "VPABSB", shape: rm, pp: p66, mm: 2, op: 0x1c, l: -1}
	forms[MovQStore] = form{name: "VMOVQ", shape: mr, pp: p66, mm: 1, op: 0x7e, w: 1, vexW: true, l: 0, tuple: bytes8, b: xmm}
	forms[MovDStore] = form{name: "VMOVD", shape: mr, pp: p66, mm: 1, op: 0x7e, l: 0, tuple: bytes4, b: xmm}
	forms[PMovM2D] = form{name: "VPMOVM2D", shape: rm, pp: pF3, mm: 2, op: 0x38, l: -1, b: mask, isEVEX: true}
	forms[PMovM2Q] = form{name: "VPMOVM2Q", shape: rm, pp: pF3, mm: 2, op: 0x38, w: 1, l: -1, b: mask, isEVEX: true}
	forms[PMovD2M] = form{name: "VPMOVD2M", shape: rm, pp: pF3, mm: 2, op: 0x39, l: -1, dst: mask, isEVEX: true}
	forms[PMovQ2M] = form{name: "VPMOVQ2M", shape: rm, pp: pF3, mm: 2, op: 0x39, w: 1, l: -1, dst: mask, isEVEX: true}
	forms[MovU8Load] = form{name: "VMOVDQU8", shape: rm, pp: pF2, mm: 1, op: 0x6f, l: -1, isEVEX: true}
	forms[MovU8Store] = form{name: "VMOVDQU8", shape: mr, pp: pF2, mm: 1, op: 0x7f, l: -1, isEVEX: true}
	forms[GatherPS] = form{name: "VGATHERDPS", shape: rv, pp: p66, mm: 2, op: 0x92, l: -1, tuple: bytes4, isEVEX: true}
	forms[GatherPD] = form{name: "VGATHERDPD", shape: rv, pp: p66, mm: 2, op: 0x92, w: 1, l: -1, tuple: bytes8, b: low, isEVEX: true}
	forms[VGatherPS] = form{name: "VGATHERDPS", shape: rv, pp: p66, mm: 2, op: 0x92, l: -1, isVEX: true}
	forms[VGatherPD] = form{name: "VGATHERDPD", shape: rv, pp: p66, mm: 2, op: 0x92, w: 1, vexW: true, l: -1, b: low, isVEX: true}
	for i, name := range []string{"VMASKMOVPS", "VMASKMOVPD"} {
		forms[MaskLoadS+Op(i)] = form{name: name, pp: p66, mm: 2, op: 0x2c + uint8(i), l: -1, isVEX: true}
		forms[MaskStoreS+Op(i)] = form{name: name, shape: mvr, pp: p66, mm: 2, op: 0x2e + uint8(i), l: -1, isVEX: true}
	}
	k := func(op Op, f form) {
		f.isVEX, f.mm, f.dst = true, max(f.mm, 1), mask
		if f.b == vec {
			f.b = mask
		}
		forms[op] = f
	}
	k(KAndW, form{name: "KANDW", op: 0x41, l: 1})
	k(KAndNW, form{name: "KANDNW", op: 0x42, l: 1})
	k(KOrW, form{name: "KORW", op: 0x45, l: 1})
	k(KXorW, form{name: "KXORW", op: 0x47, l: 1})
	k(KXnorW, form{name: "KXNORW", op: 0x46, l: 1})
	k(KNotW, form{name: "KNOTW", shape: rm, op: 0x44})
	k(KMovW, form{name: "KMOVW", shape: rm, op: 0x92, b: gpr})
	k(KMovB, form{name: "KMOVB", shape: rm, pp: p66, op: 0x92, b: gpr})
	k(KMovLoad, form{name: "KMOVW", shape: rm, op: 0x90})
	k(KMovStore, form{name: "KMOVW", shape: mr, op: 0x91})
	k(KShiftRW, form{name: "KSHIFTRW", shape: rm, pp: p66, mm: 3, op: 0x30, w: 1, vexW: true, imm: true})
	k(KUnpckBW, form{name: "KUNPCKBW", pp: p66, op: 0x4b, l: 1})
}
