package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/closewait/closewait/internal/diagnose"
)

// contestant is one command that is timed.
type contestant struct {
	name string
	args []string
	// check says what is wrong with its output for a population of n; young ones
	// need not count as stuck. It reads to the end and keeps nothing.
	check func(out io.Reader, n int, young bool) error
}

const (
	scanName     = "closewait scan --json"
	ssName       = "ss -tan state close-wait"
	ssOwnersName = "ss -tanp state close-wait"
)

// contestants are closewait, once for each reader, and ss without and with
// owners. The population is in network namespace ns; ss sees no other.
func contestants(closewait, ss string, readers []string, ns uint64) []contestant {
	var all []contestant
	for _, reader := range readers {
		c := contestant{scanName, []string{closewait, "scan", "--json"}, checkReport(ns)}
		if reader != "auto" {
			c.name += " --reader " + reader
			c.args = append(c.args, "--reader", reader)
		}
		all = append(all, c)
	}
	return append(all,
		contestant{ssName, []string{ss, "-tan", "state", "close-wait"}, checkRows},
		contestant{ssOwnersName, []string{ss, "-tanp", "state", "close-wait"}, checkOwnedRows})
}

// checkReport wants every connection of the population in a finding that names
// its owner and cause.
func checkReport(ns uint64) func(io.Reader, int, bool) error {
	return func(out io.Reader, n int, young bool) error {
		var r diagnose.Report
		if err := json.NewDecoder(out).Decode(&r); err != nil {
			return err
		}
		found := 0
		for _, f := range r.Findings {
			if f.NetNS.ID == ns && f.Owner != nil && f.Owner.Title == title && f.Cause == diagnose.EOFUnread && (f.Stuck || young) {
				found += f.Count
			}
		}
		if found != n {
			return fmt.Errorf("%d of %d connections are found, explained and owned", found, n)
		}
		return nil
	}
}

// checkRows wants a line for each connection, after the heading.
func checkRows(out io.Reader, n int, _ bool) error {
	if rows, _ := countRows(out); rows != n {
		return fmt.Errorf("%d rows for %d connections", rows, n)
	}
	return nil
}

// checkOwnedRows wants an owner on each of them.
func checkOwnedRows(out io.Reader, n int, _ bool) error {
	rows, owned := countRows(out)
	if rows != n || owned != n {
		return fmt.Errorf("%d rows, %d with an owner, for %d connections", rows, owned, n)
	}
	return nil
}

func countRows(out io.Reader) (rows, owned int) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		rows++
		if bytes.Contains(lines.Bytes(), []byte("users:((")) {
			owned++
		}
	}
	return rows - 1, owned
}
