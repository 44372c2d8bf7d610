"""People who sign in."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """An account. A model of our own from the first day, because Django cannot swap it in later."""
