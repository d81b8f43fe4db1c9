// Command sensor measures what the sensor costs: how much slower connections and
// small messages get while it runs, what the kernel says its programs took, and
// how much memory a tracked socket has. Beside it stand tcplife and tcpstates of
// libbpf-tools, in the same rounds.
//
//	go run ./bench/sensor            # two minutes, as root, on a quiet machine
//	go run ./bench/sensor -short     # does it work
//	go run ./bench/sensor -json -check
//
// The traffic is made by a client and its servers on one processor, in a network
// namespace of their own: both ends of every connection cost, which is the worst
// case. "alone" has one thread be both ends. A round runs the same traffic without
// anything, with the sensor, without again, and with each rival; a loss is taken
// within its round, and two runs without anything side by side show the noise. What
// is compared is the processor's time, which on a processor that does nothing else
// is the throughput, and which other programs disturb less than the clock's.
//
// Linux only; needs root.
package main
