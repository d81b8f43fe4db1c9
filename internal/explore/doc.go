// Package explore tries everything that can happen between two endpoints of
// the model: whatever the two applications call, the link delivers, loses,
// duplicates or reorders, and the timers do, within bounds. It answers whether
// every invariant holds in all of it, and gives the shortest story for each
// question.
//
// The search is breadth first over a graph of states that it builds, so that a
// story is as short as can be and the same at every run. Time is a whole
// number of units: docs/model-explore.md says why no behaviour is lost by
// that, and what the bounds leave out.
//
// Nothing here reads a clock, draws chance or needs a privilege; one search is
// one goroutine's, and its Result may be shared.
package explore
