// Package remedy decides what can be done from outside about stuck connections,
// has it done, and says what came of it. Nobody outside can close an
// application's descriptors; what can be done goes by degrees (Degree), from
// giving the application room to destroying the connection.
//
// A Plan is data: acts and reasons that follow from one diagnosis and its
// snapshot, by rules that docs/fix.md tells. A Runner carries out a plan through a
// Hand, which the caller wires to the kernel, and so can be tested without one. A
// Guard makes plans from a policy, look after look. Whatever was planned, it is
// the hand that checks a socket immediately before it touches it.
//
// The room is pure: time is an argument or comes from a Clock, chance plays no
// part. A Plan is not changed once it is made; a Runner and a Guard each belong to one
// goroutine. No privilege is needed here.
package remedy
