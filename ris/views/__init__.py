"""The pages of the desk that are more than a list: each reads rows, calls a verb, or shows a form."""
