# Production goes out in two steps of one window: first the groups of a small region, then, when they were good for an
# hour, all the others, not more than five at a time.

resource "refit_patch_schedule" "shop" {
  name         = "shop"
  timezone     = "UTC"
  environments = { prod = { day = "tue-thu", time = "02:00", duration = "5h" } }
  budget       = 5

  waves = [
    { environment = "prod", selector = { all = { Region = ["eu-west-3"] } }, bake = "1h" },
    { environment = "prod", selector = { none = { Region = ["eu-west-3"] } } },
  ]

  on_close = "finish_group"
  overrun  = "30m"
}
