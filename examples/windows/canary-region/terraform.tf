terraform {
  required_version = ">= 1.8"

  required_providers {
    refit = {
      source = "fleetrefit/refit"
    }
  }
}

provider "refit" {
  region = "eu-west-2"
}
