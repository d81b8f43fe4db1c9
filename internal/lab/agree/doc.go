// Package agree holds the model and the running kernel against each other.
// Random stories (connects, reads, writes, shutdowns, closes, aborts, exits,
// options, losses, duplicates, delays, waits) are told by the model, which
// writes down what it expects after every step, and played on the kernel, where
// all of that has to come true. A story on which they differ is one that
// "closewait lab run" plays, and is shrunk to its smallest form.
//
// # What is compared
//
// After every step, once both hosts are at rest: what the call returned; of both
// hosts the state, who holds the socket, Recv-Q and Send-Q, and which timer runs;
// and what was sent since the step before, in the order of its sending.
//
// # What is not
//
//   - The wire is compared in the normal form of package scenario: pure ACKs,
//     and so delayed ones, and whatever was sent before (data, a FIN, a SYN, a
//     probe, any RST but the first) may be left out any number of times.
//   - Queues of CLOSED, LISTEN and TIME_WAIT, and the timer of the first two: no
//     tool shows them.
//   - A host that waits for the ACKs of several segments is looked at 900 ms
//     later: Linux sends the last of them again after two round trips and two
//     jiffies (tcp_output.c, tcp_schedule_loss_probe), before the next step or
//     after it.
//   - What the lab can not shorten alike is not told: TCP_USER_TIMEOUT together
//     with keepalive, and keepalive set twice or by both. A story in which two
//     timers end in another order than they would (lab.Run.Notes) is counted,
//     and not compared.
//   - Nor is one in which both hosts send again in the same millisecond: which is
//     first there, and heard by the other, is decided by what a step takes.
//   - Amounts that hang on the kernel's buffers: writes are of 1000 octets at most.
//
// Retransmission ends sooner than on any host, on both engines alike: [ProfileOf]
// gives the model the lab's limits.
//
// A step takes the world's time too. Where a busy machine makes a step as long as
// a retransmission, the kernel goes ahead of the story. So a difference counts
// if it is there three times in a row; one that is not is logged.
//
// # Concurrency
//
// The functions are pure. The tests play many stories at once, each on hosts of
// its own.
//
// # Privileges
//
// None to tell a story; the lab's to play it.
package agree
