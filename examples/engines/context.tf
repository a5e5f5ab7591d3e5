# Not shown in the documentation: what the example refers to.
terraform {
  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

variable "pool_version" {
  description = "Launch template version of the group with a warm pool."
  type        = number
}
