"""Random sequences of faults on a cluster of three hosts, and the judge of what came of them. See README.md."""
