#!/bin/bash
set -e
echo "starting the agent"
systemctl start my-agent
