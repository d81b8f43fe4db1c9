// Command scan measures what a look costs, beside ss. It makes a population of
// stuck connections, step by step to each size asked for, and times "closewait
// scan --json", "ss -tan state close-wait" and "ss -tanp state close-wait" in
// turn, so that a noisy moment meets all three. What each printed is checked
// first: a fast wrong answer counts for nothing.
//
//	go run ./bench/scan                 # 1,000, 10,000 and 100,000 connections
//	go run ./bench/scan -short          # a minute less: does it work at all
//	go run ./bench/scan -json -n 5000
//
// The population and all three commands live in a network namespace of their
// own, so that ss sees the same sockets as closewait. docs/bench-scan.md tells
// what was measured.
//
// Two processes do it. The one that times is kept small, because a child's peak
// memory is never reported below that of the process that started it; the other,
// the stage, has the population's record and ends, with all connections, when the
// first one does. Linux only; needs root, for the namespace and to see owners.
package main
