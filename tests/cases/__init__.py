"""What users of other connectors reported, each as the answers that brought it and what must stand in
the warehouse after them."""
