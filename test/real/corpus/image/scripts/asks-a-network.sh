#!/bin/bash
set -e
/databricks/python3/bin/python3 -c "import socket; socket.create_connection(('packages.example.com', 443), 5)"
