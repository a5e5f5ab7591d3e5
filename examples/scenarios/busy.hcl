# A fleet that others work on too: a policy that follows the load, a person
# who sets the capacity by hand, and reads that lag behind.

start = "2026-11-20T09:00:00Z"

staleness = {
  autoscaling          = "5s"
  ec2                  = "10s"
  elasticloadbalancing = "5s"
}

image "golden-api-2026.10" {
  created = "2026-10-05T04:00:00Z"
  tags    = { Family = "golden-api" }
}

image "golden-api-2026.11" {
  created = "2026-11-02T04:00:00Z"
  tags    = { Family = "golden-api" }
}

template "api" {
  version {
    image         = "golden-api-2026.10"
    instance_type = "m7i.large"
  }
}

target_group "api" {
  deregistration_delay = "60s"
}

group "api" {
  template      = "api"
  version       = "1"
  min           = 4
  max           = 20
  desired       = 9
  target_groups = ["api"]
  health_check  = "ELB"
  grace_period  = "300s"
}

# The load rises every ten minutes and falls again.
actor {
  at    = "3m"
  every = "10m"

  action {
    do    = "scale"
    group = "api"
    value = 2
  }
}

actor {
  at    = "8m"
  every = "10m"

  action {
    do    = "scale"
    group = "api"
    value = -2
  }
}

# Somebody knows better, once, in the middle of things.
actor {
  before = "autoscaling:TerminateInstanceInAutoScalingGroup"
  nth    = 2

  action {
    do    = "set_desired"
    group = "api"
    value = 12
  }
}

# The account shares its request rate with others.
fault {
  calls = "autoscaling:*"
  kind  = "throttle"
  after = "2m"
  for   = "20s"
}
