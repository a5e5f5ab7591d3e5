variable "health_token" {
  type      = string
  sensitive = true
  ephemeral = true # Terraform 1.10 or newer: it is stored nowhere
}

resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = "web"
  launch_template_version = "7"
  checkpoints             = [{ percentage = 20, bake = "5m" }]
  final_bake              = "5m"

  # What makes one member healthy.
  health = {
    load_balancer    = true # every attached target group and classic load balancer
    min_healthy_time = "1m"
    ec2_status       = true
    probe = {
      url           = "http://{private_ip}:8080/healthz"
      expected_body = "\"status\":\\s*\"up\""
      passes        = 3
      headers_wo    = { Authorization = "Bearer ${var.health_token}" }
    }
    alarms = ["web-5xx", "web-latency"]
  }

  # What makes the whole group good: before the roll, at each checkpoint and before the end.
  checks = [
    {
      name   = "devices"
      url    = "https://hub.example.com/stats"
      number = { path = "/connected", within_percentage = 5 }
      settle = "10m" # devices take a while to come back
    },
    {
      name          = "smoke"
      function_name = "web-smoke"
    },
  ]
}
