package runtime

import "github.com/adjoint-go/adjoint/internal/ir"

// The order of a reduction's steps is part of its result: a function of the static shape alone, never of
// the level, the threads or the batch.
//
//   - A run at the end of the array, [outer, run]: each row is cut into chunks of ChunkElems elements,
//     each chunk is folded into fresh lanes, and the lanes are finished into one partial result. More than
//     one partial is a row that is reduced by the same rule.
//   - A run before other axes, [outer, run, inner]: rows are accumulated in order, each chunk of
//     columnRows rows into an accumulator of its own, and those are then accumulated in order.
const (
	ChunkElems  = 4096
	ColumnElems = 16384
	ColumnRows  = 16 // rows of a chunk where the inner size is symbolic
)

// columnRows is the number of rows in a chunk of [outer, run, inner].
func columnRows(inner ir.Dim, ok bool) int {
	if !ok || !inner.Static() {
		return ColumnRows
	}
	return max(1, ColumnElems/max(1, inner.C))
}
