package cudasrc

var Prelude = prelude

// SetNarrow sets the number of elements from which indices have 64 bits.
func SetNarrow(n int) { narrow = n }

// SetScatterChunk sets how many indices are sorted at once.
func SetScatterChunk(n int) { scatterChunk = n }
