# The department's module: what every project starts from. It creates nothing.

locals {
  # When each environment is refreshed. A project takes this as it is, or overrides single environments or single keys.
  refresh = {
    sandbox  = { day = "sun", time = "19:00" }
    dev      = { day = "sun", time = "19:00" }
    qa       = { day = "mon", time = "15:00" }
    qa2      = { day = "mon", time = "17:00" }
    test     = { day = "mon", time = "19:00" }
    training = { day = "sat", time = "08:00" }
    build    = { day = "sat", time = "12:00" }
    stage    = { day = "tue", time = "15:00" }
    prod     = { day = "wed", time = "15:00" }
  }
}

output "timezone" {
  description = "Zone of all windows."
  value       = "Europe/London"
}

output "defaults" {
  description = "What windows have that do not say otherwise."
  value       = { duration = "4h", cutoff = "45m" }
}

output "tags" {
  description = "By subject, what goes on the tags of a project's resources; refresh has the window of each environment."
  value       = { refresh = local.refresh }
}
