data "refit_patch_decision" "web" {
  autoscaling_group_name = "web"
}

# "Not now because freeze "year-end" (…) until Mon 4 Jan 00:00 GMT. Next chance Wed 6 Jan 15:00 GMT."
output "may_web_be_refreshed" {
  value = data.refit_patch_decision.web.explanation
}
