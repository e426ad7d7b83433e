"""Pod traffic between nodes: routes on one segment, VXLAN otherwise."""
