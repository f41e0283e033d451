# What examples/databricks/terraform does not need of a workspace, and other people's modules do. tools/terraform-check applies it.
terraform {
  required_providers {
    databricks = {
      source = "databricks/databricks"
    }
  }
}

provider "databricks" {}

variable "workers" {
  type    = number
  default = 2
}

data "databricks_current_user" "me" {}

data "databricks_zones" "all" {}

resource "databricks_instance_pool" "golden" {
  instance_pool_name                    = "golden"
  node_type_id                          = "i3.xlarge"
  min_idle_instances                    = 0
  max_capacity                          = 10
  idle_instance_autotermination_minutes = 15
  custom_tags                           = { team = "platform" }
  preloaded_docker_image {
    url = "registry.example.com/golden:1"
  }
}

data "databricks_instance_pool" "golden" {
  name = databricks_instance_pool.golden.instance_pool_name
}

resource "databricks_cluster_policy" "tagged" {
  name       = "tagged"
  definition = jsonencode({ "custom_tags.team" = { type = "fixed", value = "platform" } })
}

data "databricks_cluster_policy" "tagged" {
  name = databricks_cluster_policy.tagged.name
}

data "databricks_cluster_policy" "personal" {
  name = "Personal Compute"
}

resource "databricks_cluster" "pooled" {
  cluster_name            = "pooled"
  spark_version           = "15.4.x-scala2.12"
  instance_pool_id        = data.databricks_instance_pool.golden.id
  policy_id               = data.databricks_cluster_policy.tagged.id
  num_workers             = var.workers # changing it alone resizes
  autotermination_minutes = 20
  is_pinned               = true # the provider unpins it before it deletes it
  custom_tags             = { team = "platform" }
}

resource "databricks_cluster" "scaled" {
  cluster_name            = "scaled"
  spark_version           = "15.4.x-scala2.12"
  node_type_id            = "i3.xlarge"
  autotermination_minutes = 20
  autoscale {
    min_workers = 1
    max_workers = var.workers + 1
  }
  docker_image {
    url = "registry.example.com/golden:1"
  }
}

resource "databricks_permissions" "pooled" {
  cluster_id = databricks_cluster.pooled.id
  access_control {
    group_name       = "users"
    permission_level = "CAN_RESTART"
  }
}

resource "databricks_permissions" "tagged" {
  cluster_policy_id = databricks_cluster_policy.tagged.id
  access_control {
    group_name       = "users"
    permission_level = "CAN_USE"
  }
}

resource "databricks_notebook" "notes" {
  path           = "${data.databricks_current_user.me.home}/more/notes"
  language       = "PYTHON"
  content_base64 = base64encode("# Databricks notebook source\nprint(1)\n")
}

resource "databricks_directory" "golden" {
  path = "/Shared/golden"
}

resource "databricks_dbfs_file" "script" {
  path           = "/scripts/told.sh"
  content_base64 = base64encode("#!/bin/bash\n")
}

resource "databricks_file" "script" {
  path           = "/Volumes/main/default/scripts/told.sh"
  content_base64 = base64encode("#!/bin/bash\n")
}

resource "databricks_token" "short" {
  comment          = "for a script"
  lifetime_seconds = 86400
}

resource "databricks_secret_scope" "golden" {
  name = "golden"
}

resource "databricks_secret_acl" "golden" {
  scope      = databricks_secret_scope.golden.name
  principal  = "users"
  permission = "READ"
}

resource "databricks_workspace_conf" "containers" {
  custom_config = { "enableDcs" = true }
}

data "databricks_clusters" "all" {
  depends_on = [databricks_cluster.scaled]
}

data "databricks_cluster" "scaled" {
  cluster_name = databricks_cluster.scaled.cluster_name
}
