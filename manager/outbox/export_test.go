package outbox

// What tests put in the place of the operating system's files.
type (
	Disk   = disk
	File   = file
	System = system
)

var OpenOn = open
