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

resource "refit_patch_freeze" "sale" {
  name     = "black-friday-2026"
  from     = "2026-11-26T18:00:00Z"
  to       = "2026-12-01T06:00:00Z"
  reason   = "Black Friday"
  selector = { everything = true }
}
