terraform {
  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

provider "refit" {
  region  = "eu-west-2"
  journal = { prefix = "/refit" }
}
