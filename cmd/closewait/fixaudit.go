package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/internal/remedy"
)

// rootAudit is where root's acts are recorded, unless --audit says otherwise.
const rootAudit = "/var/log/closewait/audit.jsonl"

// audit appends JSON lines to a file: one that the run began, one for each act, and
// one for what came of it where that was not known at once. Nothing is done that
// can't be recorded: the first line is written before anything else, and a line that
// can't be written ends the run.
type audit struct {
	file *os.File
	head auditHead
}

// auditHead is what all lines of one run have in common.
type auditHead struct {
	Schema  string  `json:"schema"`
	Host    string  `json:"host"`
	BootID  string  `json:"boot_id"`
	By      auditBy `json:"by"`
	Command string  `json:"command"`
}

// auditBy is who ran it.
type auditBy struct {
	PID int `json:"pid"`
	UID int `json:"uid"`
	// User is the name of UID, Login the user who logged in (the kernel's loginuid),
	// Sudo who used sudo; absent where there is none.
	User  string `json:"user,omitempty"`
	Login string `json:"login,omitempty"`
	Sudo  string `json:"sudo,omitempty"`
}

// auditEvent is what a line tells.
type auditEvent string

const (
	auditBegin   auditEvent = "begin"
	auditAct     auditEvent = "act"
	auditOutcome auditEvent = "outcome"
)

type auditLine struct {
	auditHead
	At    time.Time  `json:"at"`
	Event auditEvent `json:"event"`
	// ActedAt is when the act of an outcome was done.
	ActedAt time.Time `json:"acted_at,omitzero"`
	*remedy.Result
}

// openAudit opens the file of that name, or the default one, and begins it.
func openAudit(name, command string, host observe.Host) (*audit, error) {
	a := &audit{head: auditHead{
		Schema: "closewait-audit/v1", Host: host.Name, BootID: host.BootID, By: whoami(), Command: command,
	}}
	var err error
	if a.file, err = openAuditFile(name); err == nil {
		// A full disk shows when something is written, and not before.
		if err = a.write(auditBegin, time.Now(), time.Time{}, nil); err != nil {
			_ = a.close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("nothing was done, because it could not be recorded (--audit FILE names another place): %w", err)
	}
	return a, nil
}

// openAuditFile makes the folder of the default file only: a folder that was named
// and is not there may be a slip of the pen, or a disk that is not mounted.
func openAuditFile(name string) (*os.File, error) {
	chosen := name != ""
	name, err := auditName(name)
	if err == nil && !chosen {
		err = os.MkdirAll(filepath.Dir(name), 0o700)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if chosen && errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: make its folder first (mkdir -p %s)", err, filepath.Dir(name))
	}
	if err == nil && torn(f) {
		_, _ = f.WriteString("\n") // if it fails, so does the line that follows
	}
	return f, err
}

// torn reports whether a file's last line has no end: a disk was full, or a run killed.
func torn(f *os.File) bool {
	end, err := f.Stat()
	if err != nil || !end.Mode().IsRegular() || end.Size() == 0 {
		return false
	}
	in, err := os.Open(f.Name()) // f is for writing only
	if err != nil {
		return false
	}
	defer in.Close()
	last := make([]byte, 1)
	_, err = in.ReadAt(last, end.Size()-1)
	return err == nil && last[0] != '\n'
}

// auditName is the default for this user: root's place, or below the home folder
// (XDG Base Directory Specification, state).
func auditName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if os.Geteuid() == 0 {
		return rootAudit, nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "closewait", "audit.jsonl"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no home folder to keep an audit log in")
	}
	return filepath.Join(home, ".local", "state", "closewait", "audit.jsonl"), nil
}

// bootID is the kernel's name for this boot, "" where it has none.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

func whoami() auditBy {
	by := auditBy{PID: os.Getpid(), UID: os.Getuid(), Sudo: os.Getenv("SUDO_USER")}
	if u, err := user.LookupId(strconv.Itoa(by.UID)); err == nil {
		by.User = u.Username
	}
	// 4294967295 is nobody: a daemon's process (Documentation/ABI/stable/procfs-audit_loginuid).
	if login, err := os.ReadFile("/proc/self/loginuid"); err == nil {
		if id := strings.TrimSpace(string(login)); id != "4294967295" {
			by.Login = id
			if u, err := user.LookupId(id); err == nil {
				by.Login = u.Username
			}
		}
	}
	return by
}

// record writes an act.
func (a *audit) record(r *remedy.Result) error {
	at := r.At
	if at.IsZero() {
		at = time.Now()
	}
	return a.write(auditAct, at, time.Time{}, r)
}

// conclude writes what has come of an act since.
func (a *audit) conclude(r *remedy.Result) error {
	return a.write(auditOutcome, time.Now(), r.At, r)
}

// write writes one line, in one write: two runs may share the file.
func (a *audit) write(event auditEvent, at, acted time.Time, r *remedy.Result) error {
	line, err := json.Marshal(auditLine{a.head, at, event, acted, r})
	if err == nil {
		_, err = a.file.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

func (a *audit) close() error { return a.file.Close() }
