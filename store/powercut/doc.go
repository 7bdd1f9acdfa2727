// Package powercut is a model of a loss of power, for tests: it records what a program
// does to its files, and builds what a disk may hold after a power cut at any moment.
//
// Record runs a command under ptrace and keeps, in their order, its writes, its changes
// of directories, its syncs, and what it says on its standard output: such a line is an
// acknowledgement. It sees the system calls themselves, so that it takes no word of the
// program or of its database engine for them.
//
// A Disk then takes the log up to a moment. What was synced is on the disk. Of all
// else each 512-byte sector is as it was at some moment since the file's last sync,
// whatever became of the others: writes are lost in part, torn, and out of order. A
// sector may be torn in its middle. The length of a file is that of some such moment
// too. A name that was made, moved or removed is durable when its directory is synced,
// and until then is there or not, one name apart from the other; a synced file without
// a durable name is gone. A move happens or does not, and loses no file by itself.
//
// Writes to mapped memory are not seen: the database's -shm file, which has nothing to
// survive, is left out. Reads of what a sync has failed to write are not modelled.
//
// Tests of a package begin with Main, Victim and Cut in victim.go. Start reading in log.go,
// then record_linux.go.
package powercut
