# What can be wrong with an image, and with the cloud around it.

start = "2026-11-20T09:00:00Z"

image "golden-web-2026.10" {
  created = "2026-10-05T04:00:00Z"
  tags    = { Family = "golden-web" }
}

# Starts, but never answers its health checks.
image "golden-web-2026.11-mute" {
  created       = "2026-11-02T04:00:00Z"
  never_healthy = true
  tags          = { Family = "golden-web", Fault = "never healthy" }
}

# Looks good for twenty minutes.
image "golden-web-2026.11-mortal" {
  created    = "2026-11-03T04:00:00Z"
  dies_after = "20m"
  tags       = { Family = "golden-web", Fault = "dies" }
}

# Takes four times as long to become healthy.
image "golden-web-2026.11-slow" {
  created     = "2026-11-04T04:00:00Z"
  boot_factor = 4
  tags        = { Family = "golden-web", Fault = "slow" }
}

# Its volume is encrypted with a key that Auto Scaling may not use.
image "golden-web-2026.11-locked" {
  created      = "2026-11-05T04:00:00Z"
  launch_error = "Client.InvalidKMSKey.InvalidState"
  tags         = { Family = "golden-web", Fault = "launch" }
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
  health_check  = "ELB"
  grace_period  = "300s"
}

# A zone that has no room for half an hour.
launch_fault {
  zone = "b"
  code = "InsufficientInstanceCapacity"
  for  = "30m"
}
