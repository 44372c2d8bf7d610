"""The floor: the domain of a radiology department and its screens."""
