"""How dates and times are written on screens, by language."""
