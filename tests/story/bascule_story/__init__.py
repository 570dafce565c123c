"""The story of ./demo in parts: the cluster, the shop on it, the faults, the timeline, the checks."""
