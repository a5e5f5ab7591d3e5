# A group with a warm pool and a busy target tracking policy: EC2 Auto Scaling replaces its members.

resource "refit_asg_rolling_update" "pool" {
  autoscaling_group_name  = "pool"
  launch_template_version = var.pool_version
  engine                  = "instance_refresh"

  min_healthy_percentage = 100
  max_healthy_percentage = 120
  checkpoints            = [{ percentage = 10, bake = "15m" }]
  final_bake             = "10m"
  instance_timeout       = "15m" # AWS itself would try for an hour
}
