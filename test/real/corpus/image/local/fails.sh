#!/bin/bash
echo "the quota of the share is used up" >&2
exit 5
