// Package figure is what the benchmarks' results are made of: the machine that they
// hang on, the spread of several rounds, bounds that hold or do not, and the command
// that prints them.
package figure
