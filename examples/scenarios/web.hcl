# A small web fleet in good health: four members in three zones behind a load
# balancer, launched in October's image. November's image is there, and waits.

start = "2026-11-20T09:00:00Z"

image "golden-web-2026.09" {
  created = "2026-09-07T04:00:00Z"
  tags    = { Family = "golden-web", Release = "2026.09" }
}

image "golden-web-2026.10" {
  created = "2026-10-05T04:00:00Z"
  tags    = { Family = "golden-web", Release = "2026.10" }
}

image "golden-web-2026.11" {
  created = "2026-11-02T04:00:00Z"
  tags    = { Family = "golden-web", Release = "2026.11" }
}

template "web" {
  default = 2

  version {
    image         = "golden-web-2026.09"
    instance_type = "t3.small"
    description   = "September"
  }

  version {
    image         = "golden-web-2026.10"
    instance_type = "t3.small"
    description   = "October"
  }
}

target_group "web" {
  deregistration_delay = "30s"
}

group "web" {
  template      = "web"
  launched_from = 2
  version       = "2"
  min           = 2
  max           = 8
  desired       = 4
  target_groups = ["web"]
  health_check  = "ELB"
  grace_period  = "300s"

  tags = {
    Name        = "web"
    Environment = "dev"
  }
}
