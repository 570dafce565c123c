"""Cluster managers side by side on test hosts: how long a client waits after a fault. See README.md."""
