//go:build !linux

package main

import (
	"context"
	"errors"
	"time"
)

const (
	defaultMeasure = time.Second
	maxMeasure     = time.Hour
)

var errNoSensor = errors.New("the sensor is programs in the Linux kernel, and this is another system")

func (s *sensorCommand) start() error                 { return errNoSensor }
func (s *sensorCommand) stop() error                  { return errNoSensor }
func (s *sensorCommand) status(context.Context) error { return errNoSensor }
