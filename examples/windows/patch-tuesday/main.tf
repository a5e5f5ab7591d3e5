# Microsoft publishes on the second Tuesday of the month. Development follows on the day after, production three days
# later, in the night to Saturday.

resource "refit_patch_schedule" "windows" {
  name     = "windows-servers"
  timezone = "America/New_York"
  defaults = { duration = "5h", cutoff = "1h" }

  environments = {
    dev  = { day = "2nd tue +1d", time = "20:00" }
    prod = { day = "2nd tue +3d", time = "22:00" }
  }

  waves = [
    { environment = "dev", bake = "40h" },
    { environment = "prod" },
  ]
}

output "next" {
  description = "The next three windows of production."
  value       = provider::refit::next_windows("2nd tue +3d", "22:00", "America/New_York", "5h", plantimestamp(), 3)
}
