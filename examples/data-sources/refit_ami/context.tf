# Not shown in the documentation: what the example refers to.
terraform {
  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}
