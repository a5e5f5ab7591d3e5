data "refit_patch_windows" "prod" {
  schedule     = "web"
  environment  = "prod"
  window_count = 5
}

output "next_windows" {
  value = data.refit_patch_windows.prod.windows[*].start
}

# For calendars: upload it where they can fetch it.
output "ics" {
  value = data.refit_patch_windows.prod.ics
}
