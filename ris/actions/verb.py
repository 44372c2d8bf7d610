"""What makes a function a verb: it runs in one transaction, its caller's where there is one."""

from django.db import transaction

verb = transaction.atomic(savepoint=False)
"""Decorator of every verb.

Without a savepoint, because a message is all or nothing: a verb that raises undoes the whole transaction that it was
called in, and nobody may catch its error and go on writing. It also saves two statements a verb.
"""
