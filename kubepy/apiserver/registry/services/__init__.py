"""What Services are given: cluster addresses, node ports, IP families. The strategy of Services decides when."""
