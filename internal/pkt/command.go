package pkt

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/closewait/closewait/model"
	"github.com/closewait/closewait/tcp"
)

// command obeys a backquoted command.
func (r *runner) command(text string) {
	if len(shellSplit(text, "||")) > 1 { // whose end decides, whatever fails before it
		r.unsupported("the command %q: an alternative", clip(text, 80))
		return
	}
	for _, part := range shellSplit(text, "&&", ";", "\n") {
		if strings.TrimSpace(part) == "" || strings.HasPrefix(strings.TrimSpace(part), "#") {
			continue
		}
		if err := r.simple(strings.TrimSpace(part)); err != nil {
			r.unsupported("the command %q: %v", clip(part, 80), err)
		}
	}
}

// simple obeys one pipeline. Its error says what is not supported.
func (r *runner) simple(text string) error {
	stages := shellSplit(text, "|")
	words, err := shellWords(stages[0])
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return fmt.Errorf("an empty command")
	}
	if len(stages) > 1 {
		return r.pipeline(text, words, stages[1:])
	}
	switch name := path.Base(words[0]); name {
	case "sysctl":
		r.sysctls(words[1:])
	case "defaults.sh":
		return r.defaults(words)
	case "set_sysctls.py":
		r.sysctls(words[1:])
	case "true", ":", "echo", "sync":
	case "sleep":
		return r.sleep(words[1:])
	case "tcpdrop":
		return r.tcpdrop(words[1:])
	case "ss":
		return r.kill(words[1:])
	case "sockstat", "netstat":
		_, err := r.table(words)
		return err
	default:
		return fmt.Errorf("it is not one of those that are understood")
	}
	return nil
}

// pipeline is an assertion about the sockets that there are.
func (r *runner) pipeline(text string, words, stages []string) error {
	switch words[0] {
	case "sockstat", "ss", "netstat":
	default:
		return fmt.Errorf("it is not one of those that are understood")
	}
	lines, err := r.table(words)
	if err != nil {
		return err
	}
	_, ok, err := pipe(lines, stages)
	if err == nil && !ok {
		got := "no socket"
		if len(lines) > 0 {
			got = strings.Join(lines, "; ")
		}
		r.fail("`"+text+"` to succeed", "the sockets "+got)
	}
	return err
}

// sysctls obeys the arguments of a sysctl command.
func (r *runner) sysctls(words []string) {
	for _, w := range words {
		if strings.HasPrefix(w, "-") {
			continue
		}
		name, value, ok := strings.Cut(w, "=")
		if ok {
			r.sysctl(name, value)
		}
	}
}

// defaults is a script beside the script that sets the values that its authors
// take for granted. Its sysctls are obeyed if it can be read; otherwise the
// profile's own values stand, which are the kernel's.
func (r *runner) defaults(words []string) error {
	if len(words) > 1 && path.Base(words[1]) == "set_sysctls.py" {
		defer r.sysctls(words[2:])
	} else if len(words) > 1 {
		return fmt.Errorf("its arguments")
	}
	name := words[0]
	if !path.IsAbs(name) {
		name = path.Join(path.Dir(r.script.Name), name)
	}
	if r.readFile == nil {
		return nil
	}
	text, err := r.readFile(name)
	if err != nil || len(text) > maxScript {
		r.result.ignore(path.Base(name))
		return nil
	}
	for line := range strings.Lines(string(text)) {
		words, err := shellWords(strings.TrimSpace(line))
		if err == nil && len(words) > 1 && words[0] == "sysctl" {
			r.sysctls(words[1:])
		}
	}
	return nil
}

// sleep lets time pass.
func (r *runner) sleep(words []string) error {
	if len(words) != 1 {
		return fmt.Errorf("sleep wants one number")
	}
	v, err := strconv.ParseFloat(words[0], 64)
	if err != nil || v < 0 || v > 1e6 {
		return fmt.Errorf("sleep wants one number")
	}
	r.advance(r.now + model.Time(v*1e6)*1000)
	return nil
}

// tcpdrop is FreeBSD's: it ends connections by state, or one by its addresses.
func (r *runner) tcpdrop(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "-a":
		r.destroy(func(tcp.Flow, tcp.State) bool { return true })
		return nil
	case len(words) == 2 && words[0] == "-s":
		state, err := tcp.ParseState(words[1])
		if err != nil {
			return fmt.Errorf("the state %q", clip(words[1], 40))
		}
		r.destroy(func(_ tcp.Flow, s tcp.State) bool { return s == state })
		return nil
	case len(words) == 4:
		r.destroy(func(f tcp.Flow, _ tcp.State) bool {
			return f.Local.Addr().String() == words[0] && strconv.Itoa(int(f.Local.Port())) == words[1] &&
				f.Remote.Addr().String() == words[2] && strconv.Itoa(int(f.Remote.Port())) == words[3]
		})
		return nil
	}
	return fmt.Errorf("its arguments")
}

// kill is ss alone: with -K it ends connections, without it nothing happens.
func (r *runner) kill(words []string) error {
	q, err := parseSS(words)
	if err != nil || !q.kill {
		return err
	}
	for _, row := range r.rows() {
		if s := row.Conn.State(); s != tcp.Closed && s != tcp.Listen && q.shows(row) {
			_, sent := r.host.Destroy(r.now, row.Flow)
			r.sends(sent)
		}
	}
	return nil
}

// destroy ends the connections that match.
func (r *runner) destroy(match func(tcp.Flow, tcp.State) bool) {
	for _, row := range r.rows() {
		if s := row.Conn.State(); s == tcp.Closed || s == tcp.Listen || !match(row.Flow, s) {
			continue
		}
		_, sent := r.host.Destroy(r.now, row.Flow)
		r.sends(sent)
	}
}
