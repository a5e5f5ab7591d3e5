package calendar

// WindowsZones is the table of names, for checking that it is sound.
var WindowsZones = windowsZones
