# Of the three groups of an etcd cluster one at a time; of any number of worker groups three at a time.

resource "refit_asg_rolling_update" "etcd" {
  for_each = toset(["etcd-a", "etcd-b", "etcd-c"]) # one group for each zone

  autoscaling_group_name  = each.key
  launch_template_version = var.etcd_version
  lock                    = { key = "etcd-main" }
  lock_timeout            = "1h" # the other two may be first
}

resource "refit_asg_rolling_update" "worker" {
  for_each = toset(var.worker_groups)

  autoscaling_group_name  = each.key
  launch_template_version = var.worker_version
  lock                    = { key = "workers", max_holders = 3 }
  lock_timeout            = "2h"
}
