# A single-node cluster on a golden image. It applies to a workspace, and to `hallmark emulate databricks`: docs/emulator.md.
terraform {
  required_providers {
    databricks = {
      source  = "databricks/databricks"
      version = "~> 1.80"
    }
  }
}

# The host and the token come from DATABRICKS_HOST and DATABRICKS_TOKEN.
provider "databricks" {}

variable "image" {
  description = "The golden image, by its tag: registry/repository:tag"
  type        = string
}

variable "registry_user" {
  type = string
}

variable "registry_password" {
  type      = string
  sensitive = true
}

variable "team" {
  type    = string
  default = "platform"
}

data "databricks_current_user" "me" {}

data "databricks_spark_version" "lts" {
  long_term_support = true
  spark_version     = "3.5"
}

data "databricks_node_type" "small" {
  local_disk = true
  min_cores  = 2
}

# The password stays in the workspace: the cluster names it.
resource "databricks_secret_scope" "registry" {
  name = "golden-registry"
}

resource "databricks_secret" "password" {
  scope        = databricks_secret_scope.registry.name
  key          = "password"
  string_value = var.registry_password
}

resource "databricks_workspace_file" "proxy" {
  path           = "${data.databricks_current_user.me.home}/golden/proxy.sh"
  content_base64 = base64encode("#!/bin/bash\necho \"proxy set for $DB_CLUSTER_ID\"\n")
}

resource "databricks_cluster_policy" "golden" {
  name = "Golden images"
  definition = jsonencode({
    "docker_image.url"        = { type = "regex", pattern = "^${replace(split(":", var.image)[0], ".", "\\.")}.*" }
    "autotermination_minutes" = { type = "range", maxValue = 60, defaultValue = 30 }
    "custom_tags.cost_centre" = { type = "fixed", value = "golden" }
  })
}

resource "databricks_cluster" "golden" {
  cluster_name            = "golden"
  policy_id               = databricks_cluster_policy.golden.id
  spark_version           = data.databricks_spark_version.lts.id
  node_type_id            = data.databricks_node_type.small.id
  data_security_mode      = "SINGLE_USER"
  single_user_name        = data.databricks_current_user.me.user_name
  autotermination_minutes = 30
  num_workers             = 0

  spark_conf = {
    "spark.databricks.cluster.profile" = "singleNode"
    "spark.master"                     = "local[*]"
  }

  custom_tags = {
    ResourceClass = "SingleNode"
    team          = var.team
    cost_centre   = "golden"
  }

  docker_image {
    url = var.image
    basic_auth {
      username = var.registry_user
      password = "{{secrets/${databricks_secret_scope.registry.name}/${databricks_secret.password.key}}}"
    }
  }

  init_scripts {
    workspace {
      destination = databricks_workspace_file.proxy.path
    }
  }
}

output "cluster" {
  value = databricks_cluster.golden.id
}

output "runtime" {
  value = databricks_cluster.golden.spark_version
}
