package main

import (
	"errors"
	"strconv"
	"strings"
)

// rate is a flag that says how often something may be done.
type rate struct{ perSecond float64 }

func (r *rate) String() string {
	if r.perSecond < 1 && r.perSecond > 0 {
		return strconv.FormatFloat(r.perSecond*60, 'g', 6, 64) + "/min"
	}
	return strconv.FormatFloat(r.perSecond, 'g', 6, 64) + "/s"
}

func (r *rate) Type() string { return "rate" }

func (r *rate) Set(s string) error {
	number, unit, _ := strings.Cut(s, "/")
	n, err := strconv.ParseFloat(number, 64)
	per, ok := map[string]float64{"": 1, "s": 1, "min": 60, "m": 60, "h": 3600}[unit]
	if err != nil || !ok || !(n > 0 && n <= 1e6) {
		return errors.New("use a number and a unit, such as 100/s or 30/min")
	}
	r.perSecond = n / per
	return nil
}
