package main

import (
	"bufio"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
)

// generate writes n random options, with strikes that the share may well reach. The first rows do not depend
// on n.
func generate(w io.Writer, n int, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 0))
	b := bufio.NewWriterSize(w, 1<<16)
	b.WriteString("spot,strike,rate,volatility,expiry\n")
	for range n {
		volatility, expiry := 0.05+0.55*r.Float64(), 0.05+2.95*r.Float64()
		spot := 20 + 180*r.Float64()
		strike := spot * math.Exp(volatility*math.Sqrt(expiry)*r.NormFloat64())
		row := b.AvailableBuffer()
		row = strconv.AppendFloat(row, spot, 'f', 2, 64)
		row = strconv.AppendFloat(append(row, ','), max(5, 5*math.Round(strike/5)), 'f', 0, 64)
		row = strconv.AppendFloat(append(row, ','), 0.06*r.Float64(), 'f', 3, 64)
		row = strconv.AppendFloat(append(row, ','), volatility, 'f', 2, 64)
		row = strconv.AppendFloat(append(row, ','), expiry, 'f', 2, 64)
		if _, err := b.Write(append(row, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}
