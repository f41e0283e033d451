#!/bin/bash
echo "configuring the agent"
echo "agent.conf: unknown key: colour" >&2
exit 3
