locals {
  # What the department says, in the old spelling, and what the team wants.
  defaults = { AMI_update_day = "sun", AMI_update_time = "19:00" }
  override = { day = "mon" }
}

# { AMI_update_day = "mon", AMI_update_time = "19:00" }
output "tags" {
  value = provider::refit::schedule_tags(local.defaults, local.override)
}
