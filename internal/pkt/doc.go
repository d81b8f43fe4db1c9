// Package pkt reads packetdrill scripts and runs them against the model, in
// virtual time. This is how other people's conformance suites judge it.
//
// It knows the part of the language that suites about opening, closing and
// resetting connections use. What it does not know makes a script unsupported,
// never passed: a script passes only if every line of it was understood, obeyed
// and found true, and the model sent nothing that the script does not expect.
//
// It is pure: a script's files are read through a function of the caller, and
// the clock is the script's own. No goroutines, no privileges.
package pkt
