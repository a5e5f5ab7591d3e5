# The demo's fleet: four members in three zones behind a load balancer, launched from version 1 of the template
# with October's image. November's image is there, and waits.

image "golden-web-2026.10" {
  created = "2026-10-05T04:00:00Z"
}

image "golden-web-2026.11" {
  created = "2026-11-02T04:00:00Z"
}

template "web" {
  version {
    image         = "golden-web-2026.10"
    instance_type = "t3.small"
  }
}

target_group "web" {}

group "web" {
  template      = "web"
  version       = "1"
  min           = 2
  max           = 8
  desired       = 4
  target_groups = ["web"]
}
