# The organisation's freeze at the turn of the year, for everything that serves customers. It is declared once, in a
# project of its own, and holds for every project that has the same journal.

resource "refit_patch_freeze" "year_end" {
  name     = "year-end"
  from     = "12-19"
  to       = "01-04" # the first day that is free again
  yearly   = true
  timezone = "Europe/London"
  reason   = "no changes while nobody is in the office"
  ticket   = "CHG-2201"
  selector = { all = { Environment = ["stage", "prod"] } }
}

# A system that its vendor does not support on a newer image yet. It is left alone until somebody looks again.
resource "refit_patch_exception" "billing" {
  name        = "billing"
  until       = "2027-03-31"
  timezone    = "Europe/London"
  reason      = "the vendor supports the newer image from version 9 on"
  approved_by = "Head of Finance Systems"
  selector    = { all = { Application = ["billing"] } }
}
