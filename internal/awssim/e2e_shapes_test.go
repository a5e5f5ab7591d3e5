package awssim_test

import (
	"strings"
	"testing"

	"github.com/fleetrefit/terraform-provider-refit/internal/awssim"
)

// shapesStack has a weighted group of both markets with hooks, and one with a
// warm pool.
const shapesStack = `
terraform {
  required_providers {
    aws = { source = "registry.terraform.io/hashicorp/aws" }
  }
}

provider "aws" {}

data "aws_ami" "base" {
  owners      = ["self"]
  most_recent = true
  filter {
    name   = "name"
    values = ["golden-*"]
  }
}

resource "aws_launch_template" "app" {
  name          = "app"
  image_id      = data.aws_ami.base.id
  instance_type = "c6i.large"
}

resource "aws_launch_template" "other" {
  name          = "other"
  image_id      = data.aws_ami.base.id
  instance_type = "c6i.large"
}

resource "aws_autoscaling_group" "mixed" {
  name                    = "mixed"
  min_size                = 2
  max_size                = 12
  desired_capacity        = 6
  availability_zones      = ["eu-west-2a", "eu-west-2b"]
  capacity_rebalance      = true
  max_instance_lifetime   = 604800
  default_instance_warmup = 60
  protect_from_scale_in   = false
  force_delete            = true
  mixed_instances_policy {
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.app.id
        version            = aws_launch_template.app.latest_version
      }
      override {
        instance_type     = "c6i.large"
        weighted_capacity = "2"
      }
      override {
        instance_type     = "c5.xlarge"
        weighted_capacity = "4"
        launch_template_specification {
          launch_template_id = aws_launch_template.other.id
          version            = "$Latest"
        }
      }
    }
    instances_distribution {
      on_demand_base_capacity                  = 2
      on_demand_percentage_above_base_capacity = 50
      spot_allocation_strategy                 = "SPOT"
    }
  }
  instance_maintenance_policy {
    min_healthy_percentage = 90
    max_healthy_percentage = 120
  }
  initial_lifecycle_hook {
    name                 = "setup"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 30
    default_result       = "CONTINUE"
  }
}

resource "aws_autoscaling_lifecycle_hook" "drain" {
  name                   = "drain"
  autoscaling_group_name = aws_autoscaling_group.mixed.name
  lifecycle_transition   = "autoscaling:EC2_INSTANCE_TERMINATING"
  heartbeat_timeout      = 60
  default_result         = "CONTINUE"
}

resource "aws_autoscaling_group" "warm" {
  name               = "warm"
  min_size           = 1
  max_size           = 4
  desired_capacity   = 1
  availability_zones = ["eu-west-2a"]
  launch_template {
    id      = aws_launch_template.app.id
    version = "$Latest"
  }
  warm_pool {
    pool_state                  = "Stopped"
    min_size                    = 1
    max_group_prepared_capacity = 3
    instance_reuse_policy {
      reuse_on_scale_in = true
    }
  }
}
`

// The real provider applies groups of these shapes, plans empty, updates and
// destroys them.
func TestAccHashicorpAWS_groupShapes(t *testing.T) {
	t.Parallel()
	s := newAWSStack(t)
	s.world.AddImage(awssim.Image{Name: "golden-1"})
	first := strings.ReplaceAll(shapesStack, "SPOT", "capacity-optimized")
	s.write(first)
	s.run("init")
	s.converge(first)
	if g, _ := s.world.Group("mixed"); g.LaunchedCapacity() != 6 || tally(g, marketOf) != "on-demand 2, spot 1" {
		t.Errorf("group mixed: got capacity %d of %s, want 6 of on-demand 2, spot 1", g.LaunchedCapacity(), tally(g, marketOf))
	}
	if g, _ := s.world.Group("warm"); len(g.Members) < 2 {
		t.Errorf("group warm: got %d members, want one and its pool", len(g.Members))
	}
	s.converge(strings.ReplaceAll(strings.ReplaceAll(shapesStack, "SPOT", "price-capacity-optimized"), "max_group_prepared_capacity = 3", "max_group_prepared_capacity = 2"))
	s.run("destroy", "-auto-approve")
	if groups := s.world.Groups(); len(groups) != 0 {
		t.Errorf("groups after destroy: got %v, want none", groups)
	}
}
