resource "refit_patch_exception" "billing" {
  name        = "billing"
  until       = "2027-03-31"
  timezone    = "Europe/London"
  reason      = "the vendor supports the newer image from version 9 on"
  approved_by = "Head of Finance Systems"
  selector    = { all = { Application = ["billing"] } }
}
