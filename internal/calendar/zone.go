package calendar

import (
	"archive/zip"
	_ "embed" // for the zone database
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// archive is the IANA zone database, 2025c, in the form that Go's own tools
// ship (lib/time/zoneinfo.zip of the toolchain; public domain). It is embedded
// here and not by time/tzdata because the time package asks the machine first,
// and a window must not depend on who looks at it. A newer toolchain's file
// replaces it as it is; the tests then tell what moved.
//
//go:embed zones.zip
var archive string

// windowsZones has the zone names of Windows and the IANA zone of each, as the
// Unicode CLDR maps them: one pair to a line, with a bar between.
//
//go:embed windows_zones.txt
var windowsZones string

// Zone is an IANA time zone. The zero value is none. It can be compared.
type Zone struct{ loc *time.Location }

// UTC is the zone without clock changes.
var UTC = Zone{time.UTC}

// IsZero tells whether there is no zone.
func (z Zone) IsZero() bool { return z.loc == nil }

// String is the zone's IANA name; empty for none.
func (z Zone) String() string {
	if z.loc == nil {
		return ""
	}
	return z.loc.String()
}

// In gives an instant in local time; UTC where there is no zone.
func (z Zone) In(t time.Time) time.Time {
	if z.loc == nil {
		return t.UTC()
	}
	return t.In(z.loc)
}

var zoneFiles = sync.OnceValue(func() map[string]*zip.File {
	r, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		panic("the embedded zone database is damaged: " + err.Error()) // it is part of the program
	}
	files := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, "/") && zoneProblem(f.Name) == "" {
			files[f.Name] = f
		}
	}
	return files
})

var zoneCache sync.Map // name → *time.Location

// ZoneNames are the names that [ParseZone] takes, sorted.
func ZoneNames() []string { return slices.Sorted(maps.Keys(zoneFiles())) }

// ParseZone finds a zone by its IANA name, such as "Europe/London" or "UTC".
// The error of another name says why it will not do and what to write instead.
func ParseZone(name string) (Zone, error) {
	if name == "UTC" {
		return UTC, nil
	}
	if loc, ok := zoneCache.Load(name); ok {
		return Zone{loc.(*time.Location)}, nil //nolint:forcetypeassert // nothing else is put into it
	}
	if why := zoneProblem(name); why != "" {
		return Zone{}, fmt.Errorf("%s", why)
	}
	f, ok := zoneFiles()[name]
	if !ok {
		return Zone{}, fmt.Errorf("%q is no time zone that is known here; give an IANA name, such as \"Europe/London\" or \"UTC\".%s",
			name, meant(zoneMeant(name)))
	}
	loc, err := load(f)
	if err != nil {
		return Zone{}, fmt.Errorf("read zone %s: %w", name, err)
	}
	kept, _ := zoneCache.LoadOrStore(name, loc)
	return Zone{kept.(*time.Location)}, nil //nolint:forcetypeassert // as above
}

func load(f *zip.File) (*time.Location, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return time.LoadLocationFromTZData(f.Name, data)
}

// abbreviations are names of the database that are kept for old programs: they
// leave open which place's rules are meant, or name a fixed offset.
var abbreviations = map[string]string{
	"EST": "America/New_York", "EDT": "America/New_York", "EST5EDT": "America/New_York",
	"CST": "America/Chicago", "CDT": "America/Chicago", "CST6CDT": "America/Chicago",
	"MST": "America/Denver", "MDT": "America/Denver", "MST7MDT": "America/Denver",
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "PST8PDT": "America/Los_Angeles",
	"HST": "Pacific/Honolulu", "AKST": "America/Anchorage", "AKDT": "America/Anchorage",
	"GMT": "UTC", "GMT0": "UTC", "Greenwich": "UTC", "UCT": "UTC", "Zulu": "UTC", "Z": "UTC", "Universal": "UTC",
	"Etc/GMT": "UTC", "Etc/GMT0": "UTC", "Etc/Greenwich": "UTC", "Etc/UCT": "UTC", "Etc/Zulu": "UTC", "Etc/Universal": "UTC",
	"BST": "Europe/London", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney",
	"WET": "Europe/Lisbon", "WEST": "Europe/Lisbon", "CET": "Europe/Paris", "CEST": "Europe/Paris", "MET": "Europe/Paris",
	"EET": "Europe/Athens", "EEST": "Europe/Athens", "MSK": "Europe/Moscow", "W-SU": "Europe/Moscow", "Factory": "UTC",
}

// offsets are names that say how far from UTC, and no place.
var offsets = regexp.MustCompile(`^((Etc/)?(GMT|UTC|UT))?[+-][0-9]{1,2}(:?[0-9]{2})?$`)

// zoneProblem is why a name is refused, whether the database has it or not;
// empty when it is not.
func zoneProblem(name string) string {
	switch {
	case name == "":
		return `a time zone is missing; give an IANA name, such as "Europe/London" or "UTC"`
	case strings.EqualFold(name, "local") || strings.EqualFold(name, "localtime"):
		return fmt.Sprintf("%q is another zone on every machine; give an IANA name, such as \"Europe/London\" or \"UTC\"", name)
	case offsets.MatchString(name):
		return fmt.Sprintf("%q is a fixed offset, which is wrong for half of the year where clocks change; give an IANA name, such as \"Europe/London\" or \"UTC\"", name)
	}
	for a, iana := range abbreviations {
		if strings.EqualFold(a, name) {
			return fmt.Sprintf("%q is an abbreviation, which does not say by which place's rules the clocks change; give an IANA name.%s", name, meant(iana))
		}
	}
	return ""
}

// zoneMeant is the zone that was most likely meant; empty when none is near.
func zoneMeant(name string) string {
	if strings.EqualFold(name, "utc") {
		return "UTC"
	}
	for line := range strings.Lines(windowsZones) {
		windows, iana, _ := strings.Cut(strings.TrimSpace(line), "|")
		if strings.EqualFold(windows, name) {
			return iana
		}
	}
	bare := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), " ", "_"))
	var known []string
	for k := range zoneFiles() {
		lower := strings.ToLower(k)
		if lower == bare {
			return k
		}
		if city := lower[strings.LastIndex(lower, "/")+1:]; city == bare {
			known = append(known, k)
		}
	}
	if len(known) > 0 {
		return slices.Min(known)
	}
	return Nearest(bare, ZoneNames())
}
