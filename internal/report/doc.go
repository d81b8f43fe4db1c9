// Package report turns what package diagnose found into text for a terminal or
// a pipe, and into the JSON of the report contract. It also lays out the
// markdown pages of closewait explain.
//
// Every renderer is a pure function of what it is given: it reads no clock, no
// environment and no terminal, and keeps no state, so it is safe for concurrent
// use. It needs no privilege and builds on every operating system.
//
// Process titles, command lines and namespace names are written by whoever runs
// on the host, and a saved snapshot by anybody: every string passes clean or
// the JSON encoder's escaping before it reaches the output, so that none can
// steer the reader's terminal.
package report
