package main

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/figure"
)

func TestBoundsAreJudgedByMedians(t *testing.T) {
	r := &result{PerRecv: 101, PerConnection: 100, Memory: footprint{Each: 320}, Losses: []loss{
		{Traffic: churn, With: sensorName, Percent: figure.Spread{Median: 11}, ExtraNS: figure.Spread{Median: 200}},
		{Traffic: churn, With: tcplifeName, ExtraNS: figure.Spread{Median: 500}},
		{Traffic: messages, With: sensorName, Percent: figure.Spread{Median: 2}},
		{Traffic: alone, With: sensorName, Percent: figure.Spread{Median: 50}},
	}}
	failed := map[string]bool{"ns a recv": true, "of tcplife's ns, " + churn: true}
	bounds := judge(r)
	if len(bounds) != 6 {
		t.Errorf("%d bounds: %+v", len(bounds), bounds)
	}
	for _, b := range bounds {
		if b.Holds == failed[b.What] {
			t.Errorf("%+v", b)
		}
	}
	r.Bounds = bounds
	var out strings.Builder
	if err := r.Table(&out); err != nil || strings.Count(out.String(), "DOES NOT HOLD") != 2 {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range []string{"-rounds 0", "-each 1ms", "-held 20000", "x"} {
		var said strings.Builder
		if code := command().Run(t.Context(), strings.Fields(args), &said, &said); code != 2 || said.Len() == 0 {
			t.Errorf("%q: status %d: %s", args, code, said.String())
		}
	}
}
