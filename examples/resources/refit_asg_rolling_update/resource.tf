resource "refit_asg_rolling_update" "web" {
  autoscaling_group_name  = aws_autoscaling_group.web.name
  launch_template_version = refit_ami_refresh.web.launch_template_version
  image_id                = refit_ami_refresh.web.image_id

  min_healthy_percentage = 100
  max_healthy_percentage = 150
  checkpoints            = [{ percentage = 20, bake = "2m" }]
  final_bake             = "5m"
  instance_timeout       = "10m"
  on_failure             = "rollback"

  health = {
    load_balancer    = true
    min_healthy_time = "30s"
    probe            = { url = "http://{private_ip}:8080/healthz" }
    alarms           = ["web-5xx"]
  }
  checks = [{ name = "smoke", function_name = "web-smoke" }]

  timeouts = {
    create = "60m"
    update = "60m"
  }
}
