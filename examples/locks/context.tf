# Not shown in the documentation: what the example refers to.
terraform {
  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

variable "etcd_version" {
  description = "Launch template version of the etcd groups."
  type        = number
}

variable "worker_version" {
  description = "Launch template version of the worker groups."
  type        = number
}

variable "worker_groups" {
  description = "Names of the worker groups."
  type        = list(string)
}
