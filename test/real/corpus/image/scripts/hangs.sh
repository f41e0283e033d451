#!/bin/bash
echo "waiting for the licence server"
sleep 600
