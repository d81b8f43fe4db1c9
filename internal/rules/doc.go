// Package rules holds the repository's rules about itself as tests: who may
// import whom, what a package comment says, where the clock is not read, how
// long a file is and what its name and text may not hold.
//
// A rule says the file, the line and why it exists. To change a rule, change
// its table here, reason included. Every rule is itself tested on a small tree
// that breaks it.
//
// The rules read every file of the checkout whatever its build tags, so Linux's
// files are judged on every system. There is no code outside the tests, no
// concurrency, and no privilege is needed.
package rules
