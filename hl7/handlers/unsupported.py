"""What this system does not take, and what a person has to decide."""

from hl7.ack import Problem


class Unsupported(Exception):
    """The message is of a kind that is not taken here: it is kept for a person and answered AR."""

    def __init__(self, problem: Problem) -> None:
        """Take the problem, which names the place."""
        self.problem = problem
        super().__init__(problem.text)


class Undecided(Exception):
    """The tables or the endpoint leave the message to a person: it is safe here and answered AA."""

    def __init__(self, problem: Problem) -> None:
        """Take the problem, which names the place."""
        self.problem = problem
        super().__init__(problem.text)
