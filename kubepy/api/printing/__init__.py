"""Table columns and cells, as kubectl get prints them."""
