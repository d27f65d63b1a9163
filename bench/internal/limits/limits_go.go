package limits

import "encoding/binary"

//lint:ignore U1000 so that the loop is not optimized away
var sink [8]float32

// goFMA multiplies and adds in Go, the best that pure Go does.
var goFMA = fmaKernel{func(n int) {
	s := [8]float32{}
	a, b := float32(0.5), float32(0.25)
	for range n {
		for i := range s {
			s[i] = s[i]*a + b
		}
	}
	sink = s
}, 16}

//lint:ignore U1000 so that the reads are not optimized away
var readSink uint64

func goRead(b []byte) {
	s := uint64(0)
	for ; len(b) >= 32; b = b[32:] {
		s |= binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) |
			binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
	}
	readSink = s
}
