// Package gate runs a program, watches the half-closed connections of its
// processes, and says at the end whether it left or built up stuck ones: the
// core of closewait run.
//
// What it knows comes from a Witness: Polling looks at the sockets again and
// again, needs no privilege, and says what it can not see. The ledger
// decides what counts, from what the witness saw; package diagnose says why, and the outcome
// is written as text, JSON or JUnit XML.
//
// One goroutine watches; another waits for the program. Run makes its process a
// child subreaper for the rest of its life (prctl(2)): daemons of the program become
// its children, and it reaps them. So it is for a command of its own. It
// needs no privilege beyond the program's.
package gate
