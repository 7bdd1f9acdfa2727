// Command bench measures the built program from outside, beside its peers, in one
// run: both get the same client, the same machine and the same minutes. It prints
// figures and their ratios, and never fails because something was slow; an exit
// status other than 0 means that a figure could not be measured.
//
// It imports no package of the product: what it measures is bin/fairlead over HTTP
// and on the command line. README.md says how to run it and how to read it. Start
// reading in main.go; each measurement is a file of its own.
package main
