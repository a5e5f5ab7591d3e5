resource "refit_patch_schedule" "web" {
  name     = "web"
  timezone = "Europe/London"
  defaults = { duration = "4h", cutoff = "45m" }

  environments = {
    dev   = { day = "sun", time = "19:00" }
    stage = { day = "tue", time = "15:00" }
    prod  = { day = "2nd wed", time = "15:00", duration = "6h" }
  }

  waves = [
    { environment = "dev", bake = "18h" },
    { environment = "stage", bake = "18h" },
    { environment = "prod" },
  ]
}
